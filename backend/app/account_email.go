package app

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// The link that confirms a new e-mail address: what it is for and how long it is good.
const (
	purposeEmail = "email" // its content is the new address
	emailLife    = time.Hour
)

// ChangeEmail takes the present password and a new address, and sends the new address a link. Until that is opened nothing changes.
// Whether the address has an account already is told to that address only.
func (a *Accounts) ChangeEmail(ctx context.Context, c auth.Caller, w wire.ChangeEmail) error {
	u, err := a.reauthenticate(ctx, c, w.Password)
	if err != nil {
		return err
	}
	if store.Fold(u.Email) == store.Fold(w.Email) {
		return fault.New(fault.Conflict, "email_same", "this is the account's e-mail address already").On("email")
	}
	return a.write(ctx, w.Email, func(t *store.Tx, owner store.User, known bool) error {
		if err := audit(t, c, "user.ask_change_email", u.Tenant, userSubject(u.ID), nil); err != nil {
			return err
		}
		secret, err := a.issue(ctx, t, purposeEmail, u.ID, w.Email, emailLife)
		if err != nil {
			return err
		}
		if known {
			return a.tell(ctx, t, owner)
		}
		return a.post(ctx, t, notify.NewEmail, w.Email, "email/"+hashSecret(secret), notify.Data{Name: u.Username, Link: a.link("/auth/confirm-email", secret), Ends: "1 hour"})
	})
}

// ConfirmEmail takes the secret of the mail and makes its address that of the account. The old address is told, and links that were
// sent there end.
func (a *Accounts) ConfirmEmail(ctx context.Context, token string, p Peer) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.TakeOneUse(ctx, purposeEmail, hashSecret(token), a.now())
		if err != nil {
			return err
		}
		u, err := t.User(ctx, o.User)
		if err != nil {
			return err
		}
		before := u.Email
		u.Email, u.Unverified = o.Content, false
		if err := t.UpdateUser(ctx, &u); err != nil {
			return err
		}
		for _, purpose := range []string{purposeReset, purposeVerify} {
			if err := t.DropOneUse(ctx, u.ID, purpose); err != nil {
				return err
			}
		}
		if err := audit(t, p.as(u), "user.change_email", u.Tenant, userSubject(u.ID), map[string]any{"before": before, "after": u.Email}); err != nil {
			return err
		}
		return a.post(ctx, t, notify.EmailChanged, before, "email-changed/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: p.Address})
	})
}
