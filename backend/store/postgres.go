package store

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"
	"io"
	"net"
	"strconv"
	"time"

	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"novacron/backend/core/fault"
)

// channel carries hints from server to server; its payload is what a transaction hinted at. Losing one costs a poll's wait, or the time for which a standing is believed.
const channel = "novacron"

func openPostgres(o Options) (*DB, error) {
	cfg, err := pgx.ParseConfig(o.URL)
	if err != nil {
		// The cause may hold the password.
		return nil, fault.New(fault.Invalid, "database_setting", "the database URL cannot be read; expected postgres://user:password@host:port/name")
	}
	cfg.ConnectTimeout = time.Second
	cfg.RuntimeParams["application_name"] = "novacron"
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["default_transaction_isolation"] = "read committed"
	cfg.RuntimeParams["statement_timeout"] = millis(callTimeout)
	cfg.RuntimeParams["lock_timeout"] = millis(callTimeout / 2)
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = millis(2 * callTimeout)
	pool := stdlib.OpenDB(*cfg)
	size := o.MaxConns
	if size == 0 {
		size = maxConns
	}
	size = min(max(size, 2), 200)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size / 2)
	pool.SetConnMaxIdleTime(time.Minute)
	asked := stdlib.OpenDB(*cfg)
	asked.SetMaxOpenConns(1)
	asked.SetConnMaxIdleTime(time.Minute)
	d := dialect{
		ping: asked.PingContext, close: asked.Close,
		name: "postgres", lockRow: " for update", skipLocked: " for update skip locked",
		patience: "set local lock_timeout = " + millis(migrateTimeout) + "; set local statement_timeout = " + millis(migrateTimeout),
		lock:     lockPostgres, notify: notifyPostgres, classify: classifyPostgres,
		listen: func(ctx context.Context, db *DB) { listenPostgres(ctx, cfg, db) },
	}
	return &DB{dialect: d, write: pool, read: pool}, nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func lockPostgres(ctx context.Context, tx *sql.Tx, name string) error {
	h := fnv.New64a()
	io.WriteString(h, "novacron/"+name)
	_, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", int64(h.Sum64()))
	return err
}

func notifyPostgres(ctx context.Context, tx *sql.Tx, what string) error {
	_, err := tx.ExecContext(ctx, "select pg_notify($1, $2)", channel, what)
	return err
}

// listenPostgres holds one connection that hears what other servers committed. A lost connection is made again; the poll
// covers the time between.
func listenPostgres(ctx context.Context, cfg *pgx.ConnConfig, db *DB) {
	for ctx.Err() == nil {
		hear(ctx, cfg, db)
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}

func hear(ctx context.Context, cfg *pgx.ConnConfig, db *DB) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return // the callers of the database see and report that it is gone
	}
	defer func() {
		quit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(quit) // nothing is lost with it
	}()
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return
		}
		db.wake(n.Payload)
	}
}

func classifyPostgres(err error) class {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return gone
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyState(e.Code)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return gone
	}
	for _, broken := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, broken) {
			return gone
		}
	}
	if err.Error() == "conn closed" { // pgx keeps this one to itself
		return gone
	}
	return other
}

// classifyState reads the SQLSTATE codes of PostgreSQL's appendix A.
func classifyState(code string) class {
	switch code {
	case "40001", "40P01": // serialization failure, deadlock
		return lost
	case "23505":
		return unique
	case "23503":
		return dangling
	case "55P03", "57014": // lock or statement timeout
		return busy
	case "22021": // not UTF-8, or a zero byte
		return malformed
	case "53100":
		return full
	case "57P01", "57P02", "57P03", "25P03": // shutdown, crash, starting up, idle too long
		return gone
	}
	switch code[:min(2, len(code))] {
	case "08": // connection
		return gone
	case "53": // too many connections, out of memory
		return busy
	}
	return other
}
