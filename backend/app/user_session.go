package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/session"
	"novacron/backend/store"
)

// UserSessions lists where somebody is signed in, for who governs accounts.
func (a *Accounts) UserSessions(ctx context.Context, c auth.Caller, ref string) (wire.List[wire.Session], error) {
	u, err := a.governedUser(ctx, c, ref, auth.ReadAccount)
	if err != nil {
		return wire.List[wire.Session]{}, err
	}
	return a.sessionsOf(ctx, u.ID, c.Session)
}

// EndUserSessions signs somebody out: everywhere, or out of the one session s. Ended sessions are refused on every server from the
// next request on.
func (a *Accounts) EndUserSessions(ctx context.Context, c auth.Caller, ref string, s id.Session) error {
	u, err := a.governedUser(ctx, c, ref, auth.WriteAccount)
	if err != nil {
		return err
	}
	detail := map[string]any{"username": u.Username}
	if s == "" {
		err = a.sessions.EndAll(ctx, u.ID, "")
	} else {
		detail["session"] = s
		err = a.endOf(ctx, u.ID, s)
	}
	if err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		return audit(t, c, "user.end_sessions", u.Tenant, userSubject(u.ID), detail)
	})
}

// EndEverybodysSessions signs everybody out of every session, on all servers from the next request on, for the administrator of the machine.
// API tokens stay. Sign-ins that begin meanwhile may stay.
func (a *Accounts) EndEverybodysSessions(ctx context.Context, c auth.Caller) error {
	if c.Role != auth.System {
		return fault.New(fault.Forbidden, "", "all sessions are ended on the server's machine only, with `novacron admin end-sessions`")
	}
	if err := a.sessions.EndEverybodys(ctx); err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error { return audit(t, c, "auth.end_everybodys_sessions", "", "", nil) })
}

// endOf ends a session if it is the user's.
func (a *Accounts) endOf(ctx context.Context, u id.User, s id.Session) error {
	if _, err := a.sessionOf(ctx, u, s); err != nil {
		return err
	}
	return a.sessions.End(ctx, s)
}

// sessionOf finds a session if it is the user's.
func (a *Accounts) sessionOf(ctx context.Context, u id.User, s id.Session) (session.Login, error) {
	l, err := a.sessions.Find(ctx, s)
	if fault.Is(err, fault.NotFound) || err == nil && l.User != u {
		return session.Login{}, fault.New(fault.NotFound, "session_not_found", "this account has no session %.80q; list them to see their ids", s)
	}
	return l, err
}

func (a *Accounts) governedUser(ctx context.Context, c auth.Caller, ref string, action auth.Action) (u store.User, err error) {
	if err := auth.May(c, action, ""); err != nil {
		return u, err
	}
	if isUserID(ref) {
		return a.db.User(ctx, id.User(ref))
	}
	return a.db.UserByLogin(ctx, ref)
}
