package app

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/session"
	"novacron/backend/store"
)

// ResetPassword takes the secret of the mail and the new password. A password that is refused does not spend the secret. All sessions
// and API tokens end: whoever had the old password may have made them.
func (a *Accounts) ResetPassword(ctx context.Context, token, password string, p Peer) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	var hash string
	err := a.hashing(ctx, func() (err error) { hash, err = auth.Hash(password, a.params); return err })
	if err != nil {
		return err
	}
	var u store.User
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.TakeOneUse(ctx, purposeReset, hashSecret(token), a.now())
		if err != nil {
			return err
		}
		if u, err = t.User(ctx, o.User); err != nil {
			return err
		}
		if err := checkPassword(password, u.Username, u.Email); err != nil {
			return err
		}
		if err := t.DeleteAPITokensOf(ctx, u.ID); err != nil {
			return err
		}
		u.Unverified = false // the mail was read
		if err := a.welcomeBack(ctx, t, u, p); err != nil {
			return err
		}
		return a.setPassword(ctx, t, &u, hash, p.as(u), "user.reset_password")
	})
	if err != nil {
		return err
	}
	return a.sessions.EndAll(ctx, u.ID, "")
}

func (a *Accounts) setPassword(ctx context.Context, t *store.Tx, u *store.User, hash string, c auth.Caller, action string) error {
	u.PasswordHash = hash
	if err := t.UpdateUser(ctx, u); err != nil {
		return err
	}
	for _, purpose := range []string{purposeReset, purposeEmail, purposeStep} { // whoever had the old password may have asked for them
		if err := t.DropOneUse(ctx, u.ID, purpose); err != nil {
			return err
		}
	}
	if err := audit(t, c, action, u.Tenant, userSubject(u.ID), nil); err != nil {
		return err
	}
	return a.post(ctx, t, notify.Changed, u.Email, "changed/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: c.Address})
}

// ChangePassword takes the present password and a new one. All other sessions end.
func (a *Accounts) ChangePassword(ctx context.Context, c auth.Caller, w wire.ChangePassword) error {
	u, err := a.reauthenticate(ctx, c, w.CurrentPassword)
	if err != nil {
		return err
	}
	if err := checkPassword(w.NewPassword, u.Username, u.Email); err != nil {
		return err
	}
	var hash string
	if err := a.hashing(ctx, func() (err error) { hash, err = auth.Hash(w.NewPassword, a.params); return err }); err != nil {
		return err
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		now, err := t.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if now.PasswordHash != u.PasswordHash {
			return fault.New(fault.Conflict, "password_changed", "the password was changed in the meantime; sign in again")
		}
		return a.setPassword(ctx, t, &now, hash, c, "user.change_password")
	})
	if err != nil {
		return err
	}
	return a.sessions.EndAll(ctx, u.ID, c.Session)
}

// reauthenticate asks for the password once more, before what a stolen session must not do.
func (a *Accounts) reauthenticate(ctx context.Context, c auth.Caller, password string) (store.User, error) {
	u, err := a.user(ctx, c.User)
	if err != nil {
		return u, err
	}
	if u.PasswordHash == "" {
		return u, a.fresh(ctx, c)
	}
	g := guardOf("password", "", u, Peer{Address: c.Address})
	if err := a.admit(ctx, g); err != nil {
		return u, err
	}
	var ok bool
	err = a.hashing(ctx, func() (err error) { ok, _, err = auth.Verify(u.PasswordHash, password, a.params); return err })
	if err != nil {
		return u, err
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if err := a.admitOne(ctx, t, g); err != nil || ok {
			return err
		}
		if err := t.Audit(entry(c, "auth.reauthenticate", u.Tenant, userSubject(u.ID), "password_wrong", nil)); err != nil {
			return err
		}
		return a.failed(ctx, t, g)
	})
	if err != nil || ok {
		return u, err
	}
	return u, fault.New(fault.Forbidden, "password_wrong", "the present password is wrong").On("password")
}

// freshSession is how long after a sign-in nobody is asked to prove again who is there, where the account has no password to ask for.
const freshSession = 10 * time.Minute

// fresh asks somebody without a password to have signed in just now.
func (a *Accounts) fresh(ctx context.Context, c auth.Caller) error {
	l, err := a.sessions.Find(ctx, c.Session)
	if err == nil && a.now().Sub(l.Created) > freshSession {
		return fault.New(fault.Forbidden, "sign_in_again", "this account has no password; sign out, sign in at the OpenID provider, and do this within %d minutes", int(freshSession/time.Minute))
	}
	return err
}

// Sessions lists where the caller is signed in.
func (a *Accounts) Sessions(ctx context.Context, c auth.Caller) (wire.List[wire.Session], error) {
	return a.sessionsOf(ctx, c.User, c.Session)
}

func (a *Accounts) sessionsOf(ctx context.Context, u id.User, current id.Session) (wire.List[wire.Session], error) {
	all, err := a.sessions.Of(ctx, u)
	if err != nil {
		return wire.List[wire.Session]{}, err
	}
	out := wire.List[wire.Session]{Items: make([]wire.Session, len(all)), Total: len(all)}
	for i, l := range all {
		out.Items[i] = sessionView(l, current)
	}
	return out, nil
}

func sessionView(l session.Login, current id.Session) wire.Session {
	return wire.Session{ID: l.ID, CreatedAt: l.Created, SeenAt: l.Seen, EndsAt: l.Ends, Address: l.Address, Agent: l.Agent, Current: l.ID == current}
}

// Session is one of the caller's sessions.
func (a *Accounts) Session(ctx context.Context, c auth.Caller, s id.Session) (wire.Session, error) {
	l, err := a.sessionOf(ctx, c.User, s)
	return sessionView(l, c.Session), err
}

// EndSession ends one of the caller's sessions.
func (a *Accounts) EndSession(ctx context.Context, c auth.Caller, s id.Session) error {
	if err := a.endOf(ctx, c.User, s); err != nil {
		return err
	}
	return a.record(ctx, c, "auth.end_session", map[string]any{"session": s})
}

// EndSessions signs the caller out everywhere; with others, everywhere but in the session that asks.
func (a *Accounts) EndSessions(ctx context.Context, c auth.Caller, others bool) error {
	var stay id.Session
	if others {
		stay = c.Session
	}
	if err := a.sessions.EndAll(ctx, c.User, stay); err != nil {
		return err
	}
	return a.record(ctx, c, "auth.end_sessions", map[string]any{"others": others})
}

func (a *Accounts) record(ctx context.Context, c auth.Caller, action string, detail map[string]any) error {
	return a.db.Tx(ctx, func(t *store.Tx) error { return audit(t, c, action, c.Tenant, userSubject(c.User), detail) })
}

// as is the caller who proved to be the account by a secret.
func (p Peer) as(u store.User) auth.Caller {
	return auth.Caller{User: u.ID, Name: u.Username, Tenant: u.Tenant, Role: u.Role, Address: p.Address, Request: p.Request}
}
