package app

import (
	"context"
	"slices"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// CloneVM copies a stopped VM. A linked clone shares the source's disks as they are now: it is made in a moment, and the source
// cannot be deleted before it. The bond between the two is in the store from the first moment, and keeps the source at rest until
// the copy is made.
func (a *App) CloneVM(ctx context.Context, c auth.Caller, ref string, w wire.CloneVM) (VMResult, error) {
	if err := vm.CheckName(w.Name); err != nil {
		return VMResult{}, err
	}
	return change(ctx, a, c, func(t *store.Tx) (VMResult, error) {
		src, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
		if err != nil {
			return VMResult{}, err
		}
		if _, err := a.allow(ctx, t, src, vm.VerbClone); err != nil {
			return VMResult{}, err
		}
		if w.Linked {
			if err := noSnapshots(ctx, t, src); err != nil {
				return VMResult{}, err
			}
		}
		v := store.VM{
			ID: id.NewVM(), Tenant: src.Tenant, Name: w.Name, Description: src.Description, Tags: src.Tags, Spec: cloned(src.Spec, w.Linked), Power: vm.Off,
			GraceS: src.GraceS, Generation: 1, Role: vm.Run, MachineType: src.MachineType, CPUModel: src.CPUModel, Created: a.now(),
		}
		if w.Start {
			v.Power, v.Boot = vm.On, 1
		}
		return a.insert(ctx, t, c, v, "vm.clone", making{VM: v.ID, Pin: string(src.Node), Source: src.ID, Generation: 1})
	})
}

// noSnapshots: a linked clone freezes the source's disks under both, and the snapshots inside would be frozen with them.
func noSnapshots(ctx context.Context, t *store.Tx, src store.VM) error {
	n, err := t.CountSnapshots(ctx, src.ID)
	if err == nil && n > 0 {
		return fault.New(fault.Conflict, "has_snapshots", "%s has snapshots (%d), which a linked clone would freeze; delete them or make a full clone", src.Name, n)
	}
	return err
}

// cloned gives the copy's spec: everything of the source's with ids of its own. Ports of the node that lead to the source cannot
// lead to both, and the protection is the source's alone.
func cloned(src vm.Spec, linked bool) vm.Spec {
	s := src
	s.Forwards, s.Protected, s.Made = nil, false, nil
	s.Disks, s.NICs = slices.Clone(src.Disks), slices.Clone(src.NICs)
	for i, d := range s.Disks {
		s.Disks[i].ID = id.NewVolume()
		if !d.CDROM {
			s.Disks[i].Image, s.Disks[i].From, s.Disks[i].Linked = "", d.ID, linked
		}
	}
	for i := range s.NICs {
		s.NICs[i].ID, s.NICs[i].MAC, s.NICs[i].Address = id.NewNIC(), "", ""
	}
	return s
}

func (a *App) cloneVM() *op.Definition {
	return op.Define("vm.clone",
		op.Do("Reserve room beside the source", a.place).Undo(a.unplace),
		op.Do("Copy the disks", a.make).Undo(a.unmake),
		op.Do("Let go of the source", a.finishClone).NoUndo("the undo of the copy removes the bond with the VM"),
	)
}

func (a *App) finishClone(ctx context.Context, r op.Run, s *making) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		if err := t.FinishClone(ctx, s.VM); err != nil {
			return err
		}
		return a.refresh(ctx, t, s.Source)
	})
}
