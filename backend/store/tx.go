package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// querier is what *sql.DB, *sql.Tx and *sql.Conn have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Reader has the methods that change nothing. On a DB each sees what is committed when it is called; on a Tx, what the
// transaction sees, and rows read by key stay locked until it ends.
type Reader struct {
	q    querier
	db   *DB
	lock string // behind a select by key
}

// Tx is a transaction. It is used by one goroutine and not after the function that got it has returned.
type Tx struct {
	Reader
	tx     *sql.Tx
	events []Event
	audit  []AuditEntry
	hints  []string
	after  []func()
}

// Tx runs f in a transaction that writes, and commits when f returns nil. f runs again from the start when another
// transaction won or the connection broke before the commit, so it must have no effects outside of t; those belong into
// t.AfterCommit. fault.Unavailable with code database_unavailable may, as with any database, follow a commit whose answer got
// lost: the caller repeats what is safe to repeat.
func (db *DB) Tx(ctx context.Context, f func(t *Tx) error) error {
	pause, broken, freed := retryPause, 0, false
	for try := 1; ; try++ {
		committing, err := db.attempt(ctx, f)
		if err == nil {
			return nil
		}
		again := false
		switch db.dialect.classify(err) {
		case lost:
			again = try < maxTxAttempts
		case gone:
			broken++
			again = !committing && broken < maxConnTries
		case full: // what was sent is taken back by the engine
			again = !freed && db.ballast.release()
			freed = true
		}
		if !again || ctx.Err() != nil {
			return db.fail(ctx, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return db.fail(ctx, err)
		}
		pause *= 2
	}
}

// attempt is one try. committing says whether the commit was sent, after which nobody can tell what became of it.
func (db *DB) attempt(ctx context.Context, f func(t *Tx) error) (committing bool, err error) {
	if db.turn != nil {
		return db.attemptShared(ctx, f)
	}
	leave, err := db.gate.enter()
	if err != nil {
		return false, err
	}
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	defer func() { leave(ctx, err) }()
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return false, db.unless(ctx, err)
	}
	// Also when f panics or its goroutine ends. After a commit it does nothing.
	defer tx.Rollback() //nolint:errcheck // the error of the attempt is the one that says something
	t := &Tx{Reader: Reader{q: tx, db: db, lock: db.dialect.lockRow}, tx: tx}
	if err := f(t); err != nil {
		return false, db.unless(ctx, err)
	}
	if err := t.flush(ctx); err != nil {
		return false, db.unless(ctx, err)
	}
	if err := db.commit(BeforeCommit); err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		return true, db.unless(ctx, err)
	}
	t.committed()
	return true, db.commit(AfterCommit)
}

// unless turns err into a fault when the attempt's own time ran out, which the caller's context does not show.
func (db *DB) unless(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return db.fail(ctx, err)
	}
	return err
}

// flush writes audit and events last, and in this order, since their counters let no other transaction with events pass until the commit.
func (t *Tx) flush(ctx context.Context) error {
	if err := t.writeAudit(ctx); err != nil {
		return err
	}
	if err := t.writeEvents(ctx); err != nil {
		return err
	}
	if t.db.dialect.notify == nil {
		return nil
	}
	for _, what := range t.hints {
		if err := t.db.dialect.notify(ctx, t.tx, what); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) committed() {
	for _, what := range t.hints {
		t.db.wake(what)
	}
	for _, f := range t.after {
		f()
	}
}

// hint wakes whoever waits for what, here and on other servers, once the transaction is committed.
func (t *Tx) hint(what string) {
	for _, h := range t.hints {
		if h == what {
			return
		}
	}
	t.hints = append(t.hints, what)
}

// AfterCommit runs f once the transaction is committed, and never if it is not. f must be quick.
func (t *Tx) AfterCommit(f func()) { t.after = append(t.after, f) }

// Lock keeps other transactions that lock the same name out until this one ends. It guards rules over many rows, such as a
// quota: "quota/<tenant>".
func (t *Tx) Lock(ctx context.Context, name string) error {
	return t.db.fail(ctx, t.db.dialect.lock(ctx, t.tx, name))
}

// Read runs f with one consistent view of the database.
func (db *DB) Read(ctx context.Context, f func(r *Reader) error) (err error) {
	leave, err := db.gate.enter()
	if err != nil {
		return err
	}
	outer := ctx
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	defer func() { leave(ctx, err) }()
	o := &sql.TxOptions{ReadOnly: true}
	if db.dialect.name == "postgres" {
		o.Isolation = sql.LevelRepeatableRead
	}
	tx, err := db.read.BeginTx(ctx, o)
	if err != nil {
		return db.fail(ctx, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if err := f(&Reader{q: tx, db: db}); err != nil {
		return db.fail(outer, db.unless(ctx, err))
	}
	return nil
}

// row is one result row.
type row interface{ Scan(dest ...any) error }

// many reads all rows of a query.
func many[T any](ctx context.Context, r *Reader, scan func(row) (T, error), query string, args ...any) (all []T, err error) {
	if r.q == querier(r.db.read) { // not inside of a transaction, which has its bounds and has passed the gate already
		var cancel func()
		ctx, cancel = r.db.bounded(ctx)
		defer cancel()
		leave, refused := r.db.gate.enter()
		if refused != nil {
			return nil, refused
		}
		defer func() { leave(ctx, err) }()
	}
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, r.db.fail(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, r.db.fail(ctx, fmt.Errorf("scan: %w", err))
		}
		all = append(all, v)
	}
	return all, r.db.fail(ctx, rows.Err())
}

// one reads a single row; missing is returned when there is none.
func one[T any](ctx context.Context, r *Reader, missing error, scan func(row) (T, error), query string, args ...any) (T, error) {
	var none T
	all, err := many(ctx, r, scan, query, args...)
	if err != nil {
		return none, err
	}
	if len(all) == 0 {
		return none, missing
	}
	return all[0], nil
}

// exec runs a statement and says how many rows it touched.
func (t *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if writesStanding(query) {
		t.hint(standings)
	}
	res, err := t.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, t.db.fail(ctx, err)
	}
	n, err := res.RowsAffected()
	return n, t.db.fail(ctx, err)
}

// execOne runs a statement that must touch a row, and returns missing when it touched none.
func (t *Tx) execOne(ctx context.Context, missing error, query string, args ...any) error {
	n, err := t.exec(ctx, query, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return missing
	}
	return nil
}
