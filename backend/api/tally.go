package api

import (
	"context"
	"sync"
	"time"

	"novacron/backend/core/rate"
)

// Bounds of what a tally keeps back.
const (
	tallyLag   = 200 * time.Millisecond // how long a request may wait for being counted in the store
	tallyShare = 20                     // at most one of so many that the limit allows, per key and server
	tallyKeys  = 4096                   // beyond it each request is counted in the store at once
	flushTime  = 2 * time.Second        // for a count that no request waits for
)

// tally counts requests in front of a Limiter, so that of a burst only every nth asks the store. The first request of a key does, and
// tells how much room there is; those of the next tallyLag are counted here and handed on together. Where the room becomes small each
// is counted in the store again: alone, a server never allows more than the limit. Of several servers each may allow one tallyShare of
// the limit more, and so much is forgotten by a server that is killed.
type tally struct {
	Limiter
	mu     sync.Mutex
	keys   map[string]*tallied
	closed bool // each request is counted in the store at once
}

// tallied is what is known of a key for tallyLag.
type tallied struct {
	limit   rate.Limit
	verdict rate.Verdict // of the store
	at      time.Time    // when it said so
	pending int          // requests allowed since, which the store does not know of
}

func newTally(l Limiter) *tally { return &tally{Limiter: l, keys: map[string]*tallied{}} }

// Take counts one request.
func (t *tally) Take(ctx context.Context, key string, limit rate.Limit) (rate.Verdict, error) {
	behind, v, ok := t.here(key, limit)
	if ok {
		return v, nil
	}
	v, err := t.Limiter.Take(ctx, key, limit, behind+1)
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[key]
	switch {
	case err != nil && k != nil:
		k.pending += behind
	case err == nil && k != nil:
		k.verdict, k.at = v, time.Now()
	case err == nil && spare(limit) > 0 && v.Remaining > spare(limit) && len(t.keys) < tallyKeys && !t.closed:
		t.keys[key] = &tallied{limit: limit, verdict: v, at: time.Now()}
		time.AfterFunc(tallyLag, func() { t.flush(key) })
	}
	return v, err
}

// spare is the room that must be left for counting here; half of it is the most that is kept back.
func spare(l rate.Limit) int { return 2 * (l.Events / tallyShare) }

// here counts a request without the store, if it may. If not, behind is how many are to be counted with it.
func (t *tally) here(key string, limit rate.Limit) (behind int, v rate.Verdict, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[key]
	if k == nil {
		return 0, v, false
	}
	if k.limit != limit || k.pending+1 >= spare(limit)/2 || k.verdict.Remaining-k.pending <= spare(limit) {
		behind, k.pending = k.pending, 0
		return behind, v, false
	}
	k.pending++
	v = k.verdict
	v.Remaining -= k.pending
	v.Reset = max(0, v.Reset-time.Since(k.at))
	return 0, v, true
}

// flush forgets a key and hands on what was counted for it. A store that is gone then has not counted it; the next request says so.
func (t *tally) flush(key string) {
	t.mu.Lock()
	k := t.keys[key]
	delete(t.keys, key)
	t.mu.Unlock()
	if k == nil || k.pending == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	_, _ = t.Limiter.Take(ctx, key, k.limit, k.pending)
}

// close hands everything on, and keeps nothing back from then on.
func (t *tally) close() {
	t.mu.Lock()
	t.closed = true
	keys := make([]string, 0, len(t.keys))
	for key := range t.keys {
		keys = append(keys, key)
	}
	t.mu.Unlock()
	for _, key := range keys {
		t.flush(key)
	}
}
