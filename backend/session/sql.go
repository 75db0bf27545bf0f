package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the engine behind OpenFile

	"novacron/backend/core/fault"
	"novacron/backend/core/rate"
)

//go:embed schema.sql
var schema string

// SQL keeps sessions in a database. One text serves SQLite and PostgreSQL.
type SQL struct {
	db    *sql.DB
	now   func() time.Time
	owned bool // Close closes db
}

var _ Store = (*SQL)(nil)

// New keeps sessions in db, making its tables where they are missing. now is the clock.
func New(ctx context.Context, db *sql.DB, now func() time.Time) (*SQL, error) {
	for _, statement := range strings.Split(schema, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("session tables: %w", err)
		}
	}
	return &SQL{db: db, now: now}, nil
}

// OpenFile keeps sessions in a SQLite file of their own. Each request writes its rate-limit window, and these writes wait
// neither for the disk (kill -9 loses none of them, a power cut may lose the last moments) nor for the platform's own
// transactions.
func OpenFile(ctx context.Context, path string, now func() time.Time) (*SQL, error) {
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) +
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=cache_size(-512)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("session file: %w", err)
	}
	db.SetMaxOpenConns(1) // one writer anyway; requests queue here and not on the file's lock
	s, err := New(ctx, db, now)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.owned = true
	return s, nil
}

// Close closes the file of OpenFile; a database given to New stays open.
func (s *SQL) Close() error {
	if s.owned {
		return s.db.Close()
	}
	return nil
}

func (s *SQL) write(ctx context.Context, what string, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(what, err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return err
		}
		return unavailable(what, err)
	}
	if err := tx.Commit(); err != nil {
		return unavailable(what, err)
	}
	return nil
}

func unavailable(what string, err error) error {
	return fault.Wrap(fmt.Errorf("%s: %w", what, err), fault.Unavailable, "sessions_unavailable", "the session store does not answer; try again in a moment").After(time.Second)
}

// secret gives 256 random bits as text, and the hash that is stored in its place.
func secret() (text, hash string) {
	var raw [32]byte
	rand.Read(raw[:])
	text = base64.RawURLEncoding.EncodeToString(raw[:])
	return text, hashOf(text)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Take implements Limiter. The upsert takes the row's lock on both engines, so that two servers never count past the limit.
func (s *SQL) Take(ctx context.Context, key string, limit rate.Limit) (rate.Verdict, error) {
	if limit.Off() {
		return rate.Verdict{Allowed: true}, nil
	}
	var v rate.Verdict
	err := s.write(ctx, "rate limit", func(tx *sql.Tx) error {
		now := s.now()
		var events string
		err := tx.QueryRowContext(ctx, `insert into session_windows (key, events, ends) values ($1, '', $2)
			on conflict (key) do update set ends = excluded.ends returning events`, key, now.Add(limit.Window).UnixMicro()).Scan(&events)
		if err != nil {
			return err
		}
		var w rate.Window
		w, v = rate.DecodeWindow(events).Take(now, limit)
		if !v.Allowed {
			return nil
		}
		_, err = tx.ExecContext(ctx, `update session_windows set events = $2 where key = $1`, key, w.Encode())
		return err
	})
	return v, err
}

// Revoke implements Revocations.
func (s *SQL) Revoke(ctx context.Context, jti string, until time.Time) error {
	_, err := s.db.ExecContext(ctx, `insert into session_revoked (jti, ends) values ($1, $2) on conflict (jti) do nothing`, jti, until.UnixMicro())
	if err != nil {
		return unavailable("revoke token", err)
	}
	return nil
}

// Check implements Revocations.
func (s *SQL) Check(ctx context.Context, c Claims) error {
	now := s.now().UnixMicro()
	var revoked, live int
	err := s.db.QueryRowContext(ctx, `select (select count(*) from session_revoked where jti = $1),
		(select count(*) from session_logins where id = $2 and ends > $3)`, c.Token, string(c.Session), now).Scan(&revoked, &live)
	switch {
	case err != nil:
		return unavailable("check token", err)
	case revoked > 0:
		return errSignIn("this access token was withdrawn")
	case c.Session != "" && live == 0:
		return errSignIn("this session has ended")
	}
	return nil
}

// IssueTicket implements Tickets.
func (s *SQL) IssueTicket(ctx context.Context, content []byte) (string, error) {
	return s.IssueTicketFor(ctx, content, TicketLifetime)
}

// IssueTicketFor implements Tickets.
func (s *SQL) IssueTicketFor(ctx context.Context, content []byte, lifetime time.Duration) (string, error) {
	if len(content) > MaxTicketBytes {
		return "", fmt.Errorf("a ticket of %d bytes, the bound is %d", len(content), MaxTicketBytes)
	}
	text, hash := secret()
	_, err := s.db.ExecContext(ctx, `insert into session_tickets (hash, content, ends) values ($1, $2, $3)`,
		hash, string(content), s.now().Add(lifetime).UnixMicro())
	if err != nil {
		return "", unavailable("issue ticket", err)
	}
	return text, nil
}

// RedeemTicket implements Tickets. The delete decides who of two that come at once has it.
func (s *SQL) RedeemTicket(ctx context.Context, ticket string) ([]byte, error) {
	var content string
	var ends int64
	err := s.db.QueryRowContext(ctx, `delete from session_tickets where hash = $1 returning content, ends`, hashOf(ticket)).Scan(&content, &ends)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && ends <= s.now().UnixMicro():
		return nil, fault.New(fault.Unauthenticated, "ticket_invalid", "this ticket was used or has ended; ask for another one")
	case err != nil:
		return nil, unavailable("redeem ticket", err)
	}
	return []byte(content), nil
}

// Prune implements Store.
func (s *SQL) Prune(ctx context.Context) error {
	now := s.now().UnixMicro()
	for _, table := range []string{"session_logins", "session_revoked", "session_windows", "session_tickets"} {
		if _, err := s.db.ExecContext(ctx, `delete from `+table+` where ends <= $1`, now); err != nil {
			return fmt.Errorf("prune %s: %w", table, err)
		}
	}
	return nil
}

func (s *SQL) expired(ends int64) bool { return ends <= s.now().UnixMicro() }

func toTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
