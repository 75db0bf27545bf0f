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

// UpdateUser changes an account's role, tenant or whether it may sign in. It counts from the account's next request on.
// version: If-Match; 0: whatever it is.
func (a *Accounts) UpdateUser(ctx context.Context, c auth.Caller, ref string, w wire.UpdateUser, version int64) (out wire.User, err error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return out, err
	}
	proof := a.proven(ctx, c)
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		u, err := governed(ctx, t, ref)
		if err != nil {
			return err
		}
		if version != 0 && version != u.Version {
			return fault.New(fault.Precondition, "version_changed", "account %s was changed in the meantime; read it again", u.Username)
		}
		before := u
		set(&u.Role, w.Role)
		set(&u.Disabled, w.Disabled)
		if governs(u) && !governs(before) && proof != nil {
			return proof
		}
		if w.Tenant != nil {
			n, err := findTenant(ctx, &t.Reader, c, *w.Tenant)
			if err != nil {
				return err
			}
			u.Tenant = n.ID
		}
		if err := t.UpdateUser(ctx, &u); err != nil {
			return err
		}
		if err := keepAnAdministrator(ctx, t, before); err != nil {
			return err
		}
		out = account(u)
		say := func(u store.User) map[string]any {
			return map[string]any{"role": u.Role, "tenant": u.Tenant, "disabled": u.Disabled}
		}
		return audit(t, c, "user.update", u.Tenant, userSubject(u.ID), map[string]any{"username": u.Username, "before": say(before), "after": say(u)})
	})
	if err != nil || !out.Disabled {
		return out, err
	}
	return out, a.sessions.EndAll(ctx, out.ID, "")
}

// DeleteUser removes an account with its sessions and tokens. What it made belongs to its tenant and stays.
func (a *Accounts) DeleteUser(ctx context.Context, c auth.Caller, ref string) error {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return err
	}
	if err := a.proven(ctx, c); err != nil {
		return err
	}
	var gone id.User
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		u, err := governed(ctx, t, ref)
		if err != nil {
			return err
		}
		gone = u.ID
		if err := t.DeleteUser(ctx, u.ID); err != nil {
			return err
		}
		if err := keepAnAdministrator(ctx, t, u); err != nil {
			return err
		}
		return audit(t, c, "user.delete", u.Tenant, userSubject(u.ID), map[string]any{"username": u.Username, "role": u.Role})
	})
	if err != nil {
		return err
	}
	return a.sessions.EndAll(ctx, gone, "") // without the account they are of no use already
}

func userSubject(u id.User) string { return "user/" + string(u) }

// governed finds an account under the lock of all changes to accounts, so that two administrators cannot remove each other.
func governed(ctx context.Context, t *store.Tx, ref string) (u store.User, err error) {
	if err := t.Lock(ctx, "accounts"); err != nil {
		return u, err
	}
	if isUserID(ref) {
		return t.User(ctx, id.User(ref))
	}
	if u, err = t.UserByLogin(ctx, ref); err != nil {
		return u, err
	}
	return t.User(ctx, u.ID) // locks the row
}

func isUserID(ref string) bool { return strings.HasPrefix(ref, "usr-") && id.Is(ref) }

// governs reports whether the account can act as an administrator.
func governs(u store.User) bool { return u.Role == auth.Administrator && !u.Disabled }

// keepAnAdministrator refuses the change that takes the last administrator away.
func keepAnAdministrator(ctx context.Context, t *store.Tx, before store.User) error {
	if !governs(before) {
		return nil
	}
	n, err := t.CountUsers(ctx, auth.Administrator)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "last_administrator", "%s is the last administrator; make another one first", before.Username)
	}
	return err
}
