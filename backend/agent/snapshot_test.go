package agent

import (
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	simpool "novacron/backend/storage/sim"
)

func TestSnapshot_isRefusedInTheWrongStateOrEpoch(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	r := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotRevert}
	wantKind(t, a.Snapshot(t.Context(), r), fault.Conflict) // it runs
	r.Epoch = 0
	wantKind(t, a.Snapshot(t.Context(), r), fault.Precondition)
	r.VM = id.NewVM()
	wantKind(t, a.Snapshot(t.Context(), r), fault.NotFound)
	r.Snapshot = "../etc"
	wantKind(t, a.Snapshot(t.Context(), r), fault.Invalid)
}

func TestSnapshot_atRestIsTakenBackWhenADiskHasNoRoom(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.Power = vm.Off
	w.ensure(a, m)
	tag := id.NewSnapshot()
	// The first disk succeeds; a snapshot that exists nowhere can be reverted nowhere.
	w.pool.Fail(simpool.Snapshot, 1, fault.New(fault.Exhausted, "pool_full", "the pool is full"))
	r := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: tag, Action: SnapshotCreate}
	wantKind(t, a.Snapshot(t.Context(), r), fault.Exhausted)
	r.Action = SnapshotRevert
	wantKind(t, a.Snapshot(t.Context(), r), fault.NotFound)
}

func TestSnapshot_withMemoryIsRefusedWhereItMayFillTheDisk(t *testing.T) {
	w := newWorld(t)
	w.pool = simpool.New(simpool.Config{TotalBytes: 8 << 20})
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	r := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotCreate, Memory: true}
	wantKind(t, a.Snapshot(t.Context(), r), fault.Exhausted)
	r.Memory = false
	if err := a.Snapshot(t.Context(), r); err != nil {
		t.Errorf("without the memory: %v", err)
	}
}
