package app

import (
	"context"
	"strings"
	"unicode"

	"novacron/backend/agent"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// MaxSnapshots bounds the snapshots of one VM: each costs a table in every disk.
const MaxSnapshots = 100

// shot is the state of the operations on a snapshot.
type shot struct {
	VM         id.VM       `json:"vm"`
	Snapshot   id.Snapshot `json:"snapshot"`
	Memory     bool        `json:"memory,omitempty"`
	Quiesce    bool        `json:"quiesce,omitempty"`
	Generation int64       `json:"generation,omitempty"`
}

// CreateSnapshot keeps the content of all disks as it is now, with the guest's memory if asked.
func (a *App) CreateSnapshot(ctx context.Context, c auth.Caller, ref string, w wire.CreateSnapshot) (SnapshotResult, error) {
	if w.Name == "" {
		w.Name = a.now().UTC().Format("2006-01-02 15:04:05")
	}
	if err := checkLabel("snapshot", w.Name); err != nil {
		return SnapshotResult{}, err
	}
	if err := checkDescription(w.Description); err != nil {
		return SnapshotResult{}, err
	}
	return change(ctx, a, c, func(t *store.Tx) (SnapshotResult, error) {
		v, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
		if err != nil {
			return SnapshotResult{}, err
		}
		view, err := a.allow(ctx, t, v, vm.VerbSnapshot)
		if err != nil {
			return SnapshotResult{}, err
		}
		if w.Memory && seenOf(view).State == vm.SeenStopped {
			return SnapshotResult{}, fault.New(fault.Conflict, "no_memory", "%s is stopped and has no memory to keep; start it or leave the memory out", v.Name).On("memory")
		}
		if n, err := t.CountSnapshots(ctx, v.ID); err != nil {
			return SnapshotResult{}, err
		} else if n >= MaxSnapshots {
			return SnapshotResult{}, fault.New(fault.Exhausted, "too_many_snapshots", "%s has %d snapshots, which is the most; delete one", v.Name, n)
		}
		if err := a.quota(ctx, t, v.Tenant, store.VMTotals{Snapshots: 1}); err != nil {
			return SnapshotResult{}, err
		}
		p := store.Snapshot{ID: id.NewSnapshot(), VM: v.ID, Tenant: v.Tenant, Name: w.Name, Description: w.Description, Memory: w.Memory, State: store.SnapshotCreating, Created: a.now()}
		if err := t.InsertSnapshot(ctx, &p); err != nil {
			return SnapshotResult{}, err
		}
		return a.beginShot(ctx, t, c, "snapshot.create", v, p, shot{Quiesce: w.Quiesce})
	})
}

// checkLabel bounds a name that is for people only. It must not look like an id, so that a path element is one or the other.
func checkLabel(noun, name string) error {
	const most = 63
	switch {
	case name == "" || len([]rune(name)) > most || strings.TrimSpace(name) != name || strings.Contains(name, "/") || strings.ContainsFunc(name, unicode.IsControl):
		return fault.New(fault.Invalid, "", "the name of the %s has 1 to %d characters, no slash, no control characters, and no space at the ends", noun, most).On("name")
	case id.Is(name):
		return fault.New(fault.Invalid, "", "%s has the form of an id; pick a name that nobody can take for one", name).On("name")
	}
	return nil
}

func (a *App) beginShot(ctx context.Context, t *store.Tx, c auth.Caller, kind string, v store.VM, p store.Snapshot, s shot) (SnapshotResult, error) {
	s.VM, s.Snapshot, s.Memory = p.VM, p.ID, p.Memory
	o, err := a.begin(ctx, t, c, p.Tenant, kind, subjectOf(v.ID), v.Name, s, map[string]any{"snapshot": p.Name})
	if err != nil {
		return SnapshotResult{}, err
	}
	if err := a.refresh(ctx, t, p.VM); err != nil {
		return SnapshotResult{}, err
	}
	w := operationView(o)
	return SnapshotResult{Snapshot: snapshotView(p), Operation: &w}, nil
}

func (a *App) createSnapshot() *op.Definition {
	return op.Define("snapshot.create",
		op.Do("Take the snapshot", a.onNode(agent.SnapshotCreate)).Undo(a.unshoot),
		op.Do("List it", a.listShot).NoUndo("the undo of the step before removes it"),
	)
}

// onNode makes a step of a snapshot's action.
func (a *App) onNode(action agent.SnapshotAction) func(context.Context, op.Run, *shot) error {
	return func(ctx context.Context, _ op.Run, s *shot) error {
		view, err := a.db.VMView(ctx, s.VM)
		if err != nil {
			return err
		}
		api, err := a.connected(ctx, view)
		if err != nil {
			return err
		}
		return api.Snapshot(ctx, agent.SnapshotRequest{VM: s.VM, Epoch: view.Epoch, Snapshot: s.Snapshot, Action: action, Memory: s.Memory, Quiesce: s.Quiesce})
	}
}

// unshoot removes what there is of the snapshot.
func (a *App) unshoot(ctx context.Context, r op.Run, s *shot) error {
	err := a.onNode(agent.SnapshotDelete)(ctx, r, s)
	if isLost(err) {
		return a.failShot(ctx, r, s)
	}
	if err != nil && !fault.Is(err, fault.NotFound) && !nodeIsDead(err) {
		return err
	}
	return a.dropShot(ctx, r, s)
}

// failShot keeps a snapshot of which something may be on a node that is lost, so that its user can delete it later.
func (a *App) failShot(ctx context.Context, r op.Run, s *shot) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		p, err := t.Snapshot(ctx, s.Snapshot)
		if fault.Is(err, fault.NotFound) || err == nil && p.State == store.SnapshotFailed {
			return nil
		}
		if err != nil {
			return err
		}
		p.State, p.StateReason = store.SnapshotFailed, "its node could not be reached while it was taken; delete it when the node is back"
		return t.UpdateSnapshot(ctx, &p)
	})
}

func nodeIsDead(err error) bool {
	f := asFault(err)
	return f != nil && f.Code == "node_dead"
}

func (a *App) dropShot(ctx context.Context, r op.Run, s *shot) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		p, err := t.Snapshot(ctx, s.Snapshot)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.DeleteSnapshot(ctx, s.Snapshot); err != nil {
			return err
		}
		return t.Emit("vm.snapshot_deleted", p.Tenant, subjectOf(p.VM), map[string]any{"snapshot": p.ID, "name": p.Name})
	})
}

func (a *App) listShot(ctx context.Context, r op.Run, s *shot) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		p, err := t.Snapshot(ctx, s.Snapshot)
		if err != nil || p.State == store.SnapshotReady {
			return err
		}
		p.State = store.SnapshotReady
		if err := t.UpdateSnapshot(ctx, &p); err != nil {
			return err
		}
		return t.Emit("vm.snapshot_created", p.Tenant, subjectOf(p.VM), map[string]any{"snapshot": p.ID, "name": p.Name})
	})
}

// ListSnapshots gives the snapshots of a VM.
func (a *App) ListSnapshots(ctx context.Context, c auth.Caller, ref string) ([]wire.Snapshot, error) {
	v, err := findVM(ctx, &a.db.Reader, c, ref, auth.ReadVM)
	if err != nil {
		return nil, err
	}
	page, err := a.db.ListSnapshots(ctx, v.ID, store.Page{Limit: MaxSnapshots})
	if err != nil {
		return nil, err
	}
	return mapped(page, snapshotView).Items, nil
}

// Snapshot gives one snapshot of a VM by its id or name.
func (a *App) Snapshot(ctx context.Context, c auth.Caller, ref, snapshot string) (wire.Snapshot, error) {
	v, err := findVM(ctx, &a.db.Reader, c, ref, auth.ReadVM)
	if err != nil {
		return wire.Snapshot{}, err
	}
	p, err := findSnapshot(ctx, &a.db.Reader, v, snapshot)
	return snapshotView(p), err
}

func findSnapshot(ctx context.Context, r *store.Reader, v store.VM, ref string) (p store.Snapshot, err error) {
	if strings.HasPrefix(ref, "snap-") && id.Is(ref) {
		p, err = r.Snapshot(ctx, id.Snapshot(ref))
	} else {
		p, err = r.SnapshotByName(ctx, v.ID, ref)
	}
	if fault.Is(err, fault.NotFound) || err == nil && p.VM != v.ID {
		return store.Snapshot{}, fault.New(fault.NotFound, "snapshot_not_found", "%s has no snapshot %.80q; list its snapshots to see their names", v.Name, ref)
	}
	return p, err
}

// RevertSnapshot puts the disks back to the snapshot, with memory the running guest too. What was written since is lost.
func (a *App) RevertSnapshot(ctx context.Context, c auth.Caller, ref, snapshot string) (SnapshotResult, error) {
	return change(ctx, a, c, func(t *store.Tx) (SnapshotResult, error) {
		v, p, view, err := a.forShot(ctx, t, c, ref, snapshot, vm.VerbRevert)
		if err != nil {
			return SnapshotResult{}, err
		}
		if p.State != store.SnapshotReady {
			return SnapshotResult{}, fault.New(fault.Conflict, "snapshot_not_ready", "snapshot %s is %s; only a finished one can be reverted to", p.Name, p.State)
		}
		if !p.Memory && seenOf(view).State != vm.SeenStopped {
			return SnapshotResult{}, fault.New(fault.Conflict, "vm_revert_refused", "%s runs; stop it first, snapshot %s has no memory to go on with", v.Name, p.Name)
		}
		return a.beginShot(ctx, t, c, "snapshot.revert", v, p, shot{Generation: v.Generation})
	})
}

func (a *App) forShot(ctx context.Context, t *store.Tx, c auth.Caller, ref, snapshot string, verb vm.Verb) (store.VM, store.Snapshot, store.VMView, error) {
	v, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
	if err != nil {
		return v, store.Snapshot{}, store.VMView{}, err
	}
	p, err := findSnapshot(ctx, &t.Reader, v, snapshot)
	if err != nil {
		return v, p, store.VMView{}, err
	}
	view, err := a.allow(ctx, t, v, verb)
	return v, p, view, err
}

func (a *App) revertSnapshot() *op.Definition {
	return op.Define("snapshot.revert",
		op.Do("Put the disks back", a.onNode(agent.SnapshotRevert)).NoUndo("what the disks held before is lost once the revert has begun"),
		op.Do("Let the guest go on", a.afterRevert).NoUndo("the guest runs as it did when the snapshot was taken"),
	)
}

// afterRevert: a snapshot with memory ends running, so that is what is wanted from now on.
func (a *App) afterRevert(ctx context.Context, r op.Run, s *shot) error {
	if !s.Memory {
		return nil
	}
	err := a.fenced(ctx, r, func(t *store.Tx) error {
		v, err := t.VM(ctx, s.VM)
		if err != nil {
			return err
		}
		if v.Power != vm.On {
			v.Power = vm.On
			v.Generation++
			if err := t.SaveVM(ctx, &v); err != nil {
				return err
			}
		}
		s.Generation = v.Generation
		return a.refresh(ctx, t, s.VM)
	})
	if err != nil {
		return err
	}
	return a.drive(ctx, r, s.VM, s.Generation, runs)
}

// DeleteSnapshot removes a snapshot; the VM's present content stays.
func (a *App) DeleteSnapshot(ctx context.Context, c auth.Caller, ref, snapshot string) (SnapshotResult, error) {
	return change(ctx, a, c, func(t *store.Tx) (SnapshotResult, error) {
		v, p, _, err := a.forShot(ctx, t, c, ref, snapshot, vm.VerbSnapshot)
		if err != nil {
			return SnapshotResult{}, err
		}
		p.State = store.SnapshotDeleting
		if err := t.UpdateSnapshot(ctx, &p); err != nil {
			return SnapshotResult{}, err
		}
		return a.beginShot(ctx, t, c, "snapshot.delete", v, p, shot{})
	})
}

func (a *App) deleteSnapshot() *op.Definition {
	const why = "what was deleted cannot be brought back; asking again goes on with it"
	return op.Define("snapshot.delete",
		op.Do("Delete the snapshot from the disks", func(ctx context.Context, r op.Run, s *shot) error {
			if err := a.onNode(agent.SnapshotDelete)(ctx, r, s); err != nil && !nodeIsDead(err) {
				return err
			}
			return nil
		}).NoUndo(why),
		op.Do("Forget it", a.dropShot).NoUndo(why),
	)
}

func snapshotView(p store.Snapshot) wire.Snapshot {
	return wire.Snapshot{
		ID: p.ID, VM: p.VM, Name: p.Name, Description: p.Description, Memory: p.Memory, State: string(p.State), StateReason: p.StateReason,
		CreatedAt: p.Created, Version: p.Version,
	}
}
