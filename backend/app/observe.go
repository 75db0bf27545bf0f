package app

import (
	"context"
	"slices"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/store"
)

// observeBatch is how many reports go into one transaction: enough that its fixed cost does not count, few enough that
// others who write do not wait long.
const observeBatch = 500

// Observed is what follows from reports, for the reconciler.
type Observed struct {
	Behind []id.VM   // their node obeys an older generation than is wanted: tell it again
	Stray  []vm.Seen // of VMs that are not there, or that another node or epoch owns now
}

// Observe takes what a node reports: it stores each report unless it has a newer one, computes the status anew, and tells of
// changes. Reports that change nothing cost one read per batch. The node is the one whose connection brought the reports,
// whatever they say.
func (a *App) Observe(ctx context.Context, node id.Node, reports []vm.Seen) (Observed, error) {
	var all Observed
	for batch := range slices.Chunk(newest(node, reports), observeBatch) {
		var o Observed
		err := a.db.Tx(ctx, func(t *store.Tx) (err error) {
			o, err = a.observe(ctx, t, batch)
			return err
		})
		if err != nil {
			return all, err
		}
		all.Behind, all.Stray = append(all.Behind, o.Behind...), append(all.Stray, o.Stray...)
	}
	return all, nil
}

// newest keeps one report per VM, ordered by VM so that two batches lock in one order.
func newest(node id.Node, reports []vm.Seen) []vm.Seen {
	byVM := make(map[id.VM]vm.Seen, len(reports))
	for _, s := range reports {
		if s.VM == "" {
			continue // the mark behind the first of all; see agent.API
		}
		s.Node = node
		if old, ok := byVM[s.VM]; !ok || older(old, s) {
			byVM[s.VM] = s
		}
	}
	out := make([]vm.Seen, 0, len(byVM))
	for _, s := range byVM {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b vm.Seen) int {
		if a.VM < b.VM {
			return -1
		}
		return 1
	})
	return out
}

func older(a, b vm.Seen) bool { return a.Epoch < b.Epoch || a.Epoch == b.Epoch && a.Seq < b.Seq }

func (a *App) observe(ctx context.Context, t *store.Tx, reports []vm.Seen) (o Observed, err error) {
	ids := make([]id.VM, len(reports))
	for i, s := range reports {
		ids[i] = s.VM
	}
	// Locked first: what is wanted must not change between the reading and the status that is made of it.
	if err := t.LockVMs(ctx, ids); err != nil {
		return o, err
	}
	views, err := t.VMViews(ctx, ids)
	if err != nil {
		return o, err
	}
	byVM := make(map[id.VM]store.VMView, len(views))
	for _, v := range views {
		byVM[v.ID] = v
	}
	for _, s := range reports {
		v, ok := byVM[s.VM]
		if !ok || v.Node != s.Node || s.Epoch < v.Epoch && s.State != vm.SeenAbsent {
			o.Stray = append(o.Stray, s)
			continue
		}
		behind, err := a.observeOne(ctx, t, v, s)
		if err != nil {
			return o, err
		}
		if behind {
			o.Behind = append(o.Behind, v.ID)
		}
	}
	return o, nil
}

// observeOne takes a report of the VM's own node.
func (a *App) observeOne(ctx context.Context, t *store.Tx, v store.VMView, s vm.Seen) (behind bool, err error) {
	before := v.Seen
	if before == nil || older(*before, s) {
		if _, err := t.PutSeen(ctx, s); err != nil {
			return false, err
		}
		v.Seen = &s
	}
	if err := a.learn(ctx, t, &v); err != nil {
		return false, err
	}
	if err := a.settle(ctx, t, v, before); err != nil {
		return false, err
	}
	if err := releaseUnused(ctx, t, v, before); err != nil {
		return false, err
	}
	seen := seenOf(v)
	return v.Doing.Operation == "" && (seen.Generation < v.Generation || seen.Epoch < v.Epoch), nil
}

// learn takes from the report what the stored VM must follow.
func (a *App) learn(ctx context.Context, t *store.Tx, v *store.VMView) error {
	s, save := *v.Seen, false
	if s.Epoch > v.Epoch || s.Epoch == v.Epoch && s.Generation > v.Generation {
		// The database is older than what the node was told: a backup was put back. Count on from there, or the node would refuse
		// everything from now on.
		v.Epoch, v.Generation, save = max(v.Epoch, s.Epoch), s.Generation+1, true
	}
	if s.Epoch == v.Epoch && s.Boot > v.Boot {
		v.Boot, save = s.Boot, true // a restart was taken back that the node had begun: the next boot must be a newer one
	}
	if v.MachineType == "" && s.MachineType != "" || v.CPUModel == "" && s.CPUModel != "" {
		v.MachineType, v.CPUModel, save = s.MachineType, s.CPUModel, true
	}
	if s.Epoch == v.Epoch && s.Generation >= v.Generation && !s.Stale && slices.Contains(whole, s.State) {
		save = markMade(&v.Spec) || save
	}
	if powersOff(*v, s) {
		v.Power, v.Force, save = vm.Off, false, true
		v.Generation++
		reason := "the guest powered off by itself"
		if !s.GuestOff {
			reason = reasonOr(s, "its node was restarted and it does not start with it")
		}
		if err := t.Emit("vm.powered_off", v.Tenant, subjectOf(v.ID), map[string]string{"name": v.Name, "reason": reason}); err != nil {
			return err
		}
	}
	if !save {
		return nil
	}
	return t.SaveVM(ctx, &v.VM)
}

// whole are the states in which a VM has all its disks.
var whole = []vm.RunState{vm.SeenStopped, vm.SeenRunning, vm.SeenPaused, vm.SeenSuspended}

// markMade notes that the disks are there, and says whether that was news.
func markMade(s *vm.Spec) (news bool) {
	var made []id.Volume
	for _, d := range s.Disks {
		if !d.CDROM {
			made = append(made, d.ID)
			news = news || !slices.Contains(s.Made, d.ID)
		}
	}
	if news {
		s.Made = made
	}
	return news
}

// releaseUnused gives addresses back that the VM had for interfaces which are gone, once its node has taken them from the guest:
// any earlier, another guest could get an address that is still in use. before is the report that was stored until now.
func releaseUnused(ctx context.Context, t *store.Tx, v store.VMView, before *vm.Seen) error {
	if !follows(v, v.Seen) || follows(v, before) {
		return nil
	}
	given, err := t.Addresses(ctx, v.ID)
	if err != nil {
		return err
	}
	for _, g := range given {
		if slices.ContainsFunc(v.Spec.NICs, func(n vm.NIC) bool { return n.ID == g.NIC }) {
			continue
		}
		if err := t.ReleaseAddress(ctx, g.NIC); err != nil {
			return err
		}
	}
	return nil
}

// follows reports whether nothing on the node uses a machine older than the one that is wanted: no process, and no memory on the
// disk that goes on with the devices that it knows.
func follows(v store.VMView, s *vm.Seen) bool {
	return s != nil && s.Epoch == v.Epoch && s.Generation >= v.Generation && !s.Stale && len(s.Restart) == 0 &&
		s.State != vm.SeenSuspending && s.State != vm.SeenSuspended
}

// powersOff says whether a VM that should run is off for a reason that its user has to undo: its guest powered off, or its machine
// was restarted and it does not start with the machine. A crash is an error instead, and an operation knows better.
func powersOff(v store.VMView, s vm.Seen) bool {
	if v.Doing.Operation != "" || v.Power != vm.On && v.Power != vm.Paused {
		return false
	}
	return s.State == vm.SeenStopped && s.Epoch == v.Epoch && s.Generation == v.Generation && (s.GuestOff || !v.Spec.Autostart.Enabled)
}
