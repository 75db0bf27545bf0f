package app_test

import (
	"fmt"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op/optest"
	"novacron/backend/store"
)

func (w *world) observe(n id.Node, s ...vm.Seen) app.Observed {
	w.t.Helper()
	o, err := w.app.Observe(w.ctx, n, s)
	w.must(err)
	return o
}

// events gives the data of the events of a kind.
func (w *world) events(kind string) []store.Event {
	w.t.Helper()
	all, _, err := w.db.EventsSince(w.ctx, store.Cursor{}, store.EventFilter{Topics: []string{kind}}, 1000)
	w.must(err)
	return all
}

func TestObserve_aGuestThatPowersOffIsWantedStopped(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	v := w.vm("web-1")
	w.observe(w.node.ID, w.node.Happen(v.ID, func(s *vm.Seen) { s.State, s.GuestOff, s.Reason = vm.SeenStopped, true, "the guest powered off" }))
	after := w.vm("web-1")
	if after.Status != vm.StateStopped || after.Wanted != vm.Off || len(w.events("vm.powered_off")) != 1 {
		t.Errorf("it is %s, wanted %s, with %d events", after.Status, after.Wanted, len(w.events("vm.powered_off")))
	}
	_, err := w.app.StartVM(w.ctx, w.admin, "web-1")
	w.must(err)
	w.settle()
	if again := w.vm("web-1"); again.Status != vm.StateRunning {
		t.Errorf("it cannot be started again: %s", again.Status)
	}
}

func TestObserve_aCrashIsAnErrorWithItsReason(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	w.observe(w.node.ID, w.node.Happen(w.vm("web-1").ID, func(s *vm.Seen) { s.State, s.Reason = vm.SeenFailed, "QEMU was killed" }))
	if v := w.vm("web-1"); v.Status != vm.StateError || v.StatusReason != "QEMU was killed" || v.Wanted != vm.On {
		t.Errorf("it is %s (%s), wanted %s", v.Status, v.StatusReason, v.Wanted)
	}
}

func TestObserve_aStopByThePlatformKeepsTheWishOfAVMThatStartsWithItsNode(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	_, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{Autostart: &wire.Autostart{Enabled: true}}, 0)
	w.must(err)
	w.settle()
	w.observe(w.node.ID, w.node.Happen(w.vm("web-1").ID, func(s *vm.Seen) { s.State, s.Reason = vm.SeenStopped, "it was stopped together with the platform" }))
	if v := w.vm("web-1"); v.Wanted != vm.On || v.Status != vm.StateStarting {
		t.Errorf("it is %s, wanted %s", v.Status, v.Wanted)
	}
}

func TestObserve_anOlderReportChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	v := w.vm("web-1")
	old := *w.node.Has(v.ID)
	w.observe(w.node.ID, w.node.Happen(v.ID, func(s *vm.Seen) { s.State = vm.SeenFailed }))
	w.observe(w.node.ID, old)
	if now := w.vm("web-1"); now.Status != vm.StateError {
		t.Errorf("an older report made it %s", now.Status)
	}
}

func TestObserve_tellsOfAChangeOnce(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	s := w.node.Happen(w.vm("web-1").ID, func(s *vm.Seen) { s.State = vm.SeenFailed })
	before := len(w.events("vm.state"))
	w.observe(w.node.ID, s)
	w.observe(w.node.ID, s)
	s.Seq++
	w.observe(w.node.ID, s) // newer, and nothing that users see is different
	if n := len(w.events("vm.state")) - before; n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestObserve_aNodeThatDoesNotOwnTheVMIsAStray(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	v := w.vm("web-1")
	other := w.addNode("other")
	s := *w.node.Has(v.ID)
	s.Seq, s.State = s.Seq+100, vm.SeenFailed
	if o := w.observe(other.ID, s); len(o.Stray) != 1 {
		t.Errorf("got %+v", o)
	}
	if now := w.vm("web-1"); now.Status != vm.StateRunning {
		t.Errorf("a node that does not own it made it %s", now.Status)
	}
	if o := w.observe(w.node.ID, vm.Seen{VM: id.NewVM(), State: vm.SeenRunning, Seq: 1}); len(o.Stray) != 1 {
		t.Errorf("an unknown VM: got %+v", o)
	}
}

func TestObserve_countsOnBehindANodeThatIsAheadOfTheDatabase(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	v := w.vm("web-1")
	s := *w.node.Has(v.ID)
	s.Generation, s.Seq = s.Generation+50, s.Seq+1
	w.observe(w.node.ID, s)
	row, err := w.db.VM(w.ctx, v.ID)
	w.must(err)
	if row.Generation != s.Generation+1 {
		t.Errorf("generation %d, want %d", row.Generation, s.Generation+1)
	}
}

func TestNodeEvent_makesTheVMsOfALostNodeUnknownAndKnownAgain(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, "it does not answer"))
	list := func(s vm.State) int {
		page, err := w.app.ListVMs(w.ctx, w.admin, app.ListVMs{Status: s})
		w.must(err)
		return page.Total
	}
	if v := w.vm("web-1"); v.Status != vm.StateUnknown || v.StatusReason == "" || list(vm.StateUnknown) != 1 {
		t.Errorf("it is %s (%s), %d are listed", v.Status, v.StatusReason, list(vm.StateUnknown))
	}
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Renewed, ""))
	if v := w.vm("web-1"); v.Status != vm.StateRunning || list(vm.StateRunning) != 1 {
		t.Errorf("it is %s", v.Status)
	}
}

func TestConfirmNodeDead_letsItsVMsBeDeletedAndNothingElse(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	w.nodes.Connect(w.node.ID, nil)
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, ""))
	if _, err := w.app.DeleteVM(w.ctx, w.admin, "web-1", 0); err == nil {
		t.Fatal("a VM on a lost node was deleted, though it may run there")
	}
	_, err := w.app.ConfirmNodeDead(w.ctx, w.admin, "thor")
	w.must(err)
	if _, err := w.app.StartVM(w.ctx, w.admin, "web-1"); err == nil {
		t.Error("it can be started without its disks")
	}
	_, err = w.app.DeleteVM(w.ctx, w.admin, "web-1", 0)
	w.must(err)
	w.settle()
	w.must(w.app.RemoveNode(w.ctx, w.admin, "thor"))
}

// The stored status is there for filters only: computed anew from everything else it must be the same, after a history of
// everything that changes it.
func TestStatus_isTheSameWhenItIsComputedAnew(t *testing.T) {
	w := newWorld(t, nil)
	for i, act := range []func(name string){
		func(string) {},
		func(n string) { _, err := w.app.PauseVM(w.ctx, w.admin, n); w.must(err); w.settle() },
		func(n string) { _, err := w.app.SuspendVM(w.ctx, w.admin, n); w.must(err); w.settle() },
		func(n string) { _, err := w.app.StopVM(w.ctx, w.admin, n, wire.StopVM{}); w.must(err); w.settle() },
		func(n string) { _, err := w.app.StopVM(w.ctx, w.admin, n, wire.StopVM{}); w.must(err) }, // under way
		func(n string) { _, err := w.app.DeleteVM(w.ctx, w.admin, n, 0); w.must(err) },
		func(n string) {
			w.observe(w.node.ID, w.node.Happen(w.vm(n).ID, func(s *vm.Seen) { s.State, s.Reason = vm.SeenFailed, "a crash" }))
		},
	} {
		name := fmt.Sprintf("web-%d", i)
		w.made(name, true)
		act(name)
	}
	check := func(when string) {
		t.Helper()
		page, err := w.db.ListVMs(w.ctx, store.VMFilter{}, store.Page{})
		w.must(err)
		views, err := w.app.ListVMs(w.ctx, w.admin, app.ListVMs{})
		w.must(err)
		for i, v := range page.Items {
			if computed := views.Items[i]; v.Status != computed.Status || v.StatusReason != computed.StatusReason {
				t.Errorf("%s: %s is stored as %s (%s), computed as %s (%s)", when, v.Name, v.Status, v.StatusReason, computed.Status, computed.StatusReason)
			}
		}
	}
	check("after the history")
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, ""))
	check("with the node lost")
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Renewed, ""))
	w.settle()
	check("with everything done")
	w.must(w.db.Tx(w.ctx, func(tx *store.Tx) error {
		_, err := tx.SetVMStatus(w.ctx, w.vm("web-0").ID, vm.StateMigrating, "left by a crash")
		return err
	}))
	w.must(w.app.Resettle(w.ctx))
	check("after a crash between two parts")
}

func TestObserve_ofThousandsThatChangeNothingIsQuick(t *testing.T) {
	if optest.Slow() {
		t.Skip("it measures the database, which the race detector makes ten times as slow; it runs without")
	}
	const many = 5000
	w := newWorld(t, nil)
	reports := make([]vm.Seen, many)
	for from := 0; from < many; from += 100 {
		w.must(w.db.Tx(w.ctx, func(tx *store.Tx) error {
			for i := from; i < from+100; i++ {
				v := store.VM{ID: id.NewVM(), Tenant: w.admin.Tenant, Name: fmt.Sprintf("v-%d", i), Power: vm.On, Generation: 1, Epoch: 1, Node: w.node.ID, Role: vm.Run,
					Spec: vm.Spec{CPUs: 1, MemoryMiB: 64}}
				if err := tx.InsertVM(w.ctx, &v); err != nil {
					return err
				}
				reports[i] = vm.Seen{VM: v.ID, Epoch: 1, Generation: 1, State: vm.SeenRunning, Seq: 1, MachineType: "m", CPUModel: "c"}
			}
			return nil
		}))
	}
	w.observe(w.node.ID, reports...)
	began := time.Now()
	w.observe(w.node.ID, reports...)
	repeated := time.Since(began)
	t.Logf("%d reports again: %s", many, repeated)
	const bound = 5 * time.Second // far above what a busy machine needs; a write per report would be beyond it
	if repeated > bound {
		t.Errorf("%d reports that change nothing took %s", many, repeated)
	}
}
