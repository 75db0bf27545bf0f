package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/op"
	"novacron/backend/store"
)

// deletion is the state of vm.delete.
type deletion struct {
	VM id.VM `json:"vm"`
}

// DeleteVM stops a VM and removes it with its own disks and snapshots. It refuses with the names of what depends on it.
// version: If-Match; 0: whatever it is.
func (a *App) DeleteVM(ctx context.Context, c auth.Caller, ref string, version int64) (VMResult, error) {
	return change(ctx, a, c, func(t *store.Tx) (VMResult, error) {
		v, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
		if err != nil {
			return VMResult{}, err
		}
		if version != 0 && version != v.Version {
			return VMResult{}, changed(v)
		}
		if _, err := a.allow(ctx, t, v, vm.VerbDelete); err != nil {
			return VMResult{}, err
		}
		o, err := a.begin(ctx, t, c, v.Tenant, "vm.delete", subjectOf(v.ID), v.Name, deletion{VM: v.ID}, map[string]any{"before": auditable(v)})
		if err != nil {
			return VMResult{}, err
		}
		if err := a.refresh(ctx, t, v.ID); err != nil {
			return VMResult{}, err
		}
		return a.result(ctx, t, c, v.ID, &o)
	})
}

func changed(v store.VM) error {
	return fault.New(fault.Precondition, "version_changed", "%s was changed in the meantime and has version %d now; read it again", v.Name, v.Version)
}

func (a *App) deleteVM() *op.Definition {
	const why = "what was deleted cannot be brought back; asking again goes on with it"
	return op.Define("vm.delete",
		op.Do("Stop the guest and remove its disks", func(ctx context.Context, r op.Run, s *deletion) error {
			return a.remove(ctx, r, s.VM)
		}).NoUndo(why),
		op.Do("Give back its name and addresses", func(ctx context.Context, r op.Run, s *deletion) error {
			return a.forget(ctx, r, &making{VM: s.VM})
		}).NoUndo(why),
	)
}

// remove takes a VM off its node, disks too. A VM that has no node, or whose node was confirmed dead, has nothing to remove.
func (a *App) remove(ctx context.Context, r op.Run, v id.VM) error {
	generation, gone, err := a.wantGone(ctx, r, v)
	if err != nil || gone {
		return err
	}
	return a.drive(ctx, r, v, generation, absent)
}

// nothingOn reports whether a VM has nothing that a node would have to remove.
func nothingOn(v store.VMView) bool {
	return v.Node == "" || v.NodeState == node.Dead || v.NodeState == node.Removed || v.NodeState == ""
}

// wantGone records that nothing of the VM may remain. gone: nothing can.
func (a *App) wantGone(ctx context.Context, r op.Run, v id.VM) (generation int64, gone bool, err error) {
	err = a.fenced(ctx, r, func(t *store.Tx) error {
		row, err := t.VM(ctx, v)
		if fault.Is(err, fault.NotFound) {
			gone = true
			return nil
		}
		if err != nil {
			return err
		}
		view, err := t.VMView(ctx, v)
		if err != nil {
			return err
		}
		gone = nothingOn(view)
		if row.Power != vm.Gone {
			row.Power, row.Force = vm.Gone, true
			row.Generation++
			if err := t.SaveVM(ctx, &row); err != nil {
				return err
			}
		}
		generation = row.Generation
		return a.refresh(ctx, t, v)
	})
	return generation, gone, err
}
