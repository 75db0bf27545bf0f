package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// end brings the process down: the guest is asked unless force, and killed when its grace is over. A newer command ends the
// wait.
func (x *actor) end(ctx context.Context, force bool) error {
	if !force {
		if err := x.askToStop(ctx); err != nil {
			return err
		}
	}
	if x.inst != nil {
		if err := x.kill(); err != nil {
			return err
		}
	}
	return x.settle(ctx, vm.SeenStopped, "")
}

// firstAsk is when a guest that has not powered off is asked again: one that was still booting did not see the button. Each
// further wait is twice as long.
const firstAsk = 2 * time.Second

// askToStop sends ACPI and waits for the guest to power off, for its grace at most. It reports no error when the guest did
// not act.
func (x *actor) askToStop(ctx context.Context) error {
	grace := DefaultGrace
	if s := x.e.Machine.GraceS; s > 0 {
		grace = time.Duration(s) * time.Second
	}
	x.set(vm.SeenStopping, "")
	x.publish()
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	// A paused guest cannot act; one that a broken disk holds will be paused again, and its grace ends.
	if now, err := x.inst.Status(call); err == nil && now == vm.SeenPaused {
		_ = x.inst.Power(call, hypervisor.Continue)
	}
	if err := x.inst.Power(call, hypervisor.Shutdown); err != nil {
		x.a.log.Info("the process does not take a shutdown, it is killed", "vm", x.vm, "err", err)
		return nil
	}
	x.shutdown = true
	timer := time.NewTimer(grace)
	defer timer.Stop()
	wait := firstAsk
	again := time.NewTimer(wait)
	defer again.Stop()
	for x.inst != nil {
		select {
		case e, ok := <-x.inst.Events():
			if !ok || e.Type == hypervisor.Exited || e.Type == hypervisor.PoweredOff {
				return nil
			}
			x.note(e)
		case <-again.C:
			x.askAgain()
			wait *= 2
			again.Reset(wait)
		case <-timer.C:
			x.a.log.Info("the guest did not power off in time, it is killed", "vm", x.vm, "grace", grace)
			return nil
		case <-ctx.Done(): // a newer command, or Close
			return context.Cause(ctx)
		}
	}
	return nil
}

// askAgain sends ACPI once more. A failure needs no answer: the grace ends either way.
func (x *actor) askAgain() {
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	if err := x.inst.Power(call, hypervisor.Shutdown); err != nil {
		x.a.log.Debug("the process does not take a shutdown again", "vm", x.vm, "err", err)
	}
}

// kill ends the process and returns when it is gone.
func (x *actor) kill() error {
	ctx, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	if err := x.inst.Power(ctx, hypervisor.Kill); err != nil && !fault.Is(err, fault.Conflict) {
		return x.mute(err)
	}
	x.detach()
	return nil
}

// settle cleans up behind a process that is gone and writes down that there is none. It may be repeated.
func (x *actor) settle(ctx context.Context, state vm.RunState, reason string) error {
	if err := x.release(ctx); err != nil {
		return err
	}
	x.set(state, reason)
	x.e.Phase, x.e.Reason, x.e.Failed = phaseStopped, reason, state == vm.SeenFailed
	x.e.Saved, x.e.Held, x.e.Frozen, x.e.Restart, x.e.Ports = nil, false, false, nil, nil
	if err := x.save(); err != nil {
		return err
	}
	// Memory of a run that is over. Removed behind the journal: with the file gone first, a crash would leave a VM that is
	// called suspended and cannot be resumed. Half a file is what a power cut leaves of a suspend.
	return errors.Join(x.removeFile(stateFile), x.removeFile(hypervisor.Partial(stateFile)))
}

// release takes away what the node has for a process: sockets, control group, ports.
func (x *actor) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.a.o.Limits.Call)
	defer cancel()
	if err := x.a.o.Driver.Clean(ctx, x.vm); err != nil {
		return fmt.Errorf("clean up behind the process: %w", err)
	}
	if err := x.a.o.Fabric.Release(ctx, x.vm); err != nil {
		return fmt.Errorf("release the ports: %w", err)
	}
	return nil
}

// suspend writes the memory to the state file and ends the process. When it fails the guest runs on.
func (x *actor) suspend(ctx context.Context) error {
	if x.superseded() {
		return errSuperseded
	}
	x.set(vm.SeenSuspending, "")
	x.publish()
	// What an older suspend left must not be taken for this one's after a crash.
	if err := x.removeFile(stateFile); err != nil {
		return err
	}
	cfg := x.inst.Info().Config
	x.e.Phase, x.e.Saved = phaseSuspending, &cfg
	if err := x.save(); err != nil {
		x.e.Phase, x.e.Saved = phaseRunning, nil
		x.runs(false)
		return err
	}
	call, cancel := x.call(x.a.o.Limits.Copy)
	defer cancel()
	if err := x.inst.Save(call, hypervisor.File{Path: x.path(stateFile), Format: "raw"}); err != nil {
		return x.notSuspended(err)
	}
	x.detach()
	return x.suspended()
}

// suspended writes down that the memory lies in the state file.
func (x *actor) suspended() error {
	x.e.Phase, x.e.Failed, x.e.Reason, x.e.Held = phaseSuspended, false, "", false
	x.set(vm.SeenSuspended, "")
	if err := x.save(); err != nil {
		return err
	}
	return x.release(x.a.ctx)
}

func (x *actor) notSuspended(cause error) error {
	x.e.Phase, x.e.Saved = phaseRunning, nil
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	now, err := x.inst.Status(call)
	if err == nil {
		x.set(now, "it could not be suspended: "+fault.Sentence(cause))
	}
	return errors.Join(cause, x.save())
}

// remove takes the VM off the node. With the power gone its disks go too; without (another node owns it now) they stay,
// because only the control plane knows whether they are copies. The order is for a crash between any two lines: the
// journal, which knows what there is to remove, goes last, behind the grave, which refuses late commands.
func (x *actor) remove(ctx context.Context) error {
	if x.inst != nil {
		if err := x.kill(); err != nil {
			return err
		}
	}
	if err := x.release(ctx); err != nil {
		return err
	}
	if x.e.Machine.Power == vm.Gone {
		if err := x.removeVolumes(ctx, slices.Concat(volumesOf(&x.e.Machine), x.e.Dropped)); err != nil {
			return err
		}
	}
	if err := x.a.step("remove the VM's folder"); err != nil {
		return err
	}
	if err := os.RemoveAll(x.dir()); err != nil {
		return fmt.Errorf("remove the VM's folder: %w", err)
	}
	if err := x.a.graves.bury(x.vm, versionOf(&x.e.Machine)); err != nil {
		return err
	}
	if err := x.a.journal.remove(x.vm); err != nil {
		return err
	}
	x.e, x.dirty = nil, false
	x.set(vm.SeenAbsent, "")
	return nil
}

func (x *actor) removeVolumes(ctx context.Context, volumes []id.Volume) error {
	release, err := take(ctx, x.a.diskSlots)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := x.call(x.a.o.Limits.Copy)
	defer cancel()
	for _, v := range volumes {
		if err := x.a.o.Pool.Remove(ctx, v); err != nil {
			return fmt.Errorf("remove a disk: %w", err)
		}
	}
	return nil
}

// endForNow ends the guest without a change of what is wanted: the node's platform goes down. patience ends the guest's
// grace.
func (x *actor) endForNow(own, patience context.Context) error {
	if x.inst == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(own)
	defer cancel()
	defer context.AfterFunc(patience, cancel)()
	if err := x.askToStop(ctx); err != nil && own.Err() != nil {
		return err
	}
	if err := x.kill(); err != nil {
		return err
	}
	x.e.HostBoot = "" // at the next Start this counts as a restart of the machine
	return x.settle(own, vm.SeenStopped, reasonPlatform)
}

const reasonPlatform = "it was stopped together with the platform"
