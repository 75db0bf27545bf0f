package app

import (
	"context"
	"strings"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// ListNetworks gives a page of the networks that the caller may use.
func (a *App) ListNetworks(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.Network], error) {
	tenant, err := scope(c, auth.ReadNetwork, "")
	if err != nil {
		return wire.List[wire.Network]{}, err
	}
	page, err := a.db.ListNetworks(ctx, tenant, r.page())
	if err != nil {
		return wire.List[wire.Network]{}, err
	}
	return mapped(page, networkView), nil
}

// Network gives one network by id or name.
func (a *App) Network(ctx context.Context, c auth.Caller, ref string) (wire.Network, error) {
	w, err := findNetwork(ctx, &a.db.Reader, c, ref)
	if err != nil {
		return wire.Network{}, err
	}
	return networkView(w), nil
}

// findNetwork reads a network of the caller's tenant or one for all.
func findNetwork(ctx context.Context, r *store.Reader, c auth.Caller, ref string) (w store.Network, err error) {
	if err := auth.May(c, auth.ReadNetwork, c.Tenant); err != nil {
		return w, err
	}
	if strings.HasPrefix(ref, "net-") && id.Is(ref) {
		w, err = r.Network(ctx, id.Network(ref))
	} else {
		w, err = r.NetworkByName(ctx, c.Tenant, ref)
	}
	if err == nil && w.Tenant != "" {
		err = auth.May(c, auth.ReadNetwork, w.Tenant)
	}
	if fault.Is(err, fault.NotFound) {
		return store.Network{}, fault.New(fault.NotFound, "network_not_found", "there is no network %.80q; list the networks to see their names", ref)
	}
	return w, err
}

func networkView(w store.Network) wire.Network {
	return wire.Network{
		ID: w.ID, Name: w.Name, Tenant: w.Tenant, Subnet: w.Subnet, Gateway: w.Gateway, DNS: list(w.DNS), MTU: w.MTU,
		CreatedAt: w.Created, Version: w.Version,
	}
}
