package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// VM is a virtual machine as it is stored.
type VM struct {
	ID          id.VM
	Tenant      id.Tenant
	Name        string // unique in its tenant, whatever the case
	Description string
	Tags        []string // as vm.CheckTags gives them
	Spec        vm.Spec

	Power      vm.Power // wanted
	Boot       int64
	Force      bool
	GraceS     int
	Generation int64 // of what is wanted; the caller counts it up with each change that the node must hear of

	Epoch int64 // owner epoch; counted up with each change of Node
	Node  id.Node
	Role  vm.Role

	UID         int    // unprivileged user of its QEMU; 0: none
	MachineType string // as resolved at the first start; empty before
	CPUModel    string

	Status       vm.State // as vm.Status computed it last, for filters; see SetVMStatus
	StatusReason string

	Version int64 // counted up by UpdateVM
	Created time.Time
	Updated time.Time
}

const vmColumns = `v.id, v.tenant, v.name, v.description, v.spec, v.wanted_power, v.boot, v.force, v.grace_s, v.generation,
	v.epoch, v.node, v.role, v.uid, v.machine_type, v.cpu_model, v.status, v.status_reason, v.version, v.created_at, v.updated_at, v.tags`

func scanVM(r row) (v VM, err error) {
	return v, r.Scan(v.fields()...)
}

func (v *VM) fields() []any {
	return []any{
		&v.ID, &v.Tenant, &v.Name, &v.Description, decoded{&v.Spec}, &v.Power, &v.Boot, &v.Force, &v.GraceS, &v.Generation,
		&v.Epoch, &v.Node, &v.Role, &v.UID, &v.MachineType, &v.CPUModel, &v.Status, &v.StatusReason, &v.Version,
		stamped{&v.Created}, stamped{&v.Updated}, tagged{&v.Tags},
	}
}

// VM reads a VM. fault.NotFound: there is none.
func (r *Reader) VM(ctx context.Context, vm id.VM) (VM, error) {
	return one(ctx, r, notFound("VM", "vm", vm), scanVM, "select "+vmColumns+" from vms v where v.id = $1"+r.lock, vm)
}

// VMByName reads the tenant's VM of this name in any case. fault.NotFound: there is none.
func (r *Reader) VMByName(ctx context.Context, tenant id.Tenant, name string) (VM, error) {
	return one(ctx, r, notFound("VM", "vm", name), scanVM,
		"select "+vmColumns+" from vms v where v.tenant = $1 and v.name_folded = $2"+r.lock, tenant, Fold(name))
}

// VMsOnNode reads every VM that is placed on the node, without order.
func (r *Reader) VMsOnNode(ctx context.Context, node id.Node) ([]VM, error) {
	return many(ctx, r, scanVM, "select "+vmColumns+" from vms v where v.node = $1", node)
}

// diskGiB is the size of all disks together.
func diskGiB(s vm.Spec) (sum int) {
	for _, d := range s.Disks {
		sum += d.SizeGiB
	}
	return sum
}

// InsertVM adds the VM with Version 1 and its times. fault.Conflict with code vm_name_taken: the tenant has one of this name.
func (t *Tx) InsertVM(ctx context.Context, v *VM) error {
	v.Version, v.Created = 1, orNow(v.Created)
	v.Updated = v.Created
	n, err := t.exec(ctx, `insert into vms (id, tenant, name, name_folded, description, spec, wanted_power, boot, force, grace_s,
		generation, epoch, node, role, uid, machine_type, cpu_model, status, status_reason, cpus, memory_mib, disk_gib, image,
		protected, version, created_at, updated_at, nics, tags) values (`+places(1, 29)+`) on conflict do nothing`,
		v.ID, v.Tenant, v.Name, Fold(v.Name), v.Description, encode(v.Spec), v.Power, v.Boot, v.Force, v.GraceS,
		v.Generation, v.Epoch, v.Node, v.Role, v.UID, v.MachineType, v.CPUModel, v.Status, v.StatusReason, v.Spec.CPUs,
		v.Spec.MemoryMiB, diskGiB(v.Spec), v.Spec.Image, v.Spec.Protected, v.Version, stamp(v.Created), stamp(v.Updated), len(v.Spec.NICs),
		packTags(v.Tags))
	if err == nil && n == 0 {
		return vmNameTaken(v.Name)
	}
	if err != nil {
		return err
	}
	return t.reshare(ctx, share{}, shareOf(v))
}

func vmNameTaken(name string) *fault.Error {
	return fault.New(fault.Conflict, "vm_name_taken", "there is already a VM named %q; pick another name or delete that one", name).On("name")
}

// UpdateVM writes everything of the VM but its status, and counts v.Version up. fault.Precondition: the stored version is not
// v.Version. fault.Conflict with code vm_name_taken: the new name is taken.
func (t *Tx) UpdateVM(ctx context.Context, v *VM) error {
	v.Updated = now()
	before, err := t.shareNow(ctx, v.ID)
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `update vms set name = $3, name_folded = $4, description = $5, spec = $6, wanted_power = $7, boot = $8,
		force = $9, grace_s = $10, generation = $11, epoch = $12, node = $13, role = $14, uid = $15, machine_type = $16,
		cpu_model = $17, cpus = $18, memory_mib = $19, disk_gib = $20, image = $21, protected = $22, updated_at = $23, nics = $24,
		tags = $25, version = version + 1 where id = $1 and version = $2`,
		v.ID, v.Version, v.Name, Fold(v.Name), v.Description, encode(v.Spec), v.Power, v.Boot, v.Force, v.GraceS, v.Generation,
		v.Epoch, v.Node, v.Role, v.UID, v.MachineType, v.CPUModel, v.Spec.CPUs, v.Spec.MemoryMiB, diskGiB(v.Spec), v.Spec.Image,
		v.Spec.Protected, stamp(v.Updated), len(v.Spec.NICs), packTags(v.Tags))
	if err != nil && t.db.dialect.classify(err) == unique {
		return vmNameTaken(v.Name)
	}
	if err == nil && n == 0 {
		return edited("VM", v.Name)
	}
	if err != nil {
		return err
	}
	v.Version++
	return t.reshare(ctx, before, shareOf(v))
}

// SetVMStatus stores what vm.Status computed, for filters, and says whether it differs from what was stored. It does not
// count the version up: no user edited anything.
func (t *Tx) SetVMStatus(ctx context.Context, vm id.VM, status vm.State, reason string) (changed bool, err error) {
	n, err := t.exec(ctx, `update vms set status = $2, status_reason = $3 where id = $1 and (status <> $2 or status_reason <> $3)`,
		vm, status, clean(reason, maxSentence))
	return n > 0, err
}

// DeleteVM removes the VM with its reports, addresses and uid; absent is success. fault.Conflict: snapshots of it are left.
func (t *Tx) DeleteVM(ctx context.Context, vm id.VM) error {
	if err := t.ReleaseAddresses(ctx, vm); err != nil {
		return err
	}
	if err := t.ReleaseUID(ctx, vm); err != nil {
		return err
	}
	before, err := one(ctx, &t.Reader, nil, scanShare, "delete from vms where id = $1 returning "+shareColumns, vm)
	if err != nil || before.tenant == "" {
		return err
	}
	return t.reshare(ctx, before, share{})
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return now()
	}
	return t.UTC().Truncate(time.Microsecond)
}
