package app

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// updating is the state of vm.update.
type updating struct {
	VM         id.VM       `json:"vm"`
	Generation int64       `json:"generation"`
	Before     vm.Spec     `json:"before"`
	Dropped    []id.Volume `json:"dropped,omitempty"` // disks that do not come back
}

// UpdateVM changes what r names. What no node needs to know is done at once; for the rest there is an operation, and what the
// running guest cannot take stands in the VM's restart_required. While the node is not connected the wish is kept and told later.
// version: If-Match; 0: whatever it is.
func (a *App) UpdateVM(ctx context.Context, c auth.Caller, ref string, w wire.UpdateVM, version int64) (VMResult, error) {
	if w.Name != nil {
		if err := vm.CheckName(*w.Name); err != nil {
			return VMResult{}, err
		}
	}
	if w.Description != nil {
		if err := checkDescription(*w.Description); err != nil {
			return VMResult{}, err
		}
	}
	if w.Tags != nil {
		tags, err := vm.CheckTags(*w.Tags)
		if err != nil {
			return VMResult{}, err
		}
		w.Tags = &tags
	}
	return change(ctx, a, c, func(t *store.Tx) (VMResult, error) {
		v, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
		if err != nil {
			return VMResult{}, err
		}
		if version != 0 && version != v.Version {
			return VMResult{}, changed(v)
		}
		view, err := a.allow(ctx, t, v, vm.VerbUpdate)
		if err != nil {
			return VMResult{}, err
		}
		if seenOf(view).State == vm.SeenSuspended && len(w.RemoveDisks)+len(w.RemoveNICs) > 0 {
			return VMResult{}, fault.New(fault.Conflict, "vm_suspended", "%s is suspended, and its memory goes on with the disks and interfaces that it has; resume it first", v.Name)
		}
		return a.update(ctx, t, c, v, w)
	})
}

func (a *App) update(ctx context.Context, t *store.Tx, c auth.Caller, v store.VM, w wire.UpdateVM) (VMResult, error) {
	was, state := v, updating{VM: v.ID, Before: v.Spec}
	if err := a.apply(ctx, t, c, &v, w, &state); err != nil {
		return VMResult{}, err
	}
	if v.Name == was.Name && v.Description == was.Description && slices.Equal(v.Tags, was.Tags) && reflect.DeepEqual(v.Spec, was.Spec) {
		return a.result(ctx, t, c, v.ID, nil) // nothing to do
	}
	more := difference(totals(v.Spec), totals(was.Spec))
	if err := a.quota(ctx, t, v.Tenant, more); err != nil {
		return VMResult{}, err
	}
	var o *op.Record
	told := map[string]any{"before": auditable(was), "after": auditable(v)}
	if !concernsNode(was, v) { // else beside the operation
		if err := audit(t, c, "vm.update", v.Tenant, subjectOf(v.ID), told); err != nil {
			return VMResult{}, err
		}
	} else {
		v.Generation++
		state.Generation = v.Generation
		begun, err := a.begin(ctx, t, c, v.Tenant, "vm.update", subjectOf(v.ID), v.Name, state, told)
		if err != nil {
			return VMResult{}, err
		}
		o = &begun
	}
	if err := t.UpdateVM(ctx, &v); err != nil {
		return VMResult{}, err
	}
	if err := t.Emit("vm.updated", v.Tenant, subjectOf(v.ID), map[string]any{"name": v.Name, "version": v.Version, "by": c.String()}); err != nil {
		return VMResult{}, err
	}
	if err := a.refresh(ctx, t, v.ID); err != nil {
		return VMResult{}, err
	}
	return a.result(ctx, t, c, v.ID, o)
}

// auditable is what of a VM people can change, for the audit log. Of a long description its beginning will do,
// so that twice the largest VM is half of what an entry may hold.
func auditable(v store.VM) map[string]any {
	s := v.Spec
	return map[string]any{"name": v.Name, "description": fmt.Sprintf("%.100s", v.Description), "tags": list(v.Tags), "protected": s.Protected, "cpus": s.CPUs,
		"memory_mib": s.MemoryMiB, "disks": s.Disks, "nics": s.NICs, "forwards": s.Forwards, "autostart": s.Autostart, "restart": s.Restart, "wanted": v.Power}
}

func difference(now, before store.VMTotals) store.VMTotals {
	return store.VMTotals{CPUs: max(now.CPUs-before.CPUs, 0), MemoryMiB: max(now.MemoryMiB-before.MemoryMiB, 0), DiskGiB: max(now.DiskGiB-before.DiskGiB, 0),
		Addresses: max(now.Addresses-before.Addresses, 0)}
}

// concernsNode says whether the node must hear of the change: of everything but words and the protection.
func concernsNode(a, b store.VM) bool {
	a.Spec.Protected = b.Spec.Protected
	return a.Name != b.Name || !reflect.DeepEqual(a.Spec, b.Spec)
}

// apply brings the row to what the request says and checks the whole of it.
func (a *App) apply(ctx context.Context, t *store.Tx, c auth.Caller, v *store.VM, w wire.UpdateVM, state *updating) error {
	s := &v.Spec
	set(&v.Name, w.Name)
	set(&v.Description, w.Description)
	set(&v.Tags, w.Tags)
	set(&s.CPUs, w.CPUs)
	set(&s.MemoryMiB, w.MemoryMiB)
	set(&s.Protected, w.Protected)
	set(&s.Restart, w.Restart)
	if w.Autostart != nil {
		s.Autostart = vm.Autostart(*w.Autostart)
	}
	if w.Forwards != nil {
		s.Forwards = forwards(*w.Forwards)
	}
	if err := a.applyDisks(ctx, t, c, s, w, state); err != nil {
		return err
	}
	if err := applyNICs(ctx, t, c, v, w); err != nil {
		return err
	}
	return s.Check()
}

func set[T any](v *T, to *T) {
	if to != nil {
		*v = *to
	}
}

func grow(d *vm.Disk, sizeGiB int, field string) error {
	if sizeGiB < d.SizeGiB {
		return fault.New(fault.Invalid, "disk_shrinks", "the disk has %d GiB and cannot shrink to %d; make a new disk and copy what is needed", d.SizeGiB, sizeGiB).On(field)
	}
	d.SizeGiB = sizeGiB
	return nil
}

// applyDisks changes, adds and removes disks. The boot disk stays: the VM is made of it.
func (a *App) applyDisks(ctx context.Context, t *store.Tx, c auth.Caller, s *vm.Spec, w wire.UpdateVM, state *updating) error {
	s.Disks = slices.Clone(s.Disks)
	at := func(v id.Volume) int { return slices.IndexFunc(s.Disks, func(d vm.Disk) bool { return d.ID == v }) }
	for i, change := range w.Disks {
		field := fmt.Sprintf("disks[%d]", i)
		n := at(change.ID)
		if n < 0 {
			return noDisk(change.ID, field+".id")
		}
		if change.SizeGiB != nil {
			if err := grow(&s.Disks[n], *change.SizeGiB, field+".size_gib"); err != nil {
				return err
			}
		}
		set(&s.Disks[n].IOPS, change.IOPS)
		set(&s.Disks[n].MiBPerS, change.MiBPerS)
	}
	for i, gone := range w.RemoveDisks {
		field := fmt.Sprintf("remove_disks[%d]", i)
		n := at(gone)
		if n < 0 {
			return noDisk(gone, field)
		}
		if n == 0 {
			return fault.New(fault.Invalid, "boot_disk", "%s is the boot disk, which stays as long as its VM", gone).On(field)
		}
		s.Disks = slices.Delete(s.Disks, n, n+1)
		state.Dropped = append(state.Dropped, gone)
	}
	for i, add := range w.AddDisks {
		d, err := a.newDisk(ctx, &t.Reader, c, add, fmt.Sprintf("add_disks[%d]", i))
		if err != nil {
			return err
		}
		s.Disks = append(s.Disks, d)
	}
	return nil
}

func noDisk(v id.Volume, field string) error {
	return fault.New(fault.Invalid, "disk_not_found", "the VM has no disk %.80q", v).On(field)
}

// applyNICs adds and removes interfaces. The address of one that is removed stays taken until the node says that the guest has
// it no longer; see releaseUnused.
func applyNICs(ctx context.Context, t *store.Tx, c auth.Caller, v *store.VM, w wire.UpdateVM) error {
	nics := slices.Clone(v.Spec.NICs)
	for i, gone := range w.RemoveNICs {
		n := slices.IndexFunc(nics, func(n vm.NIC) bool { return n.ID == gone })
		if n < 0 {
			return fault.New(fault.Invalid, "nic_not_found", "the VM has no network interface %.80q", gone).On(fmt.Sprintf("remove_nics[%d]", i))
		}
		nics = slices.Delete(nics, n, n+1)
	}
	if len(nics)+len(w.AddNICs) > vm.MaxNICs {
		return fault.New(fault.Invalid, "", "a VM has up to %d network interfaces, not %d", vm.MaxNICs, len(nics)+len(w.AddNICs)).On("add_nics")
	}
	for i, add := range w.AddNICs {
		n, err := newNIC(ctx, &t.Reader, c, add, fmt.Sprintf("add_nics[%d]", i))
		if err != nil {
			return err
		}
		if err := giveAddress(ctx, t, v.ID, &n); err != nil {
			return err
		}
		nics = append(nics, n)
	}
	v.Spec.NICs = nics
	return nil
}

func (a *App) updateVM() *op.Definition {
	return op.Define("vm.update",
		// The verb has changed the row already, so the first step takes it back, whichever step failed.
		op.Do("Prepare the node", a.bringUpdated).Undo(a.unchange),
		op.Do("Change the VM on its node", a.changeVM).NoUndo("the undo of the first step tells the node too"),
	)
}

func (a *App) bringUpdated(ctx context.Context, r op.Run, s *updating) error {
	view, err := a.db.VMView(ctx, s.VM)
	if err != nil {
		return err
	}
	before := imagesOf(s.Before)
	fresh := slices.DeleteFunc(imagesOf(view.Spec), func(d string) bool { return slices.Contains(before, d) })
	return later(a.bring(ctx, r, view, fresh))
}

// changeVM tells the node. A node that is not connected gets to know when it is back: the wish is in the store.
func (a *App) changeVM(ctx context.Context, r op.Run, s *updating) error {
	return later(a.drive(ctx, r, s.VM, s.Generation, heard))
}

func later(err error) error {
	if isUnreachable(err) {
		return nil
	}
	return err
}

// unchange puts the old spec back, less the disks that were dropped: what they held is lost, and an empty disk under an old name
// would be worse than none.
func (a *App) unchange(ctx context.Context, r op.Run, s *updating) error {
	return a.rewish(ctx, r, s.VM, s.Generation, func(v *store.VM, _ vm.Seen) {
		back := s.Before
		back.Disks = slices.DeleteFunc(slices.Clone(back.Disks), func(d vm.Disk) bool { return slices.Contains(s.Dropped, d.ID) })
		v.Spec = back
	})
}
