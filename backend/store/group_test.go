package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// hold begins a transaction that holds the turn until release is called; those begun meanwhile wait together.
func hold(t *testing.T, db *store.DB) (release func()) {
	t.Helper()
	began, end := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- db.Tx(context.Background(), func(x *store.Tx) error {
			close(began)
			<-end
			return x.Emit("test", "", "holder", nil)
		})
	}()
	<-began
	return func() {
		close(end)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestSQLite_membersOfAGroupStandAlone: of transactions that share a commit, those that fail, panic, lose their goroutine or their
// caller leave nothing behind, and none of the others is lost or done twice.
func TestSQLite_membersOfAGroupStandAlone(t *testing.T) {
	db := storetest.SQLite(t)
	const n = 200
	acked := make([]error, n)
	var told sync.Map
	release := hold(t, db)
	var group, begun sync.WaitGroup
	begun.Add(n)
	for i := range n {
		group.Go(func() {
			defer func() { _ = recover() }()
			acked[i] = errors.New("did not return")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			begun.Done()
			acked[i] = db.Tx(ctx, func(x *store.Tx) error {
				x.AfterCommit(func() {
					if _, twice := told.LoadOrStore(i, true); twice {
						t.Errorf("AfterCommit of %d ran twice", i)
					}
				})
				if err := x.Emit("test", "", fmt.Sprint(i), nil); err != nil {
					return err
				}
				if err := x.SetSetting(ctx, fmt.Sprint(i), []byte("x")); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return fault.New(fault.Conflict, "no", "this one fails")
				case 5:
					panic("this one panics")
				case 7:
					runtime.Goexit()
				case 9:
					cancel()
					return x.SetSetting(ctx, fmt.Sprint("late-", i), []byte("x"))
				}
				return nil
			})
		})
	}
	begun.Wait()
	release()
	group.Wait()
	committed := subjects(t, db)
	for i := range n {
		ok := i%2 == 0 || i%10 == 1
		_, err := db.Setting(t.Context(), fmt.Sprint(i))
		if _, after := told.Load(i); (acked[i] == nil) != ok || (committed[fmt.Sprint(i)] == 1) != ok || (err == nil) != ok || after != ok {
			t.Errorf("transaction %d: answered %v, %d events, setting %v, told %v; want success %v", i, acked[i], committed[fmt.Sprint(i)], err, after, ok)
		}
	}
	if err := emitOne(t.Context(), db); err != nil {
		t.Errorf("a transaction after all that: %v", err)
	}
}

// subjects counts the events by subject.
func subjects(t *testing.T, db *store.DB) map[string]int {
	t.Helper()
	found := map[string]int{}
	for at := (store.Cursor{}); ; {
		events, next, err := db.EventsSince(t.Context(), at, store.EventFilter{}, store.MaxLimit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			found[e.Subject]++
		}
		if at = next; len(events) == 0 {
			return found
		}
	}
}

// TestSQLite_transactionsThatWaitShareOneCommit: a transaction sees what others of its group did and nobody else sees yet.
func TestSQLite_transactionsThatWaitShareOneCommit(t *testing.T) {
	db := storetest.SQLite(t)
	release := hold(t, db)
	var shared atomic.Int64
	var group, begun sync.WaitGroup
	begun.Add(20)
	for i := range 20 {
		group.Go(func() {
			begun.Done()
			if err := db.Tx(context.Background(), func(x *store.Tx) error {
				inside, err := x.Head(context.Background())
				if err != nil {
					return err
				}
				outside, err := db.Head(context.Background())
				if inside != outside {
					shared.Add(1)
				}
				return errors.Join(err, x.Emit("test", "", fmt.Sprint(i), nil))
			}); err != nil {
				t.Error(err)
			}
		})
	}
	begun.Wait()
	release()
	group.Wait()
	if shared.Load() == 0 {
		t.Error("each of 20 transactions that waited together had a commit of its own")
	}
}
