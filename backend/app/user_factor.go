package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// ResetFactor takes the second factors of somebody who has lost them away: authenticator app, the passkeys and the backup codes.
// Whoever asks proves with the own password to be there. The owner is signed out everywhere and told by mail, and signs in with the
// password alone from then on. Refused: fault.Conflict for the own account and for one that has none.
func (a *Accounts) ResetFactor(ctx context.Context, c auth.Caller, ref, password string) error {
	u, err := a.governedUser(ctx, c, ref, auth.WriteAccount)
	if err != nil {
		return err
	}
	if u.ID == c.User {
		return fault.New(fault.Conflict, "own_account", "this is your own account; turn your second factor off in your settings, or ask another administrator")
	}
	if err := a.hasFactor(ctx, &a.db.Reader, u); err != nil {
		return err
	}
	if _, err := a.reauthenticate(ctx, c, password); err != nil {
		return err
	}
	// First, so that an account whose sessions could not be ended keeps its factor and this can be asked again.
	if err := a.sessions.EndAll(ctx, u.ID, ""); err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if u, err = governed(ctx, t, string(u.ID)); err != nil {
			return err
		}
		if err := a.hasFactor(ctx, &t.Reader, u); err != nil { // two administrators asked at once
			return err
		}
		if err := t.DeleteFactors(ctx, u.ID); err != nil {
			return err
		}
		if err := audit(t, c, "user.reset_factor", u.Tenant, userSubject(u.ID), map[string]any{"username": u.Username}); err != nil {
			return err
		}
		return a.post(ctx, t, notify.FactorReset, u.Email, "factor-reset/"+string(id.NewToken()), notify.Data{Name: u.Username})
	})
}

func (a *Accounts) hasFactor(ctx context.Context, r *store.Reader, u store.User) error {
	s, err := r.Standing(ctx, u.ID, "")
	if err == nil && !s.HasFactor {
		return fault.New(fault.Conflict, "second_factor_off", "%s has no second factor; there is nothing to reset", u.Username)
	}
	return err
}
