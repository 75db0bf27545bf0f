package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"novacron/backend/core/fault"
)

// sqliteDialect: the one writer makes row locks and named locks unnecessary.
var sqliteDialect = dialect{
	name:     "sqlite",
	lock:     func(context.Context, *sql.Tx, string) error { return nil },
	classify: classifySQLite,
}

func openSQLite(o Options) (*DB, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "database_setting", "the database's path cannot be resolved")
	}
	// SQLite would make the file readable by all; its journals take the mode of the file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "database_unavailable", "the database file cannot be opened; check its folder")
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("close %s: %w", path, err)
	}
	writer, err := sql.Open("sqlite", sqliteDSN(path, "immediate", ""))
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	reader, err := sql.Open("sqlite", sqliteDSN(path, "deferred", "query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(maxReaders)
	reader.SetMaxIdleConns(maxReaders)
	return &DB{dialect: sqliteDialect, write: writer, read: reader, turn: newTurn()}, nil
}

// sqliteDSN: synchronous=FULL puts each commit on the disk before it is acknowledged, also through a power cut.
func sqliteDSN(path, lock, extra string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-32768)", "journal_size_limit(67108864)",
	}}
	if extra != "" {
		q.Add("_pragma", extra)
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

func classifySQLite(err error) class {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return other
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return unique
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return dangling
	case lib.SQLITE_BUSY_SNAPSHOT:
		return lost
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return busy
	case lib.SQLITE_FULL:
		return full
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return damaged
	case lib.SQLITE_CANTOPEN, lib.SQLITE_IOERR, lib.SQLITE_READONLY:
		return gone
	}
	return other
}

// turn lets one transaction of this process write at a time. Waiting here has no limit but the caller's as long as those
// ahead succeed; when one of them finds the file locked by another process, all who already wait fail with it at once,
// instead of each waiting in vain for its own second.
type turn struct {
	token  chan struct{}
	locked atomic.Int64 // when the file was last found locked, in Unix nanoseconds
}

func newTurn() *turn {
	t := &turn{token: make(chan struct{}, 1)}
	t.token <- struct{}{}
	return t
}

func (t *turn) take(ctx context.Context) error {
	if t == nil {
		return nil
	}
	since := time.Now().UnixNano()
	select {
	case <-t.token:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.locked.Load() > since {
		t.give(nil)
		return fault.New(fault.Unavailable, "database_busy",
			"the database is locked by another program; try again in a moment").After(retryAfter)
	}
	return nil
}

func (t *turn) give(err error) {
	if t == nil {
		return
	}
	if err != nil && classifySQLite(err) == busy {
		t.locked.Store(time.Now().UnixNano())
	}
	t.token <- struct{}{}
}
