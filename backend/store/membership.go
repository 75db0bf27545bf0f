package store

import (
	"context"
	"slices"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// MembershipsOf lists in which tenants an account acts beside its own one, sorted by their names.
func (r *Reader) MembershipsOf(ctx context.Context, u id.User) ([]auth.Membership, error) {
	return many(ctx, r, scanMembership, "select m.user_id, m.tenant, m.role, m.created_at from memberships m join tenants t on t.id = m.tenant where m.user_id = $1 order by t.name_folded", u)
}

func scanMembership(r row) (m auth.Membership, err error) {
	return m, r.Scan(&m.User, &m.Tenant, &m.Role, stamped{&m.Created})
}

// PutMembership gives an account a role in a tenant, or another role there. It implements auth.Memberships.
func (t *Tx) PutMembership(ctx context.Context, m *auth.Membership) error {
	if err := t.HoldRole(ctx, m.Role); err != nil {
		return err
	}
	u, err := t.User(ctx, m.User)
	if err != nil {
		return err
	}
	if err := auth.CheckMembership(*m, u.Tenant); err != nil {
		return err
	}
	if _, err := t.Tenant(ctx, m.Tenant); err != nil {
		return err
	}
	all, err := t.MembershipsOf(ctx, m.User)
	if err != nil {
		return err
	}
	m.Created = orNow(m.Created)
	switch i := slices.IndexFunc(all, func(o auth.Membership) bool { return o.Tenant == m.Tenant }); {
	case i >= 0:
		m.Created = all[i].Created
	case len(all) >= auth.MaxMemberships:
		return fault.New(fault.Exhausted, "too_many_memberships", "%s is a member of %d tenants, which is the most; end one", u.Username, len(all))
	}
	_, err = t.exec(ctx, `insert into memberships (user_id, tenant, role, created_at) values ($1, $2, $3, $4)
		on conflict (user_id, tenant) do update set role = excluded.role`, m.User, m.Tenant, m.Role, stamp(m.Created))
	return err
}

// DeleteMembership ends a membership and the API tokens that act there; absent is success.
func (t *Tx) DeleteMembership(ctx context.Context, u id.User, n id.Tenant) error {
	if _, err := t.exec(ctx, "delete from memberships where user_id = $1 and tenant = $2", u, n); err != nil {
		return err
	}
	_, err := t.exec(ctx, "delete from api_tokens where user_id = $1 and tenant = $2", u, n)
	return err
}
