package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
)

func (r SnapshotRequest) check() error {
	switch {
	case !isVM(r.VM):
		return fault.New(fault.Invalid, "snapshot_invalid", "%q is not the id of a VM", truncate(string(r.VM), 40))
	case !id.Is(string(r.Snapshot)):
		return fault.New(fault.Invalid, "snapshot_invalid", "%q is not the id of a snapshot", truncate(string(r.Snapshot), 40))
	case r.Action != SnapshotCreate && r.Action != SnapshotRevert && r.Action != SnapshotDelete:
		return fault.New(fault.Invalid, "snapshot_invalid", "a snapshot cannot be asked to %q", truncate(string(r.Action), 40))
	}
	return nil
}

// snapshot acts on a snapshot in the actor's goroutine.
func (x *actor) snapshot(ctx context.Context, r SnapshotRequest) error {
	if x.e == nil {
		return errNoVM(x.vm)
	}
	m := &x.e.Machine
	if r.Epoch != m.Epoch {
		return fault.New(fault.Precondition, "machine_outdated", "the node holds %s at owner epoch %d, this request is for epoch %d", m.Name, m.Epoch, r.Epoch)
	}
	if x.e.Revert != "" && x.e.Revert != r.Snapshot {
		if err := x.finishRevert(ctx); err != nil {
			return err
		}
	}
	release, err := take(ctx, x.a.diskSlots)
	if err != nil {
		return err
	}
	defer release()
	switch {
	case r.Action == SnapshotRevert:
		return x.revert(ctx, r)
	case r.Action == SnapshotDelete:
		return x.deleteSnapshot(ctx, r)
	case x.inst != nil:
		return x.snapshotLive(r)
	case r.Memory:
		return fault.New(fault.Conflict, "vm_not_running", "%s does not run, so it has no memory to keep; take the snapshot without memory", m.Name)
	default:
		return x.snapshotAtRest(ctx, r)
	}
}

// snapshotLive takes or deletes a snapshot through the process that has the disks open.
func (x *actor) snapshotLive(r SnapshotRequest) error {
	action := hypervisor.SnapshotCreate
	if r.Action == SnapshotDelete {
		action = hypervisor.SnapshotDelete
	}
	if err := x.roomFor(r); err != nil {
		return err
	}
	if r.Action == SnapshotCreate && r.Memory {
		if err := x.noteMachine(r.Snapshot); err != nil {
			return err
		}
	}
	thaw, err := x.freeze(r)
	if err != nil {
		return err
	}
	defer thaw()
	limit := x.a.o.Limits.Copy
	if x.e.Frozen {
		limit = x.a.o.Limits.Start // a guest that cannot write for longer is worse off than without the snapshot
	}
	call, cancel := x.call(limit)
	defer cancel()
	return x.inst.Snapshot(call, hypervisor.SnapshotRequest{Action: action, Tag: string(r.Snapshot), Memory: r.Memory})
}

// roomFor refuses a snapshot with memory that may not fit: one that fails halfway leaves the node's disk full, and with it every other
// guest and the node's own journal in need. How much of the memory is zeros, which take no room, is known only once it is written.
func (x *actor) roomFor(r SnapshotRequest) error {
	if r.Action != SnapshotCreate || !r.Memory {
		return nil
	}
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	disk, err := x.a.o.Pool.Capacity(call)
	if err != nil {
		return err
	}
	m := &x.e.Machine
	if free := disk.Free >> 20; free < int64(m.MemoryMiB) {
		return fault.New(fault.Exhausted, "snapshot_room", "a snapshot with the memory of %s needs up to %d MiB, and the node's disk has room for %d; make room, or take it without the memory", m.Name, m.MemoryMiB, free)
	}
	return nil
}

// freeze stops the writes of the guest's file systems where its agent answers, and gives what lets them go on. The journal
// knows of it first: an agent that dies in between thaws the guest when it adopts it.
func (x *actor) freeze(r SnapshotRequest) (thaw func(), err error) {
	agent, ok := x.inst.(hypervisor.GuestAgent)
	if !ok || !r.Quiesce || r.Memory || r.Action != SnapshotCreate || x.state != vm.SeenRunning {
		return func() {}, nil
	}
	x.e.Frozen = true
	if err := x.save(); err != nil {
		return nil, err
	}
	call, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	if err := agent.Freeze(call); err != nil {
		x.a.log.Info("the guest's file systems are not frozen for the snapshot", "vm", x.vm, "err", err)
	}
	// Also after a Freeze that failed: it may have frozen the guest and lost the answer.
	return func() { x.thaw(agent) }, nil
}

// thawTries is how often a guest is asked to thaw before the question is left to the regular ones.
const thawTries = 3

func (x *actor) thaw(agent hypervisor.GuestAgent) {
	for range thawTries {
		call, cancel := x.call(10 * time.Second)
		err := agent.Thaw(call)
		cancel()
		if err == nil {
			x.e.Frozen = false
			x.save() // else thawed once more at the next start of the agent, which is safe
			return
		}
		x.a.log.Warn("thaw the guest's file systems", "vm", x.vm, "err", err)
	}
}

// snapshotAtRest acts on every disk. A create that fails on one disk is taken back on those before it.
func (x *actor) snapshotAtRest(ctx context.Context, r SnapshotRequest) error {
	action := storage.SnapshotCreate
	if r.Action == SnapshotDelete {
		action = storage.SnapshotDelete
	}
	tag := string(r.Snapshot)
	var done []id.Volume
	for _, v := range volumesOf(&x.e.Machine) {
		call, cancel := x.call(x.a.o.Limits.Copy)
		err := x.a.o.Pool.Snapshot(call, v, action, tag)
		if err != nil && action == storage.SnapshotCreate {
			for _, d := range done {
				err = errors.Join(err, x.a.o.Pool.Snapshot(call, d, storage.SnapshotDelete, tag))
			}
		}
		cancel()
		if err != nil {
			return fmt.Errorf("snapshot of a disk: %w", err)
		}
		done = append(done, v)
	}
	return nil
}

// revert puts a snapshot back. Without memory the VM must be stopped; with memory it ends running.
func (x *actor) revert(ctx context.Context, r SnapshotRequest) error {
	m := &x.e.Machine
	if x.e.Phase == phaseSuspended {
		return fault.New(fault.Conflict, "vm_suspended", "the saved memory of %s fits only the disks as they are; resume and stop it first", m.Name)
	}
	if r.Memory {
		return x.revertMemory(ctx, r)
	}
	if x.inst != nil {
		return fault.New(fault.Conflict, "vm_running", "%s runs, and its disks cannot be put back under it; stop it first", m.Name)
	}
	x.e.Revert = r.Snapshot
	if err := x.save(); err != nil {
		x.e.Revert = ""
		return err
	}
	return x.finishRevert(ctx)
}

// finishRevert puts every disk back that has the snapshot. A disk that was added later has none and stays.
func (x *actor) finishRevert(ctx context.Context) error {
	found := false
	for _, v := range volumesOf(&x.e.Machine) {
		call, cancel := x.call(x.a.o.Limits.Copy)
		err := x.a.o.Pool.Snapshot(call, v, storage.SnapshotRevert, string(x.e.Revert))
		cancel()
		if err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("put a disk back: %w", err)
		}
		if err == nil && x.e.Sizes != nil {
			x.e.Sizes[v] = 1 // the snapshot may be of a smaller disk: the next start grows it again
		}
		found = found || err == nil
	}
	snapshot := x.e.Revert
	x.e.Revert = ""
	if err := x.save(); err != nil {
		return err
	}
	if !found {
		return fault.New(fault.NotFound, "snapshot_not_found", "no disk of %s has the snapshot %s", x.e.Machine.Name, snapshot)
	}
	return nil
}
