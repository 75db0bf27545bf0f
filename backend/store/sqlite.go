package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

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
	writer := sql.OpenDB(statements{sqliteDSN(path, "immediate", "")})
	reader := sql.OpenDB(statements{sqliteDSN(path, "deferred", "query_only(1)")})
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
	if errors.Is(err, errScattered) {
		return lost
	}
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
	case lib.SQLITE_IOERR_SHMSIZE: // the only other way in which it says so
		return full
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
