package reconcile

import (
	"context"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// beside makes the loops of another server on the world's database.
func (w *world) beside(address string) *Loops {
	w.t.Helper()
	l, err := New(Options{App: w.app, Store: w.db, Server: store.Server{ID: id.NewServer(), Address: address, Started: time.Now()},
		Times: Times{Retry: 5 * time.Millisecond, Hold: 20 * time.Millisecond}})
	w.must(err)
	l.Start()
	w.t.Cleanup(func() { w.stop(l) })
	return l
}

func (w *world) stop(l *Loops) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	w.must(l.Stop(ctx))
}

// heldAt waits until the database says that the node is connected at the address, in the epoch that the server believes in.
func (w *world) heldAt(l *Loops, situation string) (h store.Held) {
	w.t.Helper()
	w.eventually(situation, func() bool {
		var err error
		h, err = w.db.Holder(w.ctx, w.node.ID)
		return err == nil && h.Server == l.o.Server.ID && h.Epoch == l.Holds(w.node.ID)
	})
	return h
}

func (w *world) heldNowhere(situation string) {
	w.t.Helper()
	w.eventually(situation, func() bool {
		_, err := w.db.Holder(w.ctx, w.node.ID)
		return fault.Is(err, fault.NotFound)
	})
}

func TestHolders_theNewestConnectionIsTheOneThatOthersFind(t *testing.T) {
	w := newWorld(t)
	a, b := w.beside("a:8093"), w.beside("b:8093")
	a.Up(w.node.ID, w.node)
	first := w.heldAt(a, "the first server holds the node")
	b.Up(w.node.ID, w.node) // the first server has not noticed yet that its connection is lost
	second := w.heldAt(b, "the second server holds the node")
	if second.Epoch <= first.Epoch || second.Address != "b:8093" {
		t.Errorf("the second claim is %+v, the first was %+v", second, first)
	}
	a.Down(w.node.ID)
	w.eventually("the first server lets go", func() bool { return a.Holds(w.node.ID) == 0 })
	w.heldAt(b, "the second server holds the node still")
	b.Down(w.node.ID)
	w.heldNowhere("nobody holds the node")
}

func TestHolders_aNodeThatALateClaimTookIsClaimedAgain(t *testing.T) {
	w := newWorld(t)
	a, b := w.beside("a:8093"), w.beside("b:8093")
	b.Up(w.node.ID, w.node)
	before := w.heldAt(b, "the node's server holds it")
	a.Up(w.node.ID, w.node) // the connection before, claimed late
	w.heldAt(a, "the late claim")
	a.Down(w.node.ID)
	if after := w.heldAt(b, "the node's server holds it again"); after.Epoch < before.Epoch+2 {
		t.Errorf("the epoch went from %d to %d over two claims", before.Epoch, after.Epoch)
	}
}

func TestHolders_aServerThatStopsIsAskedNoMore(t *testing.T) {
	w := newWorld(t)
	a := w.beside("a:8093")
	a.Up(w.node.ID, w.node)
	w.heldAt(a, "the server holds the node")
	w.stop(a)
	w.heldNowhere("nobody holds the node")
}

func TestHolders_aServerThatDiedHoldsNothingInItsNextLife(t *testing.T) {
	w := newWorld(t)
	dead := store.Server{ID: id.NewServer(), Address: "a:8093", Started: time.Now(), Seen: time.Now()}
	w.must(w.db.Tx(w.ctx, func(t *store.Tx) error {
		if err := t.SaveServer(w.ctx, dead); err != nil {
			return err
		}
		_, err := t.ClaimNodes(w.ctx, dead.ID, []id.Node{w.node.ID}, false)
		return err
	}))
	again, err := New(Options{App: w.app, Store: w.db, Server: dead, Times: Times{Retry: 5 * time.Millisecond}})
	w.must(err)
	again.Start()
	t.Cleanup(func() { w.stop(again) })
	w.heldNowhere("the claim of its life before is gone")
}

// alike makes the loops of a process that has the id of another one.
func (w *world) alike(o *Loops, address string, started time.Time) (twin *Loops, failed chan error) {
	w.t.Helper()
	failed = make(chan error, 1)
	twin, err := New(Options{App: w.app, Store: w.db, Server: store.Server{ID: o.o.Server.ID, Address: address, Started: started},
		Fail: func(err error) { failed <- err }, Times: Times{Retry: 5 * time.Millisecond, Hold: 20 * time.Millisecond}})
	w.must(err)
	w.t.Cleanup(func() { w.stop(twin) })
	return twin, failed
}

func TestAlone_refusesASecondServerOfOneID(t *testing.T) {
	w := newWorld(t)
	a := w.beside("a:8093")
	a.Up(w.node.ID, w.node)
	held := w.heldAt(a, "the server holds the node")
	copied, _ := w.alike(a, "b:8093", time.Now().Add(time.Second))
	copied.o.Times.Hold = 4 * time.Second // the first is heard again long before its silence would count
	err := copied.Alone(w.ctx)
	if err == nil || !strings.Contains(err.Error(), "a:8093") || !strings.Contains(err.Error(), "server-id") {
		t.Fatalf("a copy of a server that runs: %v, want a refusal that names the other and the way out", err)
	}
	if now := w.heldAt(a, "the server holds the node still"); now.Epoch != held.Epoch {
		t.Errorf("the refused copy took the node: epoch %d, was %d", now.Epoch, held.Epoch)
	}
}

func TestAlone_letsAServerMoveToAnotherAddress(t *testing.T) {
	w := newWorld(t)
	a := w.beside("a:8093")
	w.eventually("the server is known", func() bool { _, err := w.db.Server(w.ctx, a.o.Server.ID); return err == nil })
	w.stop(a)
	moved, _ := w.alike(a, "b:8093", time.Now().Add(time.Second))
	moved.o.Times.Hold = time.Hour // after a stop there is nothing to wait for
	w.must(moved.Alone(w.ctx))

	killed := a.o.Server // as one that was killed leaves it
	killed.Seen = time.Now()
	w.must(w.db.Tx(w.ctx, func(t *store.Tx) error { return t.SaveServer(w.ctx, killed) }))
	moved.o.Times.Hold = 20 * time.Millisecond
	w.must(moved.Alone(w.ctx))
}

func TestHolders_ofTwoServersThatCameAtOnceTheOneThatWasWrittenOverEnds(t *testing.T) {
	w := newWorld(t)
	first := w.beside("a:8093")
	older, failed := w.alike(first, "a:8093", time.Now().Add(time.Second))
	w.stop(first)
	older.Start()
	older.Up(w.node.ID, w.node)
	w.heldAt(older, "the older one holds the node")
	newer, _ := w.alike(first, "a:8093", time.Now().Add(2*time.Second))
	newer.Start()
	newer.Up(w.node.ID, w.node)
	select {
	case err := <-failed:
		if !strings.Contains(err.Error(), "a:8093") {
			t.Errorf("the older one ends with %v, want the other's address", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the one whose row was written over goes on")
	}
	w.heldAt(newer, "the newer one holds the node")
}
