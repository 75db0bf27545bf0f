package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Network is what VMs attach to. An empty Tenant: for all.
type Network struct {
	ID      id.Network
	Tenant  id.Tenant
	Name    string // unique in its tenant, whatever the case
	Bridge  string // its name on every node
	Subnet  string // CIDR, IPv4
	Gateway string // the nodes' address in it
	DNS     []string
	MTU     int
	Version int64
	Created time.Time
	Updated time.Time
}

const networkColumns = "w.id, w.tenant, w.name, w.bridge, w.subnet, w.gateway, w.dns, w.mtu, w.version, w.created_at, w.updated_at"

func scanNetwork(r row) (w Network, err error) {
	return w, r.Scan(&w.ID, &w.Tenant, &w.Name, &w.Bridge, &w.Subnet, &w.Gateway, decoded{&w.DNS}, &w.MTU, &w.Version,
		stamped{&w.Created}, stamped{&w.Updated})
}

// Network reads a network. fault.NotFound: there is none.
func (r *Reader) Network(ctx context.Context, w id.Network) (Network, error) {
	return one(ctx, r, notFound("network", "network", w), scanNetwork, "select "+networkColumns+" from networks w where w.id = $1"+r.lock, w)
}

// NetworkByName reads the tenant's network of this name, or else the one for all.
func (r *Reader) NetworkByName(ctx context.Context, tenant id.Tenant, name string) (Network, error) {
	return one(ctx, r, notFound("network", "network", name), scanNetwork, "select "+networkColumns+
		" from networks w where w.name_folded = $2 and w.tenant in ($1, '') order by w.tenant desc limit 1", tenant, Fold(name))
}

var networkListing = listing[Network]{
	columns: networkColumns, table: "networks w", key: "w.id", order: "name",
	sorts: map[string]sorting[Network]{
		"name":       {"w.name_folded", func(w Network) string { return Fold(w.Name) }},
		"created_at": {"w.created_at", func(w Network) string { return w.Created.Format(timeFormat) }},
	},
	scan:  scanNetwork,
	keyOf: func(w Network) string { return string(w.ID) },
}

// ListNetworks gives a page of the networks that the tenant may use, its own and those for all; of all networks when tenant is
// empty. They sort by name or created_at.
func (r *Reader) ListNetworks(ctx context.Context, tenant id.Tenant, p Page) (List[Network], error) {
	var where filter
	if tenant != "" {
		where.add("w.tenant in ($%d, '')", tenant)
	}
	return list(ctx, r, networkListing, where, p)
}

// InsertNetwork adds the network. fault.Conflict with code network_name_taken: the tenant has one of this name.
func (t *Tx) InsertNetwork(ctx context.Context, w *Network) error {
	w.Version, w.Created = 1, orNow(w.Created)
	w.Updated = w.Created
	n, err := t.exec(ctx, `insert into networks (id, tenant, name, name_folded, bridge, subnet, gateway, dns, mtu, version, created_at,
		updated_at) values (`+places(1, 12)+`) on conflict do nothing`, w.ID, w.Tenant, w.Name, Fold(w.Name), w.Bridge, w.Subnet,
		w.Gateway, encode(w.DNS), w.MTU, w.Version, stamp(w.Created), stamp(w.Updated))
	if err == nil && n == 0 {
		return networkNameTaken(w.Name)
	}
	return err
}

func networkNameTaken(name string) *fault.Error {
	return fault.New(fault.Conflict, "network_name_taken", "there is already a network named %q; pick another name", name).On("name")
}
