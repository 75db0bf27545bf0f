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
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the engine behind OpenFile

	"novacron/backend/core/fault"
	"novacron/backend/core/rate"
)

//go:embed schema.sql
var schema string

// SQL keeps sessions in a database. One text serves SQLite and PostgreSQL. Calls end within a second and fail with
// fault.Unavailable while the database is gone; they succeed again as soon as it is back.
type SQL struct {
	db     *sql.DB
	now    func() time.Time
	engine string
	guard  guard
	// What every request asks, compiled once: compiling costs SQLite more than running.
	check, window, count *sql.Stmt
}

var _ Engine = (*SQL)(nil)

// schemaLock is the number under which servers that start at once take turns on PostgreSQL, which does not make
// "create table if not exists" safe against itself.
const schemaLock = 0x6e6f7661_73657373

// open makes the tables where they are missing. lock may be empty.
func open(ctx context.Context, db *sql.DB, engine, lock string, now func() time.Time) (*SQL, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("session tables: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, statement := range append([]string{lock}, strings.Split(schema, ";\n")...) {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("session tables: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("session tables: %w", err)
	}
	s := &SQL{db: db, now: now, engine: engine}
	for into, statement := range map[**sql.Stmt]string{&s.check: checkQuery, &s.window: windowQuery, &s.count: countQuery} {
		if *into, err = db.PrepareContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("session statements: %w", err)
		}
	}
	return s, nil
}

const (
	checkQuery = `select (select count(*) from session_revoked where jti = $1),
		(select count(*) from session_logins where id = $2 and ends > $3)`
	windowQuery = `insert into session_windows (key, events, ends) values ($1, '', $2)
		on conflict (key) do update set ends = excluded.ends returning events`
	countQuery = `update session_windows set events = $2 where key = $1`
)

// maxConns bounds the connections to PostgreSQL per server. The statements take a millisecond.
const maxConns = 8

// OpenPostgres keeps sessions in the PostgreSQL of a postgres:// URL, over connections of its own: a sign-in waits for no list of VMs.
func OpenPostgres(ctx context.Context, url string, now func() time.Time) (*SQL, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		// The cause may hold the password.
		return nil, fault.New(fault.Invalid, "database_setting", "the database URL cannot be read; expected postgres://user:password@host:port/name")
	}
	cfg.ConnectTimeout = callTimeout
	cfg.RuntimeParams["application_name"] = "novacron sessions"
	cfg.RuntimeParams["statement_timeout"] = strconv.FormatInt(callTimeout.Milliseconds(), 10)
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(time.Minute)
	s, err := open(ctx, db, "PostgreSQL", fmt.Sprintf("select pg_advisory_xact_lock(%d)", schemaLock), now)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// fileTimeout bounds a call on a file: a disk that is slow for a while is not gone, and waiting for it beats refusing.
const fileTimeout = 5 * time.Second

// OpenFile keeps sessions in a SQLite file of their own. Requests write their rate-limit windows, and these writes wait
// neither for the disk (kill -9 loses none of them, a power cut may lose the last moments) nor for the platform's own
// transactions.
func OpenFile(ctx context.Context, path string, now func() time.Time) (*SQL, error) {
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) +
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=cache_size(-512)"
	// SQLite would make the file readable by all; its journals take the mode of the file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("session file: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, fmt.Errorf("session file: %w", err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("session file: %w", err)
	}
	db.SetMaxOpenConns(1) // one writer anyway; requests queue here and not on the file's lock
	s, err := open(ctx, db, "SQLite", "", now)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.guard.timeout = fileTimeout
	return s, nil
}

// Close closes the database.
func (s *SQL) Close() error { return s.db.Close() }

// Engine is SQLite or PostgreSQL, for sentences.
func (s *SQL) Engine() string { return s.engine }

// Far is true of PostgreSQL.
func (s *SQL) Far() bool { return s.engine != "SQLite" }

// Ping asks the database for an answer.
func (s *SQL) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context) error {
		var one int
		return s.db.QueryRowContext(ctx, `select 1`).Scan(&one)
	})
}

func (s *SQL) call(ctx context.Context, what string, f func(context.Context) error) error {
	return s.guard.call(ctx, what, s.unavailable, f)
}

func (s *SQL) exec(ctx context.Context, what, statement string, args ...any) error {
	return s.call(ctx, what, func(ctx context.Context) error {
		_, err := s.db.ExecContext(ctx, statement, args...)
		return err
	})
}

func (s *SQL) write(ctx context.Context, what string, f func(context.Context, *sql.Tx) error) error {
	return s.call(ctx, what, func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
		if err := f(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func (s *SQL) unavailable(err error) error {
	return fault.Wrap(err, fault.Unavailable, "sessions_unavailable", "%s, which keeps the sessions, does not answer; try again in a moment", s.engine).After(retryAfter)
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
func (s *SQL) Take(ctx context.Context, key string, limit rate.Limit, n int) (rate.Verdict, error) {
	if limit.Off() {
		return rate.Verdict{Allowed: true}, nil
	}
	var v rate.Verdict
	err := s.write(ctx, "rate limit", func(ctx context.Context, tx *sql.Tx) error {
		now := s.now()
		var events string
		if err := tx.StmtContext(ctx, s.window).QueryRowContext(ctx, key, now.Add(limit.Window).UnixMicro()).Scan(&events); err != nil {
			return err
		}
		var w rate.Window
		w, v = rate.DecodeWindow(events).Take(now, limit, n)
		text := w.Encode()
		if text == events {
			return nil // refused
		}
		_, err := tx.StmtContext(ctx, s.count).ExecContext(ctx, key, text)
		return err
	})
	return v, err
}

// Revoke implements Revocations.
func (s *SQL) Revoke(ctx context.Context, jti string, until time.Time) error {
	return s.exec(ctx, "revoke token", `insert into session_revoked (jti, ends) values ($1, $2) on conflict (jti) do nothing`, jti, until.UnixMicro())
}

// Check implements Revocations.
func (s *SQL) Check(ctx context.Context, c Claims) error {
	now := s.now().UnixMicro()
	var revoked, live int
	err := s.call(ctx, "check token", func(ctx context.Context) error {
		return s.check.QueryRowContext(ctx, c.Token, string(c.Session), now).Scan(&revoked, &live)
	})
	switch {
	case err != nil:
		return err
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
	err := s.exec(ctx, "issue ticket", `insert into session_tickets (hash, content, ends) values ($1, $2, $3)`,
		hash, string(content), s.now().Add(lifetime).UnixMicro())
	return text, err
}

// RedeemTicket implements Tickets. The delete decides who of two that come at once has it.
func (s *SQL) RedeemTicket(ctx context.Context, ticket string) ([]byte, error) {
	var content string
	err := s.call(ctx, "redeem ticket", func(ctx context.Context) error {
		var ends int64
		err := s.db.QueryRowContext(ctx, `delete from session_tickets where hash = $1 returning content, ends`, hashOf(ticket)).Scan(&content, &ends)
		if errors.Is(err, sql.ErrNoRows) || err == nil && s.expired(ends) {
			return errTicket()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return []byte(content), nil
}

// prunedAtOnce is how many rows one statement removes: requests wait for it.
const prunedAtOnce = 1000

// Prune implements Store.
func (s *SQL) Prune(ctx context.Context) error {
	now := s.now().UnixMicro()
	for _, t := range []struct{ table, key string }{
		{"session_logins", "id"}, {"session_revoked", "jti"}, {"session_windows", "key"}, {"session_tickets", "hash"},
	} {
		statement := fmt.Sprintf(`delete from %[1]s where %[2]s in (select %[2]s from %[1]s where ends <= $1 limit %[3]d)`, t.table, t.key, prunedAtOnce)
		for gone := int64(prunedAtOnce); gone == prunedAtOnce; {
			err := s.call(ctx, "prune "+t.table, func(ctx context.Context) error {
				done, err := s.db.ExecContext(ctx, statement, now)
				if err == nil {
					gone, err = done.RowsAffected()
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *SQL) expired(ends int64) bool { return ends <= s.now().UnixMicro() }

func toTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
