package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// SnapshotState is where a snapshot is.
type SnapshotState string

// The states. Only a ready snapshot can be reverted to.
const (
	SnapshotCreating SnapshotState = "creating"
	SnapshotReady    SnapshotState = "ready"
	SnapshotDeleting SnapshotState = "deleting"
	SnapshotFailed   SnapshotState = "error" // StateReason says why
)

// Snapshot is a point in time of a VM's disks.
type Snapshot struct {
	ID          id.Snapshot
	VM          id.VM
	Tenant      id.Tenant
	Name        string // unique in its VM, whatever the case
	Description string
	Memory      bool // with memory and device state
	State       SnapshotState
	StateReason string
	Version     int64 // counted up by UpdateSnapshot
	Created     time.Time
	Updated     time.Time
}

const snapshotColumns = "p.id, p.vm, p.tenant, p.name, p.description, p.memory, p.state, p.state_reason, p.version, p.created_at, p.updated_at"

func scanSnapshot(r row) (p Snapshot, err error) {
	return p, r.Scan(&p.ID, &p.VM, &p.Tenant, &p.Name, &p.Description, &p.Memory, &p.State, &p.StateReason, &p.Version,
		stamped{&p.Created}, stamped{&p.Updated})
}

// Snapshot reads a snapshot. fault.NotFound: there is none.
func (r *Reader) Snapshot(ctx context.Context, p id.Snapshot) (Snapshot, error) {
	return one(ctx, r, notFound("snapshot", "snapshot", p), scanSnapshot, "select "+snapshotColumns+" from snapshots p where p.id = $1"+r.lock, p)
}

// SnapshotByName reads the VM's snapshot of this name in any case. fault.NotFound: there is none.
func (r *Reader) SnapshotByName(ctx context.Context, vm id.VM, name string) (Snapshot, error) {
	return one(ctx, r, notFound("snapshot", "snapshot", name), scanSnapshot,
		"select "+snapshotColumns+" from snapshots p where p.vm = $1 and p.name_folded = $2"+r.lock, vm, Fold(name))
}

var snapshotListing = listing[Snapshot]{
	columns: snapshotColumns, table: "snapshots p", key: "p.id", order: "-created_at",
	sorts: map[string]sorting[Snapshot]{
		"name":       {"p.name_folded", func(p Snapshot) string { return Fold(p.Name) }},
		"created_at": {"p.created_at", func(p Snapshot) string { return p.Created.Format(timeFormat) }},
	},
	scan:  scanSnapshot,
	keyOf: func(p Snapshot) string { return string(p.ID) },
}

// ListSnapshots gives a page of the VM's snapshots, the newest first unless told otherwise; sorted by name or created_at.
func (r *Reader) ListSnapshots(ctx context.Context, vm id.VM, p Page) (List[Snapshot], error) {
	var where filter
	where.text("p.vm", string(vm))
	return list(ctx, r, snapshotListing, where, p)
}

// CountSnapshots counts the VM's snapshots.
func (r *Reader) CountSnapshots(ctx context.Context, vm id.VM) (int, error) {
	return one(ctx, r, nil, func(row row) (n int, err error) { return n, row.Scan(&n) }, "select count(*) from snapshots where vm = $1", vm)
}

// InsertSnapshot adds the snapshot. fault.Conflict with code snapshot_name_taken: the VM has one of this name.
func (t *Tx) InsertSnapshot(ctx context.Context, p *Snapshot) error {
	p.Version, p.Created = 1, orNow(p.Created)
	p.Updated = p.Created
	n, err := t.exec(ctx, `insert into snapshots (id, vm, tenant, name, name_folded, description, memory, state, state_reason, version,
		created_at, updated_at) values (`+places(1, 12)+`) on conflict do nothing`, p.ID, p.VM, p.Tenant, p.Name, Fold(p.Name),
		p.Description, p.Memory, p.State, p.StateReason, p.Version, stamp(p.Created), stamp(p.Updated))
	if err == nil && n == 0 {
		return snapshotNameTaken(p.Name)
	}
	if err != nil {
		return err
	}
	return t.addTotals(ctx, tenantTotals+string(p.Tenant), VMTotals{Snapshots: 1})
}

func snapshotNameTaken(name string) *fault.Error {
	return fault.New(fault.Conflict, "snapshot_name_taken", "the VM already has a snapshot named %q; pick another name", name).On("name")
}

// UpdateSnapshot writes name, description and state and counts p.Version up. fault.Precondition: the stored version is not p.Version.
func (t *Tx) UpdateSnapshot(ctx context.Context, p *Snapshot) error {
	p.Updated = now()
	n, err := t.exec(ctx, `update snapshots set name = $3, name_folded = $4, description = $5, state = $6, state_reason = $7,
		updated_at = $8, version = version + 1 where id = $1 and version = $2`, p.ID, p.Version, p.Name, Fold(p.Name), p.Description,
		p.State, clean(p.StateReason, maxSentence), stamp(p.Updated))
	if err != nil && t.db.dialect.classify(err) == unique {
		return snapshotNameTaken(p.Name)
	}
	if err == nil && n == 0 {
		return edited("snapshot", p.Name)
	}
	if err == nil {
		p.Version++
	}
	return err
}

// DeleteSnapshot removes a snapshot; absent is success.
func (t *Tx) DeleteSnapshot(ctx context.Context, p id.Snapshot) error {
	tenant, err := one(ctx, &t.Reader, nil, func(r row) (n id.Tenant, err error) { return n, r.Scan(&n) },
		"delete from snapshots where id = $1 returning tenant", p)
	if err != nil || tenant == "" {
		return err
	}
	return t.addTotals(ctx, tenantTotals+string(tenant), VMTotals{Snapshots: -1})
}
