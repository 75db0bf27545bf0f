package store

import (
	"context"

	"novacron/backend/core/id"
	"novacron/backend/op"
)

// SaveVM writes what the platform and the power verbs decide about a VM whose row this transaction has read: what is wanted,
// who owns it, what was resolved once, and the spec. It does not count the version up, since no user edited the VM: an
// If-Match of before stays good.
func (t *Tx) SaveVM(ctx context.Context, v *VM) error {
	v.Updated = now()
	before, err := t.shareNow(ctx, v.ID)
	if err != nil {
		return err
	}
	err = t.execOne(ctx, edited("VM", v.Name), `update vms set spec = $2, wanted_power = $3, boot = $4, force = $5, grace_s = $6,
		generation = $7, epoch = $8, node = $9, role = $10, uid = $11, machine_type = $12, cpu_model = $13, cpus = $14,
		memory_mib = $15, disk_gib = $16, image = $17, protected = $18, updated_at = $19, nics = $20 where id = $1`,
		v.ID, encode(v.Spec), v.Power, v.Boot, v.Force, v.GraceS, v.Generation, v.Epoch, v.Node, v.Role, v.UID, v.MachineType,
		v.CPUModel, v.Spec.CPUs, v.Spec.MemoryMiB, diskGiB(v.Spec), v.Spec.Image, v.Spec.Protected, stamp(v.Updated), len(v.Spec.NICs))
	if err != nil {
		return err
	}
	return t.reshare(ctx, before, shareOf(v))
}

// LockVMs locks the rows of these VMs to the end of the transaction, in one order, so that two batches cannot wait for each
// other. What VMViews reads after it stays true.
func (t *Tx) LockVMs(ctx context.Context, vms []id.VM) error {
	if t.lock == "" || len(vms) == 0 {
		return nil // SQLite has one writer
	}
	args := make([]any, len(vms))
	for i, v := range vms {
		args[i] = v
	}
	_, err := many(ctx, &t.Reader, func(r row) (v id.VM, err error) { return v, r.Scan(&v) },
		"select id from vms where id in ("+places(1, len(args))+") order by id"+t.lock, args...)
	return err
}

// VMsNeeding counts the VMs that have the image's content in any of their disks.
func (r *Reader) VMsNeeding(ctx context.Context, digest string) (int, error) {
	return one(ctx, r, nil, func(row row) (n int, err error) { return n, row.Scan(&n) },
		`select count(*) from vms where image = $1 or spec like $2 escape '\'`, digest, contains(digest))
}

// NodeNeeds reports whether a VM that is placed on the node has the image's content in any of its disks, or starts from it.
func (r *Reader) NodeNeeds(ctx context.Context, n id.Node, digest string) (bool, error) {
	return one(ctx, r, nil, func(row row) (ok bool, err error) { return ok, row.Scan(&ok) },
		`select exists (select 1 from vms where node = $1 and (image = $2 or spec like $3 escape '\'))`, n, digest, contains(digest))
}

// SaveOperation stores the record as Operations.Save does, beside other changes of the transaction.
func (t *Tx) SaveOperation(ctx context.Context, r *op.Record) error { return t.saveOperation(ctx, r) }
