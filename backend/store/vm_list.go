package store

import (
	"context"
	"encoding/json"
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
}

// Doing is the unended operation that acts on something.
type Doing struct {
	Operation id.Operation // empty: nothing is being done
	Kind      string
	Status    op.Status
	Sentence  string
	Progress  float64 // 0..1
}

// VMSummary is what a list shows of a VM, and what vm.Status and vm.Actions need, without the whole Spec.
type VMSummary struct {
	ID                        id.VM
	Tenant                    id.Tenant
	Name, Description         string
	CPUs, MemoryMiB, DiskGiB  int
	Image                     string // digest
	Protected                 bool
	Power                     vm.Power // wanted
	Boot, Generation, Epoch   int64
	Node                      id.Node
	NodeName                  string     // empty: no node, or it is gone
	NodeState                 node.State // likewise
	Role                      vm.Role
	Status                    vm.State
	StatusReason              string
	Version                   int64
	Created, Updated          time.Time
	SeenState                 vm.RunState // of its node's last report; empty: no report
	SeenReason                string
	SeenEpoch, SeenGeneration int64
	SeenBoot                  int64
	Addresses                 []string // as its node saw them
	Doing                     Doing
}

// vmJoins finds the report of the VM's node, the node and the operation under way, one row each at most.
const vmJoins = `left join vm_seen s on s.vm = v.id and s.node = v.node left join nodes n on n.id = v.node
	left join operations o on o.subject = 'vm/' || v.id and o.ended_at is null`

const doingColumns = `coalesce(o.id, ''), coalesce(o.kind, ''), coalesce(o.status, ''), coalesce(o.sentence, ''), coalesce(o.progress, 0)`

func (d *Doing) fields() []any {
	return []any{&d.Operation, &d.Kind, &d.Status, &d.Sentence, &d.Progress}
}

var vmListing = listing[VMSummary]{
	columns: `v.id, v.tenant, v.name, v.description, v.cpus, v.memory_mib, v.disk_gib, v.image, v.protected, v.wanted_power,
		v.boot, v.generation, v.epoch, v.node, coalesce(n.name, ''), coalesce(n.state, ''), v.role, v.status, v.status_reason,
		v.version, v.created_at, v.updated_at, coalesce(s.state, ''), coalesce(s.reason, ''), coalesce(s.epoch, 0),
		coalesce(s.generation, 0), coalesce(s.boot, 0), coalesce(s.addresses, ''), ` + doingColumns,
	table: "vms v", joins: vmJoins, key: "v.id", order: "name",
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
	var addresses []byte
	fields := []any{
		&v.ID, &v.Tenant, &v.Name, &v.Description, &v.CPUs, &v.MemoryMiB, &v.DiskGiB, &v.Image, &v.Protected, &v.Power,
		&v.Boot, &v.Generation, &v.Epoch, &v.Node, &v.NodeName, &v.NodeState, &v.Role, &v.Status, &v.StatusReason,
		&v.Version, stamped{&v.Created}, stamped{&v.Updated}, &v.SeenState, &v.SeenReason, &v.SeenEpoch,
		&v.SeenGeneration, &v.SeenBoot, &addresses,
	}
	if err := r.Scan(append(fields, v.Doing.fields()...)...); err != nil {
		return v, err
	}
	if len(addresses) > 2 { // neither "" nor "[]"
		err = json.Unmarshal(addresses, &v.Addresses)
	}
	return v, err
}

// ListVMs gives a page of VMs, sorted by name, created_at, status or node, in one query whatever their number.
func (r *Reader) ListVMs(ctx context.Context, f VMFilter, p Page) (List[VMSummary], error) {
	var where filter
	where.text("v.tenant", string(f.Tenant))
	where.text("v.status", string(f.Status))
	where.text("v.node", string(f.Node))
	where.text("v.image", f.Image)
	where.part("v.name_folded", f.Name)
	return list(ctx, r, vmListing, where, p)
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

const vmViewQuery = "select " + vmColumns + ", coalesce(s.report, ''), coalesce(n.name, ''), coalesce(n.state, ''), " +
	doingColumns + " from vms v " + vmJoins

func scanVMView(r row) (v VMView, err error) {
	fields := append(v.VM.fields(), decoded{&v.Seen}, &v.NodeName, &v.NodeState)
	return v, r.Scan(append(fields, v.Doing.fields()...)...)
}
