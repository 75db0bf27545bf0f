package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/store"
)

// What stands here is for the reconcilers: they read the world and call these.

// Tell gives what is wanted of a VM to its node once, unless an operation does so at present.
func (a *App) Tell(ctx context.Context, v id.VM) error {
	view, err := a.db.VMView(ctx, v)
	if fault.Is(err, fault.NotFound) || err == nil && (view.Doing.Operation != "" || view.Node == "") {
		return nil
	}
	if err != nil {
		return err
	}
	return a.tell(ctx, view)
}

// Behind lists the VMs on a node that obey an older generation than is wanted, or were never reported, and that no operation acts
// on. What should be gone is among Gone instead.
func (a *App) Behind(ctx context.Context, n id.Node) (behind, gone []id.VM, err error) {
	p := store.Page{Limit: store.MaxLimit}
	for {
		page, err := a.db.ListVMs(ctx, store.VMFilter{Node: n}, p)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range page.Items {
			switch {
			case v.Doing != "":
			case v.Power == vm.Gone:
				gone = append(gone, v.ID)
			case v.Behind:
				behind = append(behind, v.ID)
			}
		}
		if page.Next == "" {
			return behind, gone, nil
		}
		p.Cursor = page.Next
	}
}

// Resettle finds VMs whose stored status is not what it computes to, which a crash between two parts of a large change leaves, and
// mends them. Where all is well it only reads.
func (a *App) Resettle(ctx context.Context) error {
	p := store.Page{Limit: store.MaxLimit}
	for {
		page, err := a.db.ListVMs(ctx, store.VMFilter{}, p)
		if err != nil {
			return err
		}
		var stale []id.VM
		for _, v := range page.Items {
			if s := summaryView(v, auth.Caller{}); s.Status != v.Status || s.StatusReason != v.StatusReason {
				stale = append(stale, v.ID)
			}
		}
		if err := a.refreshParts(ctx, stale); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		p.Cursor = page.Next
	}
}

// Disown takes a VM off a node that does not own it, without its disks, which may be the only ones. The epoch of the present
// owner makes it safe: the node obeys nothing older any more.
//
// A VM that is not in the store is removed with its disks only when the history says that it was deleted here. Otherwise the
// database may be older than the node (a backup that was put back), and what looks like debris may be somebody's VM: it is
// left alone, and stray is true.
func (a *App) Disown(ctx context.Context, n id.Node, v id.VM) (stray bool, err error) {
	api, ok := a.d.Nodes.Node(ctx, n)
	if !ok {
		return false, nil // it will report again
	}
	row, err := a.db.VM(ctx, v)
	switch {
	case fault.Is(err, fault.NotFound):
		deleted, err := a.wasDeleted(ctx, v)
		if err != nil || !deleted {
			return !deleted, err
		}
		return false, ignoreSeen(api.Ensure(ctx, vm.Machine{ID: v, Name: string(v), Epoch: maxEpoch, Role: vm.None, Power: vm.Gone, Restart: vm.Stay}))
	case err != nil:
		return false, err
	case row.Node == n:
		return false, a.Tell(ctx, v)
	}
	return false, ignoreSeen(api.Ensure(ctx, vm.Machine{ID: v, Name: row.Name, Epoch: row.Epoch, Generation: row.Generation, Role: vm.None, Power: vm.Off, Restart: vm.Stay}))
}

// maxEpoch is beyond every owner: a VM that was deleted has none any more.
const maxEpoch = int64(1) << 62

func ignoreSeen(_ vm.Seen, err error) error { return err }

func (a *App) wasDeleted(ctx context.Context, v id.VM) (bool, error) {
	events, _, err := a.db.EventsSince(ctx, store.Cursor{}, store.EventFilter{Subject: subjectOf(v), Topics: []string{"vm.deleted"}}, 1)
	return len(events) > 0, err
}

// ReportStray tells operators of a VM on a node that the platform does not know.
func (a *App) ReportStray(ctx context.Context, n id.Node, s vm.Seen) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		return t.Emit("node.stray_vm", "", "node/"+string(n), map[string]any{
			"vm": s.VM, "state": s.State,
			"message": "this node has a VM that the platform does not know; if the database is a backup that was put back, the VM may be worth keeping",
		})
	})
}

// FinishDelete goes on with a delete that failed or was left halfway.
func (a *App) FinishDelete(ctx context.Context, v id.VM) error {
	_, err := a.DeleteVM(ctx, auth.Platform("reconcile/orphans"), string(v), 0)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) {
		return nil // done by somebody else, or being done
	}
	return err
}

// How long history is kept.
const (
	EventsKept     = 30 * 24 * time.Hour
	OperationsKept = 30 * 24 * time.Hour
	tokensKept     = 7 * 24 * time.Hour
	mailsKept      = 30 * 24 * time.Hour // after they were sent or given up
	trimmedAtOnce  = 10_000              // rows of a kind, so that writers are not held up and the statement ends in time
	maxTrims       = 100                 // parts of one round, so that a round ends
)

// Trim removes history that is older than it is kept, in parts. A kind that fails does not keep the others.
func (a *App) Trim(ctx context.Context) error {
	now := a.now()
	var errs []error
	for _, part := range []func(*store.Tx) (int, error){
		func(t *store.Tx) (int, error) { return t.TrimEvents(ctx, now.Add(-EventsKept), trimmedAtOnce) },
		func(t *store.Tx) (int, error) {
			return t.TrimOperations(ctx, now.Add(-OperationsKept), trimmedAtOnce)
		},
		func(t *store.Tx) (int, error) { return t.TrimAccounts(ctx, now, now.Add(-mailsKept), trimmedAtOnce) },
		func(t *store.Tx) (int, error) { return t.TrimIdempotent(ctx, now, trimmedAtOnce) },
		func(t *store.Tx) (int, error) { return t.TrimJoinTokens(ctx, now.Add(-tokensKept), trimmedAtOnce) },
	} {
		errs = append(errs, a.trim(ctx, part))
	}
	return errors.Join(errs...)
}

func (a *App) trim(ctx context.Context, part func(*store.Tx) (int, error)) error {
	for range maxTrims {
		n := 0
		err := a.db.Tx(ctx, func(t *store.Tx) (err error) {
			n, err = part(t)
			return err
		})
		if err != nil || n < trimmedAtOnce {
			return err
		}
	}
	return nil
}

// ExpireUploads removes uploads that nobody goes on with, and files in the staging folder that belong to nothing.
func (a *App) ExpireUploads(ctx context.Context) error {
	old, err := a.db.ExpiredUploads(ctx, a.now())
	if err != nil {
		return err
	}
	for _, u := range old {
		err := a.db.Tx(ctx, func(t *store.Tx) error {
			if _, err := t.OperationOn(ctx, imageSubject(u.Image)); !fault.Is(err, fault.NotFound) {
				return err // its import runs
			}
			i, err := t.Image(ctx, u.Image)
			if err != nil || i.State == store.ImageReady {
				return err
			}
			if err := t.DeleteImage(ctx, i.ID); err != nil { // the upload goes with it
				return err
			}
			return t.Emit("image.deleted", i.Tenant, imageSubject(i.ID), map[string]any{"name": i.Name, "reason": "its upload was not continued"})
		})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return a.clearStaging(ctx)
}

func (a *App) clearStaging(ctx context.Context) error {
	if a.d.Staging == "" {
		return nil
	}
	names, err := os.ReadDir(a.d.Staging)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return diskFault(err)
	}
	for _, n := range names {
		i, err := a.db.Image(ctx, id.Image(n.Name()))
		switch {
		case fault.Is(err, fault.NotFound) || err == nil && i.State == store.ImageReady:
			if _, err := a.db.OperationOn(ctx, imageSubject(id.Image(n.Name()))); fault.Is(err, fault.NotFound) {
				a.removeStaged(n.Name())
			}
		case err != nil:
			return err
		}
	}
	return nil
}
