package reconcile

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/app"
	"novacron/backend/app/apptest"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// world is a platform with one node that obeys in memory, runners, and the loops with a clock of the test's own.
type world struct {
	t     *testing.T
	ctx   context.Context
	db    *store.DB
	app   *app.App
	nodes *apptest.Nodes
	node  *apptest.Node
	admin auth.Caller
	loops *Loops
	clock atomic.Int64 // the instant, in nanoseconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, storetest.SQLite(t))
}

func newWorldOn(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), db: db, nodes: &apptest.Nodes{}}
	var err error
	w.app, err = app.New(app.Deps{Store: w.db, Nodes: w.nodes})
	w.must(err)
	w.must(w.app.Prepare(w.ctx, ""))
	w.admin, err = w.app.Local(w.ctx, "tester")
	w.must(err)
	w.loops, err = New(Options{App: w.app, Store: w.db, Instant: func() node.Instant { return node.Instant(w.clock.Load()) },
		Times: Times{Batch: time.Millisecond, Watch: 5 * time.Millisecond, Facts: 5 * time.Millisecond, Sweep: 20 * time.Millisecond, Retry: 5 * time.Millisecond}})
	w.must(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		w.must(w.loops.Stop(ctx))
	})
	w.node = apptest.NewNode(id.NewNode())
	w.must(w.app.RegisterNode(w.ctx, w.node.ID, "thor"))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// up starts the loops and connects the node, alive and with its facts known.
func (w *world) up() {
	w.t.Helper()
	w.loops.Start()
	w.connect()
	_, err := w.loops.Renew(w.ctx, w.node.ID)
	w.must(err)
	w.eventually("the node's facts are known", func() bool { n := w.nodeRow(); return len(n.Facts) > 10 && n.State == node.Alive })
}

func (w *world) connect() {
	w.nodes.Connect(w.node.ID, w.node)
	w.loops.Up(w.node.ID, w.node)
}

func (w *world) disconnect() {
	w.nodes.Connect(w.node.ID, nil)
	w.loops.Down(w.node.ID)
}

func (w *world) nodeRow() store.Node {
	w.t.Helper()
	n, err := w.db.Node(w.ctx, w.node.ID)
	w.must(err)
	return n
}

func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	w.eventuallyWithin(time.Minute, what, f)
}

func (w *world) eventuallyWithin(limit time.Duration, what string, f func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); !f(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("in vain: %s", what)
		}
		select {
		case <-w.db.Watch():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// settle runs what was begun, in this goroutine.
func (w *world) settle() {
	r := op.New(w.app.OperationStore(), op.Options{Backoff: func(int) time.Duration { return 0 }}, w.app.Definitions()...)
	for r.RunOne() {
	}
	w.must(r.Stop(w.ctx))
}

func (w *world) create(name string) wire.VM {
	w.t.Helper()
	r, err := w.app.CreateVM(w.ctx, w.admin, wire.CreateVM{Name: name, CPUs: 1, MemoryMiB: 64, DiskGiB: 1})
	w.must(err)
	w.settle()
	v := w.vm(name)
	if v.Status != vm.StateRunning {
		o, err := w.app.Operation(w.ctx, w.admin, r.Operation.ID)
		w.must(err)
		w.t.Fatalf("%s is %s: %+v", name, v.Status, o.Error)
	}
	return v
}

func (w *world) vm(ref string) wire.VM {
	w.t.Helper()
	v, err := w.app.VM(w.ctx, w.admin, ref)
	w.must(err)
	return v
}

func TestLease_makesANodeAliveAndItsEndMakesItLost(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.clock.Add(int64(node.LeaseDuration))
	// Still within the margin: the watch has looked when it looked at the next renewal.
	_, err := w.loops.Renew(w.ctx, w.node.ID)
	w.must(err)
	w.clock.Add(int64(node.LeaseDuration))
	if s := w.nodeRow().State; s != node.Alive {
		t.Fatalf("a node that renews is %s", s)
	}
	w.eventually("the node is lost", func() bool {
		w.clock.Add(int64(node.LeaseDuration + node.ServerMargin))
		return w.nodeRow().State == node.Lost
	})
	_, err = w.loops.Renew(w.ctx, w.node.ID)
	w.must(err)
	if s := w.nodeRow().State; s != node.Alive {
		t.Errorf("a node that is back is %s when it is told so", s)
	}
}

func TestRenew_refusesARemovedNode(t *testing.T) {
	w := newWorld(t)
	w.loops.Start()
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Remove, ""))
	if _, err := w.loops.Renew(w.ctx, w.node.ID); !fault.Is(err, fault.Forbidden) {
		t.Errorf("got %v", err)
	}
	if _, err := w.loops.Renew(w.ctx, id.NewNode()); !fault.Is(err, fault.Forbidden) {
		t.Errorf("an unknown node: got %v", err)
	}
}

func TestRenew_recordsManyTogether(t *testing.T) {
	w := newWorld(t)
	w.loops.Start()
	const many = 20
	done := make(chan error, many)
	nodes := make([]id.Node, many)
	for i := range nodes {
		nodes[i] = id.NewNode()
		w.must(w.app.RegisterNode(w.ctx, nodes[i], "edge"))
	}
	for _, n := range nodes {
		go func() {
			_, err := w.loops.Renew(w.ctx, n)
			for try := 0; try < 10 && errors.Is(err, context.DeadlineExceeded); try++ { // a busy machine: a node asks again
				_, err = w.loops.Renew(w.ctx, n)
			}
			done <- err
		}()
	}
	for range many {
		w.must(<-done)
	}
}

func TestFollow_storesWhatTheNodeSees(t *testing.T) {
	w := newWorld(t)
	w.up()
	v := w.create("web-1")
	w.node.Happen(v.ID, func(s *vm.Seen) { s.State, s.Reason = vm.SeenFailed, "QEMU was killed" })
	w.eventually("the crash is seen", func() bool { return w.vm("web-1").Status == vm.StateError })
}

func TestFollow_tellsANodeWhatItMissedWhileItWasAway(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.create("web-1")
	w.disconnect()
	two := 2
	r, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{CPUs: &two}, 0)
	w.must(err)
	w.settle()
	if o, err := w.app.Operation(w.ctx, w.admin, r.Operation.ID); err != nil || o.Status != "succeeded" {
		t.Fatalf("the update of a VM on a node that is away: %+v, %v", o, err)
	}
	w.connect()
	w.eventually("the node has the new machine", func() bool {
		row, err := w.db.VM(w.ctx, w.vm("web-1").ID)
		w.must(err)
		return w.node.Has(row.ID).Generation == row.Generation
	})
}

func TestSweep_goesOnWithADeleteThatWasLeftHalfway(t *testing.T) {
	w := newWorld(t)
	w.up()
	v := w.create("web-1")
	w.must(w.db.Tx(w.ctx, func(t *store.Tx) error {
		row, err := t.VM(w.ctx, v.ID)
		if err != nil {
			return err
		}
		row.Power = vm.Gone
		row.Generation++
		return t.SaveVM(w.ctx, &row)
	}))
	w.eventually("the VM is deleted", func() bool {
		w.settle()
		_, err := w.app.VM(w.ctx, w.admin, "web-1")
		return fault.Is(err, fault.NotFound) && w.node.Has(v.ID) == nil
	})
}

func TestStrays_areTakenOffANodeThatDoesNotOwnThem(t *testing.T) {
	w := newWorld(t)
	w.up()
	v := w.create("web-1")
	other := apptest.NewNode(id.NewNode())
	w.must(w.app.RegisterNode(w.ctx, other.ID, "other"))
	w.nodes.Connect(other.ID, other)
	if _, err := other.Ensure(w.ctx, vm.Machine{ID: v.ID, Name: "web-1", Role: vm.Run, Power: vm.On}); err != nil {
		t.Fatal(err)
	}
	w.loops.Up(other.ID, other)
	w.eventually("the other node lets go of it", func() bool { return other.Has(v.ID) == nil })
	if w.vm("web-1").Status != vm.StateRunning || w.node.Has(v.ID) == nil {
		t.Error("its owner lost it too")
	}
}

func TestStrays_thatNobodyKnowsAreLeftAloneAndToldOf(t *testing.T) {
	w := newWorld(t)
	w.up()
	unknown := id.NewVM()
	if _, err := w.node.Ensure(w.ctx, vm.Machine{ID: unknown, Name: "who", Role: vm.Run, Power: vm.On}); err != nil {
		t.Fatal(err)
	}
	w.eventually("operators are told", func() bool {
		all, _, err := w.db.EventsSince(w.ctx, store.Cursor{}, store.EventFilter{Topics: []string{"node.stray_vm"}}, 10)
		w.must(err)
		return len(all) == 1
	})
	if w.node.Has(unknown) == nil {
		t.Error("it was removed, though nobody knows whose it is")
	}
}

func TestStrays_thatWereDeletedAreRemoved(t *testing.T) {
	w := newWorld(t)
	w.up()
	v := w.create("web-1")
	// The node is confirmed dead, its VM deleted from the records, and then the node comes back.
	w.disconnect()
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, ""))
	_, err := w.app.ConfirmNodeDead(w.ctx, w.admin, "thor")
	w.must(err)
	_, err = w.app.DeleteVM(w.ctx, w.admin, "web-1", 0)
	w.must(err)
	w.settle()
	w.connect()
	w.eventually("the node lets go of it", func() bool { return w.node.Has(v.ID) == nil })
}

// local is an agent in this process.
type local struct {
	*apptest.Node
	asked  atomic.Int64
	leased atomic.Int64
}

func (a *local) AskLease() int64 { return a.asked.Add(1) }
func (a *local) Lease(_ context.Context, l agent.Lease) error {
	a.leased.Store(l.Seq)
	return nil
}

func TestLease_isGrantedOnlyOnceTheNodeIsAlive(t *testing.T) {
	w := newWorld(t)
	loops, err := New(Options{App: w.app, Store: w.db, Times: Times{Batch: time.Millisecond, Watch: time.Hour}})
	w.must(err)
	loops.Start()
	defer func() { w.must(loops.Stop(w.ctx)) }()
	for seq := range int64(3) {
		_, err := loops.Renew(w.ctx, w.node.ID)
		w.must(err)
		if s := w.nodeRow().State; s != node.Alive {
			t.Fatalf("renewal %d was granted to a node that is %s", seq+1, s)
		}
		w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, "another server says so"))
	}
}

func TestUp_renewsTheLeaseOfAnAgentInThisProcess(t *testing.T) {
	w := newWorld(t)
	w.loops.Start()
	a := &local{Node: w.node}
	w.nodes.Connect(w.node.ID, a)
	w.loops.Up(w.node.ID, a)
	w.eventually("the agent holds a lease", func() bool { return a.leased.Load() > 0 && w.nodeRow().State == node.Alive })
}

func TestRetain_keepsWhatIsYoung(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.create("web-1")
	before, _, err := w.db.EventsSince(w.ctx, store.Cursor{}, store.EventFilter{}, 1000)
	w.must(err)
	w.must(w.loops.retain(w.ctx))
	after, _, err := w.db.EventsSince(w.ctx, store.Cursor{}, store.EventFilter{}, 1000)
	w.must(err)
	if len(after) < len(before) {
		t.Errorf("%d events of %d are left", len(after), len(before))
	}
}
