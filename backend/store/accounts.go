package store

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Accounts is the database as auth.Accounts and auth.RoleStore.
type Accounts struct {
	db     *DB
	params auth.Params
}

// Roles is the database as auth.OwnRoles.
type Roles struct{ db *DB }

// Tenants is the database as auth.Tenants.
type Tenants struct{ db *DB }

// Memberships is the database as auth.Memberships.
type Memberships struct{ db *DB }

var (
	_ auth.Accounts    = Accounts{}
	_ auth.RoleStore   = Accounts{}
	_ auth.OwnRoles    = Roles{}
	_ auth.Tenants     = Tenants{}
	_ auth.Memberships = Memberships{}
)

// Accounts keeps accounts in the database. params are those of new password hashes.
func (db *DB) Accounts(params auth.Params) Accounts { return Accounts{db, params} }

// With is a with other parameters of new password hashes.
func (a Accounts) With(params auth.Params) Accounts { return Accounts{a.db, params} }

// OwnRoles keeps roles in the database.
func (db *DB) OwnRoles() Roles { return Roles{db} }

// Tenants keeps tenants in the database.
func (db *DB) Tenants() Tenants { return Tenants{db} }

// Memberships keeps memberships in the database.
func (db *DB) Memberships() Memberships { return Memberships{db} }

func accountOf(u User) auth.Account {
	return auth.Account{ID: u.ID, Tenant: u.Tenant, Username: u.Username, Email: u.Email, Role: u.Role, Disabled: u.Disabled, Version: u.Version, Created: u.Created, Updated: u.Updated}
}

func checkAccount(a *auth.Account) error {
	if err := auth.CheckUsername(a.Username); err != nil {
		return err
	}
	return auth.CheckEmail(a.Email)
}

// Create implements auth.Accounts.
func (a Accounts) Create(ctx context.Context, n *auth.Account, password string) error {
	if err := checkAccount(n); err != nil {
		return err
	}
	if err := auth.CheckPassword(password, n.Username, n.Email); err != nil {
		return err
	}
	hash, err := auth.Hash(password, a.params)
	if err != nil {
		return err
	}
	u := User{ID: id.NewUser(), Tenant: n.Tenant, Username: n.Username, Email: n.Email, PasswordHash: hash, Role: n.Role, Disabled: n.Disabled}
	if err := a.db.Tx(ctx, func(t *Tx) error { return t.InsertUser(ctx, &u) }); err != nil {
		return err
	}
	*n = accountOf(u)
	return nil
}

// Get implements auth.Accounts.
func (a Accounts) Get(ctx context.Context, u id.User) (auth.Account, error) {
	found, err := a.db.User(ctx, u)
	return accountOf(found), err
}

// GetByUsername implements auth.Accounts.
func (a Accounts) GetByUsername(ctx context.Context, username string) (auth.Account, error) {
	u, err := a.db.UserByLogin(ctx, username)
	if err == nil && Fold(u.Username) != Fold(username) {
		return auth.Account{}, notFound("user", "user", username)
	}
	return accountOf(u), err
}

// GetByEmail implements auth.Accounts.
func (a Accounts) GetByEmail(ctx context.Context, email string) (auth.Account, error) {
	u, err := a.db.UserByLogin(ctx, email)
	if err == nil && Fold(u.Email) != Fold(email) {
		return auth.Account{}, notFound("user", "user", email)
	}
	return accountOf(u), err
}

// List implements auth.Accounts.
func (a Accounts) List(ctx context.Context, tenant id.Tenant, cursor string, limit int) ([]auth.Account, string, error) {
	l, err := a.db.ListUsers(ctx, UserFilter{Tenant: tenant}, Page{Limit: limit, Cursor: cursor})
	page := make([]auth.Account, len(l.Items))
	for i, u := range l.Items {
		page[i] = accountOf(u)
	}
	return page, l.Next, err
}

// Update implements auth.Accounts.
func (a Accounts) Update(ctx context.Context, n *auth.Account) error {
	if err := checkAccount(n); err != nil {
		return err
	}
	return a.change(ctx, n.ID, func(u *User) error {
		if u.Version != n.Version {
			return edited("user", n.Username)
		}
		u.Username, u.Email, u.Role, u.Disabled = n.Username, n.Email, n.Role, n.Disabled
		return nil
	}, func(u User) { *n = accountOf(u) })
}

// change reads an account, changes it and writes it; done gets what was written.
func (a Accounts) change(ctx context.Context, i id.User, f func(*User) error, done func(User)) error {
	return a.db.Tx(ctx, func(t *Tx) error {
		u, err := t.User(ctx, i)
		if err != nil {
			return err
		}
		if err := f(&u); err != nil {
			return err
		}
		if err := t.UpdateUser(ctx, &u); err != nil {
			return err
		}
		t.AfterCommit(func() { done(u) })
		return nil
	})
}

// Delete implements auth.Accounts.
func (a Accounts) Delete(ctx context.Context, u id.User) error {
	return a.db.Tx(ctx, func(t *Tx) error { return t.DeleteUser(ctx, u) })
}

// SetPassword implements auth.Accounts.
func (a Accounts) SetPassword(ctx context.Context, i id.User, password string) error {
	u, err := a.db.User(ctx, i)
	if err != nil {
		return err
	}
	if err := auth.CheckPassword(password, u.Username, u.Email); err != nil {
		return err
	}
	hash, err := auth.Hash(password, a.params)
	if err != nil {
		return err
	}
	return a.change(ctx, i, func(u *User) error { u.PasswordHash = hash; return nil }, func(User) {})
}

// VerifyPassword implements auth.Accounts. A hash of other parameters is made anew, which costs nothing but another try when it fails.
func (a Accounts) VerifyPassword(ctx context.Context, i id.User, password string) error {
	wrong := fault.New(fault.Unauthenticated, "login_failed", "the user name or the password is wrong")
	u, err := a.db.User(ctx, i)
	if fault.Is(err, fault.NotFound) || err == nil && u.PasswordHash == "" {
		auth.VerifyNobody(password, a.params)
		return wrong
	}
	if err != nil {
		return err
	}
	ok, stale, err := auth.Verify(u.PasswordHash, password, a.params)
	switch {
	case err != nil:
		return err
	case !ok || u.Disabled:
		return wrong
	case stale:
		return a.rehash(ctx, u, password)
	}
	return nil
}

func (a Accounts) rehash(ctx context.Context, old User, password string) error {
	hash, err := auth.Hash(password, a.params)
	if err != nil {
		return err
	}
	return a.change(ctx, old.ID, func(u *User) error {
		if u.PasswordHash == old.PasswordHash { // else the password was changed meanwhile
			u.PasswordHash = hash
		}
		return nil
	}, func(User) {})
}

// Assign implements auth.RoleStore.
func (a Accounts) Assign(ctx context.Context, u id.User, r auth.Role) error {
	return a.change(ctx, u, func(u *User) error { u.Role = r; return nil }, func(User) {})
}

// RoleOf implements auth.RoleStore.
func (a Accounts) RoleOf(ctx context.Context, i id.User) (auth.Role, error) {
	u, err := a.db.User(ctx, i)
	return u.Role, err
}

// CountRole implements auth.RoleStore.
func (a Accounts) CountRole(ctx context.Context, r auth.Role) (int, error) {
	return a.db.CountUsers(ctx, r)
}

// Create implements auth.OwnRoles.
func (s Roles) Create(ctx context.Context, r *auth.OwnRole) error {
	return s.db.Tx(ctx, func(t *Tx) error { return t.InsertRole(ctx, r) })
}

// Get implements auth.OwnRoles.
func (s Roles) Get(ctx context.Context, name auth.Role) (auth.OwnRole, error) {
	return s.db.Role(ctx, name)
}

// List implements auth.OwnRoles.
func (s Roles) List(ctx context.Context) ([]auth.OwnRole, error) { return s.db.Roles(ctx) }

// Update implements auth.OwnRoles.
func (s Roles) Update(ctx context.Context, r *auth.OwnRole) error {
	next := *r
	err := s.db.Tx(ctx, func(t *Tx) error { next = *r; return t.UpdateRole(ctx, &next) })
	if err == nil {
		*r = next
	}
	return err
}

// Delete implements auth.OwnRoles.
func (s Roles) Delete(ctx context.Context, name auth.Role) error {
	return s.db.Tx(ctx, func(t *Tx) error { return t.DeleteRole(ctx, name) })
}

func tenantOf(t Tenant) auth.Tenant {
	return auth.Tenant{ID: t.ID, Name: t.Name, Version: t.Version, Created: t.Created, Updated: t.Updated}
}

// Create implements auth.Tenants.
func (s Tenants) Create(ctx context.Context, n *auth.Tenant) error {
	t := Tenant{ID: id.NewTenant(), Name: n.Name}
	if err := s.db.Tx(ctx, func(x *Tx) error { return x.InsertTenant(ctx, &t) }); err != nil {
		return err
	}
	*n = tenantOf(t)
	return nil
}

// Get implements auth.Tenants.
func (s Tenants) Get(ctx context.Context, i id.Tenant) (auth.Tenant, error) {
	t, err := s.db.Tenant(ctx, i)
	return tenantOf(t), err
}

// GetByName implements auth.Tenants.
func (s Tenants) GetByName(ctx context.Context, name string) (auth.Tenant, error) {
	t, err := s.db.TenantByName(ctx, name)
	return tenantOf(t), err
}

// List implements auth.Tenants.
func (s Tenants) List(ctx context.Context, cursor string, limit int) ([]auth.Tenant, string, error) {
	l, err := s.db.ListTenants(ctx, Page{Limit: limit, Cursor: cursor})
	page := make([]auth.Tenant, len(l.Items))
	for i, t := range l.Items {
		page[i] = tenantOf(t)
	}
	return page, l.Next, err
}

// Update implements auth.Tenants. The quota stays.
func (s Tenants) Update(ctx context.Context, n *auth.Tenant) error {
	var t Tenant
	err := s.db.Tx(ctx, func(x *Tx) (err error) {
		if t, err = x.Tenant(ctx, n.ID); err != nil {
			return err
		}
		t.Name, t.Version = n.Name, n.Version
		return x.UpdateTenant(ctx, &t)
	})
	if err == nil {
		*n = tenantOf(t)
	}
	return err
}

// Delete implements auth.Tenants.
func (s Tenants) Delete(ctx context.Context, i id.Tenant) error {
	return s.db.Tx(ctx, func(x *Tx) error { return x.DeleteTenant(ctx, i) })
}

// Put implements auth.Memberships.
func (s Memberships) Put(ctx context.Context, m *auth.Membership) error {
	return s.db.Tx(ctx, func(t *Tx) error { return t.PutMembership(ctx, m) })
}

// Of implements auth.Memberships.
func (s Memberships) Of(ctx context.Context, u id.User) ([]auth.Membership, error) {
	return s.db.MembershipsOf(ctx, u)
}

// Remove implements auth.Memberships.
func (s Memberships) Remove(ctx context.Context, u id.User, n id.Tenant) error {
	return s.db.Tx(ctx, func(t *Tx) error { return t.DeleteMembership(ctx, u, n) })
}
