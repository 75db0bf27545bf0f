package app

import (
	"context"
	"errors"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// VM gives a VM by its id, or by its name in the caller's tenant.
func (a *App) VM(ctx context.Context, c auth.Caller, ref string) (w wire.VM, err error) {
	err = a.db.Read(ctx, func(r *store.Reader) error {
		v, err := findVM(ctx, r, c, ref, auth.ReadVM)
		if err != nil {
			return err
		}
		view, err := r.VMView(ctx, v.ID)
		if err != nil {
			return err
		}
		w, err = vmView(ctx, r, view, c)
		return err
	})
	return w, err
}

// ListVMs gives a page of the VMs that the caller may see.
func (a *App) ListVMs(ctx context.Context, c auth.Caller, r ListVMs) (wire.List[wire.VMSummary], error) {
	var none wire.List[wire.VMSummary]
	tenant, err := scope(c, auth.ReadVM, r.Tenant)
	if err != nil {
		return none, err
	}
	f := store.VMFilter{Tenant: tenant, Status: r.Status, Name: r.Name, Image: r.Image}
	if f.Tags, err = vm.CheckTags(r.Tags); err != nil {
		return none, err
	}
	if r.Address != "" {
		if f.Address, f.Whole, err = vm.CheckAddressSearch(r.Address); err != nil {
			return none, err
		}
	}
	if r.Node != "" {
		n, err := a.findNode(ctx, &a.db.Reader, c, r.Node)
		if err != nil {
			return none, err
		}
		f.Node = n.ID
	}
	page, err := a.db.ListVMs(ctx, f, r.page())
	if err != nil {
		return none, err
	}
	return mapped(page, func(v store.VMSummary) wire.VMSummary { return summaryView(v, c) }), nil
}

// scope gives the tenant whose things a list shows: the one that the caller acts in, or for those who see all and chose none, the one
// asked for or every one.
func scope(c auth.Caller, action auth.Action, asked id.Tenant) (id.Tenant, error) {
	tenant := c.Tenant
	if auth.SeesAll(c, action) && !c.Chosen || asked != "" {
		tenant = asked
	}
	return tenant, auth.May(c, action, tenant)
}

func asFault(err error) *fault.Error {
	f, _ := errors.AsType[*fault.Error](err)
	return f
}
