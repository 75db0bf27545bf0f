package app

import (
	"context"
	"strings"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// CreateUser makes an account without a mail round trip. PasswordHash is made by core/auth: this verb never sees a password.
type CreateUser struct {
	Username     string
	Email        string
	Role         auth.Role // empty: administrator
	PasswordHash string
	Tenant       id.Tenant // empty: the first tenant
}

// CreateUser makes an account.
func (a *App) CreateUser(ctx context.Context, c auth.Caller, r CreateUser) (wire.User, error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return wire.User{}, err
	}
	if r.Role == "" {
		r.Role = auth.Administrator
	}
	if err := r.check(); err != nil {
		return wire.User{}, err
	}
	var u store.User
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		u = store.User{ID: id.NewUser(), Tenant: r.Tenant, Username: r.Username, Email: r.Email, PasswordHash: r.PasswordHash, Role: r.Role, Created: a.now()}
		if u.Tenant == "" {
			first, err := t.TenantByName(ctx, FirstTenant)
			if err != nil {
				return err
			}
			u.Tenant = first.ID
		} else if _, err := t.Tenant(ctx, u.Tenant); err != nil {
			return err
		}
		if err := t.InsertUser(ctx, &u); err != nil {
			return err
		}
		if err := audit(t, c, "user.create", u.Tenant, userSubject(u.ID), map[string]any{"username": u.Username, "role": u.Role}); err != nil {
			return err
		}
		return t.Emit("audit.user_created", u.Tenant, "user/"+string(u.ID), map[string]any{"username": u.Username, "role": u.Role, "by": c.String()})
	})
	return account(u), err
}

func (r CreateUser) check() error {
	if err := auth.CheckUsername(r.Username); err != nil {
		return err
	}
	if err := auth.CheckEmail(r.Email); err != nil {
		return err
	}
	switch {
	case r.PasswordHash == "":
		return fault.New(fault.Invalid, "", "an account needs a password").On("password")
	}
	return nil
}

// ListUsers gives a page of the accounts.
func (a *App) ListUsers(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.User], error) {
	if err := auth.May(c, auth.ReadAccount, ""); err != nil {
		return wire.List[wire.User]{}, err
	}
	page, err := a.db.ListUsers(ctx, store.UserFilter{}, r.page())
	if err != nil {
		return wire.List[wire.User]{}, err
	}
	return mapped(page, account), nil
}

// User gives one account by id, user name or e-mail address. Everybody may read their own.
func (a *App) User(ctx context.Context, c auth.Caller, ref string) (wire.User, error) {
	var u store.User
	var err error
	if strings.HasPrefix(ref, "usr-") && id.Is(ref) {
		u, err = a.db.User(ctx, id.User(ref))
	} else {
		u, err = a.db.UserByLogin(ctx, ref)
	}
	if err == nil && u.ID == c.User {
		return account(u), nil
	}
	if denied := auth.May(c, auth.ReadAccount, ""); denied != nil {
		return wire.User{}, denied
	}
	return account(u), err
}
