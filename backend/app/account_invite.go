package app

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// inviteLife is how long an invitation is good.
const inviteLife = 7 * 24 * time.Hour

// Invite makes a one-use invitation and mails it. Its secret is in this answer and in the mail, and nowhere else.
func (a *Accounts) Invite(ctx context.Context, c auth.Caller, w wire.CreateInvite) (out wire.InviteMade, err error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return out, err
	}
	if w.Role == "" {
		w.Role = auth.Developer
	}
	if err := auth.CheckEmail(w.Email); err != nil {
		return out, err
	}
	if err := a.provenFor(ctx, c, w.Role); err != nil {
		return out, err
	}
	if w.Tenant == "" {
		w.Tenant = FirstTenant
	}
	secret := randomSecret()
	link := a.link("/auth/register", secret)
	now := a.now().UTC().Truncate(time.Microsecond) // as the store keeps it
	i := store.Invite{ID: id.NewInvite(), Hash: hashSecret(secret), Email: w.Email, Role: w.Role, By: c.String(), Created: now, Expires: now.Add(inviteLife)}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		n, err := findTenant(ctx, &t.Reader, c, w.Tenant)
		if err != nil {
			return err
		}
		i.Tenant, i.TenantName = n.ID, n.Name
		if err := t.InsertInvite(ctx, &i); err != nil {
			return err
		}
		if err := tellInvite(t, c, "user.invite", "audit.invite_created", i); err != nil {
			return err
		}
		return a.post(ctx, t, notify.Invitation, w.Email, "invite/"+i.Hash, notify.Data{Link: link, Ends: "7 days"})
	})
	return wire.InviteMade{Invite: inviteView(i), Token: secret, URL: link}, err
}

// Invites gives a page of the pending invitations, newest first.
func (a *Accounts) Invites(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.Invite], error) {
	if err := auth.May(c, auth.ReadAccount, ""); err != nil {
		return wire.List[wire.Invite]{}, err
	}
	page, err := a.db.ListInvites(ctx, a.now(), r.page())
	if err != nil {
		return wire.List[wire.Invite]{}, err
	}
	return mapped(page, inviteView), nil
}

// Withdraw ends a pending invitation: nobody makes an account with it any more. fault.NotFound: it was used, withdrawn or has ended.
func (a *Accounts) Withdraw(ctx context.Context, c auth.Caller, i id.Invite) error {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		gone, err := t.WithdrawInvite(ctx, i, a.now())
		if err != nil {
			return err
		}
		return tellInvite(t, c, "user.uninvite", "audit.invite_withdrawn", gone)
	})
}

// place spends the invitation, if there is one, and gives the account what it promises.
func (a *Accounts) place(ctx context.Context, t *store.Tx, c auth.Caller, u *store.User, secret string) error {
	if secret == "" {
		return nil
	}
	i, err := t.TakeInvite(ctx, hashSecret(secret), a.now())
	if err != nil {
		return err
	}
	u.Tenant, u.Role = i.Tenant, i.Role
	return emitInvite(t, c, "audit.invite_used", i)
}

// tellInvite records what became of an invitation, in the transaction of it.
func tellInvite(t *store.Tx, c auth.Caller, action, event string, i store.Invite) error {
	if err := audit(t, c, action, i.Tenant, inviteSubject(i.ID), map[string]any{"email": i.Email, "role": i.Role}); err != nil {
		return err
	}
	return emitInvite(t, c, event, i)
}

func emitInvite(t *store.Tx, c auth.Caller, event string, i store.Invite) error {
	return t.Emit(event, i.Tenant, inviteSubject(i.ID), map[string]any{"email": i.Email, "role": i.Role, "by": c.String()})
}

func inviteSubject(i id.Invite) string { return "invite/" + string(i) }

func inviteView(i store.Invite) wire.Invite {
	return wire.Invite{ID: i.ID, Email: i.Email, Role: i.Role, Tenant: i.Tenant, TenantName: i.TenantName, InvitedBy: i.By, CreatedAt: i.Created, ExpiresAt: i.Expires}
}
