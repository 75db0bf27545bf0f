package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// A snapshot with memory can be loaded only into the machine that it was taken of, whatever was plugged, resized or started anew
// since. So that machine lies beside the VM's files from before the snapshot until after it; a revert builds it again, and what is
// wanted by now is applied to the guest that goes on.

func machineFile(p id.Snapshot) string { return string(p) + ".json" }

// noteMachine writes down the machine whose memory a snapshot is about to keep.
func (x *actor) noteMachine(p id.Snapshot) error {
	raw, err := json.Marshal(x.inst.Info().Config)
	if err != nil {
		return fmt.Errorf("the machine of a snapshot: %w", err)
	}
	if err := x.a.step("note the machine of a snapshot"); err != nil {
		return err
	}
	return diskError(replaceFile(x.path(machineFile(p)), raw, x.a.o.NoSync), "note the machine of the snapshot")
}

// machineOf gives what noteMachine wrote. Of a snapshot from before there were notes it is empty: the machine as it is now is tried.
func (x *actor) machineOf(p id.Snapshot) (hypervisor.Config, error) {
	var cfg hypervisor.Config
	raw, err := os.ReadFile(x.path(machineFile(p)))
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &cfg)
	}
	if err != nil {
		return cfg, fmt.Errorf("the machine of snapshot %s: %w", p, err)
	}
	return cfg, nil
}

// deleteSnapshot takes the snapshot from the disks, and then the note of its machine.
func (x *actor) deleteSnapshot(ctx context.Context, r SnapshotRequest) error {
	var err error
	if x.inst != nil {
		err = x.snapshotLive(r)
	} else {
		err = x.snapshotAtRest(ctx, r)
	}
	if err != nil {
		return err
	}
	return x.removeFile(machineFile(r.Snapshot))
}

// revertMemory puts disks and memory back and lets the guest go on from there: in the process that runs where that is the same machine,
// so that who looks at its console sees it go back, else in a new one. What can be refused is refused before the guest that runs is
// given up.
func (x *actor) revertMemory(ctx context.Context, r SnapshotRequest) error {
	was, err := x.machineOf(r.Snapshot)
	if err != nil {
		return err
	}
	if err := x.hasDevices(was); err != nil {
		return err
	}
	noted := was.VM != ""
	if x.inst == nil || noted && !sameMachine(x.inst.Info().Config, was) {
		if err := x.rebuild(ctx, was); err != nil {
			return err
		}
	}
	call, cancel := x.call(x.a.o.Limits.Copy)
	defer cancel()
	err = x.inst.Snapshot(call, hypervisor.SnapshotRequest{Action: hypervisor.SnapshotLoad, Tag: string(r.Snapshot), Memory: true})
	if err == nil {
		err = x.inst.Power(call, hypervisor.Continue)
	}
	if err != nil {
		// Whatever was loaded so far must not run.
		if killErr := x.kill(); killErr != nil {
			return errors.Join(err, killErr)
		}
		x.notStarted(err)
		return err
	}
	x.runs(false)
	return x.apply(ctx) // what was plugged, grown or removed since
}

// rebuild starts the machine as it was, with vCPUs that stand still.
func (x *actor) rebuild(ctx context.Context, was hypervisor.Config) error {
	if x.inst != nil {
		x.e.Phase = phaseStarting // no run that failed, for an agent that finds the process gone
		if err := x.save(); err != nil {
			x.e.Phase = phaseRunning
			return err
		}
		if err := x.end(ctx, true); err != nil {
			return err
		}
	}
	err := x.launch(ctx, true, &was)
	if err != nil {
		x.notStarted(err)
	}
	return err
}

// sameMachine reports whether the memory of one fits the other, disks of the same size included.
func sameMachine(a, b hypervisor.Config) bool {
	return bytes.Equal(a.Layout, b.Layout) && len(hypervisor.Diff(a, b)) == 0 && len(hypervisor.Diff(b, a)) == 0
}

// hasDevices refuses to go back to a machine with a disk or an interface that the VM has no longer.
func (x *actor) hasDevices(was hypervisor.Config) error {
	m := &x.e.Machine
	for _, d := range was.Disks {
		if !slices.ContainsFunc(m.Disks, func(n vm.Disk) bool { return n.ID == d.ID }) {
			return lacks(m, "disk "+string(d.ID))
		}
	}
	for _, d := range was.NICs {
		if !slices.ContainsFunc(m.NICs, func(n vm.Port) bool { return n.ID == d.ID }) {
			return lacks(m, "network interface "+string(d.ID))
		}
	}
	return nil
}

func lacks(m *vm.Machine, what string) error {
	return fault.New(fault.Conflict, "snapshot_other_machine", "the memory in the snapshot goes on with the %s, which was removed from %s; nothing was changed, and the snapshot can only be deleted", what, m.Name)
}
