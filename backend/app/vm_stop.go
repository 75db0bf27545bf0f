package app

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// StopVM asks the guest to power off and ends it when its grace is over; with Force, or a grace of 0, at once.
//
// A forced stop also ends an operation that waits for the guest (a start that hangs, a stop that is ignored). That one still
// holds the VM, so the forced stop has a subject of its own beside it: it records its wish at once, which takes the point from
// the other, asks it to cancel, and waits for its end before it acts. What the other takes back while it ends is not the VM's
// power, since a newer wish stands.
func (a *App) StopVM(ctx context.Context, c auth.Caller, ref string, r wire.StopVM) (VMResult, error) {
	grace, err := graceOf(r)
	if err != nil {
		return VMResult{}, err
	}
	force := r.Force || grace == 0
	set := func(v *store.VM) { v.Power, v.Force, v.GraceS = vm.Off, force, grace }
	if !force {
		return a.wish(ctx, c, ref, vm.VerbStop, set)
	}
	return change(ctx, a, c, func(t *store.Tx) (VMResult, error) {
		v, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
		if err != nil {
			return VMResult{}, err
		}
		view, err := a.allow(ctx, t, v, vm.VerbForceStop)
		if err != nil {
			return VMResult{}, err
		}
		if view.Doing.Operation == "" {
			return a.record(ctx, t, c, v, "vm.stop", subjectOf(v.ID), set)
		}
		if _, err := t.RequestCancel(ctx, view.Doing.Operation); err != nil {
			return VMResult{}, err
		}
		return a.record(ctx, t, c, v, "vm.stop-force", forceSubject(v.ID), set)
	})
}

// forceSubject is what a forced stop acts on while another operation holds the VM.
func forceSubject(v id.VM) string { return subjectOf(v) + "/force" }

func (a *App) stopVM() *op.Definition {
	return op.Define("vm.stop", op.Do("Power the guest off", a.reach(stopped)).Undo(a.unwish))
}

func (a *App) forceStopVM() *op.Definition {
	return op.Define("vm.stop-force",
		op.Do("End the operation that waits for the guest", a.awaitIdle).NoUndo("it is what the user asked to end"),
		op.Do("End the guest", a.reach(stopped)).Undo(a.unwish),
	)
}

// awaitIdle waits until nothing holds the VM.
func (a *App) awaitIdle(ctx context.Context, r op.Run, s *power) error {
	hint, stop := a.follow.await(subjectOf(s.VM))
	defer stop()
	for {
		o, err := a.db.OperationOn(ctx, subjectOf(s.VM))
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		r.Progress(0, "waiting until this has ended: "+o.Sentence)
		select {
		case <-hint:
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
