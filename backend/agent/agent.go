package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Agent owns the VMs of one node. It implements API.
type Agent struct {
	o       Options
	log     *slog.Logger
	journal *journal
	graves  *graves
	seq     *sequence
	board   *board
	lease   leaseClock
	home    home
	pulls   pulls
	host    hypervisor.Host // as probed by Start
	bootID  string          // of the machine's kernel
	started time.Time

	startSlots chan struct{} // bounds guests that start at once
	diskSlots  chan struct{} // bounds jobs on volumes

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the agent

	mu     sync.Mutex
	actors map[id.VM]*actor
	ready  bool // Start has given every VM its owner
	closed bool

	step func(what string) error // asked before each effect on the node's disk; tests cut it short
}

var _ API = (*Agent)(nil)

// New makes an agent. Nothing is read, written or started before Start.
func New(o Options) (*Agent, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Limits = o.Limits.withDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &Agent{o: o, log: o.Log.With("node", o.Node), board: newBoard(), actors: map[id.VM]*actor{}, step: o.Step}
	if a.step == nil {
		a.step = func(string) error { return nil }
	}
	a.lease.now = o.Instant
	if a.lease.now == nil {
		a.lease.now = BootTime
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.startSlots = make(chan struct{}, o.Limits.Starts)
	a.diskSlots = make(chan struct{}, o.Limits.DiskJobs)
	step := func(what string) error { return a.step(what) }
	dir := filepath.Join(o.DataDir, "agent")
	a.journal = &journal{dir: filepath.Join(dir, "vms"), noSync: o.NoSync, step: step}
	a.graves = &graves{path: filepath.Join(dir, "gone"), noSync: o.NoSync, step: step}
	a.home = home{path: filepath.Join(dir, "place"), noSync: o.NoSync, leased: make(chan struct{})}
	a.seq = &sequence{path: filepath.Join(dir, "seq"), noSync: o.NoSync}
	return a, nil
}

// Start reads the journal, adopts the guests that run, and finishes what a crash left half done where that only takes
// away: a stop, a removal, a suspend. It returns when every VM has an owner; what it could not find out about one VM
// stands in that VM's report. After a restart of the machine it begins to start the guests that start with it.
func (a *Agent) Start(ctx context.Context) error {
	a.started = time.Now()
	if err := a.openFiles(); err != nil {
		return err
	}
	host, err := a.o.Driver.Probe(ctx)
	if err != nil {
		return fmt.Errorf("probe the hypervisor: %w", err)
	}
	a.host = host
	if err := a.adoptAll(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	a.ready = true
	a.mu.Unlock()
	a.board.complete()
	a.goWhileOpen(a.autostart)
	return nil
}

func (a *Agent) openFiles() error {
	for _, dir := range []string{a.o.DataDir, a.journal.dir, filepath.Join(a.o.DataDir, "vms")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return diskError(err, "make its folders")
		}
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("boot id of the machine: %w", err)
	}
	a.bootID = string(boot[:min(len(boot), 36)])
	if err := a.graves.open(); err != nil {
		return err
	}
	if err := a.home.open(a.o.DataDir); err != nil {
		return err
	}
	return a.seq.open(a.started)
}

// Close lets go of the guests, which run on, and waits for what the agent started. It may be called twice.
func (a *Agent) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.wg.Wait()
	return nil
}

// StopAll ends every guest: by ACPI, and by force when its grace or ctx ends. What is wanted of the VMs does not change; at
// the next Start those that start with the machine are started. Errors of single VMs are joined.
func (a *Agent) StopAll(ctx context.Context) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, x := range a.all() {
		if !x.hasProcess() {
			continue
		}
		wg.Go(func() {
			defer context.AfterFunc(ctx, x.interrupt)() // what waits for a guest's grace now
			// The job outlives ctx: it is what makes an end of the guests when ctx ends.
			err := a.do(context.WithoutCancel(ctx), x.vm, func(own context.Context) error { return x.endForNow(own, ctx) })
			if err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("stop %s: %w", x.vm, err))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Ensure implements API. Beside the present state it returns fault.Unavailable when ctx ended first, and
// fault.Precondition when a newer machine came in between.
func (a *Agent) Ensure(ctx context.Context, m vm.Machine) (vm.Seen, error) {
	if err := checkMachine(m); err != nil {
		return vm.Seen{}, err
	}
	done := make(chan outcome, 1)
	if err := a.submit(m, done); err != nil {
		return a.report(m.ID), err
	}
	select {
	case o := <-done:
		return o.seen, o.err
	case <-ctx.Done():
		return a.report(m.ID), fault.Wrap(ctx.Err(), fault.Unavailable, "still_working", "the node is still working on %s; ask again", m.Name)
	case <-a.ctx.Done():
		return a.report(m.ID), errClosing()
	}
}

// submit gives the machine to the VM's actor, which is made if there is none.
func (a *Agent) submit(m vm.Machine, done chan outcome) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errClosing()
	}
	if !a.ready {
		return errOpening()
	}
	x := a.actors[m.ID]
	if x == nil {
		x = &actor{a: a, vm: m.ID}
		x.newest, _ = a.graves.version(m.ID)
	}
	if err := x.accept(m, done); err != nil {
		return err
	}
	a.actors[m.ID] = x
	x.wake()
	return nil
}

// do runs f in the VM's actor, behind what waits there, and gives its error. It returns early when ctx ends; f, once begun,
// goes on.
func (a *Agent) do(ctx context.Context, v id.VM, f func(own context.Context) error) error {
	done := make(chan error, 1)
	if err := a.post(v, job{run: f, done: done, ctx: ctx}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Unavailable, "still_working", "the node is still working on the VM; ask again")
	case <-a.ctx.Done():
		return errClosing()
	}
}

func (a *Agent) post(v id.VM, j job) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errClosing()
	}
	x := a.actors[v]
	if x == nil {
		return errNoVM(v)
	}
	if err := x.queue(j); err != nil {
		return err
	}
	x.wake()
	return nil
}

// Snapshot implements API.
func (a *Agent) Snapshot(ctx context.Context, r SnapshotRequest) error {
	if err := r.check(); err != nil {
		return err
	}
	x, err := a.find(r.VM)
	if err != nil {
		return err
	}
	return a.do(ctx, r.VM, func(own context.Context) error { return x.snapshot(own, r) })
}

// Reports implements API.
func (a *Agent) Reports(ctx context.Context) (<-chan vm.Seen, error) {
	if err := a.ctx.Err(); err != nil {
		return nil, errClosing()
	}
	return a.board.subscribe(ctx, a.ctx.Done())
}

// find gives the actor of a VM that the node has.
func (a *Agent) find(v id.VM) (*actor, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ready {
		return nil, errOpening()
	}
	if x := a.actors[v]; x != nil {
		return x, nil
	}
	return nil, errNoVM(v)
}

// goWhileOpen runs f in a goroutine that Close ends and waits for. It reports whether the agent was open.
func (a *Agent) goWhileOpen(f func(ctx context.Context)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.wg.Go(func() { f(a.ctx) })
	return true
}

func (a *Agent) all() []*actor {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*actor, 0, len(a.actors))
	for _, x := range a.actors {
		list = append(list, x)
	}
	return list
}

func (a *Agent) report(v id.VM) vm.Seen {
	a.board.mu.Lock()
	defer a.board.mu.Unlock()
	if s := a.board.now[v]; s != nil {
		return *s
	}
	return vm.Seen{VM: v, Node: a.o.Node, State: vm.SeenAbsent}
}

func errNoVM(v id.VM) error {
	return fault.New(fault.NotFound, "vm_not_on_node", "the node has no VM %s", v)
}

func errOpening() error {
	return fault.New(fault.Unavailable, "node_starting", "the node's agent is still looking at its guests; try again in a moment").After(time.Second)
}

func errClosing() error {
	return fault.New(fault.Unavailable, "node_stopping", "the node's agent is stopping; try again when it is back").After(time.Second)
}
