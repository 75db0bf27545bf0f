package app_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/op/optest"
)

// operation is how one kind is brought to its beginning.
type operation struct {
	kind    string
	arrange func(w *world) // the world before the verb
	begin   func(w *world) (id.Operation, error)
	oneWay  bool // nothing is taken back: a failure leaves a half that asking again finishes
}

func (w *world) definition(kind string) *op.Definition {
	for _, d := range w.app.Definitions() {
		if d.Kind() == kind {
			return d
		}
	}
	w.t.Fatalf("no operation %s", kind)
	return nil
}

// settle runs what was begun, in this goroutine.
func (w *world) settle() {
	r := op.New(w.app.OperationStore(), op.Options{Backoff: func(int) time.Duration { return 0 }}, w.app.Definitions()...)
	for r.RunOne() {
	}
	w.must(r.Stop(w.ctx))
}

func (w *world) made(name string, start bool) {
	r := tiny(name)
	r.Start = &start
	_, err := w.app.CreateVM(w.ctx, w.admin, r)
	w.must(err)
	w.settle()
}

func running(w *world) { w.made("web-1", true) }
func stopped(w *world) { w.made("web-1", false) }

func begun(r app.VMResult, err error) (id.Operation, error) {
	if err != nil {
		return "", err
	}
	return r.Operation.ID, nil
}

func begunShot(r app.SnapshotResult, err error) (id.Operation, error) {
	if err != nil {
		return "", err
	}
	return r.Operation.ID, nil
}

func begunImage(r app.ImageResult, err error) (id.Operation, error) {
	if err != nil {
		return "", err
	}
	return r.Operation.ID, nil
}

func shot(memory bool, start bool) func(*world) {
	return func(w *world) {
		w.made("web-1", start)
		_, err := w.app.CreateSnapshot(w.ctx, w.admin, "web-1", wire.CreateSnapshot{Name: "before", Memory: memory})
		w.must(err)
		w.settle()
	}
}

var operations = []operation{
	{kind: "vm.create", arrange: func(*world) {}, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	}},
	{kind: "vm.clone", arrange: stopped, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.CloneVM(w.ctx, w.admin, "web-1", wire.CloneVM{Name: "twin", Linked: true}))
	}},
	{kind: "vm.delete", arrange: running, oneWay: true, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.DeleteVM(w.ctx, w.admin, "web-1", 0))
	}},
	{kind: "vm.update", arrange: running, begin: func(w *world) (id.Operation, error) {
		two := 2
		return begun(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{CPUs: &two, AddNICs: []string{"default"}, AddDisks: []wire.NewDisk{{SizeGiB: 1, Image: "tiny"}}}, 0))
	}},
	{kind: "vm.start", arrange: stopped, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.StartVM(w.ctx, w.admin, "web-1"))
	}},
	{kind: "vm.pause", arrange: running, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.PauseVM(w.ctx, w.admin, "web-1"))
	}},
	{kind: "snapshot.create", arrange: running, begin: func(w *world) (id.Operation, error) {
		return begunShot(w.app.CreateSnapshot(w.ctx, w.admin, "web-1", wire.CreateSnapshot{Name: "before"}))
	}},
	{kind: "snapshot.delete", arrange: shot(false, true), oneWay: true, begin: func(w *world) (id.Operation, error) {
		return begunShot(w.app.DeleteSnapshot(w.ctx, w.admin, "web-1", "before"))
	}},
	{kind: "snapshot.revert", arrange: func(w *world) {
		shot(true, true)(w)
		_, err := w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{Force: true})
		w.must(err)
		w.settle()
	}, oneWay: true, begin: func(w *world) (id.Operation, error) {
		return begunShot(w.app.RevertSnapshot(w.ctx, w.admin, "web-1", "before"))
	}},
	{kind: "image.import", arrange: func(*world) {}, begin: func(w *world) (id.Operation, error) {
		return begunImage(w.app.ImportImage(w.ctx, w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "alpine", URL: "https://example.org/a.img"}}))
	}},
	{kind: "image.delete", arrange: func(*world) {}, oneWay: true, begin: func(w *world) (id.Operation, error) {
		return begunImage(w.app.DeleteImage(w.ctx, w.admin, "tiny"))
	}},
	{kind: "vm.stop", arrange: running, oneWay: true, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{}))
	}},
	{kind: "vm.resume", arrange: func(w *world) {
		running(w)
		_, err := w.app.PauseVM(w.ctx, w.admin, "web-1")
		w.must(err)
		w.settle()
	}, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.ResumeVM(w.ctx, w.admin, "web-1"))
	}},
	{kind: "vm.suspend", arrange: running, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.SuspendVM(w.ctx, w.admin, "web-1"))
	}},
}

// new makes the operation's world. The disturbances begin with the verb.
func (o operation) new(t *testing.T, point func(string) error) optest.World {
	world, _ := o.newAgain(t, point)
	return world
}

// newAgain also gives a function that asks for the operation once more.
func (o operation) newAgain(t *testing.T, point func(string) error) (optest.World, func() error) {
	armed := false
	w := newWorld(t, func(where string) error {
		if !armed {
			return nil
		}
		return point(where)
	})
	o.arrange(w)
	world := optest.World{
		Store:      w.app.OperationStore().(optest.Store),
		Definition: w.definition(o.kind),
		Look:       func() string { return w.look() + "\n" + w.staging() },
		Begin: func() id.Operation {
			armed = true
			i, err := o.begin(w)
			w.must(err)
			return i
		},
	}
	return world, func() error { _, err := o.begin(w); return err }
}

// staging lists what lies in the staging folder.
func (w *world) staging() string {
	names, err := os.ReadDir(w.stagingDir)
	w.must(err)
	all := []string{"staged:"}
	for range names {
		all = append(all, "one file")
	}
	return strings.Join(all, " ")
}

func TestOperations_surviveFailuresAndCrashesAnywhere(t *testing.T) {
	for _, o := range operations {
		t.Run(o.kind, func(t *testing.T) {
			if !o.oneWay {
				optest.All(t, o.new)
				return
			}
			t.Run("succeeds", func(t *testing.T) { optest.Succeeds(t, o.new) })
			t.Run("can be asked again after a failure anywhere", o.againAfterFailures)
		})
	}
}

// againAfterFailures fails the operation at each of its points and asks for it again: the end is that of an undisturbed run.
func (o operation) againAfterFailures(t *testing.T) {
	success := optest.Succeeds(t, o.new)
	for n := 1; ; n++ {
		met := 0
		failed := ""
		w, again := o.newAgain(t, func(where string) error {
			met++
			if met == n {
				failed = where
				return errInjected
			}
			return nil
		})
		r := op.New(w.Store, op.Options{Backoff: func(int) time.Duration { return 0 }}, w.Definition)
		first := w.Begin()
		for r.RunOne() {
		}
		rec, err := w.Store.Operation(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if failed == "" {
			if met == 0 {
				t.Skip("no effect of it can fail but those of the store, which optest crashes")
			}
			return
		}
		if rec.Status != op.Succeeded && rec.Status != op.Failed {
			t.Fatalf("failed at %q it ended %s: %+v", failed, rec.Status, rec.Error)
		}
		// Where the failure came behind the last effect, asking again is refused, because there is nothing left to do.
		if rec.Status == op.Failed && again() == nil {
			for r.RunOne() {
			}
		}
		if got := w.Look(); got != success {
			t.Fatalf("failed at %q and asked again:\n%s\nwant\n%s", failed, got, success)
		}
	}
}
