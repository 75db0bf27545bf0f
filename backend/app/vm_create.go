package app

import (
	"context"
	"fmt"

	"novacron/backend/agent"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/placement"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// making is the state of the operations that make a VM. Everything with a name of its own (VM, disks, interfaces) is in the row
// before the first step, so that every step can be repeated and undone by these ids.
type making struct {
	VM         id.VM  `json:"vm"`
	Pin        string `json:"pin,omitempty"`    // id or name of the only node that will do
	Source     id.VM  `json:"source,omitempty"` // of a clone
	Generation int64  `json:"generation"`
}

// CreateVM makes a VM. The row, its addresses, the quota's share, the operation and the events are one transaction; two creates
// of one name meet at the row, and one of them is refused.
func (a *App) CreateVM(ctx context.Context, c auth.Caller, w wire.CreateVM) (VMResult, error) {
	if err := a.checkCreate(c, w); err != nil {
		return VMResult{}, err
	}
	tags, err := vm.CheckTags(w.Tags)
	if err != nil {
		return VMResult{}, err
	}
	return change(ctx, a, c, func(t *store.Tx) (VMResult, error) {
		spec, err := a.specOf(ctx, &t.Reader, c, w)
		if err != nil {
			return VMResult{}, err
		}
		v := store.VM{
			ID: id.NewVM(), Tenant: c.Tenant, Name: w.Name, Description: w.Description, Tags: tags, Spec: spec, Power: vm.On, Boot: 1,
			GraceS: DefaultGraceS, Generation: 1, Role: vm.Run, Created: a.now(),
		}
		if w.Start != nil && !*w.Start {
			v.Power, v.Boot = vm.Off, 0
		}
		if err := a.checkPin(ctx, &t.Reader, v, w.Node); err != nil {
			return VMResult{}, err
		}
		return a.insert(ctx, t, c, v, "vm.create", making{VM: v.ID, Pin: w.Node, Generation: v.Generation})
	})
}

// checkPin refuses a node that was named and could not take the VM now. It reserves nothing: the operation chooses again.
func (a *App) checkPin(ctx context.Context, r *store.Reader, v store.VM, pin string) error {
	if pin == "" {
		return nil
	}
	_, err := a.choose(ctx, r, v, pin)
	f := asFault(err)
	switch {
	case f != nil && f.Code == "node_not_found":
		return fault.New(fault.Invalid, f.Code, "there is no node %.80q; list the nodes to see their names, or leave the node out", pin).On("node")
	case f != nil && f.Code == "node_unfit":
		return fault.New(fault.Conflict, f.Code, "%s", f.Message).On("node")
	}
	return err
}

func (a *App) checkCreate(c auth.Caller, w wire.CreateVM) error {
	if err := auth.May(c, auth.WriteVM, c.Tenant); err != nil {
		return err
	}
	if w.Node != "" {
		if err := auth.May(c, auth.PickNode, ""); err != nil {
			return err
		}
	}
	if err := vm.CheckName(w.Name); err != nil {
		return err
	}
	return checkDescription(w.Description)
}

// insert adds the row with all that belongs to it, and the operation that makes it real.
func (a *App) insert(ctx context.Context, t *store.Tx, c auth.Caller, v store.VM, kind string, state making) (VMResult, error) {
	if err := a.quota(ctx, t, v.Tenant, totals(v.Spec)); err != nil {
		return VMResult{}, err
	}
	v.Status = vm.StateCreating
	if err := t.InsertVM(ctx, &v); err != nil {
		return VMResult{}, err
	}
	for i := range v.Spec.NICs {
		if err := giveAddress(ctx, t, v.ID, &v.Spec.NICs[i]); err != nil {
			return VMResult{}, err
		}
	}
	var err error
	if v.UID, err = t.AllocateUID(ctx, v.ID, a.d.FirstUID, a.d.FirstUID+a.d.UIDs-1); err != nil {
		return VMResult{}, err
	}
	if err := t.SaveVM(ctx, &v); err != nil {
		return VMResult{}, err
	}
	if state.Source != "" {
		linked := v.Spec.Disks[0].Linked
		if err := t.InsertClone(ctx, store.Clone{VM: v.ID, Source: state.Source, Linked: linked}); err != nil {
			return VMResult{}, err
		}
	}
	if err := t.Emit("vm.created", v.Tenant, subjectOf(v.ID), map[string]any{"name": v.Name, "by": c.String()}); err != nil {
		return VMResult{}, err
	}
	o, err := a.begin(ctx, t, c, v.Tenant, kind, subjectOf(v.ID), v.Name, state, map[string]any{"after": auditable(v)})
	if err != nil {
		return VMResult{}, err
	}
	return a.result(ctx, t, c, v.ID, &o)
}

func totals(s vm.Spec) store.VMTotals {
	n := store.VMTotals{VMs: 1, CPUs: s.CPUs, MemoryMiB: s.MemoryMiB, Addresses: len(s.NICs)}
	for _, d := range s.Disks {
		n.DiskGiB += d.SizeGiB
	}
	return n
}

// quota refuses what the disk of the database or the tenant's share has no room for.
func (a *App) quota(ctx context.Context, t *store.Tx, tenant id.Tenant, more store.VMTotals) error {
	if more == (store.VMTotals{}) {
		return nil
	}
	if err := a.db.Room(); err != nil || a.d.Quota == nil {
		return err
	}
	if err := t.Lock(ctx, "quota/"+string(tenant)); err != nil {
		return err
	}
	return a.d.Quota(ctx, t, tenant, more)
}

func (a *App) createVM() *op.Definition {
	return op.Define("vm.create",
		op.Do("Choose a node", a.place).Undo(a.unplace),
		op.Do("Bring the image to the node", a.bringImages).NoUndo("an image in a node's cache serves other VMs too"),
		op.Do("Make the disks and start the guest", a.make).Undo(a.unmake),
	)
}

// place records the owner: the node and a new epoch, under one lock for all placements, so that two VMs do not get the same room.
func (a *App) place(ctx context.Context, r op.Run, s *making) error {
	told := ""
	err := a.fenced(ctx, r, func(t *store.Tx) error {
		if err := t.Lock(ctx, "placement"); err != nil {
			return err
		}
		v, err := t.VM(ctx, s.VM)
		if err != nil {
			return err
		}
		if v.Node != "" {
			s.Generation = v.Generation
			return nil // an earlier try got this far
		}
		d, err := a.choose(ctx, &t.Reader, v, s.Pin)
		if err != nil {
			return err
		}
		v.Node, v.Role = d.Node, vm.Run
		v.Epoch++
		v.Generation++
		s.Generation = v.Generation
		if err := t.SaveVM(ctx, &v); err != nil {
			return err
		}
		why := ""
		if len(d.Verdicts) > 0 {
			why = d.Verdicts[0].Reason
		}
		told = fmt.Sprintf("on %s: %s", d.Name, why)
		return t.Emit("vm.placed", v.Tenant, subjectOf(v.ID), map[string]any{"node": d.Name, "reason": why})
	})
	if err == nil && told != "" {
		r.Progress(1, told) // not within the transaction: it writes, and there is one writer
	}
	return err
}

// choose asks placement with what is known of the nodes now.
func (a *App) choose(ctx context.Context, r *store.Reader, v store.VM, pin string) (placement.Decision, error) {
	nodes, err := r.Nodes(ctx)
	if err != nil {
		return placement.Decision{}, err
	}
	usage, err := r.NodeUsage(ctx)
	if err != nil {
		return placement.Decision{}, err
	}
	candidates := make([]placement.Node, 0, len(nodes))
	for _, n := range nodes {
		candidates = append(candidates, candidate(n, usage[n.ID]))
	}
	need := totals(v.Spec)
	return placement.Choose(placement.Request{
		VM: v.Name, Need: placement.Amount{CPUs: int64(need.CPUs), MemoryMiB: int64(need.MemoryMiB), DiskGiB: int64(need.DiskGiB)},
		Arch: v.Spec.Arch, Firmware: v.Spec.Firmware, Secure: v.Spec.Secure, TPM: v.Spec.TPM, Images: imagesOf(v.Spec), Pin: pin,
	}, candidates)
}

// What a node keeps for itself, and how often its disk is promised: disks take room as they are written.
const (
	reservedMiB   = 512
	reservedShare = 8 // at most this part of a small node's memory
	diskRatio     = 4
)

func candidate(n store.Node, used store.VMTotals) placement.Node {
	f := factsOf(n)
	return placement.Node{
		ID: n.ID, Name: n.Name, State: n.State, Cordoned: n.Cordoned, Arch: f.Arch,
		Total:     placement.Amount{CPUs: int64(f.CPUs), MemoryMiB: int64(f.MemoryMiB - min(reservedMiB, f.MemoryMiB/reservedShare)), DiskGiB: f.DiskTotal / gib},
		Used:      placement.Amount{CPUs: int64(used.CPUs), MemoryMiB: int64(used.MemoryMiB), DiskGiB: int64(used.DiskGiB)},
		DiskRatio: diskRatio, UEFI: f.UEFI, Secure: f.SecureBoot, TPM: f.TPM, Images: f.Images,
	}
}

// imagesOf lists the contents that a node needs for the VM, each once.
func imagesOf(s vm.Spec) []string {
	var all []string
	seen := map[string]bool{"": true}
	add := func(digest string) {
		if !seen[digest] {
			seen[digest] = true
			all = append(all, digest)
		}
	}
	if s.Firmware == vm.Direct {
		add(s.Image)
	}
	for _, d := range s.Disks {
		add(d.Image)
	}
	return all
}

// unplace is the undo of the first step and of the verb. Of a VM whose node is lost the row stays, wanted gone, with its addresses
// and its user: the guest may use them. The reconciler deletes it when the node is back.
func (a *App) unplace(ctx context.Context, r op.Run, s *making) error {
	view, err := a.db.VMView(ctx, s.VM)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if seen := seenOf(view); err == nil && view.Power == vm.Gone && !nothingOn(view) && seen.State != vm.SeenAbsent {
		return nil
	}
	return a.forget(ctx, r, s)
}

// forget takes the row away with everything that the verb reserved.
func (a *App) forget(ctx context.Context, r op.Run, s *making) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		v, err := t.VM(ctx, s.VM)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return a.erase(ctx, t, v)
	})
}

// erase removes a VM of which nothing is left on any node.
func (a *App) erase(ctx context.Context, t *store.Tx, v store.VM) error {
	for {
		page, err := t.ListSnapshots(ctx, v.ID, store.Page{Limit: store.MaxLimit})
		if err != nil {
			return err
		}
		for _, p := range page.Items {
			if err := t.DeleteSnapshot(ctx, p.ID); err != nil {
				return err
			}
		}
		if page.Next == "" {
			break
		}
	}
	if err := t.DeleteVM(ctx, v.ID); err != nil {
		return err
	}
	return t.Emit("vm.deleted", v.Tenant, subjectOf(v.ID), map[string]any{"name": v.Name})
}

// bringImages makes sure that the node has every content that the VM's disks start from.
func (a *App) bringImages(ctx context.Context, r op.Run, s *making) error {
	view, err := a.db.VMView(ctx, s.VM)
	if err != nil {
		return err
	}
	return a.bring(ctx, r, view, imagesOf(view.Spec))
}

func (a *App) bring(ctx context.Context, r op.Run, view store.VMView, digests []string) error {
	for n, digest := range digests {
		api, err := a.connected(ctx, view)
		if err != nil {
			return err
		}
		images, err := a.db.ImagesByDigest(ctx, digest)
		if err != nil {
			return err
		}
		if len(images) == 0 {
			return fault.New(fault.Conflict, "image_gone", "an image of %s was deleted in the meantime", view.Name)
		}
		name := nameFor(view.Tenant, images)
		err = api.EnsureImage(ctx, agent.ImageRequest{Digest: digest, Bytes: images[0].Bytes}, func(done float64) {
			r.Progress((float64(n)+done)/float64(len(digests)), fmt.Sprintf("image %s: %d %%", name, int(done*100)))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// nameFor is what a tenant calls one of the images, which have one content: others may have it under names of their own.
func nameFor(tenant id.Tenant, same []store.Image) string {
	for _, i := range same {
		if i.Tenant == "" || i.Tenant == tenant {
			return i.Name
		}
	}
	return same[0].Digest
}

// make waits until the node has made the VM and it is as its user wants it.
func (a *App) make(ctx context.Context, r op.Run, s *making) error {
	v, err := a.db.VM(ctx, s.VM)
	if err != nil {
		return err
	}
	goal := runs
	if v.Power == vm.Off {
		goal = made
	}
	return a.drive(ctx, r, s.VM, v.Generation, goal)
}

// made is reached when the disks are there.
func made(v store.VMView, s vm.Seen) (bool, error) {
	if s.State == vm.SeenFailed {
		return false, fault.New(fault.Conflict, "vm_failed", "%s could not be made: %s", v.Name, reasonOr(s, "its node gave up"))
	}
	return s.State == vm.SeenStopped && !s.Stale, nil
}

// unmake removes everything that the node has of the VM. A node that is lost is not waited for; see unplace.
func (a *App) unmake(ctx context.Context, r op.Run, s *making) error {
	if err := a.remove(ctx, r, s.VM); !isLost(err) {
		return err
	}
	return nil
}
