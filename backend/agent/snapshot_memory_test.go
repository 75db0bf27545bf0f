package agent

import (
	"os"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// changed are what happens to a VM between a snapshot with memory and the way back.
var changed = map[string]func(*testing.T, *world, *Agent, *vm.Machine){
	"nothing":    func(*testing.T, *world, *Agent, *vm.Machine) {},
	"it grew":    grown,
	"it stopped": func(_ *testing.T, w *world, a *Agent, m *vm.Machine) { *m = with(*m, power(vm.Off)); w.ensure(a, *m) },
	"it grew, and the agent died": func(t *testing.T, w *world, a *Agent, m *vm.Machine) {
		grown(t, w, a, m)
		a.Close()
	},
}

func grown(_ *testing.T, w *world, a *Agent, m *vm.Machine) {
	*m = with(*m, func(m *vm.Machine) {
		m.CPUs, m.MemoryMiB = 2, m.MemoryMiB+hypervisor.MemoryStepMiB
		m.NICs = append(m.NICs, port("02:00:00:00:00:02", "10.77.0.6"))
		m.Disks = append(m.Disks, vm.Disk{ID: id.NewVolume(), SizeGiB: 1})
	})
	w.ensure(a, *m)
}

func TestSnapshot_withMemoryGoesOnWhateverChangedSince(t *testing.T) {
	for what, change := range changed {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			a := w.agent(0)
			m := w.machine("web-1")
			m.MemoryMiB = hypervisor.MemoryStepMiB
			w.ensure(a, m)
			shot := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotCreate, Memory: true}
			if err := a.Snapshot(t.Context(), shot); err != nil {
				t.Fatal(err)
			}
			change(t, w, a, &m)
			if a.ctx.Err() != nil {
				a = w.agent(0)
			}
			shot.Action = SnapshotRevert
			for range 2 { // may be repeated
				if err := a.Snapshot(t.Context(), shot); err != nil {
					t.Fatalf("revert: %v", err)
				}
			}
			if s := a.report(m.ID); s.State != vm.SeenRunning || len(s.Restart) != 0 {
				t.Errorf("after the revert it is %s and waits for %q", s.State, s.Restart)
			}
			i, err := w.host.Driver().Adopt(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			if c := i.Info().Config; c.CPUs != m.CPUs || c.MemoryMiB != m.MemoryMiB || len(c.NICs) != len(m.NICs) || len(c.Disks) != len(m.Disks) {
				t.Errorf("the guest has %d vCPUs, %d MiB, %d NICs, %d disks; wanted is %+v", c.CPUs, c.MemoryMiB, len(c.NICs), len(c.Disks), m)
			}
		})
	}
}

// The operation repeats its step, so the next agent is asked again.
func TestSnapshot_withMemoryIsGoneBackToAfterDyingBeforeAnyEffect(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t)
		first := w.agent(0)
		m := w.machine("web-1")
		w.ensure(first, m)
		shot := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotCreate, Memory: true}
		if err := first.Snapshot(t.Context(), shot); err != nil {
			t.Fatal(err)
		}
		grown(t, w, first, &m)
		shot.Action = SnapshotRevert
		w.now.aim(n, nil)
		err := first.Snapshot(t.Context(), shot)
		last, died := w.now.died()
		if !died {
			if err != nil || n < 10 {
				t.Fatalf("without a death among %d effects: %v", n, err)
			}
			return
		}
		first.Close()
		second := w.agent(0)
		if got := second.report(m.ID); got.State == vm.SeenFailed {
			t.Errorf("death before effect %d (%s): the next agent reports that it failed (%s)", n, last, got.Reason)
		}
		if err := second.Snapshot(t.Context(), shot); err != nil {
			t.Fatalf("death before effect %d (%s): asked again: %v", n, last, err)
		}
		if got := second.report(m.ID); got.State != vm.SeenRunning {
			t.Fatalf("death before effect %d (%s): %s (%s)", n, last, got.State, got.Reason)
		}
		second.Close()
	}
}

// remembered is a guest that runs, with a snapshot with memory.
func remembered(t *testing.T) (w *world, a *Agent, m vm.Machine, shot SnapshotRequest) {
	t.Helper()
	w = newWorld(t)
	a = w.agent(0)
	m = w.machine("web-1")
	w.ensure(a, m)
	shot = SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotCreate, Memory: true}
	if err := a.Snapshot(t.Context(), shot); err != nil {
		t.Fatal(err)
	}
	return w, a, m, shot
}

func TestSnapshot_withMemoryWithoutANoteIsTriedInTheProcessThatRuns(t *testing.T) {
	_, a, m, shot := remembered(t)
	if err := os.Remove((&actor{a: a, vm: m.ID}).path(machineFile(shot.Snapshot))); err != nil {
		t.Fatal(err)
	}
	before := a.report(m.ID).PID
	shot.Action = SnapshotRevert
	if err := a.Snapshot(t.Context(), shot); err != nil {
		t.Fatal(err)
	}
	if s := a.report(m.ID); s.State != vm.SeenRunning || s.PID != before {
		t.Errorf("it is %s in process %d, want it running in %d", s.State, s.PID, before)
	}
}

func TestSnapshot_withMemoryOfADeviceThatIsGoneIsRefusedAndTheGuestRunsOn(t *testing.T) {
	w, a, m, shot := remembered(t)
	m = with(m, func(m *vm.Machine) { m.Disks = m.Disks[:1] })
	w.ensure(a, m)
	shot.Action = SnapshotRevert
	wantKind(t, a.Snapshot(t.Context(), shot), fault.Conflict)
	if s := a.report(m.ID); s.State != vm.SeenRunning {
		t.Errorf("a revert that was refused left it %s: %s", s.State, s.Reason)
	}
}

func TestSnapshot_whoseMemoryCannotBeLoadedEndsInAnError(t *testing.T) {
	w, a, m, shot := remembered(t)
	shot.Action = SnapshotRevert
	w.host.Fail(m.ID, "Snapshot", 1, fault.New(fault.Conflict, "snapshot_load", "the memory is of another machine"))
	wantKind(t, a.Snapshot(t.Context(), shot), fault.Conflict)
	if s := a.report(m.ID); s.State != vm.SeenFailed || w.host.Guests() != 0 {
		t.Errorf("it is %s with %d processes, want it failed without one", s.State, w.host.Guests())
	}
}

func TestSnapshot_withMemoryLeavesNoNoteWhenItIsDeleted(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	before := files(t, a, m.ID)
	shot := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotCreate, Memory: true}
	if err := a.Snapshot(t.Context(), shot); err != nil {
		t.Fatal(err)
	}
	if got := files(t, a, m.ID); got != before+1 {
		t.Errorf("with the snapshot its folder has %d files, before %d", got, before)
	}
	shot.Action = SnapshotDelete
	if err := a.Snapshot(t.Context(), shot); err != nil {
		t.Fatal(err)
	}
	if got := files(t, a, m.ID); got != before {
		t.Errorf("without the snapshot its folder has %d files, before %d", got, before)
	}
}

func files(t *testing.T, a *Agent, v id.VM) int {
	t.Helper()
	list, err := os.ReadDir((&actor{a: a, vm: v}).dir())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
