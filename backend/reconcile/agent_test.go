package reconcile

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/app"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/op/optest"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// platform is the whole of one machine but its API: store, verbs, runner, loops, and the agent that runs in production on a
// simulated hypervisor.
func platform(t *testing.T) (*world, *agenttest.World, *agent.Agent) {
	t.Helper()
	return platformOn(t, storetest.SQLite(t))
}

func platformOn(t *testing.T, db *store.DB) (*world, *agenttest.World, *agent.Agent) {
	t.Helper()
	w := newWorldOn(t, db)
	machine := agenttest.NewWorld(t)
	machine.Node = w.node.ID
	a := machine.Start(nil)
	w.must(w.db.Tx(w.ctx, func(tx *store.Tx) error {
		return tx.InsertImage(w.ctx, &store.Image{ID: id.NewImage(), Name: "tiny", Digest: agenttest.Tiny, Arch: vm.X86_64, Format: "raw", Firmware: vm.BIOS,
			VirtualBytes: 1 << 30, State: store.ImageReady})
	}))
	w.loops.o.Instant = agent.BootTime
	w.loops.Start()
	w.nodes.Connect(machine.Node, a)
	w.loops.Up(machine.Node, a)
	w.eventually("the node is ready", func() bool { n := w.nodeRow(); return n.State.Answers() && len(n.Facts) > 10 })
	w.runner()
	return w, machine, a
}

func (w *world) runner() {
	r := op.New(w.app.OperationStore(), op.Options{Poll: 20 * time.Millisecond}, w.app.Definitions()...)
	r.Start()
	w.t.Cleanup(func() { w.must(r.Stop(w.ctx)) })
}

// ok waits for the operation of a verb and wants it to succeed.
func (w *world) ok(r app.VMResult, err error) wire.VM {
	w.t.Helper()
	w.must(err)
	o, err := w.app.WaitOperation(w.ctx, w.admin, r.Operation.ID, time.Minute)
	w.must(err)
	if !o.Succeeded() {
		w.t.Fatalf("%s of %s ended %s: %+v", o.Kind, r.VM.Name, o.Status, o.Error)
	}
	if o.Kind == "vm.delete" {
		return r.VM
	}
	return w.vm(string(r.VM.ID))
}

func (w *world) done(o *wire.Operation) {
	w.t.Helper()
	end, err := w.app.WaitOperation(w.ctx, w.admin, o.ID, time.Minute)
	w.must(err)
	if !end.Succeeded() {
		w.t.Fatalf("%s ended %s: %+v", end.Kind, end.Status, end.Error)
	}
}

func TestAgent_goesThroughTheLifeOfAVM(t *testing.T) {
	w, machine, _ := platform(t)
	is := func(what string, v wire.VM, want vm.State) {
		t.Helper()
		if v.Status != want {
			t.Fatalf("after %s it is %s (%s), want %s", what, v.Status, v.StatusReason, want)
		}
	}
	req := wire.CreateVM{Name: "web-1", Image: "tiny", CPUs: 1, MemoryMiB: 64}
	is("create", w.ok(w.app.CreateVM(w.ctx, w.admin, req)), vm.StateRunning)
	is("pause", w.ok(w.app.PauseVM(w.ctx, w.admin, "web-1")), vm.StatePaused)
	is("resume", w.ok(w.app.ResumeVM(w.ctx, w.admin, "web-1")), vm.StateRunning)
	is("suspend", w.ok(w.app.SuspendVM(w.ctx, w.admin, "web-1")), vm.StateSuspended)
	is("resume", w.ok(w.app.ResumeVM(w.ctx, w.admin, "web-1")), vm.StateRunning)
	is("restart", w.ok(w.app.RestartVM(w.ctx, w.admin, "web-1", wire.StopVM{})), vm.StateRunning)
	two := 2
	is("update", w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{CPUs: &two, AddDisks: []wire.NewDisk{{SizeGiB: 1}}, AddNICs: []string{"default"}}, 0)), vm.StateRunning)
	// The simulated machine keeps snapshots of running guests and of volumes at rest apart, so each is taken and reverted in one
	// state; that they are the same in a qcow2 file is for the tests with QEMU.
	snapshot := func(memory bool) {
		t.Helper()
		name := fmt.Sprint("memory-", memory)
		s, err := w.app.CreateSnapshot(w.ctx, w.admin, "web-1", wire.CreateSnapshot{Name: name, Memory: memory})
		w.must(err)
		w.done(s.Operation)
		s, err = w.app.RevertSnapshot(w.ctx, w.admin, "web-1", name)
		w.must(err)
		w.done(s.Operation)
	}
	snapshot(true)
	is("a revert with memory", w.vm("web-1"), vm.StateRunning)
	is("stop", w.ok(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{})), vm.StateStopped)
	snapshot(false)
	is("a revert without memory", w.vm("web-1"), vm.StateStopped)
	is("start", w.ok(w.app.StartVM(w.ctx, w.admin, "web-1")), vm.StateRunning)
	is("forced stop", w.ok(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{Force: true})), vm.StateStopped)
	is("clone", w.ok(w.app.CloneVM(w.ctx, w.admin, "web-1", wire.CloneVM{Name: "twin", Start: true})), vm.StateRunning)
	w.ok(w.app.DeleteVM(w.ctx, w.admin, "twin", 0))
	w.ok(w.app.DeleteVM(w.ctx, w.admin, "web-1", 0))
	left, err := machine.Pool.List(w.ctx)
	if err != nil || len(left) != 0 {
		t.Errorf("%d volumes are left (%v)", len(left), err)
	}
}

func TestAgent_thatLostItsDataMakesNothingAnew(t *testing.T) {
	w, machine, a := platform(t)
	req := wire.CreateVM{Name: "web-1", Image: "tiny", CPUs: 1, MemoryMiB: 64}
	w.ok(w.app.CreateVM(w.ctx, w.admin, req))
	w.loops.Down(machine.Node)
	w.nodes.Connect(machine.Node, nil)
	w.must(a.Close())
	// The machine comes back with a new disk and the identity that it had.
	fresh := agenttest.NewWorld(t)
	fresh.Node = machine.Node
	b := fresh.Start(nil)
	w.nodes.Connect(machine.Node, b)
	w.loops.Up(machine.Node, b)
	w.eventually("the VM is in error with the reason", func() bool {
		v := w.vm("web-1")
		return v.Status == vm.StateError && strings.Contains(v.StatusReason, "came back without it")
	})
	r, err := w.app.StartVM(w.ctx, w.admin, "web-1")
	w.must(err)
	end, err := w.app.WaitOperation(w.ctx, w.admin, r.Operation.ID, time.Minute)
	w.must(err)
	if end.Succeeded() || !strings.Contains(end.Error.Message, "no longer on its node") {
		t.Errorf("a start ended %s: %+v", end.Status, end.Error)
	}
	if made, err := fresh.Pool.List(w.ctx); err != nil || len(made) != 0 {
		t.Errorf("%d volumes were made anew (%v)", len(made), err)
	}
	w.ok(w.app.DeleteVM(w.ctx, w.admin, "web-1", 0))
	w.ok(w.app.CreateVM(w.ctx, w.admin, req))
}

func TestAgent_thatComesBackKeepsItsVMs(t *testing.T) {
	w, machine, a := platform(t)
	w.ok(w.app.CreateVM(w.ctx, w.admin, wire.CreateVM{Name: "web-1", Image: "tiny", CPUs: 1, MemoryMiB: 64}))
	w.loops.Down(machine.Node)
	w.must(a.Close())
	b := machine.Start(nil)
	w.nodes.Connect(machine.Node, b)
	w.loops.Up(machine.Node, b)
	w.ok(w.app.PauseVM(w.ctx, w.admin, "web-1"))
	if v := w.vm("web-1"); v.Status != vm.StatePaused {
		t.Errorf("it is %s (%s)", v.Status, v.StatusReason)
	}
}

func TestAgent_50CreatesAtOnce(t *testing.T) {
	if optest.Slow() {
		t.Skip("with the race detector the database of this burst is so slow that leases end; it runs without")
	}
	w, _, _ := platform(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			r, err := w.app.CreateVM(w.ctx, w.admin, wire.CreateVM{Name: fmt.Sprintf("v-%d", i), Image: "tiny", CPUs: 1, MemoryMiB: 64})
			if err != nil {
				t.Error(err)
				return
			}
			if o, err := w.app.WaitOperation(w.ctx, w.admin, r.Operation.ID, time.Minute); err != nil || !o.Succeeded() {
				t.Errorf("%+v, %+v, %v", o, o.Error, err)
			}
		})
	}
	wg.Wait()
	page, err := w.app.ListVMs(w.ctx, w.admin, app.ListVMs{Status: vm.StateRunning})
	if err != nil || page.Total != 50 {
		t.Errorf("%d run (%v)", page.Total, err)
	}
}
