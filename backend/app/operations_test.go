package app_test

import (
	"os"
	"slices"
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
	oneWay  bool // it has a point of no return: a failure behind it leaves a half that asking again finishes
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

// settle runs what was begun, in this goroutine: all of it, or what is of these kinds.
func (w *world) settle(kinds ...string) {
	defs := w.app.Definitions()
	if len(kinds) > 0 {
		defs = slices.DeleteFunc(defs, func(d *op.Definition) bool { return !slices.Contains(kinds, d.Kind()) })
	}
	r := op.New(w.app.OperationStore(), op.Options{Backoff: func(int) time.Duration { return 0 }}, defs...)
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

// ignoringStop is a VM that is being stopped and does not heed it.
func ignoringStop(w *world) {
	running(w)
	w.node.Stuck[w.vm("web-1").ID] = true
	_, err := w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{})
	w.must(err)
}

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
	{kind: "vm.restart", arrange: running, oneWay: true, begin: func(w *world) (id.Operation, error) {
		return begun(w.app.RestartVM(w.ctx, w.admin, "web-1", wire.StopVM{}))
	}},
	{kind: "vm.stop-force", arrange: ignoringStop, oneWay: true, begin: func(w *world) (id.Operation, error) {
		o, err := begun(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{Force: true}))
		w.settle("vm.stop") // the one that it ends
		return o, err
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

// new makes the operation's world on SQLite.
func (o operation) new(t *testing.T, point func(string) error) optest.World {
	return o.on(t, newWorld, point)
}

// on makes the operation's world. The disturbances begin behind the verb.
func (o operation) on(t *testing.T, newWorld worldMaker, point func(string) error) optest.World {
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
			i, err := o.begin(w)
			w.must(err)
			armed = true
			return i
		},
	}
	if o.oneWay {
		world.Again = func() (id.Operation, error) { return o.begin(w) }
	}
	return world
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
			t.Parallel()
			optest.All(t, o.new)
		})
	}
}

func TestOperations_areAllTested(t *testing.T) {
	tested := map[string]bool{}
	for _, o := range operations {
		tested[o.kind] = true
	}
	for _, d := range newWorld(t, nil).app.Definitions() {
		if !tested[d.Kind()] {
			t.Errorf("%s has no generated tests; add it to the list of operations", d.Kind())
		}
		delete(tested, d.Kind())
	}
	for kind := range tested {
		t.Errorf("%s is tested and not defined", kind)
	}
}

func TestOperations_surviveOnPostgreSQLToo(t *testing.T) {
	for _, o := range operations {
		if !slices.Contains([]string{"vm.create", "vm.delete", "snapshot.create"}, o.kind) {
			continue // what an operation does to the database differs between these three; SQLite has the rest
		}
		t.Run(o.kind, func(t *testing.T) {
			t.Parallel()
			maker := onPostgres(t)
			optest.Sample(t, func(t *testing.T, point func(string) error) optest.World { return o.on(t, maker, point) })
		})
	}
}
