package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A slow call on a database across a network may be work, or a database that is gone without a word. A call that takes longer than
// doubtAfter asks over a connection of its own; no answer within silence ends the call, about a second after it began.
const (
	doubtAfter = 100 * time.Millisecond
	silence    = 700 * time.Millisecond
)

// doubt asks at most once at a time; those who doubt meanwhile share the answer.
type doubt struct {
	mu     sync.Mutex
	asking chan struct{} // closed when the question that is under way has its answer; nil: none is
	silent bool          // that answer
}

// bounded is ctx with the bounds of one call. cancel must be called when it is done.
func (db *DB) bounded(ctx context.Context) (_ context.Context, cancel func()) {
	ctx, timeout := context.WithTimeoutCause(ctx, callTimeout, errTimeout)
	if db.dialect.ping == nil {
		return ctx, timeout
	}
	ctx, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(doubtAfter, func() {
		if ctx.Err() == nil && db.silent() {
			end(errTimeout)
		}
	})
	return ctx, func() {
		timer.Stop()
		end(nil)
		timeout()
	}
}

// silent reports whether the database says nothing at all. A refusal is an answer.
func (db *DB) silent() bool {
	d := &db.doubt
	d.mu.Lock()
	if asking := d.asking; asking != nil {
		d.mu.Unlock()
		<-asking
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.silent
	}
	asking := make(chan struct{})
	d.asking = asking
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), silence)
	defer cancel()
	err := db.dialect.ping(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silent, d.asking = err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded), nil
	close(asking)
	return d.silent
}
