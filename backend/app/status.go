package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/op"
	"novacron/backend/store"
)

// seenOf gives the report that counts: that of the VM's node, of the present owner epoch. One of an older epoch says nothing
// of the machine that is wanted now.
func seenOf(v store.VMView) vm.Seen {
	if v.Seen == nil || v.Seen.Epoch != v.Epoch {
		return vm.Seen{}
	}
	return *v.Seen
}

// answers reports whether the VM's node can be believed now. A VM without a node waits for nobody.
func answers(n id.Node, s node.State) bool { return n == "" || s.Answers() }

// statusOf is the one way to the status of a stored VM.
func statusOf(v store.VMView) (vm.State, string) {
	return vm.Status(v.Power, seenOf(v), doing(v.Doing.Kind), answers(v.Node, v.NodeState))
}

// condition reads what else decides which verbs are possible.
func condition(ctx context.Context, r *store.Reader, v store.VMView) (vm.Condition, error) {
	c := vm.Condition{
		Wanted: v.Power, Seen: seenOf(v), Doing: doing(v.Doing.Kind), Protected: v.Spec.Protected,
		NodeAlive: answers(v.Node, v.NodeState), NodeDead: v.Node != "" && (v.NodeState == node.Dead || v.NodeState == node.Removed || v.NodeState == ""),
	}
	clones, err := r.Clones(ctx, v.ID)
	if err != nil {
		return c, err
	}
	for _, k := range clones {
		if !k.Done {
			c.Copying = append(c.Copying, k.Name)
		} else if k.Linked {
			c.Linked = append(c.Linked, k.Name)
		}
	}
	if c.Doing != vm.Idle {
		return c, nil
	}
	// A forced stop stands beside the operation that it ends, under a subject of its own; see vm_stop.go.
	_, err = r.OperationOn(ctx, forceSubject(v.ID))
	switch {
	case err == nil:
		c.Doing = vm.Stopping
	case !fault.Is(err, fault.NotFound):
		return c, err
	}
	return c, nil
}

// refresh computes the VM's status from what the transaction sees and stores it for filters, with an event when it changed. Every
// change of what a status depends on calls it in its own transaction.
func (a *App) refresh(ctx context.Context, t *store.Tx, v id.VM) error {
	view, err := t.VMView(ctx, v)
	if fault.Is(err, fault.NotFound) {
		return nil // deleted
	}
	if err != nil {
		return err
	}
	return a.settle(ctx, t, view, view.Seen)
}

// settle stores the status of a VM that was read in this transaction; before is the report that the last status was made of.
func (a *App) settle(ctx context.Context, t *store.Tx, v store.VMView, before *vm.Seen) error {
	state, reason := statusOf(v)
	changed := state != v.Status || reason != v.StatusReason
	if changed {
		if _, err := t.SetVMStatus(ctx, v.ID, state, reason); err != nil {
			return err
		}
	}
	if !changed && !told(before, v.Seen) {
		return nil
	}
	seen := seenOf(v)
	return t.Emit("vm.state", v.Tenant, subjectOf(v.ID), StateEvent{
		Name: v.Name, Status: state, Reason: reason, Previous: v.Status, Addresses: addresses(seen.Addresses, v.Spec.NICs), Operation: v.Doing.Operation,
	})
}

// told reports whether two reports differ in what users see beside the status.
func told(a, b *vm.Seen) bool {
	if a == nil || b == nil {
		return false
	}
	return !slices.Equal(a.Addresses, b.Addresses) || !slices.Equal(a.Restart, b.Restart) || a.Agent != b.Agent || a.SSH != b.SSH || a.Hostname != b.Hostname
}

// OperationStore is what op.Runner runs on: the store, with the status of the operation's VM computed anew in the
// transaction that ends the operation.
func (a *App) OperationStore() op.Store {
	return &operations{Operations: a.db.Operations(), a: a}
}

type operations struct {
	*store.Operations
	a *App
}

// Save stores the record and what follows from its end.
func (s *operations) Save(ctx context.Context, r *op.Record) error {
	return s.a.db.Tx(ctx, func(t *store.Tx) error {
		if err := tellAftermath(ctx, &t.Reader, r); err != nil {
			return err
		}
		if err := t.SaveOperation(ctx, r); err != nil {
			return err
		}
		v, ok := vmOf(r.Subject)
		if !ok || !r.Status.Ended() {
			return nil
		}
		return s.a.refresh(ctx, t, v)
	})
}

// tellAftermath says in the error of an operation that its node kept from success what becomes of the VM. Only its end knows:
// until then the operation tries again, and takes back what it can.
func tellAftermath(ctx context.Context, t *store.Reader, r *op.Record) error {
	which, ok := vmOf(r.Subject)
	if !ok || r.Status != op.Failed || r.Error == nil || r.Error.Code != codeUnreachable {
		return nil
	}
	v, err := t.VMView(ctx, which)
	if fault.Is(err, fault.NotFound) {
		r.Error.Message = "its node cannot be reached; nothing of the VM is left, create it again"
		return nil
	}
	if err != nil {
		return err
	}
	became := fmt.Sprintf("%s is to be %s, and the node is told so when it is back", v.Name, v.Power)
	switch {
	case v.Power == vm.Gone:
		became = fmt.Sprintf("what there is of %s on it is removed when it is back", v.Name)
	case strings.HasPrefix(r.Kind, "snapshot."):
		became = "ask again when it is back"
	}
	r.Error.Message = fmt.Sprintf("node %s cannot be reached; %s", v.NodeName, became)
	return nil
}
