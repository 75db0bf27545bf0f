package store

import (
	"context"
	"encoding/json"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Tenant is an owner of things, closed to the others.
type Tenant struct {
	ID            id.Tenant
	Name          string          // unique, whatever the case
	Quota         json.RawMessage // as the caller writes it; empty: no limits
	RequireFactor bool            // its accounts do nothing without a second factor
	Version       int64           // counted up by UpdateTenant
	Created       time.Time
	Updated       time.Time
}

const tenantColumns = "t.id, t.name, t.quota, t.require_factor, t.version, t.created_at, t.updated_at"

func scanTenant(r row) (t Tenant, err error) {
	var quota []byte
	err = r.Scan(&t.ID, &t.Name, &quota, &t.RequireFactor, &t.Version, stamped{&t.Created}, stamped{&t.Updated})
	t.Quota = quota
	return t, err
}

// Tenant reads a tenant. fault.NotFound: there is none.
func (r *Reader) Tenant(ctx context.Context, t id.Tenant) (Tenant, error) {
	return one(ctx, r, notFound("tenant", "tenant", t), scanTenant, "select "+tenantColumns+" from tenants t where t.id = $1"+r.lock, t)
}

// TenantByName reads the tenant of this name in any case. fault.NotFound: there is none.
func (r *Reader) TenantByName(ctx context.Context, name string) (Tenant, error) {
	return one(ctx, r, notFound("tenant", "tenant", name), scanTenant, "select "+tenantColumns+" from tenants t where t.name_folded = $1"+r.lock, Fold(name))
}

var tenantListing = listing[Tenant]{
	columns: tenantColumns, table: "tenants t", key: "t.id", order: "name",
	sorts: map[string]sorting[Tenant]{
		"name":       {"t.name_folded", func(t Tenant) string { return Fold(t.Name) }},
		"created_at": {"t.created_at", func(t Tenant) string { return t.Created.Format(timeFormat) }},
	},
	scan:  scanTenant,
	keyOf: func(t Tenant) string { return string(t.ID) },
}

// ListTenants gives a page of tenants, sorted by name or created_at.
func (r *Reader) ListTenants(ctx context.Context, p Page) (List[Tenant], error) {
	return list(ctx, r, tenantListing, filter{}, p)
}

// InsertTenant adds the tenant. fault.Conflict with code tenant_name_taken: one of this name is there.
func (t *Tx) InsertTenant(ctx context.Context, n *Tenant) error {
	n.Version, n.Created = 1, orNow(n.Created)
	n.Updated = n.Created
	rows, err := t.exec(ctx, "insert into tenants (id, name, name_folded, quota, require_factor, version, created_at, updated_at) values ("+places(1, 8)+") on conflict do nothing",
		n.ID, n.Name, Fold(n.Name), string(n.Quota), n.RequireFactor, n.Version, stamp(n.Created), stamp(n.Updated))
	if err == nil && rows == 0 {
		return tenantNameTaken(n.Name)
	}
	return err
}

func tenantNameTaken(name string) *fault.Error {
	return fault.New(fault.Conflict, "tenant_name_taken", "there is already a tenant named %q; pick another name", name).On("name")
}

// UpdateTenant writes everything but the id and counts n.Version up. fault.Precondition: the stored version is not n.Version.
func (t *Tx) UpdateTenant(ctx context.Context, n *Tenant) error {
	n.Updated = now()
	rows, err := t.exec(ctx, `update tenants set name = $3, name_folded = $4, quota = $5, require_factor = $6, updated_at = $7, version = version + 1
		where id = $1 and version = $2`, n.ID, n.Version, n.Name, Fold(n.Name), string(n.Quota), n.RequireFactor, stamp(n.Updated))
	if err != nil && t.db.dialect.classify(err) == unique {
		return tenantNameTaken(n.Name)
	}
	if err == nil && rows == 0 {
		return edited("tenant", n.Name)
	}
	if err == nil {
		n.Version++
	}
	return err
}

// TenantThings counts what a tenant still has, by noun in the plural.
func (r *Reader) TenantThings(ctx context.Context, n id.Tenant) (map[string]int, error) {
	things := map[string]int{}
	for noun, table := range map[string]string{"users": "users", "members of other tenants": "memberships", "VMs": "vms", "images": "images", "networks": "networks", "uploads": "uploads"} {
		count, err := one(ctx, r, nil, func(row row) (n int, err error) { return n, row.Scan(&n) }, "select count(*) from "+table+" where tenant = $1", n)
		if err != nil {
			return nil, err
		}
		if count > 0 {
			things[noun] = count
		}
	}
	return things, nil
}

// DeleteTenant removes a tenant, the invitations into it and the API tokens that act there. fault.Conflict: users, members or VMs of it are left.
func (t *Tx) DeleteTenant(ctx context.Context, n id.Tenant) error {
	_, err := t.exec(ctx, "delete from tenants where id = $1", n)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "delete from api_tokens where tenant = $1", n); err != nil {
		return err
	}
	_, err = t.exec(ctx, "delete from totals where owner = $1", tenantTotals+string(n))
	return err
}
