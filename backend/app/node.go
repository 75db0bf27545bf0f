package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// How long a join token is good for.
const (
	DefaultJoinLifetime = time.Hour
	MaxJoinLifetime     = 24 * time.Hour // so that a token does not lie around
	maxLabels           = 64
	maxLabelBytes       = 256
	nameTries           = 100 // names that are tried for a node whose host name is taken
)

// ListNodes gives a page of the machines that run guests.
func (a *App) ListNodes(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.Node], error) {
	var none wire.List[wire.Node]
	if err := auth.May(c, auth.ReadPlatform, ""); err != nil {
		return none, err
	}
	page, err := a.db.ListNodes(ctx, store.NodeFilter{}, r.page())
	if err != nil {
		return none, err
	}
	usage, err := a.db.NodeUsage(ctx)
	if err != nil {
		return none, err
	}
	return mapped(page, func(n store.Node) wire.Node { return nodeView(n, usage[n.ID]) }), nil
}

// Node gives one node by id or name.
func (a *App) Node(ctx context.Context, c auth.Caller, ref string) (wire.Node, error) {
	n, err := a.findNode(ctx, &a.db.Reader, c, ref)
	if err != nil {
		return wire.Node{}, err
	}
	return a.viewNode(ctx, &a.db.Reader, n)
}

func (a *App) viewNode(ctx context.Context, r *store.Reader, n store.Node) (wire.Node, error) {
	usage, err := r.NodeUsage(ctx)
	return nodeView(n, usage[n.ID]), err
}

func (a *App) findNode(ctx context.Context, r *store.Reader, c auth.Caller, ref string) (n store.Node, err error) {
	if err := auth.May(c, auth.ReadPlatform, ""); err != nil {
		return n, err
	}
	if strings.HasPrefix(ref, "node-") && id.Is(ref) {
		n, err = r.Node(ctx, id.Node(ref))
	} else {
		n, err = r.NodeByName(ctx, ref)
	}
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "node_not_found", "there is no node %.80q; list the nodes to see their names", ref)
	}
	return n, err
}

// UpdateNode cordons a node (it takes no new VMs), lets it in again, or labels it. version: If-Match; 0: whatever it is.
func (a *App) UpdateNode(ctx context.Context, c auth.Caller, ref string, w wire.UpdateNode, version int64) (wire.Node, error) {
	if err := checkLabels(w.Labels); err != nil {
		return wire.Node{}, err
	}
	return a.changeNode(ctx, c, ref, "node.update", func(t *store.Tx, n *store.Node) error {
		if version != 0 && version != n.Version {
			return fault.New(fault.Precondition, "version_changed", "node %s was changed in the meantime; read it again", n.Name)
		}
		set(&n.Cordoned, w.Cordoned)
		set(&n.Labels, w.Labels)
		if err := t.UpdateNode(ctx, n); err != nil {
			return err
		}
		return t.Emit("node.updated", "", "node/"+string(n.ID), map[string]any{"name": n.Name, "cordoned": n.Cordoned, "by": c.String()})
	})
}

func checkLabels(labels *map[string]string) error {
	if labels == nil {
		return nil
	}
	if len(*labels) > maxLabels {
		return fault.New(fault.Invalid, "", "a node has up to %d labels", maxLabels).On("labels")
	}
	for k, v := range *labels {
		if k == "" || len(k) > maxLabelBytes || len(v) > maxLabelBytes {
			return fault.New(fault.Invalid, "", "a label has a name, and up to %d bytes on either side", maxLabelBytes).On("labels")
		}
	}
	return nil
}

func (a *App) changeNode(ctx context.Context, c auth.Caller, ref, action string, f func(t *store.Tx, n *store.Node) error) (w wire.Node, err error) {
	if err := auth.May(c, auth.WriteNode, ""); err != nil {
		return w, err
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		n, err := a.findNode(ctx, &t.Reader, c, ref)
		if err != nil {
			return err
		}
		before := n
		if err := f(t, &n); err != nil {
			return err
		}
		say := func(n store.Node) map[string]any {
			return map[string]any{"cordoned": n.Cordoned, "labels": n.Labels, "state": n.State}
		}
		if err := audit(t, c, action, "", "node/"+string(n.ID), map[string]any{"name": n.Name, "before": say(before), "after": say(n)}); err != nil {
			return err
		}
		if n, err = t.Node(ctx, n.ID); err != nil {
			return err
		}
		w, err = a.viewNode(ctx, &t.Reader, n)
		return err
	})
	return w, err
}

// ConfirmNodeDead says that an operator looked and the machine is off for good: what was on it does not run. Its VMs can be
// deleted then; their disks were there.
func (a *App) ConfirmNodeDead(ctx context.Context, c auth.Caller, ref string) (wire.Node, error) {
	var rest []id.VM
	w, err := a.changeNode(ctx, c, ref, "node.confirm_dead", func(t *store.Tx, n *store.Node) (err error) {
		rest, err = a.moveNode(ctx, t, *n, node.ConfirmedDead, "confirmed dead by "+c.String())
		return err
	})
	if err != nil {
		return w, err
	}
	return w, a.refreshParts(ctx, rest)
}

// RemoveNode takes a node out for ever: its certificate is refused from now on. It must have no VMs.
func (a *App) RemoveNode(ctx context.Context, c auth.Caller, ref string) error {
	_, err := a.changeNode(ctx, c, ref, "node.remove", func(t *store.Tx, n *store.Node) error {
		_, err := a.moveNode(ctx, t, *n, node.Remove, "removed by "+c.String()) // it has no VMs
		return err
	})
	return err
}

// settledAtOnce is how many VMs of a node get their new status in the transaction that moves the node: enough for every
// machine there is, and few enough that the transaction ends in time on a slow disk. The rest follows at once, and Resettle
// finds them when a crash comes in between; what users read is computed anyway.
const settledAtOnce = 2000

// NodeEvent moves a node's state with the status of the VMs on it. The lease reconciler calls it.
func (a *App) NodeEvent(ctx context.Context, n id.Node, e node.Event, reason string) error {
	return a.nodeEvent(ctx, n, e, reason, func(store.Node) bool { return true })
}

// NodeExpired calls a node lost whose last renewal was seq. One that was recorded since keeps it alive: its node may have been
// told so already.
func (a *App) NodeExpired(ctx context.Context, n id.Node, seq int64, reason string) (lost bool, err error) {
	err = a.nodeEvent(ctx, n, node.Expired, reason, func(row store.Node) bool {
		lost = row.LeaseSeq == seq
		return lost
	})
	return lost && err == nil, err
}

// nodeEvent moves a node's state where the row, as the transaction finds it, is one that the event is about.
func (a *App) nodeEvent(ctx context.Context, n id.Node, e node.Event, reason string, about func(store.Node) bool) error {
	var rest []id.VM
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		row, err := t.Node(ctx, n)
		if err != nil || !about(row) {
			return err
		}
		rest, err = a.moveNode(ctx, t, row, e, reason)
		return err
	})
	if err != nil {
		return err
	}
	return a.refreshParts(ctx, rest)
}

// refreshParts computes the status of many VMs anew, some per transaction.
func (a *App) refreshParts(ctx context.Context, ids []id.VM) error {
	for part := range slices.Chunk(ids, observeBatch) {
		if err := a.db.Tx(ctx, func(t *store.Tx) error { return a.refreshAll(ctx, t, part) }); err != nil {
			return err
		}
	}
	return nil
}

// moveNode gives the VMs whose status is still to be computed.
func (a *App) moveNode(ctx context.Context, t *store.Tx, n store.Node, e node.Event, reason string) (rest []id.VM, err error) {
	if to, err := node.Next(n.State, e, 0); err == nil && to == n.State {
		return nil, nil // the usual renewal: the VMs need not be looked at
	}
	vms, err := t.VMsOnNode(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	to, err := node.Next(n.State, e, len(vms))
	if err != nil || to == n.State {
		return nil, err
	}
	if _, err := t.SetNodeState(ctx, n.ID, n.State, to, reason); err != nil {
		return nil, err
	}
	data := map[string]any{"name": n.Name, "state": to, "previous": n.State, "reason": reason, "vms": len(vms)}
	if err := t.Emit("node.state", "", "node/"+string(n.ID), data); err != nil {
		return nil, err
	}
	ids := make([]id.VM, len(vms))
	for i, v := range vms {
		ids[i] = v.ID
	}
	slices.Sort(ids)
	now := ids[:min(len(ids), settledAtOnce)]
	return ids[len(now):], a.refreshAll(ctx, t, now)
}

// refreshAll is refresh for many.
func (a *App) refreshAll(ctx context.Context, t *store.Tx, ids []id.VM) error {
	for len(ids) > 0 {
		part := ids[:min(len(ids), observeBatch)]
		ids = ids[len(part):]
		if err := t.LockVMs(ctx, part); err != nil {
			return err
		}
		views, err := t.VMViews(ctx, part)
		if err != nil {
			return err
		}
		for _, v := range views {
			if err := a.settle(ctx, t, v, v.Seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// CreateJoinToken makes the secret that lets one machine join as a node, once. lifetime 0: DefaultJoinLifetime. Only its hash
// is stored, so this is the only time that anybody sees it.
func (a *App) CreateJoinToken(ctx context.Context, c auth.Caller, lifetime time.Duration) (secret string, expires time.Time, err error) {
	if err := auth.May(c, auth.WriteNode, ""); err != nil {
		return "", expires, err
	}
	if lifetime == 0 {
		lifetime = DefaultJoinLifetime
	}
	if lifetime < time.Minute || lifetime > MaxJoinLifetime {
		return "", expires, fault.New(fault.Invalid, "lifetime_invalid", "a join token is good for a minute to %d hours", int(MaxJoinLifetime.Hours())).On("lifetime")
	}
	raw := make([]byte, 16)
	rand.Read(raw)
	secret = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	expires = a.now().Add(lifetime).UTC()
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		j := store.JoinToken{Hash: hashSecret(secret), CreatedBy: c.String(), Created: a.now(), Expires: expires}
		if err := t.InsertJoinToken(ctx, &j); err != nil {
			return err
		}
		if err := audit(t, c, "node.join_token", "", "", map[string]any{"expires_at": expires}); err != nil {
			return err
		}
		return t.Emit("audit.join_token", "", "", map[string]any{"by": c.String(), "expires_at": expires})
	})
	return secret, expires, err
}

func hashSecret(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// RedeemJoin spends a join token for the node with this public key and gives the node's id. While the token is good the same key may ask
// again, for when the answer was lost. hostname is what the machine calls itself.
func (a *App) RedeemJoin(ctx context.Context, secret string, key []byte, hostname, address string) (n id.Node, err error) {
	n = id.NodeOf(key)
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if _, err := t.UseJoinToken(ctx, hashSecret(secret), n); err != nil {
			return err
		}
		if _, err := t.Node(ctx, n); err == nil || !fault.Is(err, fault.NotFound) {
			return err
		}
		return a.addNode(ctx, t, n, hostname, node.Joining, "joined from "+address)
	})
	return n, err
}

// RegisterNode makes sure that a node of this id is there: the one that runs in the server's own process.
func (a *App) RegisterNode(ctx context.Context, n id.Node, hostname string) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		_, err := t.Node(ctx, n)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return err
		}
		return a.addNode(ctx, t, n, hostname, node.Joining, "it runs in the server's process")
	})
}

// addNode names the node after its host; a name that is taken gets a number.
func (a *App) addNode(ctx context.Context, t *store.Tx, n id.Node, hostname string, state node.State, reason string) error {
	base := nodeLabel(hostname)
	for try := 1; ; try++ {
		row := store.Node{ID: n, Name: base, State: state, StateReason: reason, Labels: map[string]string{}, Created: a.now()}
		if try > 1 {
			row.Name = fmt.Sprintf("%s-%d", base, try)
		}
		_, err := t.NodeByName(ctx, row.Name)
		if err == nil && try < nameTries {
			continue
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err := t.InsertNode(ctx, &row); err != nil {
			return err
		}
		return t.Emit("node.joined", "", "node/"+string(n), map[string]any{"name": row.Name, "reason": reason})
	}
}

// nodeLabel makes a name out of what a machine calls itself, which proves nothing and may hold anything.
func nodeLabel(hostname string) string {
	hostname, _, _ = strings.Cut(strings.ToLower(hostname), ".")
	var b strings.Builder
	for _, r := range hostname {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			b.WriteRune(r)
		}
	}
	const most = 40 // room for a number behind it
	name := strings.Trim(b.String()[:min(b.Len(), most)], "-")
	if name == "" || id.Is(name) {
		return "node"
	}
	return name
}

// AdmitNode refuses a node that was removed.
func (a *App) AdmitNode(ctx context.Context, n id.Node) error {
	row, err := a.db.Node(ctx, n)
	if fault.Is(err, fault.NotFound) || err == nil && row.State == node.Removed {
		return fault.New(fault.Forbidden, "node_removed", "this node was removed; join the machine again with a new token")
	}
	return err
}

// AdmitImage lets a node read the images that VMs placed on it need, and no others. fault.Forbidden: none of them needs this one.
func (a *App) AdmitImage(ctx context.Context, n id.Node, digest string) error {
	needed, err := a.db.NodeNeeds(ctx, n, digest)
	if err == nil && !needed {
		return fault.New(fault.Forbidden, "image_not_needed", "no VM of this node needs the image %s; a node reads the images of its VMs alone", digest)
	}
	return err
}

// NodeFacts stores what a node measured of itself.
func (a *App) NodeFacts(ctx context.Context, n id.Node, f agent.Facts) error {
	f.Node = n // whatever it says
	raw, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("facts of %s: %w", n, err)
	}
	return a.db.Tx(ctx, func(t *store.Tx) error { return t.SetNodeFacts(ctx, n, raw) })
}

func factsOf(n store.Node) (f agent.Facts) {
	if len(n.Facts) > 0 {
		_ = json.Unmarshal(n.Facts, &f) // written by NodeFacts; an older form leaves gaps
	}
	return f
}

func nodeView(n store.Node, used store.VMTotals) wire.Node {
	f := factsOf(n)
	return wire.Node{
		ID: n.ID, Name: n.Name, State: string(n.State), StateReason: n.StateReason, Cordoned: n.Cordoned, Labels: n.Labels, Arch: f.Arch,
		CPUs: f.CPUs, CPUModel: f.CPUModel, MemoryMiB: f.MemoryMiB, FreeMiB: f.FreeMiB, DiskTotal: f.DiskTotal, DiskFree: f.DiskFree,
		Load1: f.Load1, Accel: f.Accel, AccelReason: f.AccelReason, Hypervisor: f.Hypervisor, Network: f.Network, NetworkNote: f.NetworkNote,
		Kernel: f.Kernel, NovaCron: f.Version, Missing: list(f.Missing), VMs: used.VMs,
		CPUsUsed: used.CPUs, MemoryUsed: used.MemoryMiB, LastSeen: timeOrNil(n.LastSeen), CreatedAt: n.Created,
		Version: n.Version,
	}
}
