package app

import (
	"context"
	"encoding/json"
	"path"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// eventBatch is how many events a subscription reads at once.
const eventBatch = 200

// eventScope is what the caller may be told of: events of the own tenant, or of all, about things that the caller may see.
func eventScope(c auth.Caller, topics []string) (store.EventFilter, error) {
	tenant, err := scope(c, auth.ReadEvent, "")
	own, platform := auth.MayHear(c)
	return store.EventFilter{Tenant: tenant, Topics: topics, Hears: &store.Hearing{Kinds: own, Platform: platform}}, err
}

// Events reads the history behind a cursor.
func (a *App) Events(ctx context.Context, c auth.Caller, r ReadEvents) (EventPage, error) {
	filter, err := eventScope(c, r.Topics)
	if err != nil {
		return EventPage{}, err
	}
	filter.Subject, filter.Newest = r.Subject, r.Newest
	since, err := store.ParseCursor(r.Since)
	if err != nil {
		return EventPage{}, err
	}
	limit := r.Limit
	if limit <= 0 {
		limit = store.DefaultLimit
	}
	events, next, err := a.db.EventsSince(ctx, since, filter, limit)
	if err != nil {
		return EventPage{}, err
	}
	page := EventPage{Events: make([]wire.Event, len(events)), Next: next.String()}
	for i, e := range events {
		page.Events[i] = eventView(e)
	}
	return page, nil
}

func eventView(e store.Event) wire.Event {
	return wire.Event{ID: e.Cursor.String(), Type: e.Type, Time: e.Time, Tenant: e.Tenant, Subject: e.Subject, Data: e.Data}
}

// Subscription delivers events to one reader, in order, each once. It holds no queue: a slow reader reads later, and is told
// cursor_too_old when what it missed is no longer kept.
type Subscription struct {
	a        *App
	cursor   store.Cursor
	filter   store.EventFilter
	waiting  []store.Event
	next     store.Cursor // behind waiting
	progress <-chan op.Record
	stop     func()
}

// Subscribe delivers what the caller may see behind the cursor since; empty: from now on. Close it.
func (a *App) Subscribe(ctx context.Context, c auth.Caller, since string, topics []string) (*Subscription, error) {
	filter, err := eventScope(c, topics)
	if err != nil {
		return nil, err
	}
	cursor, err := store.ParseCursor(since)
	if err != nil {
		return nil, err
	}
	if since == "" {
		if cursor, err = a.db.Head(ctx); err != nil {
			return nil, err
		}
	}
	s := &Subscription{a: a, cursor: cursor, next: cursor, filter: filter}
	// A first look tells a bad cursor or filter before anybody waits.
	if s.waiting, s.next, err = a.db.EventsSince(ctx, cursor, s.filter, eventBatch); err != nil {
		return nil, err
	}
	s.progress, s.stop = a.db.WatchProgress()
	return s, nil
}

// Cursor is where a reader that got everything so far goes on.
func (s *Subscription) Cursor() string { return s.cursor.String() }

// Close ends the subscription.
func (s *Subscription) Close() { s.stop() }

// Next blocks until there is an event. fault.NotFound with code cursor_too_old: what comes next is no longer kept.
// operation.progress has no id: it is not kept, and a slow reader misses some.
func (s *Subscription) Next(ctx context.Context) (wire.Event, error) {
	for {
		if len(s.waiting) > 0 {
			e := s.waiting[0]
			s.waiting = s.waiting[1:]
			s.cursor = e.Cursor
			return eventView(e), nil
		}
		s.cursor = s.next
		changed := s.a.db.Watch() // taken before the look, so that nothing is missed
		var err error
		if s.waiting, s.next, err = s.a.db.EventsSince(ctx, s.cursor, s.filter, eventBatch); err != nil {
			return wire.Event{}, err
		}
		if len(s.waiting) > 0 {
			continue
		}
		select {
		case <-changed:
		case r := <-s.progress:
			if e, ok := s.progressEvent(r); ok {
				return e, nil
			}
		case <-ctx.Done():
			return wire.Event{}, context.Cause(ctx)
		}
	}
}

const progressType = "operation.progress"

func (s *Subscription) progressEvent(r op.Record) (wire.Event, bool) {
	if !s.filter.Passes(r.Tenant, progressType) {
		return wire.Event{}, false
	}
	data, err := json.Marshal(store.OperationEvent{
		ID: r.ID, Kind: r.Kind, Subject: r.Subject, Name: r.Name, Status: r.Status, Step: r.Step, Steps: r.Names, Progress: r.Progress, Sentence: r.Sentence, Cancel: r.Cancel,
	})
	if err != nil {
		return wire.Event{}, false
	}
	return wire.Event{Type: progressType, Time: s.a.now().UTC(), Tenant: r.Tenant, Subject: path.Join("operation", string(r.ID)), Data: data}, true
}

// IsCursorTooOld reports whether a subscriber has to read the present state anew.
func IsCursorTooOld(err error) bool {
	f := asFault(err)
	return f != nil && f.Code == "cursor_too_old" && f.Kind == fault.NotFound
}
