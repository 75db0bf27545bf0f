// Package sim is a hypervisor without guests: it behaves at the seam of package hypervisor as QEMU does, because the same
// suite runs on both, and it costs a few hundred bytes and no goroutine per idle VM. A Host is the machine: it outlives the
// Drivers that agents make on it, so dropping a Driver is a crash of the agent. Faults are scripted on the Host. Time passes
// through package time only, so a test can run it in a synctest bubble. It deliberately emulates no instruction: what its
// guests can do is what the shell on their serial line does.
package sim

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Options shape a Host. The zero value answers everything at once.
type Options struct {
	StartDelay    time.Duration // from Start until the monitor answers
	ShutdownDelay time.Duration // from Shutdown until the guest has powered off
	AgentDelay    time.Duration // from the first vCPU until the guest agent answers
	NoAgent       bool          // guests have no guest agent
	Arch          vm.Arch       // of the host; empty: x86_64
	// Snapshots is told what a running guest's disks gain and lose, so that a simulated pool beside the host knows the same
	// snapshots as it would with files. nil: nobody is.
	Snapshots func(ctx context.Context, disk id.Volume, a hypervisor.SnapshotAction, tag string) error
}

// Host is one simulated machine.
type Host struct {
	options Options

	mu      sync.Mutex
	guests  map[id.VM]*guest
	faults  []*script
	disks   map[string]*disk // by path: what is remembered while nothing runs
	lastPID int
}

// disk is what a simulated guest keeps on a disk: one byte, which is enough to see whether a snapshot put it back.
type disk struct {
	value     byte
	snapshots map[string]*snapshot
}

type snapshot struct {
	value   byte
	memory  *memory // nil: of the disk only
	machine string  // that the memory fits
}

// memory is what a simulated guest would lose without power.
type memory struct{ Typed int64 }

// script is one fault that waits for its call.
type script struct {
	vm   id.VM
	call string
	nth  int
	err  error
	hang bool
}

// NewHost makes a machine without guests. At most one Options is used.
func NewHost(options ...Options) *Host {
	h := &Host{guests: map[id.VM]*guest{}, disks: map[string]*disk{}, lastPID: 1000}
	if len(options) > 0 {
		h.options = options[0]
	}
	h.options.Arch = cmp.Or(h.options.Arch, vm.X86_64)
	return h
}

// Driver gives what a new agent on this machine would use.
func (h *Host) Driver() *Driver { return &Driver{host: h} }

// Fail lets the nth coming call (1: the next) of the name ("Start", "Power", "Apply", ..., or "*") for the VM (or "*") fail
// with err before it does anything. Each Fail strikes once.
func (h *Host) Fail(vm id.VM, call string, nth int, err error) {
	h.script(&script{vm: vm, call: call, nth: max(nth, 1), err: err})
}

// Hang lets the nth coming call wait until its context ends, as a monitor does that has stopped answering. Power(Kill) needs no
// monitor: its name is "Kill", and it does not hang.
func (h *Host) Hang(vm id.VM, call string, nth int) {
	h.script(&script{vm: vm, call: call, nth: max(nth, 1), hang: true})
}

func (h *Host) script(s *script) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, s)
}

// strike finds the fault that this call meets.
func (h *Host) strike(vm id.VM, call string) *script {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, s := range h.faults {
		if s.vm != "*" && s.vm != vm || s.call != "*" && s.call != call {
			continue
		}
		if s.nth--; s.nth == 0 {
			h.faults = append(h.faults[:i:i], h.faults[i+1:]...)
			return s
		}
	}
	return nil
}

// meet applies the fault that this call meets, if any.
func (h *Host) meet(ctx context.Context, vm id.VM, call string) error {
	if err := ctx.Err(); err != nil {
		return silent(err)
	}
	s := h.strike(vm, call)
	switch {
	case s == nil || s.hang && call == "Kill":
		return nil
	case s.hang:
		<-ctx.Done()
		return silent(ctx.Err())
	}
	return s.err
}

func silent(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, "monitor_silent", "the VM's process did not answer in time; try again, or force the VM off")
}

// wait lets d pass unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return silent(ctx.Err())
	}
}

// ErrNoGuest says that the VM has no process on this host.
var ErrNoGuest = errors.New("no such guest")

func (h *Host) guest(vm id.VM) *guest {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.guests[vm]
}

func (h *Host) disk(path string) *disk {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.disks[path]
	if d == nil {
		d = &disk{}
		h.disks[path] = d
	}
	return d
}

// Guests counts the processes on this host.
func (h *Host) Guests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.guests)
}

// act runs f on a living guest with its lock held.
func (h *Host) act(vm id.VM, f func(*guest)) error {
	g := h.guest(vm)
	if g == nil {
		return ErrNoGuest
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return ErrNoGuest
	}
	f(g)
	return nil
}

// Crash ends the VM's process as a signal would.
func (h *Host) Crash(vm id.VM) error {
	return h.act(vm, func(g *guest) { g.end("the VM's process was killed by signal 9") })
}

// PowerOff lets the guest shut down by itself.
func (h *Host) PowerOff(vm id.VM) error { return h.act(vm, (*guest).powerOff) }

// Panic lets the guest's kernel stop.
func (h *Host) Panic(vm id.VM) error {
	return h.act(vm, func(g *guest) { g.stop(panicked, hypervisor.Event{Type: hypervisor.Panicked}) })
}

// IgnoreACPI lets the guest not obey Shutdown, or obey it again.
func (h *Host) IgnoreACPI(vm id.VM, ignore bool) error {
	return h.act(vm, func(g *guest) { g.deaf = ignore })
}

// DiskFull pauses the guest with an I/O error, as a full disk of the host does.
func (h *Host) DiskFull(vm id.VM) error {
	return h.act(vm, func(g *guest) {
		g.stop(paused, hypervisor.Event{Type: hypervisor.IOError, Reason: "the disk that holds this VM is full; make room and continue the VM"})
	})
}

// Flood lets the guest write n bytes to its serial line.
func (h *Host) Flood(vm id.VM, n int) error {
	return h.act(vm, func(g *guest) {
		noise := []byte("the quick brown fox jumps over the lazy dog, again and again\r\n")
		for n > 0 {
			part := noise[:min(n, len(noise))]
			g.serial().Output(part)
			n -= len(part)
		}
	})
}
