package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
)

// Node is a machine that runs guests.
type Node struct {
	ID           id.Node
	Name         string // unique, whatever the case
	State        node.State
	StateReason  string
	Place        string          // of its agent, see agent.Place; empty: it has not said
	Facts        json.RawMessage // agent.Facts as last reported; empty: no report
	Labels       map[string]string
	Cordoned     bool  // nothing new is placed here
	LeaseSeq     int64 // how many renewals were granted
	LeaseGranted time.Time
	LeaseEnds    time.Time // zero: never held
	LastSeen     time.Time
	Version      int64 // counted up by UpdateNode
	Created      time.Time
	Updated      time.Time
}

const nodeColumns = `n.id, n.name, n.state, n.state_reason, n.place, n.facts, n.labels, n.cordoned, n.lease_seq,
	n.lease_granted, n.lease_ends, n.last_seen, n.version, n.created_at, n.updated_at`

func scanNode(r row) (n Node, err error) {
	var facts []byte
	err = r.Scan(&n.ID, &n.Name, &n.State, &n.StateReason, &n.Place, &facts, decoded{&n.Labels}, &n.Cordoned,
		&n.LeaseSeq, stamped{&n.LeaseGranted}, stamped{&n.LeaseEnds}, stamped{&n.LastSeen}, &n.Version, stamped{&n.Created},
		stamped{&n.Updated})
	n.Facts = facts
	return n, err
}

// Node reads a node. fault.NotFound: there is none.
func (r *Reader) Node(ctx context.Context, n id.Node) (Node, error) {
	return one(ctx, r, notFound("node", "node", n), scanNode, "select "+nodeColumns+" from nodes n where n.id = $1"+r.lock, n)
}

// NodeByName reads the node of this name in any case. fault.NotFound: there is none.
func (r *Reader) NodeByName(ctx context.Context, name string) (Node, error) {
	return one(ctx, r, notFound("node", "node", name), scanNode, "select "+nodeColumns+" from nodes n where n.name_folded = $1"+r.lock, Fold(name))
}

// Nodes reads every node, by name.
func (r *Reader) Nodes(ctx context.Context) ([]Node, error) {
	return many(ctx, r, scanNode, "select "+nodeColumns+" from nodes n order by n.name_folded")
}

// NodeFilter narrows a list of nodes. Zero fields do not.
type NodeFilter struct {
	State node.State
	Name  string // part of the name, in any case
}

var nodeListing = listing[Node]{
	columns: nodeColumns, table: "nodes n", key: "n.id", order: "name",
	sorts: map[string]sorting[Node]{
		"name":       {"n.name_folded", func(n Node) string { return Fold(n.Name) }},
		"state":      {"n.state", func(n Node) string { return string(n.State) }},
		"created_at": {"n.created_at", func(n Node) string { return n.Created.Format(timeFormat) }},
	},
	scan:  scanNode,
	keyOf: func(n Node) string { return string(n.ID) },
}

// ListNodes gives a page of nodes, sorted by name, state or created_at.
func (r *Reader) ListNodes(ctx context.Context, f NodeFilter, p Page) (List[Node], error) {
	var where filter
	where.text("n.state", string(f.State))
	where.part("n.name_folded", f.Name)
	return list(ctx, r, nodeListing, where, p)
}

// InsertNode adds the node. fault.Conflict with code node_name_taken: one of this name is there.
func (t *Tx) InsertNode(ctx context.Context, n *Node) error {
	n.Version, n.Created = 1, orNow(n.Created)
	n.Updated = n.Created
	rows, err := t.exec(ctx, `insert into nodes (id, name, name_folded, state, state_reason, facts, labels, cordoned, cert_serial,
		lease_seq, lease_granted, lease_ends, last_seen, version, created_at, updated_at) values (`+places(1, 8)+`, '', `+places(9, 7)+`) on conflict do nothing`,
		n.ID, n.Name, Fold(n.Name), n.State, n.StateReason, string(n.Facts), encode(n.Labels), n.Cordoned, n.LeaseSeq,
		stamp(n.LeaseGranted), stamp(n.LeaseEnds), stamp(n.LastSeen), n.Version, stamp(n.Created), stamp(n.Updated))
	if err == nil && rows == 0 {
		return nodeNameTaken(n.Name)
	}
	return err
}

func nodeNameTaken(name string) *fault.Error {
	return fault.New(fault.Conflict, "node_name_taken", "there is already a node named %q; pick another name or remove that one", name).On("name")
}

// UpdateNode writes name, labels and cordon and counts n.Version up. fault.Precondition: the stored version is not n.Version.
func (t *Tx) UpdateNode(ctx context.Context, n *Node) error {
	n.Updated = now()
	rows, err := t.exec(ctx, `update nodes set name = $3, name_folded = $4, labels = $5, cordoned = $6, updated_at = $7,
		version = version + 1 where id = $1 and version = $2`,
		n.ID, n.Version, n.Name, Fold(n.Name), encode(n.Labels), n.Cordoned, stamp(n.Updated))
	if err != nil && t.db.dialect.classify(err) == unique {
		return nodeNameTaken(n.Name)
	}
	if err == nil && rows == 0 {
		return edited("node", n.Name)
	}
	if err == nil {
		n.Version++
	}
	return err
}

// SetNodeState stores a change of state from one state to another, and says whether the node was in the first.
func (t *Tx) SetNodeState(ctx context.Context, n id.Node, from, to node.State, reason string) (changed bool, err error) {
	rows, err := t.exec(ctx, "update nodes set state = $3, state_reason = $4 where id = $1 and state = $2", n, from, to, clean(reason, maxSentence))
	return rows > 0, err
}

// SetNodePlace stores where the node's agent is.
func (t *Tx) SetNodePlace(ctx context.Context, n id.Node, place string) error {
	return t.execOne(ctx, notFound("node", "node", n), "update nodes set place = $2 where id = $1", n, place)
}

// SetNodeFacts stores what the node reports of itself.
func (t *Tx) SetNodeFacts(ctx context.Context, n id.Node, facts json.RawMessage) error {
	return t.execOne(ctx, notFound("node", "node", n), "update nodes set facts = $2, last_seen = $3 where id = $1", n, string(facts), stamp(now()))
}

// DeleteNode removes the row of a node. fault.Conflict: VMs are placed on it.
func (t *Tx) DeleteNode(ctx context.Context, n id.Node) error {
	if _, err := t.Node(ctx, n); err != nil {
		return err
	}
	placed, err := one(ctx, &t.Reader, nil, func(r row) (c int, err error) { return c, r.Scan(&c) }, "select count(*) from vms where node = $1", n)
	if err != nil {
		return err
	}
	if placed > 0 {
		return fault.New(fault.Conflict, "node_in_use", "VMs are placed on this node (%d of them); delete them first", placed)
	}
	if _, err = t.exec(ctx, "delete from nodes where id = $1", n); err != nil {
		return err
	}
	_, err = t.exec(ctx, "delete from totals where owner = $1", nodeTotals+string(n))
	return err
}

// maxRenewals is how many renewals one statement records; more are recorded by several in the same transaction.
const maxRenewals = 5000

// Renewed is a renewal that was recorded, with the state in which it met the node.
type Renewed struct {
	Node  id.Node
	State node.State
}

// RenewLeases records a renewal of each of the nodes, which are named once, with one statement, and gives those that may be told
// so: a removed or unknown node is not among them. granted is the server's time, from which duration counts. Renewals are counted
// here: a node's own number begins anew with its agent, and a number that comes again would hide a renewal from node.Watch.
func (t *Tx) RenewLeases(ctx context.Context, nodes []id.Node, granted time.Time, duration time.Duration) ([]Renewed, error) {
	var all []Renewed
	for part := range slices.Chunk(nodes, maxRenewals) {
		renewed, err := t.renew(ctx, part, granted, duration)
		if err != nil {
			return nil, err
		}
		all = append(all, renewed...)
	}
	return all, nil
}

func (t *Tx) renew(ctx context.Context, nodes []id.Node, granted time.Time, duration time.Duration) ([]Renewed, error) {
	args := []any{stamp(granted), stamp(granted.Add(duration)), node.Removed}
	for _, n := range nodes {
		args = append(args, n)
	}
	return many(ctx, &t.Reader, func(r row) (n Renewed, err error) { return n, r.Scan(&n.Node, &n.State) },
		`update nodes set lease_seq = lease_seq + 1, lease_granted = $1, lease_ends = $2, last_seen = $1
		where id in (`+places(4, len(nodes))+`) and state <> $3 returning id, state`, args...)
}
