package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

func (s *suite) emit(kind string, tenant id.Tenant, subject string) {
	s.t.Helper()
	s.tx(func(x *store.Tx) error { return x.Emit(kind, tenant, subject, struct{}{}) })
}

func (s *suite) since(c store.Cursor, f store.EventFilter, limit int) ([]store.Event, store.Cursor) {
	s.t.Helper()
	events, next, err := s.db.EventsSince(s.ctx, c, f, limit)
	if err != nil {
		s.t.Fatalf("events since %q: %v", c, err)
	}
	return events, next
}

func kinds(events []store.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

func testHearing(t *testing.T, s *suite) {
	start := must[store.Cursor](t)(s.db.Head(s.ctx))
	s.emit("vm.created", s.tenant, "vm/1")
	s.emit("audit.x", s.tenant, "user/1")
	s.emit("vm.state", "ten-other", "vm/2")
	s.emit("node.state", "", "node/1")
	s.emit("vmx.state", s.tenant, "x/1")
	f := store.EventFilter{Tenant: s.tenant, Hears: &store.Hearing{Kinds: []string{"vm"}, Platform: []string{"node"}}}
	heard, _ := s.since(start, f, 10)
	same(t, "events of a hearing", kinds(heard), []string{"vm.created", "node.state"})
	all, _ := s.since(start, store.EventFilter{}, 10)
	for _, e := range all {
		same(t, "whether "+e.Type+" passes", f.Passes(e.Tenant, e.Type), slices.Contains(kinds(heard), e.Type))
	}
	f.Hears = &store.Hearing{}
	none, _ := s.since(start, f, 10)
	same(t, "events of nobody's hearing", len(none), 0)
}

func testEvents(t *testing.T, s *suite) {
	start := must[store.Cursor](t)(s.db.Head(s.ctx))
	none, next := s.since(start, store.EventFilter{}, 10)
	same(t, "events of a new log", len(none), 0)
	same(t, "cursor of a new log", next.String(), start.String())

	woken := s.db.Watch()
	s.tx(func(x *store.Tx) error {
		for _, kind := range []string{"vm.created", "vm.state", "node.lost"} {
			if err := x.Emit(kind, s.tenant, "vm/1", map[string]string{"k": kind}); err != nil {
				return err
			}
		}
		return nil
	})
	select {
	case <-woken:
	case <-time.After(20 * time.Second):
		t.Fatal("a commit with events woke nobody")
	}
	s.emit("vm.state", "ten-other", "vm/2")
	boom := errors.New("boom")
	if err := s.db.Tx(s.ctx, func(x *store.Tx) error {
		return errors.Join(x.Emit("vm.never", s.tenant, "vm/1", nil), boom)
	}); !errors.Is(err, boom) {
		t.Fatalf("got %v, want boom", err)
	}
	all, end := s.since(start, store.EventFilter{}, 10)
	same(t, "all events", kinds(all), []string{"vm.created", "vm.state", "node.lost", "vm.state"})
	same(t, "data", string(all[0].Data), `{"k":"vm.created"}`)

	first, mid := s.since(start, store.EventFilter{}, 2)
	rest, _ := s.since(mid, store.EventFilter{}, 10)
	same(t, "events over two reads", kinds(append(first, rest...)), kinds(all))
	same(t, "cursor of a full page", mid.String(), first[1].Cursor.String())

	vms, after := s.since(start, store.EventFilter{Tenant: s.tenant, Topics: []string{"vm.*"}}, 10)
	same(t, "events of a topic", kinds(vms), []string{"vm.created", "vm.state"})
	same(t, "cursor behind events that the filter left out", after.String(), end.String())
	newest, after := s.since(start, store.EventFilter{Topics: []string{"vm.*"}, Newest: true}, 2)
	same(t, "newest events of a topic", kinds(newest), []string{"vm.state", "vm.state"})
	same(t, "cursor behind the newest events", after.String(), end.String())
	exact, _ := s.since(start, store.EventFilter{Topics: []string{"node.lost", "vm.created"}, Subject: "vm/1"}, 10)
	same(t, "events of exact topics", kinds(exact), []string{"vm.created", "node.lost"})

	parsed := must[store.Cursor](t)(store.ParseCursor(mid.String()))
	again, _ := s.since(parsed, store.EventFilter{}, 10)
	same(t, "events behind a cursor's text", kinds(again), kinds(rest))

	s.tx(func(x *store.Tx) error {
		same(t, "events trimmed", must[int](t)(x.TrimEvents(s.ctx, all[3].Time, 10)), 3)
		return nil
	})
	_, _, err := s.db.EventsSince(s.ctx, mid, store.EventFilter{}, 10)
	wantFault(t, "a cursor into what was trimmed", err, fault.NotFound, "cursor_too_old")
	kept, _ := s.since(store.Cursor{}, store.EventFilter{}, 10)
	same(t, "events kept", len(kept), 1)
	kept, _ = s.since(all[2].Cursor, store.EventFilter{}, 10)
	same(t, "events behind the last trimmed one", len(kept), 1)
	for _, foreign := range []string{"AAAAAAAA-1", end.String() + "zz"} {
		c := must[store.Cursor](t)(store.ParseCursor(foreign))
		_, _, err = s.db.EventsSince(s.ctx, c, store.EventFilter{}, 10)
		wantFault(t, "a cursor of another log", err, fault.NotFound, "cursor_too_old")
	}
	s.tx(func(x *store.Tx) error {
		same(t, "events trimmed at the end", must[int](t)(x.TrimEvents(s.ctx, time.Now().Add(time.Hour), 10)), 1)
		return nil
	})
	none, _ = s.since(end, store.EventFilter{}, 10)
	same(t, "events after everything was trimmed", len(none), 0)
}

// testEventOrder: readers who follow the log while writers commit, slow ones and failing ones among them, see every event
// once, in the order of the final log.
func testEventOrder(t *testing.T, s *suite) {
	const writers, each, readers = 8, 25, 3
	var written atomic.Int64
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	seen := make([][]string, readers)
	for r := range readers {
		reading.Go(func() { seen[r] = s.follow(done, 7+r*50) })
	}
	for w := range writers {
		writing.Go(func() { written.Add(s.write(w, each)) })
	}
	writing.Wait()
	close(done)
	reading.Wait()

	final, _ := s.since(store.Cursor{}, store.EventFilter{}, 1000)
	var want []string
	for _, e := range final {
		want = append(want, e.Subject)
	}
	same(t, "events in the log", int64(len(want)), written.Load())
	for r := range readers {
		same(t, fmt.Sprintf("what reader %d saw", r), seen[r], want)
	}
}

// write commits events, one or three at a time; each fifth transaction fails after it emitted.
func (s *suite) write(w, n int) (written int64) {
	for i := range n {
		some := 1 + 2*(i%2)
		err := s.db.Tx(s.ctx, func(x *store.Tx) error {
			for j := range some {
				if err := x.Emit("test", s.tenant, fmt.Sprintf("%d/%d/%d", w, i, j), nil); err != nil {
					return err
				}
			}
			if i%5 == 4 {
				return fault.New(fault.Invalid, "fails", "this one fails")
			}
			// What a slow verb does between its first statement and its commit.
			_, err := x.CountVMs(s.ctx, s.tenant)
			time.Sleep(time.Duration(w*i%5) * time.Millisecond)
			return err
		})
		switch {
		case err == nil:
			written += int64(some)
		case !fault.Is(err, fault.Invalid):
			s.t.Errorf("write: %v", err)
		}
	}
	return written
}

// follow reads the log until done is closed and nothing is left.
func (s *suite) follow(done chan struct{}, limit int) (subjects []string) {
	var at store.Cursor
	for {
		last := false
		select {
		case <-done:
			last = true // what is read from here on is all there will be
		default:
		}
		woken := s.db.Watch()
		events, next, err := s.db.EventsSince(s.ctx, at, store.EventFilter{}, limit)
		if err != nil {
			s.t.Errorf("follow: %v", err)
			return nil
		}
		for _, e := range events {
			subjects = append(subjects, e.Subject)
		}
		at = next
		if len(events) > 0 {
			continue
		}
		if last {
			return subjects
		}
		select {
		case <-woken:
		case <-done:
		}
	}
}
