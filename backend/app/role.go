package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

func roleView(o auth.OwnRole) wire.Role {
	w := rightsView(o.Name, o.Rights)
	w.Description, w.Version = o.Description, o.Version
	return w
}

func rightsView(name auth.Role, r auth.Rights) wire.Role {
	w := wire.Role{Name: name, Actions: r.Actions, Tenants: r.Reach, TenantIDs: r.Tenants}
	if w.TenantIDs == nil {
		w.TenantIDs = []id.Tenant{}
	}
	return w
}

var builtIn = map[auth.Role]string{
	auth.Administrator: "everything, in every tenant", auth.Operator: "what developers may, and the nodes of the platform",
	auth.Developer: "everything with the things of the own tenant", auth.Viewer: "sees the things of the own tenant",
}

// Roles lists the built-in roles and the own ones: all of them for who may read accounts, else the caller's.
func (a *App) Roles(ctx context.Context, c auth.Caller) (out wire.List[wire.Role], err error) {
	for _, name := range auth.Roles {
		w := rightsView(name, auth.RightsOf(name))
		w.BuiltIn, w.Description = true, builtIn[name]
		out.Items = append(out.Items, w)
	}
	own, err := a.db.Roles(ctx)
	if err != nil {
		return out, err
	}
	for _, o := range own {
		if o.Name == c.Role || auth.May(c, auth.ReadAccount, "") == nil {
			out.Items = append(out.Items, roleView(o))
		}
	}
	out.Total = len(out.Items)
	return out, nil
}

// Role gives one role that Roles lists.
func (a *App) Role(ctx context.Context, c auth.Caller, name auth.Role) (wire.Role, error) {
	all, err := a.Roles(ctx, c)
	if err != nil {
		return wire.Role{}, err
	}
	for _, r := range all.Items {
		if r.Name == name {
			return r, nil
		}
	}
	return wire.Role{}, fault.New(fault.NotFound, "role_not_found", "there is no role %.40q; list the roles to see their names", string(name))
}

// CreateRole makes an own role.
func (a *App) CreateRole(ctx context.Context, c auth.Caller, w wire.CreateRole) (out wire.Role, err error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return out, err
	}
	o := auth.OwnRole{Name: w.Name, Description: w.Description, Rights: auth.Rights{Actions: w.Actions, Reach: w.Tenants}, Created: a.now()}
	if o.Rights.Reach == "" {
		o.Rights.Reach = auth.OwnTenant
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if o.Rights.Tenants, err = tenantIDs(ctx, t, c, w.TenantIDs); err != nil {
			return err
		}
		if err := t.InsertRole(ctx, &o); err != nil {
			return err
		}
		return audit(t, c, "role.create", "", roleSubject(o.Name), map[string]any{"after": rightsDetail(o)})
	})
	return roleView(o), err
}

func roleSubject(r auth.Role) string { return "role/" + string(r) }

func rightsDetail(o auth.OwnRole) map[string]any {
	return map[string]any{"description": o.Description, "actions": o.Rights.Actions, "tenants": o.Rights.Reach, "tenant_ids": o.Rights.Tenants}
}

func tenantIDs(ctx context.Context, t *store.Tx, c auth.Caller, refs []string) ([]id.Tenant, error) {
	if len(refs) > auth.MaxRoleTenants {
		refs = refs[:auth.MaxRoleTenants+1] // refused by CheckRole without looking all up
	}
	var out []id.Tenant
	for _, ref := range refs {
		n, err := findTenant(ctx, &t.Reader, c, ref)
		if err != nil {
			return nil, err
		}
		out = append(out, n.ID)
	}
	return out, nil
}

// UpdateRole changes an own role, from the next request on of everybody who has it. version: If-Match; 0: whatever it is.
func (a *App) UpdateRole(ctx context.Context, c auth.Caller, name auth.Role, w wire.UpdateRole, version int64) (out wire.Role, err error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return out, err
	}
	if name.Valid() {
		return out, fault.New(fault.Conflict, "role_built_in", "%s is a built-in role and stays as it is; make a role of your own", name)
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.Role(ctx, name)
		if err != nil {
			return err
		}
		if version != 0 && version != o.Version {
			return fault.New(fault.Precondition, "version_changed", "role %s was changed in the meantime; read it again", name)
		}
		detail := map[string]any{"before": rightsDetail(o)}
		set(&o.Description, w.Description)
		set(&o.Rights.Actions, w.Actions)
		set(&o.Rights.Reach, w.Tenants)
		if w.TenantIDs != nil {
			if o.Rights.Tenants, err = tenantIDs(ctx, t, c, *w.TenantIDs); err != nil {
				return err
			}
		} else if o.Rights.Reach != auth.NamedTenants {
			o.Rights.Tenants = nil
		}
		if err := t.UpdateRole(ctx, &o); err != nil {
			return err
		}
		out = roleView(o)
		detail["after"] = rightsDetail(o)
		return audit(t, c, "role.update", "", roleSubject(name), detail)
	})
	return out, err
}

// DeleteRole removes an own role that nobody has.
func (a *App) DeleteRole(ctx context.Context, c auth.Caller, name auth.Role) error {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return err
	}
	if name.Valid() {
		return fault.New(fault.Conflict, "role_built_in", "%s is a built-in role and stays", name)
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.Role(ctx, name)
		if err != nil {
			return err
		}
		if err := t.DeleteRole(ctx, name); err != nil {
			return err
		}
		return audit(t, c, "role.delete", "", roleSubject(name), map[string]any{"before": rightsDetail(o)})
	})
}
