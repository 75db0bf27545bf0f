package session

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"novacron/backend/core/id"
)

const loginColumns = `id, account, created, seen, ends, address, agent`

type row interface{ Scan(...any) error }

func scanLogin(r row, more ...any) (Login, error) {
	var l Login
	var sid, account string
	var created, seen, ends int64
	err := r.Scan(append([]any{&sid, &account, &created, &seen, &ends, &l.Address, &l.Agent}, more...)...)
	l.ID, l.User, l.Created, l.Seen, l.Ends = id.Session(sid), id.User(account), toTime(created), toTime(seen), toTime(ends)
	return l, err
}

// Begin implements Logins.
func (s *SQL) Begin(ctx context.Context, user id.User, address, agent string) (Login, string, error) {
	now := s.now()
	text := firstToken()
	c := begun(text)
	l := Login{ID: id.NewSession(), User: user, Created: now.UTC(), Seen: now.UTC(), Ends: now.Add(LoginLifetime).UTC(), Address: address, Agent: cut(agent, maxNoteBytes)}
	err := s.write(ctx, "begin session", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `insert into session_logins (`+loginColumns+`, refresh, previous, rotated) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`,
			string(l.ID), string(l.User), l.Created.UnixMicro(), l.Seen.UnixMicro(), l.Ends.UnixMicro(), l.Address, l.Agent, c.current, c.past())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `delete from session_logins where account = $1 and id not in
			(select id from session_logins where account = $1 order by created desc, id limit $2)`, string(user), MaxLogins)
		return err
	})
	return l, string(l.ID) + "." + text, err
}

// scanChain reads a sign-in and its chain.
func scanChain(r row) (l Login, c chain, err error) {
	var past string
	var rotated int64
	l, err = scanLogin(r, &c.current, &past, &rotated)
	c.read(past)
	c.rotated = toTime(rotated)
	return l, c, err
}

// Refresh implements Logins.
func (s *SQL) Refresh(ctx context.Context, token string, grace time.Duration) (l Login, next string, err error) {
	sid, text, ok := strings.Cut(token, ".")
	if !ok || len(token) > MaxTokenBytes {
		return l, "", errSignIn("the refresh token is not one of NovaCron's")
	}
	var was claim
	salt, _ := secret()
	err = s.write(ctx, "refresh session", func(ctx context.Context, tx *sql.Tx) error {
		// Writing first takes the row's lock on both engines: of two refreshes at once the second sees the first's outcome.
		var c chain
		l, c, err = scanChain(tx.QueryRowContext(ctx, `update session_logins set seen = seen where id = $1 returning `+loginColumns+`, refresh, previous, rotated`, sid))
		now := s.now()
		if errors.Is(err, sql.ErrNoRows) || err == nil && !l.Ends.After(now) {
			return errSignIn("this session has ended")
		}
		if err != nil {
			return err
		}
		switch was = c.judge(text, now, grace); was {
		case foreign:
			return errSignIn("the refresh token is not that of this session")
		case stolen:
			_, err = tx.ExecContext(ctx, `delete from session_logins where id = $1`, sid)
			return err
		case twin:
			if c.salt != "" { // earlier versions kept none
				next = sid + "." + successor(text, c.salt)
			}
			return nil
		}
		next, c = sid+"."+successor(text, salt), c.behind(text, salt, now)
		l.Seen, l.Ends = now.UTC(), endOf(l.Created, now).UTC()
		_, err = tx.ExecContext(ctx, `update session_logins set seen = $2, ends = $3, refresh = $4, previous = $5, rotated = $2 where id = $1`,
			sid, l.Seen.UnixMicro(), l.Ends.UnixMicro(), c.current, c.past())
		return err
	})
	if err == nil && was == stolen {
		err = errStolen()
	}
	return l, next, err
}

// Find implements Logins.
func (s *SQL) Find(ctx context.Context, sid id.Session) (Login, error) {
	var l Login
	err := s.call(ctx, "find session", func(ctx context.Context) (err error) {
		l, err = scanLogin(s.db.QueryRowContext(ctx, `select `+loginColumns+` from session_logins where id = $1`, string(sid)))
		if errors.Is(err, sql.ErrNoRows) || err == nil && s.expired(l.Ends.UnixMicro()) {
			return errNoSession(sid)
		}
		return err
	})
	if err != nil {
		return Login{}, err
	}
	return l, nil
}

// Of implements Logins.
func (s *SQL) Of(ctx context.Context, user id.User) ([]Login, error) {
	var list []Login
	err := s.call(ctx, "list sessions", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, `select `+loginColumns+` from session_logins where account = $1 and ends > $2 order by created desc, id`, string(user), s.now().UnixMicro())
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
		for rows.Next() {
			l, err := scanLogin(rows)
			if err != nil {
				return err
			}
			list = append(list, l)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// End implements Logins.
func (s *SQL) End(ctx context.Context, sid id.Session) error {
	return s.exec(ctx, "end session", `delete from session_logins where id = $1`, string(sid))
}

// EndAll implements Logins.
func (s *SQL) EndAll(ctx context.Context, user id.User, keep id.Session) error {
	return s.exec(ctx, "end sessions", `delete from session_logins where account = $1 and id <> $2`, string(user), string(keep))
}

// EndEverybodys implements Logins.
func (s *SQL) EndEverybodys(ctx context.Context) error {
	return s.exec(ctx, "end all sessions", `delete from session_logins`)
}

// cut shortens text to at most n bytes without breaking a character, and drops what is not text.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
