package store

import (
	"context"
	"time"

	"novacron/backend/core/id"
)

// Session is a sign-in of a user.
type Session struct {
	ID      id.Session
	User    id.User
	Address string // of the client at sign-in
	Agent   string // the client's name for itself
	Created time.Time
	Seen    time.Time // last use
	Expires time.Time
	Ended   time.Time // zero: it has not been ended
}

const sessionColumns = "id, user_id, address, agent, created_at, seen_at, expires_at, ended_at"

func scanSession(r row) (s Session, err error) {
	return s, r.Scan(&s.ID, &s.User, &s.Address, &s.Agent, stamped{&s.Created}, stamped{&s.Seen}, stamped{&s.Expires}, stamped{&s.Ended})
}

// Session reads a session, also one that has ended. fault.NotFound: there is none.
func (r *Reader) Session(ctx context.Context, s id.Session) (Session, error) {
	return one(ctx, r, notFound("session", "session", s), scanSession, "select "+sessionColumns+" from sessions where id = $1"+r.lock, s)
}

// SessionsOf reads the user's sessions that have neither ended nor expired, the newest first, at most MaxLimit.
func (r *Reader) SessionsOf(ctx context.Context, u id.User) ([]Session, error) {
	return many(ctx, r, scanSession, "select "+sessionColumns+
		" from sessions where user_id = $1 and ended_at is null and expires_at > $2 order by created_at desc, id limit $3", u, stamp(now()), MaxLimit)
}

// InsertSession adds a session.
func (t *Tx) InsertSession(ctx context.Context, s *Session) error {
	s.Created = orNow(s.Created)
	s.Seen = s.Created
	_, err := t.exec(ctx, "insert into sessions ("+sessionColumns+") values ("+places(1, 8)+")", s.ID, s.User, clean(s.Address, 64),
		clean(s.Agent, 256), stamp(s.Created), stamp(s.Seen), stamp(s.Expires), stamp(s.Ended))
	return err
}

// TouchSession stores the last use of a session that has not ended, and when it expires now.
func (t *Tx) TouchSession(ctx context.Context, s id.Session, seen, expires time.Time) error {
	return t.execOne(ctx, notFound("session", "session", s),
		"update sessions set seen_at = $2, expires_at = $3 where id = $1 and ended_at is null", s, stamp(seen), stamp(expires))
}

// EndSession ends a session; one that has ended or is not there is success.
func (t *Tx) EndSession(ctx context.Context, s id.Session) error {
	_, err := t.exec(ctx, "update sessions set ended_at = $2 where id = $1 and ended_at is null", s, stamp(now()))
	return err
}

// EndSessionsOf ends all sessions of a user but one, which may be empty, and gives the ids of those it ended.
func (t *Tx) EndSessionsOf(ctx context.Context, u id.User, except id.Session) ([]id.Session, error) {
	return many(ctx, &t.Reader, func(r row) (s id.Session, err error) { return s, r.Scan(&s) },
		"update sessions set ended_at = $3 where user_id = $1 and id <> $2 and ended_at is null returning id", u, except, stamp(now()))
}

// TrimSessions removes sessions that expired before the time, with revoked tokens and tickets that did.
func (t *Tx) TrimSessions(ctx context.Context, before time.Time) (sum int, err error) {
	for _, table := range []string{"sessions", "revoked_tokens", "tickets"} {
		n, err := t.exec(ctx, "delete from "+table+" where expires_at < $1", stamp(before))
		if err != nil {
			return sum, err
		}
		sum += int(n)
	}
	return sum, nil
}

// RevokeToken refuses the access token with this id until it would have expired anyway.
func (t *Tx) RevokeToken(ctx context.Context, jti string, expires time.Time) error {
	_, err := t.exec(ctx, "insert into revoked_tokens (jti, expires_at) values ($1, $2) on conflict do nothing", jti, stamp(expires))
	return err
}

// TokenRevoked says whether the access token with this id is refused.
func (r *Reader) TokenRevoked(ctx context.Context, jti string) (bool, error) {
	return one(ctx, r, nil, func(row row) (b bool, err error) { return b, row.Scan(&b) },
		"select exists (select 1 from revoked_tokens where jti = $1)", jti)
}
