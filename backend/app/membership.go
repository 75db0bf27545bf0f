package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// Memberships lists in which tenants somebody acts, the own one first.
func (a *Accounts) Memberships(ctx context.Context, c auth.Caller, ref string) (wire.List[wire.Membership], error) {
	u, err := a.governedUser(ctx, c, ref, auth.ReadAccount)
	if err != nil {
		return wire.List[wire.Membership]{}, err
	}
	return a.membershipsOf(ctx, u)
}

// OwnMemberships lists in which tenants the caller may act, the own one first. A role that reaches further is not unfolded.
func (a *Accounts) OwnMemberships(ctx context.Context, c auth.Caller) (wire.List[wire.Membership], error) {
	u, err := a.user(ctx, c.User)
	if err != nil {
		return wire.List[wire.Membership]{}, err
	}
	return a.membershipsOf(ctx, u)
}

func (a *Accounts) membershipsOf(ctx context.Context, u store.User) (out wire.List[wire.Membership], err error) {
	err = a.db.Read(ctx, func(r *store.Reader) error {
		all, err := r.MembershipsOf(ctx, u.ID)
		if err != nil {
			return err
		}
		own := auth.Membership{User: u.ID, Tenant: u.Tenant, Role: u.Role, Created: u.Created}
		for i, m := range append([]auth.Membership{own}, all...) {
			t, err := r.Tenant(ctx, m.Tenant)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, wire.Membership{Tenant: m.Tenant, TenantName: t.Name, Role: m.Role, Own: i == 0, CreatedAt: m.Created})
		}
		return nil
	})
	out.Total = len(out.Items)
	return out, err
}

// PutMembership lets somebody act in a tenant beside the own one, or gives another role there. It counts from the next request on.
func (a *Accounts) PutMembership(ctx context.Context, c auth.Caller, ref, tenant string, w wire.PutMembership) (out wire.Membership, err error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return out, err
	}
	return out, a.db.Tx(ctx, func(t *store.Tx) error {
		u, n, err := governedPlace(ctx, t, c, ref, tenant)
		if err != nil {
			return err
		}
		m := auth.Membership{User: u.ID, Tenant: n.ID, Role: w.Role, Created: a.now()}
		before, err := roleIn(ctx, t, u.ID, n.ID)
		if err != nil {
			return err
		}
		if err := t.PutMembership(ctx, &m); err != nil {
			return err
		}
		out = wire.Membership{Tenant: n.ID, TenantName: n.Name, Role: m.Role, CreatedAt: m.Created}
		return audit(t, c, "user.join", n.ID, userSubject(u.ID), map[string]any{"username": u.Username, "tenant": n.Name, "before": before, "after": m.Role})
	})
}

// DeleteMembership ends what somebody may do in a tenant that is not the own one: requests, API tokens, streams and consoles there,
// within a second on all servers. Absent is success.
func (a *Accounts) DeleteMembership(ctx context.Context, c auth.Caller, ref, tenant string) error {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		u, n, err := governedPlace(ctx, t, c, ref, tenant)
		if err != nil {
			return err
		}
		before, err := roleIn(ctx, t, u.ID, n.ID)
		if err != nil {
			return err
		}
		if err := auth.CheckMembership(auth.Membership{Tenant: n.ID}, u.Tenant); err != nil {
			return err
		}
		if err := t.DeleteMembership(ctx, u.ID, n.ID); err != nil || before == "" {
			return err
		}
		return audit(t, c, "user.leave", n.ID, userSubject(u.ID), map[string]any{"username": u.Username, "tenant": n.Name, "before": before})
	})
}

// governedPlace finds an account, under the lock of all changes to accounts, and a tenant.
func governedPlace(ctx context.Context, t *store.Tx, c auth.Caller, ref, tenant string) (u store.User, n store.Tenant, err error) {
	if u, err = governed(ctx, t, ref); err == nil {
		n, err = findTenant(ctx, &t.Reader, c, tenant)
	}
	return u, n, err
}

// roleIn is the role of a membership, empty without one.
func roleIn(ctx context.Context, t *store.Tx, u id.User, n id.Tenant) (auth.Role, error) {
	all, err := t.MembershipsOf(ctx, u)
	for _, m := range all {
		if m.Tenant == n {
			return m.Role, nil
		}
	}
	return "", err
}
