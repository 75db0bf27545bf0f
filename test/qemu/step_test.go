package qemu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// A short run takes stepSamples out of the first sampledActs of the table, the same each time, so that its outcome depends on the code alone; a
// long one takes every step of every act. The seed is of a sample that kills the guest while a disk is added.
const (
	stepSamples = 10
	sampledActs = 11
	stepSeed    = 10443826448260885406
)

// An operation is cut short at one of its steps, by a kill -9 of the platform, which takes it up again, or of the guest, where it says why it
// cannot succeed. Afterwards the machine is what the API says.
func TestKill_atAStepOfAnOperationIsTakenUpOrTakenBack(t *testing.T) {
	needRoot(t)
	t.Parallel()
	if longRun {
		for _, a := range acts() {
			t.Run(a.name, func(t *testing.T) {
				t.Parallel()
				up(t).cutAtEveryStep(a)
			})
		}
		return
	}
	w := up(t)
	table := acts()[:sampledActs]
	dice := rand.New(rand.NewPCG(stepSeed, 0))
	order := dice.Perm(len(table))
	for n := range stepSamples {
		// Of ten kills seven are of the platform.
		w.cutShort(table[order[n]], dice.IntN, n%3 != 2)
	}
}

// cutAtEveryStep kills the platform once at each step, and the guest once.
func (w *world) cutAtEveryStep(a act) {
	w.t.Helper()
	victims := []bool{true, false}
	if a.guestless {
		victims = victims[:1]
	}
	for step, steps := 0, 1; step < steps; step++ {
		for _, platform := range victims {
			steps = w.cutShort(a, func(int) int { return step }, platform)
		}
	}
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
	if platform && !ended.Succeeded() {
		t.Errorf("%s, %s killed at step %d: it is %s, and nothing but the platform died", a.name, what, step, ended.Status)
	}
	w.equalsAPI()
	g.deleteAll()
	return steps
}

// deleteAll deletes what an act left, and looks that nothing of it stays on the disk.
func (g guest) deleteAll() {
	w := g.w
	w.t.Helper()
	for _, name := range []string{g.second(), g.name} {
		del, err := w.DeleteVM(w.ctx(), name, wait)
		if !fault.Is(err, fault.NotFound) {
			w.must(del.Operation, err)
		}
	}
	del, err := w.DeleteImage(w.ctx(), g.second(), wait)
	if !fault.Is(err, fault.NotFound) {
		w.must(del.Operation, err)
	}
	w.equalsAPI()
	if images, bases := names(filepath.Join(w.data, "images")), names(filepath.Join(w.data, "bases")); len(images) > 1 || len(bases) > 0 {
		w.t.Errorf("left on the disk: images %v beside the tiny one, bases %v", images, bases)
	}
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
