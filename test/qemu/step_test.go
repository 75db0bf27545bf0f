package qemu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// act is an operation that is cut short: what comes before it, and how it is asked for.
type act struct {
	name   string
	before func(g guest)
	ask    func(ctx context.Context, g guest) (*wire.Operation, error)
}

// power gives the act of a verb that takes nothing but the VM.
func (w *world) power(name string, before func(guest), v verb) act {
	return act{name, before, func(ctx context.Context, g guest) (*wire.Operation, error) {
		a, err := v(ctx, g.name, 0)
		return a.Operation, err
	}}
}

func (w *world) acts() []act {
	none := func(guest) {}
	born := func(g guest) { w.create(g.name) }
	still := func(g guest) { born(g); g.stop(wire.StopVM{Force: true}) }
	asleep := func(g guest) { born(g); g.do(w.SuspendVM) }
	force := wire.StopVM{Force: true}
	return []act{
		{"create", none, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.CreateVM(ctx, w.small(g.name), 0)
			return a.Operation, err
		}},
		w.power("start", still, w.StartVM),
		w.power("suspend", born, w.SuspendVM),
		w.power("resume", asleep, w.ResumeVM),
		{"stop", born, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.StopVM(ctx, g.name, force, 0)
			return a.Operation, err
		}},
		{"restart", born, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.RestartVM(ctx, g.name, force, 0)
			return a.Operation, err
		}},
		{"snapshot with memory", born, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.CreateSnapshot(ctx, g.name, wire.CreateSnapshot{Name: "s", Memory: true}, 0)
			return a.Operation, err
		}},
		{"revert", func(g guest) { still(g); g.snapshot(wire.CreateSnapshot{Name: "s"}) }, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.RevertSnapshot(ctx, g.name, "s", 0)
			return a.Operation, err
		}},
		{"linked clone", still, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.CloneVM(ctx, g.name, wire.CloneVM{Name: g.name + "-2", Linked: true}, 0)
			return a.Operation, err
		}},
		{"a disk more", born, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.UpdateVM(ctx, g.name, wire.UpdateVM{AddDisks: []wire.NewDisk{{SizeGiB: 1}}}, 0, 0)
			return a.Operation, err
		}},
		{"delete", born, func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := w.DeleteVM(ctx, g.name, 0)
			return a.Operation, err
		}},
	}
}

// A short run takes stepSamples out of the table, the same each time, so that its outcome depends on the code alone; a long one takes all. The
// seed is of a sample that kills the guest while a disk is added.
const (
	stepSamples = 10
	stepSeed    = 10443826448260885406
)

// An operation is cut short at one of its steps, by a kill -9 of the platform or of the guest. Afterwards it has succeeded, or says why not, and
// the machine is what the API says.
func TestKill_atAStepOfAnOperationIsTakenUpOrTakenBack(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	acts := w.acts()
	if longRun {
		for _, a := range acts {
			for step, steps := 0, 1; step < steps; step++ {
				for _, platform := range []bool{true, false} {
					steps = w.cutShort(a, func(int) int { return step }, platform)
				}
			}
		}
	} else {
		dice := rand.New(rand.NewPCG(stepSeed, 0))
		order := dice.Perm(len(acts))
		for n := range stepSamples {
			// Each act before any comes twice; of ten kills seven are of the platform.
			w.cutShort(acts[order[n%len(order)]], dice.IntN, n%3 != 2)
		}
	}
	w.equalsAPI()
}

// cutShort asks for the act on a fresh VM, kills when the chosen step is reached, and gives the number of steps.
func (w *world) cutShort(a act, choose func(steps int) int, platform bool) int {
	t := w.t
	t.Helper()
	g := guest{w, fmt.Sprintf("vm-of-%d", time.Now().UnixNano()%1e9), "root"}
	a.before(g)
	o, err := a.ask(w.ctx(), g)
	if err != nil {
		t.Fatalf("%s: %v", a.name, err)
	}
	if o == nil {
		t.Fatalf("%s: it is no operation", a.name)
	}
	steps := max(len(o.Steps), 1)
	step := choose(steps)
	w.reached(o.ID, step)
	what := "the platform"
	if platform {
		w.restart(syscall.SIGKILL)
	} else {
		what = "the guest"
		for _, p := range w.guests() {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	ended, err := w.WaitOperation(w.ctx(), o.ID, func(wire.Operation) {})
	if err != nil {
		t.Fatalf("%s, %s killed at step %d: the operation is lost: %v", a.name, what, step, err)
	}
	t.Logf("%s, %s killed at step %d of %d: %s %+v", a.name, what, step, steps, ended.Status, ended.Error)
	if !ended.Succeeded() && (ended.Error == nil || ended.Error.Message == "") {
		t.Errorf("%s, %s killed at step %d: it is %s and does not say why", a.name, what, step, ended.Status)
	}
	w.equalsAPI()
	for _, name := range []string{g.name + "-2", g.name} {
		del, err := w.DeleteVM(w.ctx(), name, wait)
		if !fault.Is(err, fault.NotFound) {
			w.must(del.Operation, err)
		}
	}
	return steps
}

// reached waits until the operation is at the step, or behind it. It looks without a pause, since steps are short.
func (w *world) reached(which id.Operation, step int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), late)
	defer cancel()
	for {
		o, err := w.Operation(ctx, which)
		if err != nil {
			w.t.Fatal(err)
		}
		if o.Ended() || o.Step >= step && o.Status != "queued" {
			return
		}
	}
}
