package app

import (
	"context"
	"fmt"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// DefaultGraceS is how many seconds a guest has to act on ACPI.
const DefaultGraceS = 60

// power is the state of an operation that changes the run state of a VM. What is wanted is recorded by the verb; the operation
// makes it true and takes the wish back when it cannot.
type power struct {
	VM         id.VM    `json:"vm"`
	Generation int64    `json:"generation"` // of the wish
	Before     vm.Power `json:"before"`     // what was wanted until then
	Boot       int64    `json:"boot"`       // likewise
}

// StartVM starts a stopped VM.
func (a *App) StartVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return a.wish(ctx, c, ref, vm.VerbStart, func(v *store.VM) {
		v.Power, v.Force = vm.On, false
		v.Boot++ // a node does not start again what ran and ended by itself, unless it is a new boot
	})
}

func (a *App) startVM() *op.Definition {
	return op.Define("vm.start", op.Do("Start the VM", a.reach(runs)).Undo(a.unwish))
}

// RestartVM stops the guest as StopVM does and starts it anew.
func (a *App) RestartVM(ctx context.Context, c auth.Caller, ref string, r wire.StopVM) (VMResult, error) {
	grace, err := graceOf(r)
	if err != nil {
		return VMResult{}, err
	}
	return a.wish(ctx, c, ref, vm.VerbRestart, func(v *store.VM) {
		v.Power, v.Force, v.GraceS = vm.On, r.Force, grace
		v.Boot++
	})
}

func (a *App) restartVM() *op.Definition {
	return op.Define("vm.restart",
		op.Do("Stop the guest and start it anew", a.reach(runs)).Undo(a.unrestart))
}

// unrestart takes a restart back that the node has not heard of. One that it has goes on: a guest that was ended cannot be given
// its memory back, and stopped for good is not what its user wanted.
func (a *App) unrestart(ctx context.Context, r op.Run, s *power) error {
	return a.rewish(ctx, r, s.VM, s.Generation, func(v *store.VM, seen vm.Seen) {
		if seen.Generation >= s.Generation {
			return
		}
		v.Power, v.Force, v.Boot = s.Before, false, s.Boot
	})
}

// PauseVM halts the vCPUs and keeps the memory.
func (a *App) PauseVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return a.wish(ctx, c, ref, vm.VerbPause, func(v *store.VM) { v.Power = vm.Paused })
}

func (a *App) pauseVM() *op.Definition {
	return op.Define("vm.pause", op.Do("Pause the vCPUs", a.reach(pauses)).Undo(a.unwish))
}

// ResumeVM lets a paused VM go on, or brings a suspended one back with its memory.
func (a *App) ResumeVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return a.wish(ctx, c, ref, vm.VerbResume, func(v *store.VM) { v.Power = vm.On })
}

func (a *App) resumeVM() *op.Definition {
	return op.Define("vm.resume", op.Do("Let the guest go on", a.reach(runs)).Undo(a.unwish))
}

// SuspendVM writes memory and devices to the disk and ends the process.
func (a *App) SuspendVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return a.wish(ctx, c, ref, vm.VerbSuspend, func(v *store.VM) { v.Power = vm.Suspended })
}

func (a *App) suspendVM() *op.Definition {
	return op.Define("vm.suspend", op.Do("Write the memory to the disk", a.reach(suspends)).Undo(a.unwish))
}

// wish records what is wanted of a VM from now on, with the operation that makes it true.
func (a *App) wish(ctx context.Context, c auth.Caller, ref string, verb vm.Verb, set func(*store.VM)) (VMResult, error) {
	return change(ctx, a, c, func(t *store.Tx) (VMResult, error) {
		v, err := findVM(ctx, &t.Reader, c, ref, auth.WriteVM)
		if err != nil {
			return VMResult{}, err
		}
		if _, err := a.allow(ctx, t, v, verb); err != nil {
			return VMResult{}, err
		}
		return a.record(ctx, t, c, v, "vm."+string(verb), subjectOf(v.ID), set)
	})
}

// record saves the wish and begins its operation.
func (a *App) record(ctx context.Context, t *store.Tx, c auth.Caller, v store.VM, kind, subject string, set func(*store.VM)) (VMResult, error) {
	state := power{VM: v.ID, Before: v.Power, Boot: v.Boot}
	set(&v)
	v.Generation++
	if err := t.SaveVM(ctx, &v); err != nil {
		return VMResult{}, err
	}
	state.Generation = v.Generation
	o, err := a.begin(ctx, t, c, v.Tenant, kind, subject, v.Name, state, map[string]any{"before": map[string]any{"wanted": state.Before}, "after": map[string]any{"wanted": v.Power}})
	if err != nil {
		return VMResult{}, err
	}
	if err := a.refresh(ctx, t, v.ID); err != nil {
		return VMResult{}, err
	}
	return a.result(ctx, t, c, v.ID, &o)
}

// reach makes a step of a goal.
func (a *App) reach(g goal) func(context.Context, op.Run, *power) error {
	return func(ctx context.Context, r op.Run, s *power) error {
		return a.drive(ctx, r, s.VM, s.Generation, g)
	}
}

// unwish takes the wish back, unless something newer was wanted since. The node is told at once where it can be; where it cannot,
// the reconciler tells it when it is back.
func (a *App) unwish(ctx context.Context, r op.Run, s *power) error {
	return a.rewish(ctx, r, s.VM, s.Generation, func(v *store.VM, seen vm.Seen) {
		v.Power = s.Before
		if s.Before == vm.On && seen.State == vm.SeenStopped {
			v.Power = vm.Off // a guest that is off already stays off: a start is not the opposite of a stop
		}
		if s.Before == vm.Suspended && seen.State != vm.SeenSuspended && seen.State != vm.SeenStarting {
			v.Power = vm.Off // its memory is used up
		}
		v.Force = v.Power == vm.Off // the guest is not given its grace a second time
	})
}

// rewish changes what is wanted from within an operation whose wish has the generation, and tells the node.
func (a *App) rewish(ctx context.Context, r op.Run, v id.VM, generation int64, set func(*store.VM, vm.Seen)) error {
	var view store.VMView
	err := a.fenced(ctx, r, func(t *store.Tx) error {
		row, err := t.VM(ctx, v)
		if err != nil {
			return err
		}
		if view, err = t.VMView(ctx, v); err != nil {
			return err
		}
		if row.Generation > generation {
			return nil // taken back by an earlier try, or something newer is wanted
		}
		set(&row, seenOf(view))
		row.Generation++
		view.VM = row
		if err := t.SaveVM(ctx, &row); err != nil {
			return err
		}
		return a.refresh(ctx, t, v)
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take back what was wanted: %w", err)
	}
	if err := a.tell(ctx, view); err != nil {
		a.log.Info("the node will be told later", "vm", v, "op", r.ID(), "err", err)
	}
	return nil
}

func graceOf(r wire.StopVM) (int, error) {
	if r.GraceS == nil {
		return DefaultGraceS, nil
	}
	if *r.GraceS < 0 || *r.GraceS > vm.MaxGraceS {
		return 0, fault.New(fault.Invalid, "", "a guest is given 0 to %d seconds to power off, not %d", vm.MaxGraceS, *r.GraceS).On("grace_s")
	}
	return *r.GraceS, nil
}
