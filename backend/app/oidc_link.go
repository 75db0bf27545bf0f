package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// An account with a password can be linked to an identity at the OpenID provider by its owner, who shows the password and then signs in
// there. It keeps its role and tenant: the groups of the provider only decide whether it may sign in that way.

// OIDCLink says whether the caller's account signs in at the provider.
func (a *Accounts) OIDCLink(ctx context.Context, c auth.Caller) (out wire.OIDCLink, err error) {
	if err := a.withOIDC(); err != nil {
		return out, err
	}
	out.Linked, err = a.db.HasIdentity(ctx, a.oidc.set.Issuer, c.User)
	return out, err
}

// BeginLink asks for the password and gives the provider's address to send the browser to; see BeginOIDC.
func (a *Accounts) BeginLink(ctx context.Context, c auth.Caller, password, browser string) (string, error) {
	if err := a.withOIDC(); err != nil {
		return "", err
	}
	if _, err := a.reauthenticate(ctx, c, password); err != nil {
		return "", err
	}
	if err := a.unlinked(ctx, &a.db.Reader, c.User); err != nil {
		return "", err
	}
	return a.toProvider(ctx, oidcState{Browser: hashSecret(browser), Link: c.User, Session: c.Session})
}

// tie ties the identity to the account that asked for it, if its session still stands.
func (a *Accounts) tie(ctx context.Context, s oidcState, who claims, p Peer) error {
	if _, err := a.sessions.Find(ctx, s.Session); err != nil {
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.Unauthenticated, "oidc_state", "you signed out meanwhile; begin again")
		}
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		u, err := t.User(ctx, s.Link)
		if err := closed(u, err); err != nil {
			return err
		}
		if err := t.Lock(ctx, "accounts"); err != nil {
			return err
		}
		if err := a.unlinked(ctx, &t.Reader, u.ID); err != nil { // begun twice
			return err
		}
		if err := t.InsertIdentity(ctx, a.oidc.set.Issuer, who.Subject, u.ID); err != nil {
			return err
		}
		if err := audit(t, p.as(u), "oidc.link", u.Tenant, userSubject(u.ID), map[string]any{"issuer": a.oidc.set.Issuer, "subject": who.Subject}); err != nil {
			return err
		}
		return a.post(ctx, t, notify.Linked, u.Email, "link/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: p.Address})
	})
}

func (a *Accounts) unlinked(ctx context.Context, r *store.Reader, u id.User) error {
	linked, err := r.HasIdentity(ctx, a.oidc.set.Issuer, u)
	if err == nil && linked {
		err = fault.New(fault.Conflict, "identity_linked", "this account is linked to the OpenID provider already; unlink it first")
	}
	return err
}

// Unlink asks for the password and lets the account sign in with it alone.
func (a *Accounts) Unlink(ctx context.Context, c auth.Caller, password string) error {
	if err := a.withOIDC(); err != nil {
		return err
	}
	u, err := a.reauthenticate(ctx, c, password)
	if err != nil {
		return err
	}
	if u.PasswordHash == "" {
		return fault.New(fault.Conflict, "last_way_in", "this account was made by the OpenID provider and has no password, so this is its only way in")
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		n, err := t.DeleteIdentities(ctx, a.oidc.set.Issuer, u.ID)
		if err != nil || n == 0 {
			return err
		}
		if err := audit(t, c, "oidc.unlink", u.Tenant, userSubject(u.ID), map[string]any{"issuer": a.oidc.set.Issuer}); err != nil {
			return err
		}
		return a.post(ctx, t, notify.Unlinked, u.Email, "unlink/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: c.Address})
	})
}
