package agent

import (
	"context"
	"maps"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
)

// checkMachine refuses what no node can obey. The control plane has checked everything that a user may get wrong.
func checkMachine(m vm.Machine) error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "machine_invalid", format, args...)
	}
	switch {
	case !isVM(m.ID):
		return invalid("%q is not the id of a VM", truncate(string(m.ID), 40))
	case m.Epoch < 0 || m.Generation < 0 || m.Boot < 0:
		return invalid("the epoch, generation and boot of a machine cannot be negative")
	case m.GraceS < 0 || m.GraceS > maxGraceS:
		return invalid("a guest can be given 0 to %d seconds to power off, not %d", maxGraceS, m.GraceS)
	case len(m.Disks) > vm.MaxDisks || len(m.Made) > vm.MaxDisks || len(m.NICs) > vm.MaxNICs || len(m.Forwards) > vm.MaxForwards:
		return invalid("a machine has at most %d disks, %d NICs and %d forwards", vm.MaxDisks, vm.MaxNICs, vm.MaxForwards)
	case m.Role == vm.Receive:
		return fault.New(fault.Unsupported, "migration_unsupported", "this node cannot take in a running VM; stop %s first", m.Name)
	case m.Role != vm.Run && m.Role != vm.None:
		return invalid("a node has no role %q", truncate(string(m.Role), 40))
	case m.Restart == vm.Elsewhere:
		return fault.New(fault.Unsupported, "restart_elsewhere", "this node has no watchdog, so it cannot promise that %s never runs twice; use the restart policy \"stay\"", m.Name)
	}
	switch m.Power {
	case vm.Off, vm.On, vm.Paused, vm.Suspended, vm.Gone:
	default:
		return invalid("a VM cannot be %q", truncate(string(m.Power), 40))
	}
	return nil
}

func isVM(v id.VM) bool { return len(v) > 3 && v[:3] == "vm-" && id.Is(string(v)) }

func truncate(s string, n int) string { return s[:min(len(s), n)] }

// A guest has DefaultGrace to act on ACPI when the machine does not say, and never more than maxGraceS.
const (
	DefaultGrace = 60 * time.Second
	maxGraceS    = 3600
)

// obey makes m the machine that the node holds to, on the disk before anything follows from it. The same version again
// changes nothing.
func (x *actor) obey(m *vm.Machine) error {
	if err := x.load(); err != nil {
		x.a.log.Error("the journal entry of a VM was damaged", "vm", x.vm, "err", err)
	}
	if x.e != nil && !versionOf(&x.e.Machine).less(versionOf(m)) {
		return nil
	}
	old := x.e
	if old == nil {
		if removes(m) {
			x.e = &entry{Machine: *m, Phase: phaseStopped} // not written: it says nothing that m does not say again
			return nil
		}
		old = &entry{Phase: phaseStopped}
	}
	next := *old
	next.Machine, next.Held = *m, false
	if m.Power == vm.Gone && len(m.Disks) == 0 {
		next.Machine.Disks = old.Machine.Disks // whoever removes a VM need not know its disks
	}
	next.Dropped = dropped(old, &next.Machine)
	if m.Power == vm.Off {
		next.Ran = false
	}
	x.e = &next
	err := x.save()
	if err != nil && !takesAway(m) {
		x.e, x.dirty = old, false
		if old.Machine.ID == "" {
			x.e = nil
		}
		return err
	}
	// On a full disk a VM can still be stopped and removed, which may be what makes room. A crash before the journal could be
	// written forgets the command, which is not acknowledged before it is done.
	return nil
}

func removes(m *vm.Machine) bool   { return m.Power == vm.Gone || m.Role == vm.None }
func takesAway(m *vm.Machine) bool { return removes(m) || m.Power == vm.Off }

// converge makes the machine true. Every step may meet what an earlier pass or life has done already.
func (x *actor) converge(ctx context.Context) error {
	m := &x.e.Machine
	if x.missed {
		if err := x.adoptAgain(ctx); err != nil {
			return err
		}
	}
	if removes(m) {
		return x.remove(ctx)
	}
	if x.e.Revert != "" {
		if err := x.finishRevert(ctx); err != nil {
			return err
		}
	}
	switch m.Power {
	case vm.Off:
		return x.toOff(ctx)
	case vm.Suspended:
		return x.toSuspended(ctx)
	default:
		return x.toRunning(ctx, m.Power == vm.Paused)
	}
}

// toOff ends with disks and no process.
func (x *actor) toOff(ctx context.Context) error {
	if x.inst != nil {
		if err := x.end(ctx, x.e.Machine.Force); err != nil {
			return err
		}
	}
	// Ports without a process are what a start made that this command came before.
	if x.e.Phase != phaseStopped || x.e.Saved != nil || x.e.Failed || x.e.Reason != "" || len(x.e.Ports) > 0 {
		if err := x.settle(ctx, vm.SeenStopped, ""); err != nil {
			return err
		}
	}
	x.set(vm.SeenStopped, "")
	return x.disksAtRest(ctx)
}

// disksAtRest makes the disks of a VM without process those that are wanted: they are what a create of a VM that is not started,
// and a change of one that is down, answers for.
func (x *actor) disksAtRest(ctx context.Context) error {
	made, gone := x.e.Sizes, len(x.e.Dropped)
	if _, err := x.volumes(ctx); err != nil {
		if storage.IsLost(err) {
			x.set(vm.SeenFailed, fault.Sentence(err))
		}
		return err
	}
	// Saved memory goes on with the disks that it knows.
	if x.e.Phase == phaseStopped {
		if err := x.dropVolumes(ctx); err != nil {
			return err
		}
	}
	if gone == len(x.e.Dropped) && maps.Equal(made, x.e.Sizes) {
		return nil
	}
	return x.save()
}

// toRunning ends with a process whose vCPUs run, or stand still when paused.
func (x *actor) toRunning(ctx context.Context, paused bool) error {
	if x.inst != nil && x.e.Machine.Boot > x.e.Boot {
		if err := x.end(ctx, x.e.Machine.Force); err != nil {
			return err
		}
	}
	switch {
	case x.inst != nil:
		return x.adjust(ctx, paused)
	case x.e.Phase == phaseSuspended:
		return x.restore(ctx, paused)
	case x.e.Ran && x.e.Machine.Boot <= x.e.Boot:
		// Whether a guest that ended by itself starts again is not the node's decision.
		return x.disksAtRest(ctx)
	default:
		return x.start(ctx, paused)
	}
}

// toSuspended ends with the memory in a file and no process.
func (x *actor) toSuspended(ctx context.Context) error {
	if x.e.Phase == phaseSuspended {
		x.set(vm.SeenSuspended, "")
		return x.disksAtRest(ctx)
	}
	if x.inst == nil {
		return fault.New(fault.Conflict, "vm_not_running", "%s does not run, so there is no memory to suspend; start it first", x.e.Machine.Name)
	}
	return x.suspend(ctx)
}

// adjust brings a process to the machine while it runs.
func (x *actor) adjust(ctx context.Context, paused bool) error {
	unfinished := len(x.e.Dropped) > 0 && len(x.e.Restart) == 0 // an agent died between the change and what follows from it
	if x.inst.Info().Generation != x.e.Machine.Generation || x.stale || unfinished {
		if err := x.apply(ctx); err != nil {
			return err
		}
	}
	if !x.e.Ran && !x.shutdown {
		x.e.Ran = true
		if err := x.save(); err != nil {
			return err
		}
	}
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	now, err := x.inst.Status(call)
	if err != nil {
		return x.mute(err)
	}
	switch {
	case x.e.Held:
		x.set(vm.SeenPaused, x.e.Reason)
		return nil
	case paused && now == vm.SeenRunning:
		err = x.inst.Power(call, hypervisor.Pause)
	case !paused && now == vm.SeenPaused:
		err = x.inst.Power(call, hypervisor.Continue)
	}
	if err != nil {
		return x.mute(err)
	}
	x.runs(paused)
	return nil
}

// apply changes the devices and limits of the process.
func (x *actor) apply(ctx context.Context) error {
	x.stale = true // until the end is reached
	disks, err := x.volumes(ctx)
	if err != nil {
		return err
	}
	// Ports that go away are taken from the guest first, and from the node only then.
	m, had := &x.e.Machine, x.e.Ports
	nics, err := x.ports(ctx, union(m.NICs, had))
	if err != nil {
		return err
	}
	cfg, err := x.config(ctx, disks, nics[:len(m.NICs)])
	if err != nil {
		return err
	}
	if x.superseded() {
		return errSuperseded
	}
	call, cancel := x.call(x.a.o.Limits.Start)
	defer cancel()
	restart, err := x.inst.Apply(call, cfg)
	if err != nil {
		return x.mute(err)
	}
	if _, err := x.ports(ctx, m.NICs); err != nil {
		return err
	}
	if !slices.EqualFunc(had, m.NICs, samePort) {
		// What the guest said was of the interfaces that it had, and a guest that is up is asked every few minutes only.
		x.guest.Addresses, x.pollEvery = nil, 0
		x.askGuestIn(x.a.o.Limits.GuestPoll)
	}
	x.e.Restart = restart
	x.stale = false
	if len(restart) == 0 { // else a disk may still be in use until the process ends
		if err := x.dropVolumes(ctx); err != nil {
			return err
		}
	}
	return x.save()
}

// dropped gives the volumes of the entry that the machine has no longer. A VM that goes away keeps its list whole.
func dropped(old *entry, m *vm.Machine) []id.Volume {
	var out []id.Volume
	kept := volumesOf(m)
	for _, v := range slices.Concat(old.Dropped, volumesOf(&old.Machine)) {
		if !slices.Contains(kept, v) && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// dropVolumes removes what is no longer the VM's. The caller saves the entry; a crash before that removes them once more.
func (x *actor) dropVolumes(ctx context.Context) error {
	if len(x.e.Dropped) == 0 {
		return nil
	}
	if err := x.removeVolumes(ctx, x.e.Dropped); err != nil {
		return err
	}
	x.e.Dropped = nil
	return nil
}

func samePort(a, b vm.Port) bool { return a.ID == b.ID }

// union gives the wanted ports first and then those that are still there but no longer wanted.
func union(wanted, there []vm.Port) []vm.Port {
	all := slices.Clone(wanted)
	for _, p := range there {
		if !slices.ContainsFunc(wanted, func(w vm.Port) bool { return w.ID == p.ID }) {
			all = append(all, p)
		}
	}
	return all
}

// runs notes that the process is there and its vCPUs run, or are paused as wanted.
func (x *actor) runs(paused bool) {
	if paused {
		x.set(vm.SeenPaused, "")
		return
	}
	x.set(vm.SeenRunning, "")
}

// mute says that the process did not do what it was asked. The state stays as it was last known.
func (x *actor) mute(err error) error {
	if fault.Is(err, fault.Internal) || fault.Is(err, fault.Unavailable) {
		x.reason = reasonMute
		return fault.Wrap(err, fault.Unavailable, "process_mute", "the process of %s did not answer; stop it by force if this lasts", x.e.Machine.Name)
	}
	return err
}

const reasonMute = "its process did not answer"

// call gives a context for one call of a driver, pool or fabric that must not be cut short by a newer command.
func (x *actor) call(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(x.a.ctx, d)
}
