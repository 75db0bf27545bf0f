package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"novacron/backend/op"
)

// signal wakes everybody who waits for the next change. A waiter takes its channel before it looks, so nothing is missed.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// Watch gives a channel that is closed when events may have been added. Take it before EventsSince, and wait on it after.
func (db *DB) Watch() <-chan struct{} { return db.events.wait() }

// WatchOperations gives a channel that is closed when an operation may have become ready to run.
func (db *DB) WatchOperations() <-chan struct{} { return db.work.wait() }

// WatchCancels gives a channel that is closed when somebody asked to cancel an operation.
func (db *DB) WatchCancels() <-chan struct{} { return db.cancels.wait() }

// WatchMail gives a channel that is closed when a mail was queued.
func (db *DB) WatchMail() <-chan struct{} { return db.mail.wait() }

func (db *DB) wake(what string) {
	switch what {
	case "events":
		db.events.wake()
	case "work":
		db.work.wake()
	case "cancel":
		db.cancels.wake()
	case "mail":
		db.mail.wake()
	case standings:
		db.standings.Add(1)
	}
}

// standings is the hint of a transaction that may have changed what Reader.Standing says of somebody.
const standings = "standings"

// writesStanding reports whether a statement writes to a table that Reader.Standing reads.
func writesStanding(query string) bool {
	for _, verb := range []string{"insert into ", "update ", "delete from "} {
		if rest, ok := strings.CutPrefix(query, verb); ok {
			table, _, _ := strings.Cut(rest, " ")
			return slices.Contains([]string{"users", "memberships", "tenants", "roles", "second_factors", "passkeys"}, table)
		}
	}
	return false
}

// StandingVersion changes when what Reader.Standing says of somebody may have changed: here with the commit, and for what other servers change
// when their notification comes, which may get lost.
func (db *DB) StandingVersion() uint64 { return db.standings.Load() }

// pollHead wakes watchers for events whose notification was lost.
func (db *DB) pollHead(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last Cursor
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		head, err := db.Head(ctx)
		if err != nil || head == last {
			continue // gone: the callers see it
		}
		last = head
		db.events.wake()
		db.work.wake()
	}
}

// progressHub hands the progress of operations to subscribers of this server. It keeps nothing.
type progressHub struct {
	mu   sync.Mutex
	subs map[chan op.Record]struct{}
}

// progressBuffer is how many reports a slow subscriber may be behind before it misses some.
const progressBuffer = 64

// WatchProgress gives the progress of operations that run on this server, without history; a slow reader misses some. stop
// ends it.
func (db *DB) WatchProgress() (reports <-chan op.Record, stop func()) {
	h := &db.progress
	ch := make(chan op.Record, progressBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[chan op.Record]struct{}{}
	}
	h.subs[ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, ch)
	}
}

func (h *progressHub) tell(r *op.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- *r:
		default:
		}
	}
}
