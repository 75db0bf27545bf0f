package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// adoptAll gives every VM of the journal and every running process an owner.
func (a *Agent) adoptAll(ctx context.Context) error {
	known, err := a.journal.list()
	if err != nil {
		return err
	}
	processes, err := a.o.Driver.Running(ctx)
	if err != nil {
		return fmt.Errorf("look for running guests: %w", err)
	}
	running := map[id.VM]bool{}
	for _, v := range processes {
		running[v] = true
	}
	all := maps.Clone(running)
	for _, v := range known {
		all[v] = true
	}
	if err := a.dropStrayPorts(ctx, running); err != nil {
		a.log.Warn("release ports of VMs that have no process", "err", err)
	}
	return a.adoptEach(ctx, all, running)
}

// dropStrayPorts releases ports of VMs that have no process: a removal was cut short, or a start before its process was there. A
// start makes them again.
func (a *Agent) dropStrayPorts(ctx context.Context, running map[id.VM]bool) error {
	attached, err := a.o.Fabric.Attached(ctx)
	if err != nil {
		return err
	}
	for _, v := range attached {
		if !running[v] {
			err = errors.Join(err, a.o.Fabric.Release(ctx, v))
		}
	}
	return err
}

func (a *Agent) adoptEach(ctx context.Context, all, running map[id.VM]bool) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4*cap(a.startSlots)) // adopting waits for monitors, not for the CPU
	for v := range all {
		if err := ctx.Err(); err != nil {
			break
		}
		slots <- struct{}{}
		x := &actor{a: a, vm: v}
		a.mu.Lock()
		a.actors[v] = x
		a.mu.Unlock()
		wg.Go(func() {
			defer func() { <-slots }()
			if !x.quiet(running[v]) {
				err := a.do(ctx, v, func(own context.Context) error { return x.adopt(own, running[v]) })
				if err != nil {
					a.log.Warn("adopt", "vm", v, "err", err)
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// quiet reads the entry before the actor has a goroutine, and reports whether a report is all that there is to do: the VM is
// at rest and was meant to be.
func (x *actor) quiet(running bool) bool {
	e, err := x.a.journal.read(x.vm)
	if errors.Is(err, errDamaged) {
		x.a.log.Error("adopt", "vm", x.vm, "err", err)
		x.set(vm.SeenFailed, "the node's record of it was damaged and is set aside; its disks are untouched, start it again")
	} else if err != nil {
		x.a.log.Error("adopt", "vm", x.vm, "err", err)
		x.set(vm.SeenFailed, "the node could not read its record of it: "+fault.Sentence(err))
	}
	if e != nil {
		x.newest = versionOf(&e.Machine)
	}
	x.newest = newer(x.newest, x.a.graveOf(x.vm))
	if running {
		return false
	}
	if e == nil {
		x.publish()
		return true
	}
	if removes(&e.Machine) {
		return false
	}
	x.e = e
	defer func() { x.e = nil }()
	switch {
	case e.Phase == phaseSuspended && e.Machine.Power != vm.Off && x.hasState():
		x.set(vm.SeenSuspended, "")
		if e.Failed {
			x.set(vm.SeenFailed, e.Reason)
		}
	case e.Phase == phaseStopped:
		x.set(vm.SeenStopped, e.Reason)
		if e.Failed {
			x.set(vm.SeenFailed, e.Reason)
		}
	default:
		return false
	}
	x.publish()
	return true
}

func newer(a, b version) version {
	if a.less(b) {
		return b
	}
	return a
}

func (a *Agent) graveOf(v id.VM) version {
	at, _ := a.graves.version(v)
	return at
}

// adopt finds out what became of the VM while no agent was there.
func (x *actor) adopt(ctx context.Context, running bool) error {
	if !running {
		return x.adoptDead(ctx)
	}
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	inst, err := x.a.o.Driver.Adopt(call, x.vm)
	x.missed = err != nil && !fault.Is(err, fault.NotFound)
	switch {
	case x.missed: // tried again at the next command
		x.set(vm.SeenFailed, "its process is there and could not be taken over: "+fault.Sentence(err))
		return err
	case err != nil:
		return x.adoptDead(ctx) // it ended in this moment
	}
	return x.adoptLive(ctx, inst)
}

// adoptAgain tries once more to take over a process that was silent. A command that ends the VM does not need its word.
func (x *actor) adoptAgain(ctx context.Context) error {
	m := &x.e.Machine
	killer, ok := x.a.o.Driver.(hypervisor.Killer)
	if !ok || !removes(m) && !(m.Power == vm.Off && m.Force) {
		return x.adopt(ctx, true)
	}
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	if err := killer.Kill(call, x.vm); err != nil {
		return x.mute(err)
	}
	x.missed = false
	return nil
}

// adoptLater tries once more while nobody asks: a monitor that was silent for a moment must not leave a guest that runs in error.
func (x *actor) adoptLater() {
	err := x.load()
	if err == nil {
		err = x.adopt(x.a.ctx, true)
	}
	if err != nil {
		x.a.log.Warn("adopt", "vm", x.vm, "err", err)
	}
	x.publish()
}

// adoptLive takes a process over and goes on with a command that only takes away. What starts or resumes waits for the
// control plane, which may have moved the VM while this node was away.
func (x *actor) adoptLive(ctx context.Context, inst hypervisor.Instance) error {
	info := inst.Info()
	if x.e == nil {
		// The record was lost. The process says enough to hold it until the control plane speaks.
		x.e = &entry{Machine: vm.Machine{ID: x.vm, Name: info.Config.Name, Epoch: info.Epoch, Generation: info.Generation, Boot: info.Boot,
			Role: vm.Run, Power: vm.On, UID: info.Config.UID, Arch: info.Config.Arch, CPUs: info.Config.CPUs, MemoryMiB: info.Config.MemoryMiB}}
		x.mu.Lock()
		x.newest = newer(x.newest, versionOf(&x.e.Machine))
		x.mu.Unlock()
	}
	x.attach(inst)
	x.e.Phase, x.e.Ran, x.e.Boot, x.e.Saved = phaseRunning, x.e.Machine.Power != vm.Off, info.Boot, nil
	x.e.HostBoot, x.e.Failed = x.a.bootID, false
	x.e.MachineType, x.e.CPUModel = cmp.Or(x.e.MachineType, info.MachineType), cmp.Or(x.e.CPUModel, info.CPUModel)
	if agent, ok := inst.(hypervisor.GuestAgent); ok && x.e.Frozen {
		x.thaw(agent)
	}
	x.set(vm.SeenRunning, reasonMute)
	x.look(false)
	m := &x.e.Machine
	if x.inst != nil && (takesAway(m) || m.Power == vm.Suspended) {
		return x.pass()
	}
	if x.inst != nil && m.Role == vm.Run && x.e.Boot >= m.Boot {
		// A crash between a start and its last step leaves the vCPUs as they are not wanted.
		return x.adjust(ctx, m.Power == vm.Paused)
	}
	return nil
}

// adoptDead finds no process where there may have been one.
func (x *actor) adoptDead(ctx context.Context) error {
	if x.e == nil {
		return nil
	}
	m := &x.e.Machine
	if takesAway(m) {
		return x.pass()
	}
	switch p := x.e.Phase; {
	case (p == phaseSuspending || p == phaseSuspended || p == phaseRestoring) && x.hasState():
		return x.suspended()
	case p == phaseStarting, p == phaseRunning && m.Boot > x.e.Boot: // a restart ends the run before
		return x.settle(ctx, vm.SeenStopped, "the node's agent ended before it had started; start it again")
	case p == phaseSuspended:
		return x.settle(ctx, vm.SeenFailed, "its saved memory is not on the disk any more; start it again")
	}
	x.e.Ran = true
	if x.e.HostBoot != x.a.bootID {
		return x.settle(ctx, vm.SeenStopped, "its node was restarted")
	}
	return x.settle(ctx, vm.SeenFailed, "its process ended while the node's agent was away")
}

// autostart starts the guests that start with the machine, in order, when the machine was restarted. It needs no server, unless the
// data folder came from elsewhere.
func (a *Agent) autostart(ctx context.Context) {
	if !a.awaitHome(ctx) {
		return
	}
	type candidate struct {
		vm     id.VM
		order  int
		delayS int
	}
	var list []candidate
	for _, x := range a.all() {
		e, err := a.journal.read(x.vm)
		if err == nil && e != nil && a.startsAlone(e) {
			list = append(list, candidate{x.vm, e.Machine.Autostart.Order, e.Machine.Autostart.DelayS})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.vm, b.vm)) })
	for len(list) > 0 && ctx.Err() == nil {
		n, delayS := 0, 0
		var wg sync.WaitGroup
		for ; n < len(list) && list[n].order == list[0].order; n++ {
			c := list[n]
			delayS = max(delayS, min(c.delayS, maxDelayS))
			wg.Go(func() { a.autostartOne(ctx, c.vm) })
		}
		wg.Wait()
		if list = list[n:]; len(list) > 0 {
			pause(ctx, time.Duration(delayS)*time.Second)
		}
	}
}

// maxDelayS bounds the pause behind one order of autostart.
const maxDelayS = 3600

// startsAlone reports whether the VM ran when the machine, or with StopAll the platform, went down.
func (a *Agent) startsAlone(e *entry) bool {
	m := &e.Machine
	return m.Autostart.Enabled && m.Role == vm.Run && m.Power == vm.On && e.Ran && e.HostBoot != a.bootID && e.Phase == phaseStopped &&
		e.Reason != reasonGuestOff && !e.Failed
}

func (a *Agent) autostartOne(ctx context.Context, v id.VM) {
	a.mu.Lock()
	x := a.actors[v]
	a.mu.Unlock()
	if x == nil {
		return
	}
	err := a.do(ctx, v, func(context.Context) error {
		if x.e == nil || x.inst != nil || !a.startsAlone(x.e) {
			return nil // a command came first
		}
		x.e.Ran = false
		return x.pass()
	})
	if err != nil {
		a.log.Warn("autostart", "vm", v, "err", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
