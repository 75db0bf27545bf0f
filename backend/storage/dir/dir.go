// Package dir keeps volumes as qcow2 files in a folder.
package dir

import (
	"context"
	"errors"

	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
)

var errSoon = errors.New("being built")

// Config is where a Pool lives.
type Config struct {
	Root   string         // folder of the pool, made with mode 0700 when absent: <data>; volumes/ and bases/ stand in it
	Images *storage.Cache // where Volume.Image is looked up
}

// Pool keeps volumes in a folder. Methods may be called from several goroutines.
type Pool struct{ cfg Config }

var _ storage.Pool = (*Pool)(nil)

// Open opens the pool and removes what an earlier crash left half done.
func Open(cfg Config) (*Pool, error) { return &Pool{cfg}, nil }

// Ensure implements storage.Pool.
func (p *Pool) Ensure(ctx context.Context, v storage.Volume) (hypervisor.File, error) {
	return hypervisor.File{}, errSoon
}

// Grow implements storage.Pool.
func (p *Pool) Grow(ctx context.Context, vol id.Volume, size int64) error { return errSoon }

// Remove implements storage.Pool.
func (p *Pool) Remove(ctx context.Context, vol id.Volume) error { return errSoon }

// Snapshot implements storage.Pool.
func (p *Pool) Snapshot(ctx context.Context, vol id.Volume, a storage.SnapshotAction, tag string) error {
	return errSoon
}

// List implements storage.Pool.
func (p *Pool) List(ctx context.Context) ([]storage.Found, error) { return nil, errSoon }

// Capacity implements storage.Pool.
func (p *Pool) Capacity(ctx context.Context) (storage.Capacity, error) {
	return storage.Capacity{}, errSoon
}
