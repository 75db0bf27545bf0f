package store

import (
	"context"
	"strings"

	"novacron/backend/core/id"
)

// VMTotals is what VMs together ask for. Snapshots is counted for tenants only.
type VMTotals struct{ VMs, CPUs, MemoryMiB, DiskGiB, Addresses, Snapshots int }

const totalsColumns = "vms, cpus, memory_mib, disk_gib, addresses, snapshots"

func (n *VMTotals) fields() []any {
	return []any{&n.VMs, &n.CPUs, &n.MemoryMiB, &n.DiskGiB, &n.Addresses, &n.Snapshots}
}

func (n VMTotals) minus(m VMTotals) VMTotals {
	return VMTotals{n.VMs - m.VMs, n.CPUs - m.CPUs, n.MemoryMiB - m.MemoryMiB, n.DiskGiB - m.DiskGiB, n.Addresses - m.Addresses, n.Snapshots - m.Snapshots}
}

// Owners of totals.
const (
	nodeTotals   = "node/"
	tenantTotals = "tenant/"
)

// CountVMs counts the VMs of a tenant with their CPUs, memory in MiB and disks in GiB and addresses, and its snapshots, for quotas. Take the tenant's
// Tx.Lock first.
func (r *Reader) CountVMs(ctx context.Context, tenant id.Tenant) (VMTotals, error) {
	return one(ctx, r, nil, func(row row) (n VMTotals, err error) { return n, row.Scan(n.fields()...) },
		"select "+totalsColumns+" from totals where owner = $1", tenantTotals+string(tenant))
}

// NodeUsage sums what is placed on each node, running or not.
func (r *Reader) NodeUsage(ctx context.Context) (map[id.Node]VMTotals, error) {
	type owned struct {
		owner string
		VMTotals
	}
	rows, err := many(ctx, r, func(row row) (o owned, err error) { return o, row.Scan(append([]any{&o.owner}, o.fields()...)...) },
		"select owner, "+totalsColumns+" from totals where owner >= 'node/' and owner < 'node0' and vms > 0")
	usage := make(map[id.Node]VMTotals, len(rows))
	for _, o := range rows {
		usage[id.Node(strings.TrimPrefix(o.owner, nodeTotals))] = o.VMTotals
	}
	return usage, err
}

// share is what one VM adds to the totals, and whose.
type share struct {
	tenant id.Tenant
	node   id.Node
	VMTotals
}

func shareOf(v *VM) share {
	return share{v.Tenant, v.Node, VMTotals{VMs: 1, CPUs: v.Spec.CPUs, MemoryMiB: v.Spec.MemoryMiB, DiskGiB: diskGiB(v.Spec), Addresses: len(v.Spec.NICs)}}
}

const shareColumns = "tenant, node, cpus, memory_mib, disk_gib, nics"

func scanShare(r row) (s share, err error) {
	s.VMs = 1
	return s, r.Scan(&s.tenant, &s.node, &s.CPUs, &s.MemoryMiB, &s.DiskGiB, &s.Addresses)
}

// reshare moves the totals from what a VM took before to what it takes now; the zero share is a VM that is not there.
func (t *Tx) reshare(ctx context.Context, before, now share) error {
	if before == now {
		return nil
	}
	none := VMTotals{}
	for _, kind := range []struct{ before, now string }{
		{nodeTotals + string(before.node), nodeTotals + string(now.node)},
		{tenantTotals + string(before.tenant), tenantTotals + string(now.tenant)},
	} {
		if kind.before == kind.now {
			if err := t.addTotals(ctx, kind.now, now.minus(before.VMTotals)); err != nil {
				return err
			}
			continue
		}
		if err := t.addTotals(ctx, kind.before, none.minus(before.VMTotals)); err != nil {
			return err
		}
		if err := t.addTotals(ctx, kind.now, now.VMTotals); err != nil {
			return err
		}
	}
	return nil
}

// addTotals adds n to what the owner has; an owner without an id has nothing.
func (t *Tx) addTotals(ctx context.Context, owner string, n VMTotals) error {
	if n == (VMTotals{}) || strings.HasSuffix(owner, "/") {
		return nil
	}
	_, err := t.exec(ctx, "insert into totals (owner, "+totalsColumns+`) values ($1, $2, $3, $4, $5, $6, $7) on conflict (owner) do update set
		vms = totals.vms + excluded.vms, cpus = totals.cpus + excluded.cpus, memory_mib = totals.memory_mib + excluded.memory_mib,
		disk_gib = totals.disk_gib + excluded.disk_gib, addresses = totals.addresses + excluded.addresses, snapshots = totals.snapshots + excluded.snapshots`,
		owner, n.VMs, n.CPUs, n.MemoryMiB, n.DiskGiB, n.Addresses, n.Snapshots)
	return err
}

// shareNow reads what the VM takes, and locks its row. The zero share: there is no such VM.
func (t *Tx) shareNow(ctx context.Context, v id.VM) (share, error) {
	return one(ctx, &t.Reader, nil, scanShare, "select "+shareColumns+" from vms where id = $1"+t.lock, v)
}
