package store

import (
	"context"
	"strings"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
)

// maxRoles bounds the own roles of an installation.
const maxRoles = 100

// roleLock keeps a role from being deleted while it is given to somebody.
const roleLock = "roles"

const roleColumns = "r.name, r.description, r.actions, r.reach, r.tenants, r.version, r.created_at, r.updated_at"

func scanRole(r row) (o auth.OwnRole, err error) {
	return o, r.Scan(&o.Name, &o.Description, decoded{&o.Rights.Actions}, &o.Rights.Reach, decoded{&o.Rights.Tenants}, &o.Version, stamped{&o.Created}, stamped{&o.Updated})
}

// Role reads an own role. fault.NotFound: there is none.
func (r *Reader) Role(ctx context.Context, name auth.Role) (auth.OwnRole, error) {
	return one(ctx, r, fault.New(fault.NotFound, "role_not_found", "there is no own role %.40q; list the roles to see their names", string(name)), scanRole,
		"select "+roleColumns+" from roles r where r.name = $1"+r.lock, name)
}

// Roles reads all own roles, sorted by name.
func (r *Reader) Roles(ctx context.Context) ([]auth.OwnRole, error) {
	return many(ctx, r, scanRole, "select "+roleColumns+" from roles r order by r.name")
}

// InsertRole adds a role. fault.Conflict: the name is taken. fault.Exhausted: there are too many.
func (t *Tx) InsertRole(ctx context.Context, o *auth.OwnRole) error {
	if err := auth.CheckRole(*o); err != nil {
		return err
	}
	if err := t.Lock(ctx, roleLock); err != nil {
		return err
	}
	all, err := t.Roles(ctx)
	if err != nil {
		return err
	}
	if len(all) >= maxRoles {
		return fault.New(fault.Exhausted, "too_many_roles", "there are %d own roles, which is the most; delete one", len(all))
	}
	o.Version, o.Created = 1, orNow(o.Created)
	o.Updated = o.Created
	n, err := t.exec(ctx, "insert into roles (name, description, actions, reach, tenants, version, created_at, updated_at) values ("+places(1, 8)+") on conflict do nothing",
		o.Name, o.Description, encode(o.Rights.Actions), o.Rights.Reach, encode(o.Rights.Tenants), o.Version, stamp(o.Created), stamp(o.Updated))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "role_name_taken", "there is already a role named %s; pick another name", o.Name).On("name")
	}
	return err
}

// UpdateRole writes description and rights and counts o.Version up. fault.Precondition: the stored version is not o.Version.
func (t *Tx) UpdateRole(ctx context.Context, o *auth.OwnRole) error {
	if err := auth.CheckRole(*o); err != nil {
		return err
	}
	o.Updated = now()
	n, err := t.exec(ctx, "update roles set description = $3, actions = $4, reach = $5, tenants = $6, updated_at = $7, version = version + 1 where name = $1 and version = $2",
		o.Name, o.Version, o.Description, encode(o.Rights.Actions), o.Rights.Reach, encode(o.Rights.Tenants), stamp(o.Updated))
	if err == nil && n == 0 {
		return edited("role", string(o.Name))
	}
	if err == nil {
		o.Version++
	}
	return err
}

// maxHolders are named in the refusal to delete a role.
const maxHolders = 5

// DeleteRole removes a role; absent is success. fault.Conflict with the names of those who have it or are invited to it.
func (t *Tx) DeleteRole(ctx context.Context, name auth.Role) error {
	if err := t.Lock(ctx, roleLock); err != nil {
		return err
	}
	holders, err := many(ctx, &t.Reader, func(r row) (s string, err error) { return s, r.Scan(&s) },
		`select username from users where role = $1 or id in (select m.user_id from memberships m where m.role = $1)
		union select 'the invitation of ' || email from invites where role = $1 and expires_at > $3 order by 1 limit $2`, name, maxHolders+1, stamp(now()))
	if err != nil {
		return err
	}
	if len(holders) > maxHolders {
		holders[maxHolders] = "others"
	}
	if len(holders) > 0 {
		return fault.New(fault.Conflict, "role_in_use", "the role %s is that of %s; give them another one, or withdraw the invitation, first", name, strings.Join(holders, ", "))
	}
	_, err = t.exec(ctx, "delete from roles where name = $1", name)
	return err
}

// HoldRole refuses a role that is neither built-in nor an own one, and keeps an own one from being deleted until the transaction ends.
func (t *Tx) HoldRole(ctx context.Context, name auth.Role) error {
	if name.Valid() {
		return nil
	}
	if err := t.Lock(ctx, roleLock); err != nil {
		return err
	}
	_, err := t.Role(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Invalid, "role_invalid", "there is no role %.40q; list the roles to see their names", string(name)).On("role")
	}
	return err
}
