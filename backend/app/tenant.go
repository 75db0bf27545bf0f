package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// CreateTenant makes an owner of things, closed to the others.
func (a *App) CreateTenant(ctx context.Context, c auth.Caller, w wire.CreateTenant) (out wire.Tenant, err error) {
	if err := auth.May(c, auth.WriteTenant, ""); err != nil {
		return out, err
	}
	if err := checkLabel("tenant", w.Name); err != nil {
		return out, err
	}
	n := store.Tenant{ID: id.NewTenant(), Name: w.Name, Quota: quotaText(w.Quota), RequireFactor: w.RequireFactor, Created: a.now()}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.InsertTenant(ctx, &n); err != nil {
			return err
		}
		return audit(t, c, "tenant.create", n.ID, tenantSubject(n.ID), map[string]any{"name": n.Name, "quota": w.Quota, "require_second_factor": n.RequireFactor})
	})
	return wire.Tenant{ID: n.ID, Name: n.Name, Quota: w.Quota, RequireFactor: n.RequireFactor, CreatedAt: n.Created, Version: n.Version}, err
}

func tenantSubject(t id.Tenant) string { return "tenant/" + string(t) }

// ListTenants gives a page of the tenants: all of them, or the caller's own one.
func (a *App) ListTenants(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.Tenant], error) {
	none := wire.List[wire.Tenant]{}
	if err := auth.May(c, auth.ReadTenant, c.Tenant); err != nil {
		return none, err
	}
	if !auth.SeesAll(c, auth.ReadTenant) {
		own, err := a.Tenant(ctx, c, string(c.Tenant))
		return wire.List[wire.Tenant]{Items: []wire.Tenant{own}, Total: 1}, err
	}
	page, err := a.db.ListTenants(ctx, r.page())
	if err != nil {
		return none, err
	}
	out := wire.List[wire.Tenant]{Items: make([]wire.Tenant, len(page.Items)), NextCursor: page.Next, Total: page.Total}
	for i, t := range page.Items {
		if out.Items[i], err = tenantView(ctx, &a.db.Reader, t); err != nil {
			return none, err
		}
	}
	return out, nil
}

// Tenant gives one tenant by id or name.
func (a *App) Tenant(ctx context.Context, c auth.Caller, ref string) (wire.Tenant, error) {
	t, err := findTenant(ctx, &a.db.Reader, c, ref)
	if err != nil {
		return wire.Tenant{}, err
	}
	return tenantView(ctx, &a.db.Reader, t)
}

func findTenant(ctx context.Context, r *store.Reader, c auth.Caller, ref string) (t store.Tenant, err error) {
	if store.IsTenantID(ref) {
		t, err = r.Tenant(ctx, id.Tenant(ref))
	} else {
		t, err = r.TenantByName(ctx, ref)
	}
	if err == nil {
		err = auth.May(c, auth.ReadTenant, t.ID)
	}
	if fault.Is(err, fault.NotFound) {
		return store.Tenant{}, fault.New(fault.NotFound, "tenant_not_found", "there is no tenant %.80q; list the tenants to see their names", ref)
	}
	return t, err
}

func tenantView(ctx context.Context, r *store.Reader, t store.Tenant) (wire.Tenant, error) {
	q, err := quotaOf(t)
	if err != nil {
		return wire.Tenant{}, err
	}
	used, err := r.CountVMs(ctx, t.ID)
	return wire.Tenant{ID: t.ID, Name: t.Name, Quota: q, RequireFactor: t.RequireFactor, CreatedAt: t.Created, Version: t.Version,
		Used: wire.Quota{VMs: used.VMs, CPUs: used.CPUs, MemoryMiB: used.MemoryMiB, DiskGiB: used.DiskGiB, Addresses: used.Addresses, Snapshots: used.Snapshots}}, err
}

// UpdateTenant changes what is given. A quota below what is used refuses only what comes on top. version: If-Match; 0: whatever.
func (a *App) UpdateTenant(ctx context.Context, c auth.Caller, ref string, w wire.UpdateTenant, version int64) (out wire.Tenant, err error) {
	if err := auth.May(c, auth.WriteTenant, ""); err != nil {
		return out, err
	}
	if w.Name != nil {
		if err := checkLabel("tenant", *w.Name); err != nil {
			return out, err
		}
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		n, err := findTenant(ctx, &t.Reader, c, ref)
		switch {
		case err != nil:
			return err
		case version != 0 && version != n.Version:
			return fault.New(fault.Precondition, "version_changed", "tenant %s was changed in the meantime; read it again", n.Name)
		case w.Name != nil && store.Fold(n.Name) == FirstTenant && *w.Name != n.Name:
			return fault.New(fault.Conflict, "first_tenant", "the tenant %s is where the platform puts new accounts, and keeps its name", FirstTenant)
		}
		say := func() map[string]any {
			return map[string]any{"name": n.Name, "quota": n.Quota, "require_second_factor": n.RequireFactor}
		}
		detail := map[string]any{"before": say()}
		set(&n.Name, w.Name)
		set(&n.RequireFactor, w.RequireFactor)
		if w.Quota != nil {
			n.Quota = quotaText(*w.Quota)
		}
		detail["after"] = say()
		if err := t.UpdateTenant(ctx, &n); err != nil {
			return err
		}
		if out, err = tenantView(ctx, &t.Reader, n); err != nil {
			return err
		}
		return audit(t, c, "tenant.update", n.ID, tenantSubject(n.ID), detail)
	})
	return out, err
}

// DeleteTenant removes a tenant that has nothing left.
func (a *App) DeleteTenant(ctx context.Context, c auth.Caller, ref string) error {
	if err := auth.May(c, auth.WriteTenant, ""); err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		n, err := findTenant(ctx, &t.Reader, c, ref)
		if err != nil {
			return err
		}
		if store.Fold(n.Name) == FirstTenant {
			return fault.New(fault.Conflict, "first_tenant", "the tenant %s is where the platform puts new accounts, and stays", FirstTenant)
		}
		things, err := t.TenantThings(ctx, n.ID)
		if err != nil {
			return err
		}
		if len(things) > 0 {
			var left []string
			for noun, count := range things {
				left = append(left, fmt.Sprintf("%d %s", count, noun))
			}
			slices.Sort(left)
			return fault.New(fault.Conflict, "tenant_not_empty", "tenant %s still has %s; delete or move them first", n.Name, strings.Join(left, ", "))
		}
		if err := t.DeleteTenant(ctx, n.ID); err != nil {
			return err
		}
		return audit(t, c, "tenant.delete", n.ID, tenantSubject(n.ID), map[string]any{"name": n.Name})
	})
}
