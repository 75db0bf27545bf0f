package store

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"novacron/backend/core/fault"
)

// SQLite has one writer, and each commit waits for the disk. Transactions that wait for their turn at the same time share one
// commit: each runs behind a savepoint of its own, and the last of them commits for all. None is told of success before that.
//
//	turn ──► begin ─ first ─ give the turn on ─┐
//	turn ──► savepoint ─ second ─ give it on ──┤ all wait
//	turn ──► ...                               │
//	first gets the turn again ──► commit ◄─────┘ nobody waits ahead of it any more

// maxGroupAge is how long a group may stay open: the time that the first of many adds to its own at most.
const maxGroupAge = 50 * time.Millisecond

// group is transactions that share a commit. It belongs to whoever has the turn.
type group struct {
	tx        *sql.Tx
	began     time.Time
	committed []func() // what follows the commit, in the order of the transactions

	ended chan struct{} // closed once it is known what became of it
	sent  bool          // the commit was sent; set before ended is closed, as err is
	err   error         // why it was not committed
}

// errScattered tells a transaction that another of its group took all of them back: it runs again.
var errScattered = errors.New("another transaction of the group ended it")

func (g *group) end(sent bool, err error) {
	g.sent, g.err = sent, err
	close(g.ended)
}

// attemptShared is attempt on SQLite.
func (db *DB) attemptShared(ctx context.Context, f func(t *Tx) error) (committing bool, err error) {
	if err := db.turn.take(ctx); err != nil {
		return false, err
	}
	g, err := db.join(ctx, f)
	if g == nil {
		return false, err
	}
	select {
	case <-g.ended:
	case <-db.turn.token: // all who waited ahead have joined
		if db.group == g {
			db.commitGroup()
		}
		db.turn.give(nil)
		<-g.ended
	}
	if g.err != nil {
		return g.sent, g.err
	}
	return false, err
}

// join runs f in the open group, or begins one, and gives the turn on. A group that it returns is to be waited for, also when f
// failed: what f saw of the others may never be.
func (db *DB) join(ctx context.Context, f func(t *Tx) error) (joined *group, err error) {
	defer func() { db.turn.give(err) }()
	leave, err := db.gate.enter()
	if err != nil {
		return nil, err
	}
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	defer func() { leave(ctx, err) }()
	if db.group == nil {
		if err = db.beginGroup(ctx); err != nil {
			return nil, db.unless(ctx, err)
		}
	}
	g, done := db.group, false
	defer func() {
		if !done && !db.takeBack() { // also when f panics or its goroutine ends
			joined = nil
		}
	}()
	if err = db.member(ctx, g, f); err != nil {
		return g, db.unless(ctx, err)
	}
	done = true
	if time.Since(g.began) > maxGroupAge {
		db.commitGroup()
	}
	return g, nil
}

// beginGroup takes the context's time into account no more once it has begun: the group outlives its first caller.
func (db *DB) beginGroup(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	tx, err := db.write.BeginTx(context.WithoutCancel(ctx), nil) // SQLite waits busyTimeout at most
	if err == nil {
		db.group = &group{tx: tx, began: time.Now(), ended: make(chan struct{})}
	}
	return err
}

// member runs f behind a savepoint, which an engine that took the whole transaction back under f no longer knows.
func (db *DB) member(ctx context.Context, g *group, f func(t *Tx) error) error {
	t := &Tx{Reader: Reader{q: g.tx, db: db}, tx: g.tx}
	if err := g.exec("savepoint member"); err != nil {
		return err
	}
	if err := f(t); err != nil {
		return err
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if err := g.exec("release member"); err != nil {
		return err
	}
	g.committed = append(g.committed, t.committed)
	return nil
}

func (g *group) exec(statement string) error {
	_, err := g.tx.ExecContext(context.Background(), statement)
	return err
}

// takeBack takes the transaction back that has the turn, and says whether others of its group are still there.
func (db *DB) takeBack() bool {
	g := db.group
	if len(g.committed) > 0 && g.exec("rollback to member") == nil && g.exec("release member") == nil {
		return true
	}
	db.scatter() // there is no other in it, or the engine took the whole group back with a statement
	return false
}

// scatter ends the open group without a commit. Its transactions run again.
func (db *DB) scatter() {
	g := db.group
	db.group = nil
	_ = g.tx.Rollback() // what is not committed is not there
	g.end(false, errScattered)
}

// commitGroup commits for all. Whoever calls it has the turn.
func (db *DB) commitGroup() {
	g := db.group
	db.group = nil
	if err := db.commit(BeforeCommit); err != nil {
		_ = g.tx.Rollback() // as in scatter
		g.end(false, err)
		return
	}
	err := g.tx.Commit()
	if err == nil {
		for _, f := range g.committed {
			f()
		}
		err = db.commit(AfterCommit)
	}
	g.end(true, err)
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
	if err != nil && classifySQLite(err) == busy {
		t.locked.Store(time.Now().UnixNano())
	}
	t.token <- struct{}{}
}
