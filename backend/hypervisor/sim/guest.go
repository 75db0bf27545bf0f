package sim

import (
	"sync"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/tty"
)

// scrollback is what a simulated serial line remembers. It is far below hypervisor.SerialLogBytes so that very many fit.
const scrollback = 16 << 10

// The states of a guest.
const (
	running  = vm.SeenRunning
	paused   = vm.SeenPaused
	off      = vm.SeenStopped // powered off by itself, the process waits to be killed
	panicked = vm.SeenFailed
)

// guest is one simulated process. Its timers run only while something is about to happen.
type guest struct {
	host *Host
	pid  int

	mu      sync.Mutex
	cfg     hypervisor.Config // as the last Start or Apply finished it
	state   vm.RunState
	ended   bool
	deaf    bool // does not obey ACPI
	asked   bool // ACPI came while the guest was paused
	frozen  bool
	agent   bool
	memory  memory
	word    []byte // typed and not yet entered
	booted  time.Time
	serials *tty.Line // nil until somebody looks or the guest writes more than its greeting
	current *instance // of the living agent, or nil
	timers  []*time.Timer
}

// start lets the first vCPU run. restored is nil for a cold start. The lock is held.
func (g *guest) start(restored *memory) {
	g.state, g.booted = running, time.Now()
	if g.cfg.StartPaused {
		g.state = paused
	}
	if restored != nil {
		g.memory = *restored
	}
	g.startAgent()
}

func (g *guest) startAgent() {
	if g.host.options.NoAgent {
		return
	}
	g.later(g.host.options.AgentDelay, func() {
		if !g.agent && g.state == running {
			g.agent = true
			g.tell(hypervisor.Event{Type: hypervisor.AgentUp})
		}
	})
}

// later runs f with the lock held when d has passed and the process still lives. The lock is held now.
func (g *guest) later(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for i, t := range g.timers {
			if t == timer {
				g.timers = append(g.timers[:i:i], g.timers[i+1:]...)
				break
			}
		}
		if !g.ended {
			f()
		}
	})
	g.timers = append(g.timers, timer)
}

// attach makes the instance of a new agent; the one of the old agent hears nothing more.
func (g *guest) attach(d *Driver) *instance {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := &instance{driver: d, vm: g.cfg.VM, guest: g}
	g.current = i
	if g.agent {
		i.queue.Put(hypervisor.Event{Type: hypervisor.AgentUp})
	}
	switch g.state { // what the old agent may have missed
	case off:
		i.queue.Put(hypervisor.Event{Type: hypervisor.PoweredOff})
	case panicked:
		i.queue.Put(hypervisor.Event{Type: hypervisor.Panicked})
	}
	if g.ended {
		i.queue.Close(hypervisor.Event{Type: hypervisor.Exited, Reason: "the VM's process has ended"})
	}
	return i
}

func (g *guest) tell(e hypervisor.Event) {
	if i := g.current; i != nil && !i.driver.dead.Load() {
		i.queue.Put(e)
	}
}

// stop leaves the running state, once.
func (g *guest) stop(to vm.RunState, why hypervisor.Event) {
	if g.state == off || g.state == panicked || g.state == to && why.Type == hypervisor.Stopped {
		return
	}
	g.state = to
	g.tell(why)
}

func (g *guest) run() {
	if g.state != paused {
		return
	}
	g.state = running
	g.tell(hypervisor.Event{Type: hypervisor.Resumed})
	if !g.agent {
		g.startAgent()
	}
	if g.asked {
		g.asked = false
		g.powerButton()
	}
}

// powerButton is ACPI: the guest acts on it when and if it likes.
func (g *guest) powerButton() {
	switch {
	case g.state == paused:
		g.asked = true
	case g.state == running && !g.deaf:
		g.later(g.host.options.ShutdownDelay, func() {
			if g.state == running && !g.deaf {
				g.powerOff()
			}
		})
	}
}

func (g *guest) powerOff() {
	g.dropAgent()
	g.stop(off, hypervisor.Event{Type: hypervisor.PoweredOff})
}

func (g *guest) dropAgent() {
	if g.agent {
		g.agent, g.frozen = false, false
		g.tell(hypervisor.Event{Type: hypervisor.AgentDown})
	}
}

// reset restarts the guest in its process.
func (g *guest) reset() {
	g.dropAgent()
	g.memory, g.booted, g.asked = memory{}, time.Now(), false
	g.tell(hypervisor.Event{Type: hypervisor.Rebooted})
	if g.serials != nil {
		g.serials.Output([]byte(banner))
	}
	if g.state == running {
		g.startAgent()
	}
}

// end is the death of the process.
func (g *guest) end(reason string) {
	if g.ended {
		return
	}
	g.ended = true
	for _, t := range g.timers {
		t.Stop()
	}
	g.timers = nil
	g.host.forget(g)
	if g.serials != nil {
		g.serials.Close()
	}
	if i := g.current; i != nil && !i.driver.dead.Load() {
		i.queue.Close(hypervisor.Event{Type: hypervisor.Exited, Reason: reason})
	}
}

// serial gives the line, which exists from the first look on: until then everything it would hold is the greeting.
func (g *guest) serial() *tty.Line {
	if g.serials == nil {
		g.serials = tty.New(scrollback, nil, g.typed)
		g.serials.Output([]byte(banner))
	}
	return g.serials
}
