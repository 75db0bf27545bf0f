package optest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/op"
	"novacron/backend/op/optest"
)

// made is the state of the test's operation.
type made struct {
	VM   id.VM
	Disk id.Volume
}

// world is a node with disks and processes; the point function stands before and after each effect.
type world struct {
	point func(string) error
	disks map[id.Volume]bool
	runs  map[id.VM]bool
	names map[string]id.VM
	asked int
}

func (w *world) effect(where string, f func()) error {
	if err := w.point("before " + where); err != nil {
		return err
	}
	f()
	return w.point("after " + where)
}

// flaw is a mistake that the generated tests must find.
type flaw string

const (
	none         flaw = ""
	forgetsDisk  flaw = "forgets to remove the disk"
	lateID       flaw = "makes the id inside of the step"
	onceOnly     flaw = "makes the disk only where there is none"
	undoOnceOnly flaw = "removes the disk only where there is one"
	leavesName   flaw = "leaves the name"

	// Of the operation with a point of no return.
	refusesAgain flaw = "cannot be asked for again"
	turnsBack    flaw = "takes back what cannot be taken back"
	forgetsAgain flaw = "does nothing when it is asked for again"
)

func (w *world) definition(f flaw) *op.Definition {
	return op.Define("vm.create",
		op.Do("Make the disk", func(_ context.Context, _ op.Run, s *made) error {
			if f == lateID {
				s.Disk = id.NewVolume()
			}
			if f == onceOnly && w.disks[s.Disk] {
				return fault.New(fault.Conflict, "there", "the disk is there")
			}
			return w.effect("make", func() { w.disks[s.Disk] = true })
		}).Undo(func(_ context.Context, _ op.Run, s *made) error {
			if f == forgetsDisk {
				return nil
			}
			if f == undoOnceOnly && !w.disks[s.Disk] {
				return fault.New(fault.Conflict, "gone", "the disk is gone")
			}
			return w.effect("remove", func() { delete(w.disks, s.Disk) })
		}),
		op.Do("Start it", func(_ context.Context, _ op.Run, s *made) error {
			return w.effect("start", func() { w.runs[s.VM] = true })
		}).Undo(func(_ context.Context, _ op.Run, s *made) error {
			return w.effect("kill", func() { delete(w.runs, s.VM) })
		}),
		op.Do("Give it its name", func(_ context.Context, _ op.Run, s *made) error {
			return w.effect("name", func() { w.names["web"] = s.VM })
		}).Undo(func(_ context.Context, _ op.Run, s *made) error {
			if f == leavesName {
				return nil
			}
			return w.effect("free the name", func() { delete(w.names, "web") })
		}),
	)
}

// deletion stops a VM and removes its disk, with no way back.
func (w *world) deletion(f flaw) *op.Definition {
	const why = "what was deleted is gone"
	stop := op.Do("Stop it", func(_ context.Context, _ op.Run, s *made) error {
		if f == refusesAgain && !w.runs[s.VM] {
			return fault.New(fault.Conflict, "off", "it is off")
		}
		return w.effect("kill", func() { delete(w.runs, s.VM) })
	})
	remove := op.Do("Remove the disk", func(_ context.Context, _ op.Run, s *made) error {
		if f == forgetsAgain && w.asked > 1 {
			return nil
		}
		return w.effect("remove", func() { delete(w.disks, s.Disk) })
	})
	if f == turnsBack {
		return op.Define("vm.delete", stop.NoUndo(why), remove.Undo(func(_ context.Context, _ op.Run, s *made) error {
			w.disks[s.Disk], w.runs[s.VM] = true, true
			return nil
		}))
	}
	return op.Define("vm.delete", stop.NoUndo(why), remove.NoUndo(why))
}

func (w *world) look() string {
	return fmt.Sprint(slices.Sorted(maps.Keys(w.disks)), slices.Sorted(maps.Keys(w.runs)), w.names)
}

func newWorld(f flaw) optest.New {
	return func(_ *testing.T, point func(string) error) optest.World {
		w := &world{point: point, disks: map[id.Volume]bool{}, runs: map[id.VM]bool{}, names: map[string]id.VM{}}
		store, d := &optest.Memory{}, w.definition(f)
		return optest.World{Store: store, Definition: d, Look: w.look, Begin: func() id.Operation {
			rec := d.Prepare("vm/1", made{VM: id.NewVM(), Disk: id.NewVolume()})
			store.Insert(rec)
			return rec.ID
		}}
	}
}

func newOneWay(f flaw) optest.New {
	return func(_ *testing.T, point func(string) error) optest.World {
		s := made{VM: id.NewVM(), Disk: id.NewVolume()}
		w := &world{point: point, disks: map[id.Volume]bool{s.Disk: true}, runs: map[id.VM]bool{s.VM: true}}
		store, d := &optest.Memory{}, w.deletion(f)
		ask := func() id.Operation {
			w.asked++
			rec := d.Prepare("vm/1", s)
			store.Insert(rec)
			return rec.ID
		}
		return optest.World{Store: store, Definition: d, Look: w.look, Begin: ask, Again: func() (id.Operation, error) { return ask(), nil }}
	}
}

func TestAll_acceptsAnOperationWithoutFlaw(t *testing.T) { optest.All(t, newWorld(none)) }

func TestAll_acceptsAPointOfNoReturn(t *testing.T) { optest.All(t, newOneWay(none)) }

var ofNoReturn = []flaw{refusesAgain, turnsBack, forgetsAgain}

const flawed = "NOVACRON_TEST_FLAW"

// TestAll_findsEachFlaw runs the generated tests on flawed operations in a process of its own, where they must fail.
func TestAll_findsEachFlaw(t *testing.T) {
	if f := os.Getenv(flawed); f != "" {
		world := newWorld
		if slices.Contains(ofNoReturn, flaw(f)) {
			world = newOneWay
		}
		optest.All(t, world(flaw(f)))
		return
	}
	for _, f := range append([]flaw{forgetsDisk, lateID, onceOnly, undoOnceOnly, leavesName}, ofNoReturn...) {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestAll_findsEachFlaw$")
			cmd.Env = append(os.Environ(), flawed+"="+string(f))
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestAll_findsEachFlaw") {
				t.Fatalf("the tests passed an operation that %s (%v):\n%s", f, err, out)
			}
		})
	}
}

func TestMemory_keepsAStateOfItsOwn(t *testing.T) {
	m := &optest.Memory{}
	r := newRecord()
	m.Insert(r)
	got, err := m.Operation(t.Context(), r.ID)
	if err != nil || string(got.State) != "{}" {
		t.Fatalf("got %s %v, want the inserted state", got.State, err)
	}
}

func newRecord() *op.Record {
	return &op.Record{ID: id.NewOperation(), Kind: "x", State: json.RawMessage("{}")}
}
