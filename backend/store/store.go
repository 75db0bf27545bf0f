// Package store is all SQL of NovaCron: one file per noun, one SQL text for two engines. SQLite (embedded, one server) and
// PostgreSQL (any number of servers) differ in a dialect of a few members and nowhere else. What a caller was told is
// committed is on the disk. Every change of the world writes its events in its own transaction.
//
// Reads are methods of Reader, which DB and Tx both are; writes are methods of Tx. Inside a Tx a row that is read by its key
// stays locked until the end, so read, change, write is safe. The package decides nothing: rules live in core and app.
//
// A database that is busy or gone makes calls fail within about a second with fault.Unavailable and a time to try again; it
// needs no restart when it comes back.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"novacron/backend/core/fault"
)

// Limits of every call.
const (
	callTimeout    = 5 * time.Second       // the longest transaction or query; lists of 25,000 VMs take a hundredth
	migrateTimeout = time.Minute           // for all schema files together, and for another server that is at it
	pollEvery      = time.Second           // how often other servers' events are looked for, beside their notifications
	busyTimeout    = time.Second           // how long one transaction waits for another process' lock
	retryAfter     = time.Second           // told to callers of a database that is gone
	maxConns       = 16                    // PostgreSQL connections per server
	maxReaders     = 4                     // SQLite connections that read beside the one that writes
	maxTxAttempts  = 10                    // tries of a transaction that lost against another
	maxConnTries   = 3                     // tries of a transaction whose connection broke before its commit
	retryPause     = 20 * time.Millisecond // before the second try, doubled for each further one
)

// Options says where the database is.
type Options struct {
	URL      string       // postgres://...; empty: SQLite
	Path     string       // the SQLite file, made with mode 0600 when it is missing
	MaxConns int          // PostgreSQL connections, 2..200; 0: 16
	Log      *slog.Logger // tells of a disk that is full, and of room again; nil: slog.Default
	// Commit is asked before a transaction is committed and again once it is; an error is the transaction's. A simulation lets
	// time pass here, loses an answer, or ends the server that asks. nil: nobody is asked.
	Commit func(when CommitPoint) error
}

// DB is an open database. Its methods may be called from several goroutines.
type DB struct {
	Reader
	dialect dialect
	write   *sql.DB // SQLite: one connection; PostgreSQL: the same pool as read
	read    *sql.DB
	turn    *turn    // SQLite's single writer; nil: PostgreSQL
	ballast *ballast // of SQLite
	group   *group   // open, or nil; of whoever has the turn
	commit  func(CommitPoint) error
	gate    gate
	doubt   doubt

	events   signal // a commit brought events
	work     signal // a commit brought something for the operation runner
	cancels  signal // somebody asked to cancel an operation
	mail     signal // a commit queued a mail
	progress progressHub

	standings atomic.Uint64

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// CommitPoint is a moment in the life of a transaction.
type CommitPoint string

// The moments.
const (
	BeforeCommit CommitPoint = "before the commit" // an error rolls the transaction back
	AfterCommit  CommitPoint = "after the commit"  // an error is an answer that got lost
)

// Open opens the database and brings its schema up to date. It fails with fault.Unavailable while the database cannot be
// reached and with fault.Unsupported when a newer NovaCron has written it.
func Open(ctx context.Context, o Options) (*DB, error) {
	if (o.URL == "") == (o.Path == "") {
		return nil, fault.New(fault.Invalid, "database_setting", "the database needs either a URL or a path, and not both")
	}
	db, err := connect(o)
	if err != nil {
		return nil, err
	}
	db.Reader = Reader{q: db.read, db: db}
	if db.commit = o.Commit; db.commit == nil {
		db.commit = func(CommitPoint) error { return nil }
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	run, stop := context.WithCancel(context.Background())
	db.stop = stop
	if o.Path != "" {
		db.ballast = openBallast(o.Path, cmp.Or(o.Log, slog.Default()))
		db.stopped.Go(func() { db.ballast.watch(run) })
	}
	if db.dialect.listen != nil {
		db.stopped.Go(func() { db.dialect.listen(run, db) })
		db.stopped.Go(func() { db.pollHead(run) })
	}
	return db, nil
}

func connect(o Options) (*DB, error) {
	if o.Path != "" {
		return openSQLite(o)
	}
	if !strings.HasPrefix(o.URL, "postgres://") && !strings.HasPrefix(o.URL, "postgresql://") {
		return nil, fault.New(fault.Invalid, "database_setting", "the database URL must begin with postgres://")
	}
	return openPostgres(o)
}

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.dialect.name }

// Ping asks the database for an answer.
func (db *DB) Ping(ctx context.Context) error {
	_, err := db.Head(ctx)
	return err
}

// Close waits for what the database does in the background and closes its connections.
func (db *DB) Close() error {
	db.stop()
	db.stopped.Wait()
	return db.closePools()
}

func (db *DB) closePools() error {
	if db.dialect.close != nil {
		return errors.Join(db.dialect.close(), db.read.Close())
	}
	if db.read == db.write {
		return db.read.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close())
}

// dialect is everything in which the engines differ.
type dialect struct {
	name       string
	lockRow    string                                                   // behind a select by key inside a Tx
	skipLocked string                                                   // behind a select that takes work from a queue
	lock       func(ctx context.Context, tx *sql.Tx, name string) error // held to the end of the transaction
	patience   string                                                   // lets a transaction wait migrateTimeout; may be empty
	notify     func(ctx context.Context, tx *sql.Tx, what string) error // wakes other servers after the commit; may be nil
	listen     func(ctx context.Context, db *DB)                        // hears them; may be nil
	classify   func(err error) class
	ping       func(ctx context.Context) error // asks for an answer over a connection of its own; nil: the database cannot be silent
	close      func() error                    // what ping holds; may be nil
}

// class is what an engine's error means.
type class int

const (
	other     class = iota
	lost            // another transaction won: try again from the start
	busy            // locked, or the engine cannot serve now
	gone            // no connection, or it broke
	full            // the disk is full
	unique          // a unique index refused
	dangling        // a reference refused
	malformed       // a text that the engine cannot hold
	damaged         // the file is not, or no longer, a database
)

// now is the present in the resolution of the database.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
