// Package storage keeps the disks of VMs and the images that they start from. A Pool is a place for volumes on a node; the
// Cache holds images by digest. Volumes are made by id and every method may be repeated: a crash between two calls is
// mended by making the same call again. Snapshots here are those of volumes that no process has open; a running VM's are taken
// by its driver.
package storage

import (
	"context"

	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
)

// Pool is a place for volumes. dir (qcow2 files) is the first kind; all pass storagetest.
type Pool interface {
	// Ensure makes the volume if it is not there, from its image or its source, and gives the file that a driver opens.
	// A half-made volume of an earlier crash is made anew; a finished one is never touched. The whole chain below the file is
	// spelled out: no header decides what is opened. fault.Precondition: v.Epoch is older than an earlier caller's.
	// fault.NotFound: v.Made is set and the volume is gone.
	// fault.Exhausted: no room. fault.Conflict: v.From is open, or has snapshots and v.Linked is set.
	Ensure(ctx context.Context, v Volume) (hypervisor.File, error)
	// Grow makes a volume that no process has open at least size bytes large. It never shrinks.
	Grow(ctx context.Context, vol id.Volume, size int64) error
	// Remove deletes the volume, which no process may have open; absent is success. The source of linked clones can go like
	// any other: they stand on a base of their own, which goes with the last of them.
	Remove(ctx context.Context, vol id.Volume) error
	// Snapshot acts on snapshots inside a volume that no process has open. Create and Delete may be repeated.
	Snapshot(ctx context.Context, vol id.Volume, a SnapshotAction, tag string) error
	// List gives every volume in the pool, half-made ones too.
	List(ctx context.Context) ([]Found, error)
	// Capacity says how much room the pool has.
	Capacity(ctx context.Context) (Capacity, error)
}

// Volume is what Ensure makes.
type Volume struct {
	ID        id.Volume
	SizeBytes int64     // at least the image's or source's virtual size, else fault.Invalid
	Image     string    // digest; an overlay over the cached image
	From      id.Volume // a copy of this volume, which no process may have open
	Linked    bool      // with From: both become overlays over a frozen base
	Made      bool      // it was whole before: where it is missing it was lost, and is never made anew as an empty one
	Epoch     int64     // owner epoch written beside the volume: a caller with an older one is refused
}

// SnapshotAction is what to do with a snapshot of a volume at rest.
type SnapshotAction string

// The actions. Revert puts the content back and keeps the snapshot.
const (
	SnapshotCreate SnapshotAction = "create"
	SnapshotRevert SnapshotAction = "revert"
	SnapshotDelete SnapshotAction = "delete"
)

// Found is a volume that List met.
type Found struct {
	ID        id.Volume
	SizeBytes int64
	UsedBytes int64
	Whole     bool // false: half-made
}

// Capacity is the room of a pool in bytes.
type Capacity struct {
	Total, Free, Provisioned int64
}
