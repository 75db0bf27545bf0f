package app_test

import (
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// lose cuts the node off, and its lease ends.
func (w *world) lose() {
	w.t.Helper()
	w.nodes.Connect(w.node.ID, nil)
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, ""))
}

// back connects the node again and brings it up to date, as the reconciler does.
func (w *world) back() {
	w.t.Helper()
	w.nodes.Connect(w.node.ID, w.node)
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Renewed, ""))
	behind, gone, err := w.app.Behind(w.ctx, w.node.ID)
	w.must(err)
	for _, v := range behind {
		w.must(w.app.Tell(w.ctx, v))
	}
	for _, v := range gone {
		w.must(w.app.FinishDelete(w.ctx, v))
	}
	w.settle()
}

// ended gives the operation, which must have ended.
func (w *world) ended(o id.Operation) wire.Operation {
	w.t.Helper()
	end, err := w.app.Operation(w.ctx, w.admin, o)
	w.must(err)
	if !end.Ended() {
		w.t.Fatalf("%s has not ended: %+v", end.Kind, end)
	}
	return end
}

// onANode is the operations that need the VM's node, with what becomes of the VM when the node is lost in their middle.
var onANode = map[string]string{
	"vm.start":        "web-1 is to be stopped, and the node is told so when it is back",
	"vm.stop":         "web-1 is to be running, and the node is told so when it is back",
	"vm.restart":      "web-1 is to be running, and the node is told so when it is back",
	"vm.pause":        "web-1 is to be running, and the node is told so when it is back",
	"vm.resume":       "web-1 is to be paused, and the node is told so when it is back",
	"vm.suspend":      "web-1 is to be running, and the node is told so when it is back",
	"vm.delete":       "what there is of web-1 on it is removed when it is back",
	"snapshot.create": "ask again when it is back",
	"snapshot.revert": "ask again when it is back",
	"snapshot.delete": "ask again when it is back",
}

func TestNodeExpired_leavesANodeThatHasRenewedSince(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		seen int64
		want node.State
	}{{0, node.Alive}, {2, node.Lost}} {
		w.must(w.db.Tx(w.ctx, func(x *store.Tx) error {
			_, err := x.RenewLeases(w.ctx, []id.Node{w.node.ID}, time.Now(), node.LeaseDuration)
			return err
		}))
		lost, err := w.app.NodeExpired(w.ctx, w.node.ID, c.seen, "")
		w.must(err)
		n, err := w.db.Node(w.ctx, w.node.ID)
		w.must(err)
		if n.State != c.want || lost != (c.want == node.Lost) {
			t.Errorf("%d renewals seen: it is %s (%v), want %s", c.seen, n.State, lost, c.want)
		}
	}
}

func TestVerbs_onALostNodeAreRefusedAtOnce(t *testing.T) {
	for _, o := range operations {
		if onANode[o.kind] == "" {
			continue
		}
		t.Run(o.kind, func(t *testing.T) {
			w := newWorld(t, nil)
			o.arrange(w)
			w.lose()
			before := w.look()
			_, err := o.begin(w)
			kind(t, err, fault.Conflict)
			if want := "its node is not connected; wait until it is back, or confirm the node dead"; !strings.Contains(fault.Sentence(err), want) {
				t.Errorf("got %q, want %q", fault.Sentence(err), want)
			}
			if after := w.look(); after != before {
				t.Errorf("the refusal changed the world:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func TestVerbs_whoseNodeIsLostInTheMiddleSayWhatBecomesOfTheVM(t *testing.T) {
	for _, o := range operations {
		want := onANode[o.kind]
		if want == "" {
			continue
		}
		t.Run(o.kind, func(t *testing.T) {
			w := newWorld(t, nil)
			o.arrange(w)
			begun, err := o.begin(w)
			w.must(err)
			w.lose()
			w.settle()
			end := w.ended(begun)
			if end.Succeeded() || end.Error == nil || end.Error.Message != "node thor cannot be reached; "+want {
				t.Errorf("it ended %s: %+v", end.Status, end.Error)
			}
			if end.Status != "failed" {
				t.Errorf("it is %s, and nobody can do anything about it", end.Status)
			}
		})
	}
}

// createLost creates web-1 and loses the node at the first such effect.
func createLost(t *testing.T, moment string) (*world, wire.Operation, id.VM) {
	t.Helper()
	var w *world
	lost := false
	w = newWorld(t, func(where string) error {
		if where != moment || lost {
			return nil
		}
		lost = true
		w.lose()
		return fault.New(fault.Unavailable, "broken", "the connection broke")
	})
	r, err := w.app.CreateVM(w.ctx, w.admin, tiny("web-1"))
	w.must(err)
	w.settle()
	return w, w.ended(r.Operation.ID), r.VM.ID
}

func TestCreateVM_whoseNodeIsLostIsRemovedWhenItIsBack(t *testing.T) {
	w, end, v := createLost(t, "the node obeys")
	if want := "node thor cannot be reached; what there is of web-1 on it is removed when it is back"; end.Status != "failed" || end.Error.Message != want {
		t.Fatalf("it ended %s: %+v", end.Status, end.Error)
	}
	if n := w.addresses(v); n != 1 {
		t.Errorf("%d addresses are held for a guest that may run", n)
	}
	w.back()
	if _, err := w.app.VM(w.ctx, w.admin, "web-1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the VM is still there: %v", err)
	}
	if left := w.node.Look(); left != "" {
		t.Errorf("the node still has:\n%s", left)
	}
}

func TestCreateVM_whoseNodeIsLostBeforeItHeardOfItLeavesNothing(t *testing.T) {
	w, end, _ := createLost(t, "the node fetches the image")
	if want := "its node cannot be reached; nothing of the VM is left, create it again"; end.Status != "failed" || end.Error.Message != want {
		t.Fatalf("it ended %s: %+v", end.Status, end.Error)
	}
	if _, err := w.app.VM(w.ctx, w.admin, "web-1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the VM is still there: %v", err)
	}
}

func TestCreateSnapshot_whoseNodeIsLostIsListedUntilItIsDeleted(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	_, err := w.app.CreateSnapshot(w.ctx, w.admin, "web-1", wire.CreateSnapshot{Name: "before"})
	w.must(err)
	w.lose()
	w.settle()
	s, err := w.app.Snapshot(w.ctx, w.admin, "web-1", "before")
	w.must(err)
	if s.State != "error" || s.StateReason == "" {
		t.Errorf("it is %s (%s)", s.State, s.StateReason)
	}
	w.back()
	_, err = w.app.DeleteSnapshot(w.ctx, w.admin, "web-1", "before")
	w.must(err)
	w.settle()
	_, err = w.app.Snapshot(w.ctx, w.admin, "web-1", "before")
	kind(t, err, fault.NotFound)
}

func TestRestartVM_thatItsNodeNeverHeardOfIsTakenBack(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	r, err := w.app.RestartVM(w.ctx, w.admin, "web-1", wire.StopVM{})
	w.must(err)
	_, err = w.app.CancelOperation(w.ctx, w.admin, r.Operation.ID)
	w.must(err)
	w.settle()
	if end := w.ended(r.Operation.ID); end.Status != "canceled" {
		t.Fatalf("it ended %s", end.Status)
	}
	w.must(w.app.Tell(w.ctx, r.VM.ID))
	if seen := w.node.Has(r.VM.ID); seen.Boot != 1 || seen.State != vm.SeenRunning {
		t.Errorf("the node has it %s at boot %d", seen.State, seen.Boot)
	}
	again := w.begunVM(w.app.RestartVM(w.ctx, w.admin, "web-1", wire.StopVM{}))
	w.settle()
	if end := w.ended(again); !end.Succeeded() || w.node.Has(r.VM.ID).Boot < 2 {
		t.Errorf("a later restart ended %s at boot %d", end.Status, w.node.Has(r.VM.ID).Boot)
	}
}

func (w *world) begunVM(r app.VMResult, err error) id.Operation {
	w.t.Helper()
	o, err := begun(r, err)
	w.must(err)
	return o
}

func (w *world) addresses(v id.VM) int {
	w.t.Helper()
	given, err := w.db.Addresses(w.ctx, v)
	w.must(err)
	return len(given)
}

func twoNICs(w *world) wire.VM {
	running(w)
	w.begunVM(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{AddNICs: []string{"default"}}, 0))
	w.settle()
	return w.vm("web-1")
}

func TestUpdateVM_keepsTheAddressOfARemovedInterfaceWhileItsNodeIsAway(t *testing.T) {
	w := newWorld(t, nil)
	v := twoNICs(w)
	w.lose()
	o := w.begunVM(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{RemoveNICs: []id.NIC{v.NICs[1].ID}}, 0))
	w.settle()
	if end := w.ended(o); !end.Succeeded() {
		t.Fatalf("it ended %s: %+v", end.Status, end.Error)
	}
	if n := w.addresses(v.ID); n != 2 {
		t.Errorf("%d addresses are held while the guest may use two", n)
	}
	w.back()
	if n := w.addresses(v.ID); n != 1 {
		t.Errorf("%d addresses are held once the node has removed the interface", n)
	}
}

func TestUpdateVM_keepsTheAddressOfARemovedInterfaceUntilTheGuestHasLetGo(t *testing.T) {
	for what, hold := range map[string]func(*vm.Seen){
		"the process does not follow":    func(s *vm.Seen) { s.Stale = true },
		"the change waits for a restart": func(s *vm.Seen) { s.Restart = []string{"the interface goes with the next start"} },
		"the memory on the disk has it":  func(s *vm.Seen) { s.State = vm.SeenSuspended },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, nil)
			v := twoNICs(w)
			w.nodes.Connect(w.node.ID, nil)
			w.begunVM(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{RemoveNICs: []id.NIC{v.NICs[1].ID}}, 0))
			row, err := w.db.VM(w.ctx, v.ID)
			w.must(err)
			report := func(change func(*vm.Seen)) {
				s := w.node.Happen(v.ID, func(s *vm.Seen) {
					s.State, s.Stale, s.Restart, s.Generation = vm.SeenRunning, false, nil, row.Generation
					change(s)
				})
				_, err := w.app.Observe(w.ctx, w.node.ID, []vm.Seen{s})
				w.must(err)
			}
			report(hold)
			if n := w.addresses(v.ID); n != 2 {
				t.Errorf("%d addresses are held", n)
			}
			report(func(*vm.Seen) {})
			if n := w.addresses(v.ID); n != 1 {
				t.Errorf("%d addresses are held afterwards", n)
			}
		})
	}
}
