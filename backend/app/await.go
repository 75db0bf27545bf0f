package app

import (
	"context"
	"sync"
	"time"

	"novacron/backend/store"
)

// follower wakes those who wait for one subject. One goroutine reads the events for all of them, while there are any: hundreds of
// operations at once would otherwise look at every commit of each other.
type follower struct {
	db *store.DB

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{}
	count   int
	running bool
}

// followRetry is how long the follower waits after an error of the database; those who wait look by themselves meanwhile.
const followRetry = time.Second

// await gives a channel that gets a token when an event of the subject may have come since. Ask for it before the look, and call
// stop at the end. It is a hint: look again after a while without one.
func (f *follower) await(subject string) (hint <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = map[string]map[chan struct{}]struct{}{}
	}
	if f.waiting[subject] == nil {
		f.waiting[subject] = map[chan struct{}]struct{}{}
	}
	f.waiting[subject][ch] = struct{}{}
	f.count++
	if !f.running {
		f.running = true
		go f.follow()
	}
	return ch, func() { f.forget(subject, ch) }
}

func (f *follower) forget(subject string, ch chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.waiting[subject][ch]; !ok {
		return
	}
	delete(f.waiting[subject], ch)
	f.count--
	if len(f.waiting[subject]) == 0 {
		delete(f.waiting, subject)
	}
}

// follow runs until nobody waits.
func (f *follower) follow() {
	ctx := context.Background()
	var cursor store.Cursor
	known := false
	for f.wanted() {
		changed := f.db.Watch()
		var events []store.Event
		var err error
		if known {
			events, cursor, err = f.db.EventsSince(ctx, cursor, store.EventFilter{}, store.MaxLimit)
		} else {
			cursor, err = f.db.Head(ctx)
		}
		if !known || err != nil {
			known = err == nil
			f.wakeAll() // nobody knows what was missed
		}
		for _, e := range events {
			f.wake(e.Subject)
		}
		if len(events) == store.MaxLimit {
			continue
		}
		select {
		case <-changed:
		case <-time.After(followRetry):
		}
	}
}

func (f *follower) wanted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = f.count > 0
	return f.running
}

func (f *follower) wake(subject string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.waiting[subject] {
		token(ch)
	}
}

func (f *follower) wakeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, chans := range f.waiting {
		for ch := range chans {
			token(ch)
		}
	}
}

func token(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
