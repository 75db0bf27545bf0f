package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/node"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// ListServers gives the servers on the database by name, this one among them. One that said nothing for a while is forgotten.
func (a *App) ListServers(ctx context.Context, c auth.Caller) (wire.List[wire.Server], error) {
	var none wire.List[wire.Server]
	if err := auth.May(c, auth.ReadPlatform, ""); err != nil {
		return none, err
	}
	all, err := a.db.Servers(ctx)
	if err != nil {
		return none, err
	}
	held, err := a.db.HeldCounts(ctx)
	if err != nil {
		return none, err
	}
	self := a.d.Server
	if !slices.ContainsFunc(all, func(s store.Server) bool { return s.ID == self.ID }) {
		// It has nobody to tell that it lives, and every node that is connected is connected here.
		self.Seen = a.now()
		all = append(all, self)
		alive, err := a.db.ListNodes(ctx, store.NodeFilter{State: node.Alive}, store.Page{Limit: 1})
		if err != nil {
			return none, err
		}
		held[self.ID] = alive.Total
	}
	slices.SortFunc(all, func(x, y store.Server) int {
		return strings.Compare(x.Name+"/"+string(x.ID), y.Name+"/"+string(y.ID))
	})
	out := wire.List[wire.Server]{Items: []wire.Server{}, Total: len(all)}
	for _, s := range all {
		out.Items = append(out.Items, wire.Server{ID: s.ID, Name: s.Name, Address: s.Address, Version: s.Version, Nodes: held[s.ID], State: a.serverState(s),
			Self: s.ID == self.ID, StartedAt: s.Started, SeenAt: s.Seen})
	}
	return out, nil
}

// silentAfter is when a server that speaks every ten seconds is called silent; the clocks of the two may differ a little.
const silentAfter = 40 * time.Second

func (a *App) serverState(s store.Server) string {
	switch {
	case s.Stopped:
		return "stopped"
	case a.now().Sub(s.Seen) > silentAfter:
		return "silent"
	}
	return "alive"
}
