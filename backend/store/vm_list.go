package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/op"
)

// VMFilter narrows a list of VMs. Zero fields do not.
type VMFilter struct {
	Tenant id.Tenant
	Status vm.State
	Node   id.Node
	Name   string // part of the name, in any case
	Image  string // digest

	Tags    []string // all of them; as vm.CheckTags gives them
	Address string   // the beginning of one that a NIC has or the guest reports
	Whole   bool     // Address is all of it
}

// Doing is the unended operation that acts on something.
type Doing struct {
	Operation id.Operation // empty: nothing is being done
	Kind      string
	Status    op.Status
	Sentence  string
	Progress  float64 // 0..1
}

// VMSummary is what a list shows of a VM, and what vm.Status needs, without the whole Spec. Each column costs: 25,000 VMs are listed at once.
type VMSummary struct {
	ID                       id.VM
	Tenant                   id.Tenant
	Name                     string
	CPUs, MemoryMiB, DiskGiB int
	Image                    string   // digest
	Power                    vm.Power // wanted
	Node                     id.Node
	NodeName                 string     // empty: no node, or it is gone
	NodeState                node.State // likewise
	Status                   vm.State
	StatusReason             string
	Version                  int64
	Created                  time.Time
	SeenState                vm.RunState // of its node's last report of the present owner epoch; empty: there is none
	SeenReason               string
	Behind                   bool     // that report is of an older generation than is wanted, or there is none
	Addresses                []string // as that report has them
	Tags                     []string
	Doing                    string // kind of the unended operation that acts on it; empty: none does
}

// What is joined to a VM, one row each at most: the report of its node, and the operation under way.
const (
	seenJoin  = "left join vm_seen s on s.vm = v.id and s.node = v.node"
	doingJoin = " left join operations o on o.subject = 'vm/' || v.id and o.ended_at is null"

	// A report of an older owner epoch says nothing of the machine that is wanted now.
	presentJoin = seenJoin + " and s.epoch = v.epoch"
)

// vmPacked are the columns of a VMSummary in the order in which scanVMSummary takes them; what people and guests wrote comes last.
var vmPacked = struct{ words, sentences []string }{
	[]string{
		"v.id", "v.tenant", "v.cpus", "v.memory_mib", "v.disk_gib", "v.image", "v.wanted_power", "v.node",
		"v.status", "v.version", "v.created_at", "coalesce(s.state, '')",
		"case when s.generation >= v.generation then 1 else 0 end", "coalesce(s.addresses, '')", "v.tags", "coalesce(o.kind, '')",
	},
	[]string{"v.name", "v.status_reason", "coalesce(s.reason, '')"},
}

var vmListing = listing[VMSummary]{
	packed: func(arg int) string { return packed(vmPacked.words, vmPacked.sentences, arg) },
	table:  "vms v", joins: presentJoin + doingJoin, key: "v.id", order: "name",
	sorts: map[string]sorting[VMSummary]{
		"name":       {"v.name_folded", func(v VMSummary) string { return Fold(v.Name) }},
		"created_at": {"v.created_at", func(v VMSummary) string { return v.Created.Format(timeFormat) }},
		"status":     {"v.status", func(v VMSummary) string { return string(v.Status) }},
		"node":       {"v.node", func(v VMSummary) string { return string(v.Node) }},
	},
	scan:  scanVMSummary,
	keyOf: func(v VMSummary) string { return string(v.ID) },
}

func scanVMSummary(r row) (v VMSummary, err error) {
	u := unpackRow(r, len(vmPacked.words)+len(vmPacked.sentences))
	v = VMSummary{
		ID: id.VM(u.text()), Tenant: id.Tenant(u.text()), CPUs: int(u.number()), MemoryMiB: int(u.number()), DiskGiB: int(u.number()),
		Image: u.text(), Power: vm.Power(u.text()), Node: id.Node(u.text()),
		Status: vm.State(u.text()), Version: u.number(), Created: u.time(), SeenState: vm.RunState(u.text()), Behind: u.number() == 0,
		Addresses: u.texts(), Tags: unpackTags(u.text()), Doing: u.text(), Name: u.text(), StatusReason: u.text(), SeenReason: u.text(),
	}
	return v, u.err
}

// parseTexts reads a JSON list of texts. Without a backslash nothing in it is escaped, and cutting is exact and much faster.
func parseTexts(list string) (texts []string, err error) {
	inner, ok := strings.CutPrefix(list, `["`)
	if ok && !strings.Contains(list, `\`) {
		return strings.Split(strings.TrimSuffix(inner, `"]`), `","`), nil
	}
	if len(list) > 2 {
		err = json.Unmarshal([]byte(list), &texts)
	}
	return texts, err
}

// ListVMs gives a page of VMs, sorted by name, created_at, status or node, with one query for the VMs and one for the nodes
// that they are on.
func (r *Reader) ListVMs(ctx context.Context, f VMFilter, p Page) (List[VMSummary], error) {
	var where filter
	where.text("v.tenant", string(f.Tenant))
	where.text("v.status", string(f.Status))
	where.text("v.node", string(f.Node))
	where.text("v.image", f.Image)
	where.part("v.name_folded", f.Name)
	for _, tag := range f.Tags {
		where.part("v.tags", packTags([]string{tag}))
	}
	where.address(f.Address, f.Whole)
	l, err := list(ctx, r, vmListing, where, p)
	if err != nil {
		return l, err
	}
	return l, r.nameNodes(ctx, l.Items)
}

// nameNodes fills in what the list shows of the VMs' nodes. There are far fewer of them than VMs.
func (r *Reader) nameNodes(ctx context.Context, vms []VMSummary) error {
	type named struct {
		id    id.Node
		name  string
		state node.State
	}
	seen, args := map[id.Node]named{}, []any(nil)
	for _, v := range vms {
		if _, ok := seen[v.Node]; !ok && v.Node != "" {
			seen[v.Node] = named{}
			args = append(args, v.Node)
		}
	}
	if len(args) == 0 {
		return nil
	}
	nodes, err := many(ctx, r, func(row row) (n named, err error) { return n, row.Scan(&n.id, &n.name, &n.state) },
		"select id, name, state from nodes where id in ("+places(1, len(args))+")", args...)
	for _, n := range nodes {
		seen[n.id] = n
	}
	for i := range vms {
		vms[i].NodeName, vms[i].NodeState = seen[vms[i].Node].name, seen[vms[i].Node].state
	}
	return err
}

// VMView is one VM with everything that its status and actions depend on, read at one instant.
type VMView struct {
	VM
	Seen      *vm.Seen // last report of its node; nil: none
	NodeName  string   // empty: no node, or it is gone
	NodeState node.State
	Doing     Doing
}

// VMView reads one VM with its surroundings. fault.NotFound: there is none.
func (r *Reader) VMView(ctx context.Context, vm id.VM) (VMView, error) {
	return one(ctx, r, notFound("VM", "vm", vm), scanVMView, vmViewQuery+" where v.id = $1", vm)
}

// VMViews reads the VMs with these ids with their surroundings, without order; those that are gone are left out. At most
// MaxLimit.
func (r *Reader) VMViews(ctx context.Context, vms []id.VM) ([]VMView, error) {
	if len(vms) == 0 {
		return nil, nil
	}
	args := make([]any, min(len(vms), MaxLimit))
	for i := range args {
		args[i] = vms[i]
	}
	return many(ctx, r, scanVMView, vmViewQuery+" where v.id in ("+places(1, len(args))+")", args...)
}

const vmViewQuery = "select " + vmColumns + `, coalesce(s.report, ''), coalesce(n.name, ''), coalesce(n.state, ''), coalesce(o.id, ''),
	coalesce(o.kind, ''), coalesce(o.status, ''), coalesce(o.sentence, ''), coalesce(o.progress, 0)
	from vms v ` + seenJoin + doingJoin + " left join nodes n on n.id = v.node"

func scanVMView(r row) (v VMView, err error) {
	d := &v.Doing
	return v, r.Scan(append(v.VM.fields(), decoded{&v.Seen}, &v.NodeName, &v.NodeState, &d.Operation, &d.Kind, &d.Status, &d.Sentence,
		&d.Progress)...)
}
