package reconcile

import (
	"context"
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
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
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
