package app

import (
	"context"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// PreviewVM judges every node for the VM that CreateVM would make of w, for those who may see nodes. It reserves nothing, and asks for
// no quota: CreateVM chooses again. That no node fits is an answer, not an error.
func (a *App) PreviewVM(ctx context.Context, c auth.Caller, w wire.CreateVM) (out wire.Placement, err error) {
	if err := auth.May(c, auth.PickNode, ""); err != nil {
		return out, err
	}
	if err := a.checkCreate(c, w); err != nil {
		return out, err
	}
	spec, err := a.specOf(ctx, &a.db.Reader, c, w)
	if err != nil {
		return out, err
	}
	d, err := a.choose(ctx, &a.db.Reader, store.VM{Tenant: c.Tenant, Name: w.Name, Spec: spec, Power: vm.On}, w.Node)
	f := asFault(err)
	if err != nil && (f == nil || f.Code != "no_nodes" && f.Code != "no_room" && f.Code != "node_unfit") {
		return out, err
	}
	if err != nil {
		out.Reason = fault.Sentence(err)
	}
	out.Nodes = make([]wire.PlacementNode, len(d.Verdicts))
	for i, v := range d.Verdicts {
		out.Nodes[i] = wire.PlacementNode{ID: v.Node, Name: v.Name, Fits: v.Fits, Score: v.Score, Reason: v.Reason}
	}
	return out, nil
}
