package app

import (
	"context"
	"slices"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/store"
)

// Expected lists the VMs that a node has had by its own reports. Ask before the node's reports are read anew: what is missing among
// the first of them is missing on the node.
func (a *App) Expected(ctx context.Context, n id.Node) (map[id.VM]bool, error) {
	all := map[id.VM]bool{}
	p := store.Page{Limit: store.MaxLimit}
	for {
		page, err := a.db.ListVMs(ctx, store.VMFilter{Node: n}, p)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Items {
			if v.SeenState != "" && v.SeenState != vm.SeenAbsent {
				all[v.ID] = true
			}
		}
		if page.Next == "" {
			return all, nil
		}
		p.Cursor = page.Next
	}
}

// lostReason says why a VM that its node does not know any more is in error.
const lostReason = "its node came back without it, so its disks may be lost; bring the node's storage back, or delete the VM"

// Missing notes that a node which told of all its VMs has nothing of these. Nothing is made anew on the node: an empty disk under
// an old name would hide the loss. See vm.Spec.Made.
func (a *App) Missing(ctx context.Context, n id.Node, vms []id.VM) error {
	vms = slices.Sorted(slices.Values(vms)) // two batches lock in one order
	for part := range slices.Chunk(vms, observeBatch) {
		if err := a.db.Tx(ctx, func(t *store.Tx) error { return a.missing(ctx, t, n, part) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) missing(ctx context.Context, t *store.Tx, n id.Node, vms []id.VM) error {
	if err := t.LockVMs(ctx, vms); err != nil {
		return err
	}
	views, err := t.VMViews(ctx, vms)
	if err != nil {
		return err
	}
	for _, v := range views {
		old := seenOf(v)
		if v.Node != n || v.Power == vm.Gone || old.State == "" || old.State == vm.SeenAbsent {
			continue
		}
		_, err := a.observeOne(ctx, t, v, vm.Seen{
			VM: v.ID, Node: n, Epoch: old.Epoch, Generation: old.Generation, Seq: old.Seq + 1, State: vm.SeenAbsent, Reason: lostReason,
			MachineType: old.MachineType, CPUModel: old.CPUModel,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
