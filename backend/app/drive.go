package app

import (
	"context"
	"fmt"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/op"
	"novacron/backend/store"
)

// How a step waits for a node.
const (
	ensureWait  = 20 * time.Second // of one call; the node goes on when it ends
	ensureAgain = 2 * time.Second  // between two calls while the node is still on its way
	lookAgain   = time.Second
	driveWait   = 15 * time.Minute // for everything but a guest's grace; nodes have tighter bounds of their own
)

// goal says whether a report is the end that a step waits for; an error ends the step.
type goal func(v store.VMView, s vm.Seen) (reached bool, err error)

// drive tells the VM's node what is wanted until the node's report reaches the goal. It looks at levels only: it may begin
// anywhere, and a report that it missed is in the store. A generation other than the operation's means that somebody wants
// something newer, and this operation has lost its point.
func (a *App) drive(ctx context.Context, r op.Run, v id.VM, generation int64, reached goal) error {
	var asked time.Time
	began := a.now()
	hint, stop := a.follow.await(subjectOf(v)) // taken before the look, so that nothing is missed
	defer stop()
	for {
		view, err := a.db.VMView(ctx, v)
		if err != nil {
			return err
		}
		if view.Generation != generation {
			return superseded(view.Name)
		}
		if done, err := arrived(view, reached); done || err != nil {
			return err
		}
		if a.now().Sub(began) > driveWait+time.Duration(view.GraceS)*time.Second {
			return fault.New(fault.Conflict, "node_too_slow", "the node did not do it within %s, %s is %s there", driveWait, view.Name, seenOf(view).State)
		}
		if a.now().Sub(asked) >= ensureAgain {
			asked = a.now()
			if err := a.tell(ctx, view); err != nil && !fault.Is(err, fault.Precondition) {
				return err
			}
			continue
		}
		select {
		case <-hint:
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func superseded(name string) error {
	return fault.New(fault.Conflict, "superseded", "something newer was asked of %s in the meantime", name)
}

// arrived asks the goal about the report that counts: of this owner epoch, and the outcome of what is wanted now.
func arrived(v store.VMView, reached goal) (bool, error) {
	s := seenOf(v)
	if s.State == "" || s.Generation < v.Generation {
		return false, nil
	}
	return reached(v, s)
}

// tell gives the whole machine to its node once and stores what the node sees. A node that is still at work is no error.
func (a *App) tell(ctx context.Context, v store.VMView) error {
	api, err := a.connected(ctx, v)
	if err != nil {
		return err
	}
	m, err := a.machine(ctx, v.VM)
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, ensureWait)
	defer cancel()
	seen, err := api.Ensure(call, m)
	if seen.VM == v.ID {
		if _, err := a.Observe(ctx, v.Node, []vm.Seen{seen}); err != nil {
			return err
		}
	}
	if call.Err() != nil && ctx.Err() == nil && fault.Is(err, fault.Unavailable) {
		return nil
	}
	return err
}

// codeUnreachable is the code of the errors of a node that does not answer. agent/remote uses it too.
const codeUnreachable = "node_unreachable"

// connected gives the VM's node, or the sentence why it cannot be asked. A node that is only between two connections is
// unavailable, and asked again; one that is given up for lost ends the step at once.
func (a *App) connected(ctx context.Context, v store.VMView) (agent.API, error) {
	if v.NodeState == node.Dead || v.NodeState == node.Removed || v.NodeState == "" {
		return nil, fault.New(fault.Conflict, "node_dead", "the node of %s was confirmed dead; delete the VM", v.Name)
	}
	api, ok := a.d.Nodes.Node(ctx, v.Node)
	if !ok {
		if !v.NodeState.Answers() {
			return nil, fault.New(fault.Conflict, codeUnreachable, "node %s cannot be reached", v.NodeName)
		}
		return nil, fault.New(fault.Unavailable, codeUnreachable, "node %s cannot be reached", v.NodeName).After(time.Second)
	}
	return api, nil
}

// isUnreachable reports whether an error means that the VM's node does not answer, for now or for longer.
func isUnreachable(err error) bool {
	f := asFault(err)
	return f != nil && f.Code == codeUnreachable
}

// isLost reports whether an error means that the VM's node was given up for lost, so that nothing is gained by waiting.
func isLost(err error) bool { return isUnreachable(err) && fault.Is(err, fault.Conflict) }

// machine resolves what the VM's node must make true.
func (a *App) machine(ctx context.Context, v store.VM) (vm.Machine, error) {
	networks := map[id.Network]vm.Network{}
	for _, n := range v.Spec.NICs {
		w, err := a.db.Network(ctx, n.Network)
		if err != nil {
			return vm.Machine{}, fmt.Errorf("network of %s: %w", v.ID, err)
		}
		networks[n.Network] = vm.Network{Name: w.Bridge, Subnet: w.Subnet, Gateway: w.Gateway, DNS: w.DNS, MTU: w.MTU}
	}
	return vm.Resolve(v.Spec, vm.Order{
		ID: v.ID, Name: v.Name, Tenant: v.Tenant, Epoch: v.Epoch, Generation: v.Generation, Role: v.Role, Power: v.Power,
		Boot: v.Boot, Force: v.Force, GraceS: v.GraceS, UID: v.UID, MachineType: v.MachineType, CPUModel: v.CPUModel,
	}, networks)
}

// The goals.

func runs(v store.VMView, s vm.Seen) (bool, error) {
	switch s.State {
	case vm.SeenFailed:
		return false, fault.New(fault.Conflict, "vm_failed", "%s does not run: %s", v.Name, reasonOr(s, "its process ended"))
	case vm.SeenRunning:
		return s.Boot >= v.Boot, nil // an older boot is the run before
	}
	return s.State == vm.SeenStopped && s.GuestOff, nil // a guest that powered off right after its start did run
}

func stopped(_ store.VMView, s vm.Seen) (bool, error) {
	return s.State == vm.SeenStopped || s.State == vm.SeenAbsent, nil
}

func pauses(v store.VMView, s vm.Seen) (bool, error) {
	if s.State == vm.SeenFailed || s.State == vm.SeenStopped {
		return false, fault.New(fault.Conflict, "vm_failed", "%s ended before it could be paused: %s", v.Name, reasonOr(s, "its process is gone"))
	}
	return s.State == vm.SeenPaused, nil
}

func suspends(v store.VMView, s vm.Seen) (bool, error) {
	if s.State == vm.SeenFailed || s.State == vm.SeenStopped {
		return false, fault.New(fault.Conflict, "vm_failed", "%s ended before it could be suspended: %s", v.Name, reasonOr(s, "its process is gone"))
	}
	return s.State == vm.SeenSuspended, nil
}

func absent(_ store.VMView, s vm.Seen) (bool, error) { return s.State == vm.SeenAbsent, nil }

// heard is reached when the node has done what it could of the present generation.
func heard(_ store.VMView, s vm.Seen) (bool, error) { return !s.Stale, nil }

func reasonOr(s vm.Seen, otherwise string) string {
	if s.Reason != "" {
		return s.Reason
	}
	return otherwise
}
