package agent

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// An actor owns one VM. Its goroutine lives while there is something to do or a process to listen to; a stopped VM costs a
// few hundred bytes and a file.
//
//	Ensure ─▶ wanted (the newest only) ─┐
//	Snapshot, StopAll ─▶ jobs (bounded) ─┼─▶ turn: obey → converge, or run a job ─▶ report
//	the process ─▶ events ───────────────┘
//
// A pass of converge reads what is there and goes one step after the other towards the machine; before each slow step it
// looks whether a newer machine waits, and gives way to it.
type actor struct {
	a  *Agent
	vm id.VM

	mu      sync.Mutex
	live    bool    // the goroutine is there
	newest  version // of the newest machine accepted
	wanted  *vm.Machine
	waiters []waiter
	jobs    []job
	poke    chan struct{}       // one token: something waits
	abort   context.CancelFunc  // ends what can be interrupted of the present pass
	inst    hypervisor.Instance // set by the goroutine, also read by Open
	streams int                 // open streams

	// Only the goroutine touches what follows.
	e         *entry // nil: not read from the journal, or nothing of the VM is here
	state     vm.RunState
	reason    string
	dirty     bool // the journal lacks what e says, because the disk was full
	shutdown  bool // the guest was asked to power off
	missed    bool // the process is there and could not be adopted yet
	stale     bool // the process may differ from the machine though the generations agree
	agentUp   bool
	guest     hypervisor.Guest
	ssh       string
	poll      *time.Timer // next question to the guest agent
	pollEvery time.Duration
}

// waiter is a caller of Ensure.
type waiter struct {
	version version
	done    chan outcome // of capacity one
}

type outcome struct {
	seen vm.Seen
	err  error
}

// job is what one caller wants done once, in the actor.
type job struct {
	ctx  context.Context // a job whose caller has left before it began is not begun
	run  func(own context.Context) error
	done chan error // of capacity one
}

// Bounds of what waits for one VM. Operations are serial per VM, so more callers than this are a fault of somebody.
const (
	maxWaiters = 64
	maxJobs    = 16
)

var errSuperseded = fault.New(fault.Precondition, "machine_superseded", "a newer command for this VM came in between")

func versionOf(m *vm.Machine) version { return version{m.Epoch, m.Generation} }

// accept takes a machine that is not older than the newest. The caller holds agent.mu and calls wake.
func (x *actor) accept(m vm.Machine, done chan outcome) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := versionOf(&m)
	if v.less(x.newest) {
		return fault.New(fault.Precondition, "machine_outdated", "the node has obeyed epoch %d generation %d of %s, this command is epoch %d generation %d",
			x.newest.epoch, x.newest.generation, m.Name, v.epoch, v.generation)
	}
	if len(x.waiters) >= maxWaiters {
		return fault.New(fault.RateLimited, "vm_busy", "%d commands wait for %s already; try again in a moment", maxWaiters, m.Name).After(time.Second)
	}
	if done != nil {
		x.waiters = append(x.waiters, waiter{v, done})
	}
	if x.newest.less(v) && x.abort != nil {
		x.abort()
	}
	x.newest, x.wanted = v, &m
	return nil
}

// queue adds a job. The caller holds agent.mu and calls wake.
func (x *actor) queue(j job) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.jobs) >= maxJobs {
		return fault.New(fault.RateLimited, "vm_busy", "%d requests wait for this VM already; try again in a moment", maxJobs).After(time.Second)
	}
	x.jobs = append(x.jobs, j)
	return nil
}

// wake makes the goroutine look. The caller holds agent.mu, and the agent is open.
func (x *actor) wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.poke == nil {
		x.poke = make(chan struct{}, 1)
	}
	select {
	case x.poke <- struct{}{}:
	default:
	}
	if !x.live {
		x.live = true
		x.a.wg.Go(x.run)
	}
}

func (x *actor) run() {
	for {
		x.turn()
		if x.retire() || !x.wait() {
			return
		}
	}
}

// turn does everything that waits.
func (x *actor) turn() {
	for x.a.ctx.Err() == nil {
		if m := x.takeWanted(); m != nil {
			x.command(m)
			continue
		}
		j, ok := x.takeJob()
		if !ok {
			break
		}
		if err := j.ctx.Err(); err != nil {
			j.done <- err
			continue
		}
		err := x.load()
		if err == nil {
			err = j.run(x.a.ctx)
		}
		x.publish()
		j.done <- err
	}
	if x.dirty && x.e != nil {
		x.save() // an error stays in dirty
	}
}

func (x *actor) takeWanted() *vm.Machine {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.wanted
	x.wanted = nil
	return m
}

func (x *actor) takeJob() (job, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.jobs) == 0 {
		return job{}, false
	}
	j := x.jobs[0]
	x.jobs = x.jobs[1:]
	return j, true
}

// command obeys a machine and tells the callers that wait for it.
func (x *actor) command(m *vm.Machine) {
	err := x.obey(m)
	if err == nil {
		err = x.pass()
	}
	if errors.Is(err, errSuperseded) {
		return // the newer machine waits, and tells these callers too
	}
	if err != nil {
		x.a.log.Warn("converge", "vm", x.vm, "generation", m.Generation, "power", m.Power, "err", err)
	}
	seen := x.publish()
	x.mu.Lock()
	defer x.mu.Unlock()
	kept := x.waiters[:0]
	for _, w := range x.waiters {
		switch v := versionOf(m); {
		case w.version == v:
			w.done <- outcome{seen, err}
		case w.version.less(v):
			w.done <- outcome{seen, errSuperseded}
		default:
			kept = append(kept, w)
		}
	}
	clear(x.waiters[len(kept):])
	x.waiters = kept
}

// pass runs converge once, with a context that a newer command ends.
func (x *actor) pass() error {
	ctx, cancel := context.WithCancel(x.a.ctx)
	defer cancel()
	x.mu.Lock()
	x.abort = cancel
	x.mu.Unlock()
	err := x.converge(ctx)
	x.mu.Lock()
	x.abort = nil
	x.mu.Unlock()
	if err != nil && x.superseded() {
		return errSuperseded
	}
	return err
}

// interrupt ends what can be interrupted of the present pass.
func (x *actor) interrupt() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.abort != nil {
		x.abort()
	}
}

// superseded reports whether a newer machine than the present waits.
func (x *actor) superseded() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.wanted != nil && x.e != nil && versionOf(&x.e.Machine).less(versionOf(x.wanted))
}

// retire ends the goroutine when the VM has no process and nothing waits. The entry is read again when it is needed.
func (x *actor) retire() bool {
	x.a.mu.Lock()
	defer x.a.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.inst != nil || x.missed || x.wanted != nil || len(x.jobs) > 0 || x.dirty || x.a.closed {
		return false
	}
	x.live, x.poke, x.waiters, x.jobs = false, nil, nil, nil
	if x.e == nil && (x.state == vm.SeenAbsent || x.state == "") {
		delete(x.a.actors, x.vm)
	}
	x.e = nil
	return true
}

// A try again, while nobody asks for anything: to write what a full disk refused, and to take over a process that was silent.
const (
	dirtyRetry = 10 * time.Second
	adoptRetry = 10 * time.Second
)

// wait blocks until something happens. It reports false when the agent closes.
func (x *actor) wait() bool {
	var events <-chan hypervisor.Event
	if x.inst != nil {
		events = x.inst.Events()
	}
	var poll, retry, adopt <-chan time.Time
	if x.poll != nil {
		poll = x.poll.C
	}
	if x.dirty {
		retry = time.After(dirtyRetry)
	}
	if x.missed {
		adopt = time.After(adoptRetry)
	}
	select {
	case <-x.poke:
	case e, ok := <-events:
		x.events(e, ok)
		x.publish()
	case <-poll:
		x.askGuest()
		x.publish()
	case <-retry:
	case <-adopt:
		x.adoptLater()
	case <-x.a.ctx.Done():
		return false
	}
	return true
}

// load reads the entry when it is not in memory.
func (x *actor) load() error {
	if x.e != nil {
		return nil
	}
	e, err := x.a.journal.read(x.vm)
	x.e = e
	return err
}

// save writes the entry. After a failure it is tried again when the actor next has nothing to do.
func (x *actor) save() error {
	err := x.a.journal.write(x.e)
	x.dirty = err != nil
	return err
}

// publish reports the VM when something changed since the last report, and gives what is reported now.
func (x *actor) publish() vm.Seen {
	s := vm.Seen{VM: x.vm, Node: x.a.o.Node, State: x.state, Reason: x.reason}
	if s.State == "" {
		s.State = vm.SeenAbsent
	}
	if e := x.e; e != nil {
		m := &e.Machine
		s.Epoch, s.Generation, s.MachineType, s.CPUModel = m.Epoch, m.Generation, e.MachineType, e.CPUModel
		for _, n := range m.NICs {
			if n.Address != "" {
				s.Addresses = append(s.Addresses, n.Address)
			}
		}
		s.Restart = e.Restart
		s.GuestOff = s.State == vm.SeenStopped && e.Reason == reasonGuestOff
		s.Stale = !e.hasDisks()
	} else {
		s.Epoch, s.Generation = x.newest.epoch, x.newest.generation
	}
	if x.inst != nil {
		info := x.inst.Info()
		s.Boot, s.PID, s.Accel, s.SSH = info.Boot, info.PID, info.Accel, x.ssh
		s.Stale = s.Stale || x.stale || info.Generation != s.Generation
		s.Hostname, s.Agent = x.guest.Hostname, x.agentUp
		if len(x.guest.Addresses) > 0 {
			s.Addresses = x.guest.Addresses
		}
	}
	b := x.a.board
	b.mu.Lock()
	last := b.now[x.vm]
	b.mu.Unlock()
	if last != nil {
		s.Seq = last.Seq
		if reflect.DeepEqual(*last, s) {
			return s
		}
	}
	s.Seq = x.a.seq.take()
	if last != nil || s.State != vm.SeenAbsent {
		b.post(&s)
	}
	return s
}

// set changes the state that is reported next.
func (x *actor) set(s vm.RunState, reason string) { x.state, x.reason = s, reason }

func (x *actor) setInstance(i hypervisor.Instance) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.inst = i
}

func (x *actor) hasProcess() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.inst != nil
}
