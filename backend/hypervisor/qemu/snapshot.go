package qemu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

const snapshotTimeout = 10 * time.Minute // memory of a large guest into a qcow2 file on a slow disk

// Snapshot acts on the snapshots inside the VM's disks.
func (i *instance) Snapshot(ctx context.Context, s hypervisor.SnapshotRequest) error {
	if i.over() {
		return exited(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	disks, err := snapshotDisks(i.Info().Config)
	if err != nil {
		return err
	}
	have, err := i.tags(ctx)
	if err != nil {
		return err
	}
	switch s.Action {
	case hypervisor.SnapshotCreate:
		return i.createSnapshot(ctx, s, disks, have)
	case hypervisor.SnapshotDelete:
		return i.deleteSnapshot(ctx, s.Tag, disks, have)
	case hypervisor.SnapshotLoad:
		return i.loadSnapshot(ctx, s.Tag, disks, have)
	}
	return fault.New(fault.Invalid, "", "%q is nothing that can be done with a snapshot", s.Action)
}

// snapshotDisks gives the disks that snapshots cover: all that the guest can write.
func snapshotDisks(cfg hypervisor.Config) ([]hypervisor.Disk, error) {
	var out []hypervisor.Disk
	for _, d := range cfg.Disks {
		switch {
		case d.CDROM || d.File.ReadOnly:
		case d.File.Format != "qcow2":
			return nil, fault.New(fault.Unsupported, "snapshot_raw", "disk %s is raw and cannot hold snapshots; use a qcow2 disk", d.ID)
		default:
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Unsupported, "snapshot_no_disk", "this VM has no disk that could hold a snapshot")
	}
	return out, nil
}

// held says per format node and tag how much memory the snapshot holds.
type held map[string]map[string]int64

func (i *instance) tags(ctx context.Context) (held, error) {
	var nodes []struct {
		Name  string `json:"node-name"`
		Image struct {
			Snapshots []struct {
				Name string
				Size int64 `json:"vm-state-size"`
			}
		}
	}
	if err := i.run(ctx, "query-named-block-nodes", args{"flat": true}, &nodes); err != nil {
		return nil, err
	}
	out := held{}
	for _, n := range nodes {
		out[n.Name] = map[string]int64{}
		for _, s := range n.Image.Snapshots {
			out[n.Name][s.Name] = s.Size
		}
	}
	return out, nil
}

func (i *instance) createSnapshot(ctx context.Context, s hypervisor.SnapshotRequest, disks []hypervisor.Disk, have held) error {
	var missing []hypervisor.Disk
	for _, d := range disks {
		if _, ok := have[baseID(d)][s.Tag]; !ok {
			missing = append(missing, d)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// A crash in the middle leaves the tag on some disks, from another moment. Both ways below make all of them or none, so
	// this cannot be their work; it is taken away.
	if len(missing) < len(disks) {
		if err := i.deleteSnapshot(ctx, s.Tag, disks, have); err != nil {
			return err
		}
	}
	if s.Memory {
		return i.job(ctx, "snapshot-save", s.Tag, disks)
	}
	actions := []args{}
	for _, d := range disks {
		actions = append(actions, args{"type": "blockdev-snapshot-internal-sync", "data": args{"device": nodeID(d), "name": s.Tag}})
	}
	return refused(i.run(ctx, "transaction", args{"actions": actions}, nil))
}

func (i *instance) deleteSnapshot(ctx context.Context, tag string, disks []hypervisor.Disk, have held) error {
	for _, d := range disks {
		if _, ok := have[baseID(d)][tag]; !ok {
			continue
		}
		if err := i.run(ctx, "blockdev-snapshot-delete-internal-sync", args{"device": nodeID(d), "name": tag}, nil); err != nil {
			return refused(err)
		}
	}
	if _, ok := have["fw-vars"][tag]; ok {
		return i.jobOn(ctx, "snapshot-delete", tag, nil, []string{"fw-vars"})
	}
	return nil
}

func (i *instance) loadSnapshot(ctx context.Context, tag string, disks []hypervisor.Disk, have held) error {
	for _, d := range disks {
		if _, ok := have[baseID(d)][tag]; !ok {
			return fault.New(fault.NotFound, "snapshot_missing", "disk %s has no snapshot %s", d.ID, tag)
		}
	}
	if have[baseID(disks[0])][tag] == 0 {
		return fault.New(fault.Conflict, "snapshot_no_memory", "snapshot %s was taken without memory; stop the VM to go back to it", tag)
	}
	err := i.job(ctx, "snapshot-load", tag, disks)
	if err != nil && !i.over() {
		// QEMU leaves the guest stopped then, with whatever it had loaded: it must not run. Asking again would meet the same.
		return fault.Wrap(err, fault.Conflict, "snapshot_load", "the memory of the snapshot could not be loaded, because it is of another machine or a disk failed; start the VM anew from its disks")
	}
	return err
}

// job saves or loads memory and all disks, the UEFI variables among them. The first disk holds the memory.
func (i *instance) job(ctx context.Context, command, tag string, disks []hypervisor.Disk) error {
	var nodes []string
	for _, d := range disks {
		nodes = append(nodes, baseID(d))
	}
	if c := i.Info().Config; c.Firmware == vm.UEFI && c.Vars.Format == "qcow2" {
		nodes = append(nodes, "fw-vars")
	}
	before, err := i.status(ctx)
	if err != nil {
		return err
	}
	i.hush(true)
	defer i.hush(false)
	err = i.jobOn(ctx, command, tag, &nodes[0], nodes)
	if err == nil && before == "running" { // it was stopped for the moment; where that went wrong it must go on too
		err = i.run(ctx, "cont", nil, nil)
	}
	return err
}

// jobOn runs a job of the monitor to its end.
func (i *instance) jobOn(ctx context.Context, command, tag string, memory *string, nodes []string) error {
	name := fmt.Sprintf("%s-%d", command, time.Now().UnixNano())
	arguments := args{"job-id": name, "tag": tag, "devices": nodes}
	if memory != nil {
		arguments["vmstate"] = *memory
	}
	if err := i.run(ctx, command, arguments, nil); err != nil {
		return refused(err)
	}
	err := i.until(ctx, func() (bool, error) {
		var jobs []struct{ ID, Status, Error string }
		if err := i.run(ctx, "query-jobs", nil, &jobs); err != nil {
			return false, err
		}
		for _, j := range jobs {
			if j.ID == name && j.Status == "concluded" && j.Error != "" {
				return false, refused(errors.New(command + ": " + j.Error))
			}
			if j.ID == name {
				return j.Status == "concluded", nil
			}
		}
		return true, nil
	})
	_ = i.run(context.WithoutCancel(ctx), "job-dismiss", args{"id": name}, nil) // a job that is not over stays and ends by itself
	return err
}

// refused makes QEMU's refusal a fault.
func refused(err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "snapshot_refused", "the snapshot could not be made, loaded or deleted; see the node's log")
}
