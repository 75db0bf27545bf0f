// Package sim is a pool in memory, for nodes whose hypervisor is simulated: it keeps the rules of a real pool (sizes,
// epochs, clones, room) and no bytes, so that 100,000 volumes are cheap, and it fails when a script says so.
package sim

import (
	"context"
	"sync"

	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
)

// Config is what the simulated pool pretends to have.
type Config struct {
	TotalBytes int64 // room; 0: DefaultTotalBytes
	// ImageSize gives the virtual size of an image, false when it is not there. nil: every image is there, with 1 GiB.
	ImageSize func(digest string) (int64, bool)
}

// DefaultTotalBytes has room for 100,000 thin volumes of any allowed size.
const DefaultTotalBytes = int64(1) << 60

// Call names a method of the pool in a script of faults.
type Call string

// The calls that Fail can break.
const (
	Ensure   Call = "ensure"
	Grow     Call = "grow"
	Remove   Call = "remove"
	Snapshot Call = "snapshot"
	List     Call = "list"
)

// Pool is the simulated pool. Methods may be called from several goroutines.
type Pool struct {
	cfg Config

	mu      sync.Mutex
	volumes map[id.Volume]*volume
	used    int64
	thin    int64 // sum of the sizes
	faults  map[Call][]failure
}

type volume struct {
	size, used int64
	epoch      int64
	whole      bool
	base       *base
	snapshots  map[string]struct{}
}

// base is the frozen content that linked clones share. Nothing in memory depends on it but the count.
type base struct{ users int }

// failure is one scripted failure. Half leaves a half-made volume, as a crash would.
type failure struct {
	err  error
	half bool
}

var _ storage.Pool = (*Pool)(nil)

// New makes an empty pool.
func New(cfg Config) *Pool {
	if cfg.TotalBytes == 0 {
		cfg.TotalBytes = DefaultTotalBytes
	}
	if cfg.ImageSize == nil {
		cfg.ImageSize = func(string) (int64, bool) { return 1 << 30, true }
	}
	return &Pool{cfg: cfg, volumes: map[id.Volume]*volume{}, faults: map[Call][]failure{}}
}

// Fail makes the next n calls fail with err, without effect.
func (p *Pool) Fail(c Call, n int, err error) { p.script(c, n, failure{err: err}) }

// FailHalf makes the next n calls of Ensure fail with err and leave a half-made volume, as a crash does.
func (p *Pool) FailHalf(n int, err error) { p.script(Ensure, n, failure{err: err, half: true}) }

// FillUp makes the pool full until it is called with free room again.
func (p *Pool) FillUp(freeBytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg.TotalBytes = p.used + freeBytes
}

func (p *Pool) script(c Call, n int, f failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.faults[c] = append(p.faults[c], f)
	}
}

// next takes the scripted failure of this call, if there is one.
func (p *Pool) next(ctx context.Context, c Call) (failure, bool) {
	if err := ctx.Err(); err != nil {
		return failure{err: err}, true
	}
	q := p.faults[c]
	if len(q) == 0 {
		return failure{}, false
	}
	p.faults[c] = q[1:]
	return q[0], true
}

// Metadata of a new qcow2 volume: what it takes from the room before the guest writes.
const emptyBytes = 256 << 10

// Ensure implements storage.Pool.
func (p *Pool) Ensure(ctx context.Context, v storage.Volume) (hypervisor.File, error) {
	if err := v.Check(); err != nil {
		return hypervisor.File{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.next(ctx, Ensure); ok {
		if f.half && p.volumes[v.ID] == nil {
			p.volumes[v.ID] = &volume{epoch: v.Epoch}
		}
		return hypervisor.File{}, f.err
	}
	old := p.volumes[v.ID]
	if old != nil && old.whole {
		if v.Epoch < old.epoch {
			return hypervisor.File{}, storage.StaleEpoch(v.ID, v.Epoch, old.epoch)
		}
		old.epoch = v.Epoch
		return file(v.ID, v.Image), nil
	}
	if v.Made {
		return hypervisor.File{}, storage.Lost(v.ID)
	}
	made, err := p.make(v)
	if err != nil {
		return hypervisor.File{}, err
	}
	p.volumes[v.ID] = made
	p.used += made.used
	p.thin += made.size
	return file(v.ID, v.Image), nil
}

func (p *Pool) make(v storage.Volume) (*volume, error) {
	made := &volume{size: v.SizeBytes, used: emptyBytes, epoch: v.Epoch, whole: true}
	least := int64(0)
	switch {
	case v.Image != "":
		size, ok := p.cfg.ImageSize(v.Image)
		if !ok {
			return nil, storage.NoImage(v.Image)
		}
		least = size
	case v.From != "":
		from := p.volumes[v.From]
		if from == nil || !from.whole {
			return nil, storage.NoVolume(v.From)
		}
		if v.Linked && len(from.snapshots) > 0 {
			return nil, storage.HasSnapshots(v.From, len(from.snapshots))
		}
		least = from.size
		if !v.Linked {
			made.used = from.used
		}
	}
	if v.SizeBytes < least {
		return nil, storage.TooSmall(v.ID, v.SizeBytes, least)
	}
	if free := p.cfg.TotalBytes - p.used; made.used > free {
		return nil, storage.Full(free, made.used)
	}
	if v.Linked {
		p.link(p.volumes[v.From], made)
	}
	return made, nil
}

// link puts both volumes on one frozen base.
func (p *Pool) link(from, made *volume) {
	if from.base == nil {
		from.base = &base{users: 1}
	}
	from.base.users++
	made.base = from.base
}

func file(vol id.Volume, digest string) hypervisor.File {
	f := hypervisor.File{Path: "/sim/volumes/" + string(vol) + "/disk.qcow2", Format: "qcow2"}
	if digest != "" {
		f.Backing = &hypervisor.File{Path: "/sim/images/" + digest, Format: "raw", ReadOnly: true}
	}
	return f
}

// Grow implements storage.Pool.
func (p *Pool) Grow(ctx context.Context, vol id.Volume, size int64) error {
	if err := storage.CheckSize(size); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.next(ctx, Grow); ok {
		return f.err
	}
	v := p.volumes[vol]
	if v == nil || !v.whole {
		return storage.NoVolume(vol)
	}
	if size > v.size {
		p.thin += size - v.size
		v.size = size
	}
	return nil
}

// Remove implements storage.Pool.
func (p *Pool) Remove(ctx context.Context, vol id.Volume) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.next(ctx, Remove); ok {
		return f.err
	}
	v := p.volumes[vol]
	if v == nil {
		return nil
	}
	if v.base != nil {
		v.base.users--
	}
	p.used -= v.used
	p.thin -= v.size
	delete(p.volumes, vol)
	return nil
}

// Snapshot implements storage.Pool.
func (p *Pool) Snapshot(ctx context.Context, vol id.Volume, a storage.SnapshotAction, tag string) error {
	if err := storage.CheckSnapshot(a, tag); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.next(ctx, Snapshot); ok {
		return f.err
	}
	v := p.volumes[vol]
	if v == nil || !v.whole {
		return storage.NoVolume(vol)
	}
	_, there := v.snapshots[tag]
	switch a {
	case storage.SnapshotCreate:
		if !there && len(v.snapshots) >= storage.MaxSnapshots {
			return storage.TooManySnapshots(vol)
		}
		if v.snapshots == nil {
			v.snapshots = map[string]struct{}{}
		}
		v.snapshots[tag] = struct{}{}
	case storage.SnapshotDelete:
		delete(v.snapshots, tag)
	case storage.SnapshotRevert:
		if !there {
			return storage.NoSnapshot(vol, tag)
		}
	}
	return nil
}

// List implements storage.Pool.
func (p *Pool) List(ctx context.Context) ([]storage.Found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.next(ctx, List); ok {
		return nil, f.err
	}
	found := make([]storage.Found, 0, len(p.volumes))
	for vol, v := range p.volumes {
		found = append(found, storage.Found{ID: vol, SizeBytes: v.size, UsedBytes: v.used, Whole: v.whole})
	}
	return found, nil
}

// Capacity implements storage.Pool.
func (p *Pool) Capacity(context.Context) (storage.Capacity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return storage.Capacity{Total: p.cfg.TotalBytes, Free: p.cfg.TotalBytes - p.used, Provisioned: p.thin}, nil
}
