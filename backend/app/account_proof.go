package app

import (
	"context"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// What cannot be taken back or gives the most away asks for proof who is there: a sign-in or the password within the last proofLife, in
// the session that asks. It is asked before an account or a tenant is deleted, before somebody becomes an administrator, before an API token is
// made that can delete either, and before an authenticator app is set up. That token is asked for nothing more, and neither is who acts through the local socket: there is
// nobody to ask. Tokens of another service (session.SharedKeyID) prove nothing.
const proofLife = 10 * time.Minute

// proven refuses a session that has not shown lately who is there.
func (a *Accounts) proven(ctx context.Context, c auth.Caller) error {
	switch {
	case c.Token != "" || c.Role == auth.System:
		return nil
	case c.Session == "":
		return fault.New(fault.Forbidden, "sign_in_needed", "this asks who is there, which a token of another service does not tell; sign in for it, or use an API token")
	}
	l, err := a.sessions.Find(ctx, c.Session)
	if err != nil || a.now().Sub(l.Created) <= proofLife {
		return err
	}
	ok, err := a.db.HasOneUse(ctx, purposeProof, proofKey(c.Session), a.now())
	if err == nil && !ok {
		return fault.New(fault.Forbidden, "proof_needed", "this asks once more who is there: give your password (`novacron account prove`, or POST /api/auth/prove), and try again within %d minutes", int(proofLife/time.Minute))
	}
	return err
}

// provenFor is proven where the role is the administrator's.
func (a *Accounts) provenFor(ctx context.Context, c auth.Caller, role auth.Role) error {
	if role != auth.Administrator {
		return nil
	}
	return a.proven(ctx, c)
}

func proofKey(s id.Session) string { return hashSecret("proof\x00" + string(s)) }

// Prove takes the password once more, for what asks for proof within the next proofLife in this session. The session gets a new access
// token, and a new refresh token in place of the one that is given and its own. Accounts without a password must have signed in just now.
// page is as in Refresh.
func (a *Accounts) Prove(ctx context.Context, c auth.Caller, password, refresh string, page bool) (SignIn, error) {
	u, err := a.reauthenticate(ctx, c, password)
	if err != nil {
		return SignIn{}, err
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.RenewOneUse(ctx, store.OneUse{Hash: proofKey(c.Session), Purpose: purposeProof, User: u.ID, Expires: a.now().Add(proofLife)}); err != nil {
			return err
		}
		return audit(t, c, "auth.prove", u.Tenant, userSubject(u.ID), nil)
	})
	if err != nil {
		return SignIn{}, err
	}
	if of, _, _ := strings.Cut(refresh, "."); of == string(c.Session) {
		return a.Refresh(ctx, refresh, page)
	}
	return a.grant(ctx, u.ID, c.Session, "")
}

// DeleteTenant removes a tenant that has nothing left, after proof.
func (a *Accounts) DeleteTenant(ctx context.Context, c auth.Caller, ref string) error {
	if err := auth.May(c, auth.WriteTenant, ""); err != nil {
		return err
	}
	if err := a.proven(ctx, c); err != nil {
		return err
	}
	return a.app.DeleteTenant(ctx, c, ref)
}

// destroys reports whether an API token of the caller with these scopes could delete accounts or tenants; nil: all that the caller may.
func destroys(c auth.Caller, w wire.CreateToken) bool {
	c.Scoped, c.Scope = w.Scopes != nil, w.Scopes
	return auth.May(c, auth.WriteAccount, "") == nil || auth.May(c, auth.WriteTenant, "") == nil
}
