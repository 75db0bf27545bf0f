package agent

import (
	"context"
	"fmt"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// start makes disks, ports and small files, and then the process. What it made stays when a step fails: the next pass goes
// on from there, and a removal takes it away.
func (x *actor) start(ctx context.Context, paused bool) error {
	x.set(vm.SeenStarting, "")
	x.publish()
	err := x.launch(ctx, paused, nil)
	if err != nil && x.inst == nil && !x.superseded() {
		x.notStarted(err)
	}
	return err
}

// launch starts the process, as the machine that saved describes when that is given.
func (x *actor) launch(ctx context.Context, paused bool, saved *hypervisor.Config) error {
	cfg, err := x.prepare(ctx, saved)
	if err != nil {
		return err
	}
	release, err := take(ctx, x.a.startSlots)
	if err != nil {
		return err
	}
	defer release()
	if x.superseded() {
		return errSuperseded
	}
	// Written before the process is there: after a crash it says where to look, and which machine type to look for.
	x.e.Phase, x.e.HostBoot, x.e.Boot, x.e.Ran = phaseStarting, x.a.bootID, x.e.Machine.Boot, false
	if cfg.Restore != nil {
		x.e.Phase = phaseRestoring
	}
	x.e.Failed, x.e.Reason, x.e.Restart = false, "", nil
	if err := x.save(); err != nil {
		return err
	}
	cfg.StartPaused = paused
	inst, err := x.exec(cfg)
	if err != nil {
		return err
	}
	x.attach(inst)
	x.e.Phase, x.e.Ran, x.e.Saved = phaseRunning, true, nil
	if info := inst.Info(); x.e.MachineType == "" || x.e.CPUModel == "" {
		x.e.MachineType, x.e.CPUModel = info.MachineType, info.CPUModel
	}
	x.runs(paused)
	if err := x.dropVolumes(ctx); err != nil {
		x.a.log.Warn("a removed disk is still on the node; it goes with the next change of the VM", "vm", x.vm, "err", err)
	}
	return x.save()
}

// prepare makes everything that the process needs and gives its configuration.
func (x *actor) prepare(ctx context.Context, saved *hypervisor.Config) (hypervisor.Config, error) {
	m := &x.e.Machine
	x.resolve()
	disks, err := x.volumes(ctx)
	if err != nil {
		return hypervisor.Config{}, err
	}
	if x.superseded() {
		return hypervisor.Config{}, errSuperseded
	}
	nics, err := x.ports(ctx, m.NICs)
	if err != nil {
		return hypervisor.Config{}, err
	}
	cfg, err := x.config(ctx, disks, nics)
	if err == nil && saved != nil {
		cfg, err = x.asSaved(*saved, cfg)
	}
	return cfg, err
}

// resolve fixes the machine type and the CPU model at the first start, so that a saved state and a later migration find
// them the same. The control plane's word counts when it has one. Where the driver has no default for the guest's
// architecture, its own choice is noted after the start.
func (x *actor) resolve() {
	m, host := &x.e.Machine, x.a.host
	if m.MachineType != "" {
		x.e.MachineType = m.MachineType
	}
	if m.CPUModel != "" {
		x.e.CPUModel = m.CPUModel
	}
	if m.Arch == host.Arch {
		if x.e.MachineType == "" {
			x.e.MachineType = host.MachineType
		}
		if x.e.CPUModel == "" {
			x.e.CPUModel = host.CPUModel
		}
	}
}

// exec starts the process. A process of this VM that is there already, because an answer was lost, is ended first: nobody
// knows what it was started with.
func (x *actor) exec(cfg hypervisor.Config) (hypervisor.Instance, error) {
	ctx, cancel := x.call(x.a.o.Limits.Start)
	if cfg.Restore != nil {
		cancel()
		ctx, cancel = x.call(x.a.o.Limits.Copy) // reads the guest's memory
	}
	defer cancel()
	inst, err := x.a.o.Driver.Start(ctx, cfg)
	if !fault.Is(err, fault.Conflict) {
		return inst, err
	}
	there, adoptErr := x.a.o.Driver.Adopt(ctx, x.vm)
	if adoptErr != nil {
		return nil, err
	}
	x.attach(there)
	if err := x.kill(); err != nil {
		return nil, err
	}
	return x.a.o.Driver.Start(ctx, cfg)
}

// notStarted leaves no process, no port and a sentence. A machine that could not be started once is started at the next
// Ensure, whatever its generation.
func (x *actor) notStarted(err error) {
	x.e.Failed, x.e.Reason = true, "it could not be started: "+fault.Sentence(err)
	if settleErr := x.settle(x.a.ctx, vm.SeenFailed, x.e.Reason); settleErr != nil {
		x.a.log.Warn("clean up after a start that failed", "vm", x.vm, "err", settleErr)
	}
}

// restore starts from the memory in the state file. The driver removes the file before a vCPU runs; a start that fails
// before that leaves it.
func (x *actor) restore(ctx context.Context, paused bool) error {
	x.set(vm.SeenStarting, "its memory is being read back")
	x.publish()
	saved := x.e.Saved
	if saved == nil {
		saved = &hypervisor.Config{}
	}
	from := *saved
	from.Restore = &hypervisor.File{Path: x.path(stateFile), Format: "raw", ReadOnly: true}
	err := x.launch(ctx, paused, &from)
	if err == nil {
		// The machine may have changed while the memory lay on the disk.
		x.stale = true
		return x.adjust(ctx, paused)
	}
	if x.inst != nil || x.superseded() {
		return err
	}
	if !x.hasState() {
		x.notStarted(err)
		return err
	}
	x.e.Phase, x.e.Saved = phaseSuspended, saved
	x.e.Failed, x.e.Reason = true, fmt.Sprintf("its saved memory could not be read back: %s; it is kept: start the VM to try again, or stop it to give the memory up", fault.Sentence(err))
	x.release(x.a.ctx)
	x.set(vm.SeenFailed, x.e.Reason)
	if saveErr := x.save(); saveErr != nil {
		x.a.log.Warn("note a restore that failed", "vm", x.vm, "err", saveErr)
	}
	return err
}

// asSaved gives the configuration that the saved memory fits: devices as they were, on files and ports as they are now.
func (x *actor) asSaved(saved, now hypervisor.Config) (hypervisor.Config, error) {
	cfg := saved
	if cfg.VM == "" { // the record was lost: try with what is wanted
		cfg = now
		cfg.Restore = saved.Restore
	}
	for i, d := range cfg.Disks {
		found := false
		for _, n := range now.Disks {
			if n.ID == d.ID {
				cfg.Disks[i].File, found = n.File, true
			}
		}
		if !found {
			return cfg, fault.New(fault.Conflict, "saved_disk_missing", "the saved memory of %s needs the disk %s, which it no longer has; stop the VM to give the memory up", now.Name, d.ID)
		}
	}
	for i, d := range cfg.NICs {
		found := false
		for _, n := range now.NICs {
			if n.ID == d.ID {
				cfg.NICs[i], found = n, true
			}
		}
		if !found {
			return cfg, fault.New(fault.Conflict, "saved_nic_missing", "the saved memory of %s needs the NIC %s, which it no longer has; stop the VM to give the memory up", now.Name, d.ID)
		}
	}
	cfg.Boot, cfg.Epoch = now.Boot, now.Epoch
	return cfg, nil
}

// attach begins to listen to a process.
func (x *actor) attach(inst hypervisor.Instance) {
	x.setInstance(inst)
	x.shutdown, x.agentUp, x.guest, x.pollEvery = false, false, hypervisor.Guest{}, 0
	ctx, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	x.ssh, _ = x.a.o.Fabric.Reach(ctx, x.vm, 22) // asked again with the guest's answers
	if _, ok := inst.(hypervisor.GuestAgent); ok {
		x.askGuestIn(x.a.o.Limits.GuestPoll)
	}
}

// detach stops listening.
func (x *actor) detach() {
	x.setInstance(nil)
	if x.poll != nil {
		x.poll.Stop()
		x.poll = nil
	}
	x.shutdown, x.agentUp, x.guest, x.ssh, x.stale = false, false, hypervisor.Guest{}, "", false
}

func (x *actor) askGuestIn(d time.Duration) {
	if x.poll == nil {
		x.poll = time.NewTimer(d)
		return
	}
	x.poll.Reset(d)
}
