package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/image"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
	"novacron/backend/storage/durable"
	"novacron/backend/storage/qemuimg"
)

// Ensure implements storage.Pool.
func (p *Pool) Ensure(ctx context.Context, v storage.Volume) (hypervisor.File, error) {
	if err := v.Check(); err != nil {
		return hypervisor.File{}, err
	}
	unlock, err := p.turns.Lock(ctx, names(v)...)
	if err != nil {
		return hypervisor.File{}, err
	}
	defer unlock()
	m, err := p.get(v.ID)
	if fault.Is(err, fault.NotFound) {
		if v.Made {
			return hypervisor.File{}, storage.Lost(v.ID)
		}
		m, err = p.create(ctx, v)
	} else if err == nil {
		m, err = p.own(v, m)
	}
	if err != nil {
		return hypervisor.File{}, err
	}
	return p.file(filepath.Join(p.volumeDir(v.ID), m.Disk), m)
}

// names are the volumes that an Ensure touches. Turns takes them in order, so that two clones of each other cannot wait for
// each other for ever.
func names(v storage.Volume) []string {
	if v.From == "" {
		return []string{string(v.ID)}
	}
	return []string{string(v.ID), string(v.From)}
}

// own refuses an owner of the past and remembers a new one.
func (p *Pool) own(v storage.Volume, m meta) (meta, error) {
	if v.Epoch < m.Epoch {
		return m, storage.StaleEpoch(v.ID, v.Epoch, m.Epoch)
	}
	if v.Epoch == m.Epoch {
		return m, nil
	}
	m.Epoch = v.Epoch
	return m, p.put(v.ID, m)
}

// create makes the volume that is not there, or only half.
func (p *Pool) create(ctx context.Context, v storage.Volume) (meta, error) {
	switch {
	case v.Image != "":
		return p.fromImage(v)
	case v.Linked:
		return p.link(v)
	case v.From != "":
		return p.copyOf(ctx, v)
	}
	return p.build(v, meta{}, p.empty(v.SizeBytes, meta{}))
}

// fromImage makes an overlay over a cached image.
func (p *Pool) fromImage(v storage.Volume) (meta, error) {
	defer p.expect(v.Image)()
	info, err := p.images.Get(v.Image)
	if err != nil {
		return meta{}, err
	}
	if info.Disk.Path == "" {
		return meta{}, fault.New(fault.Invalid, "image_without_disk", "image %s has no disk to start a volume from", v.Image)
	}
	if v.SizeBytes < info.VirtualBytes {
		return meta{}, storage.TooSmall(v.ID, v.SizeBytes, info.VirtualBytes)
	}
	on := meta{Image: v.Image}
	return p.build(v, on, p.empty(v.SizeBytes, on))
}

// expect keeps an image or a base from being removed while a volume over it is made.
func (p *Pool) expect(name string) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending[name]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.pending[name]--; p.pending[name] == 0 {
			delete(p.pending, name)
		}
	}
}

// copyOf makes an independent copy. What the source stands on is shared when it is an image, which never changes; the rest
// is copied.
func (p *Pool) copyOf(ctx context.Context, v storage.Volume) (meta, error) {
	from, src, err := p.source(v)
	if err != nil {
		return meta{}, err
	}
	if from.Image != "" {
		defer p.expect(from.Image)()
	}
	snapshots, err := atRest(src.Path)
	if err != nil {
		return meta{}, err
	}
	if err := p.fits(src); err != nil {
		return meta{}, err
	}
	on, fill := meta{Image: from.Image}, clone(src.Path)
	if from.Base != "" || snapshots > 0 {
		// Flattened: the bases belong to others, and snapshots of the source mean nothing in the copy.
		on, fill = meta{}, func(dst *os.File) error { return qemuimg.Convert(ctx, src, dst, storage.LargestQCOW2(from.SizeBytes)) }
	}
	return p.build(v, on, func(dst *os.File) error {
		if err := fill(dst); err != nil {
			return err
		}
		return p.stretch(ctx, dst, on, from.SizeBytes, v.SizeBytes)
	})
}

// source looks up what a clone starts from.
func (p *Pool) source(v storage.Volume) (meta, hypervisor.File, error) {
	from, err := p.get(v.From)
	if err != nil {
		return meta{}, hypervisor.File{}, err
	}
	if v.SizeBytes < from.SizeBytes {
		return meta{}, hypervisor.File{}, storage.TooSmall(v.ID, v.SizeBytes, from.SizeBytes)
	}
	src, err := p.file(filepath.Join(p.volumeDir(v.From), from.Disk), from)
	return from, src, err
}

// fits refuses a copy that is larger than the free space.
func (p *Pool) fits(src hypervisor.File) error {
	info, err := os.Stat(src.Path)
	if err != nil {
		return err
	}
	_, free, err := durable.Room(p.root)
	if err != nil {
		return err
	}
	if need := durable.Allocated(info); need > free {
		return storage.Full(free, need)
	}
	return nil
}

func clone(path string) func(dst *os.File) error {
	return func(dst *os.File) error {
		src, err := os.Open(path)
		if err != nil {
			return err
		}
		defer src.Close()
		return durable.Clone(dst, src)
	}
}

// stretch grows a copy that shall be larger than its source.
func (p *Pool) stretch(ctx context.Context, dst *os.File, on meta, have, want int64) error {
	if want <= have {
		return nil
	}
	f, err := p.file(dst.Name(), on)
	if err != nil {
		return err
	}
	return qemuimg.Resize(ctx, f, want)
}

// empty writes a qcow2 file without content of its own over what m stands on.
func (p *Pool) empty(size int64, m meta) func(dst *os.File) error {
	return func(dst *os.File) error {
		f, err := p.file(dst.Name(), m)
		if err != nil {
			return err
		}
		backing, format := "", image.Format("")
		// For people who look at the file by hand. A name that is too long for the header is left out.
		if f.Backing != nil && len(f.Backing.Path) <= image.MaxBackingName {
			backing, format = f.Backing.Path, image.Format(f.Backing.Format)
		}
		b, err := image.NewQCOW2(size, backing, format)
		if err != nil {
			return err
		}
		_, err = dst.Write(b)
		return err
	}
}

// build makes the volume's folder under another name, with the disk that fill writes, and renames it when it is whole.
// Nothing stays behind when it fails.
func (p *Pool) build(v storage.Volume, on meta, fill func(dst *os.File) error) (meta, error) {
	m := meta{SizeBytes: v.SizeBytes, Epoch: v.Epoch, Image: on.Image, Base: on.Base, Disk: firstDisk}
	temp := p.dir("volumes", tempPrefix+string(v.ID))
	if err := errors.Join(os.RemoveAll(temp), os.RemoveAll(p.volumeDir(v.ID))); err != nil {
		return meta{}, fmt.Errorf("clear what is left of %s: %w", v.ID, err)
	}
	if err := fillFolder(temp, m, fill); err != nil {
		_ = os.RemoveAll(temp) // swept at the next start where it cannot be removed now
		return meta{}, p.full(err, 0)
	}
	if err := p.show(temp, v.ID, m); err != nil {
		return meta{}, fmt.Errorf("publish %s: %w", v.ID, err)
	}
	return m, nil
}

func fillFolder(dir string, m meta, fill func(dst *os.File) error) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := writeDisk(filepath.Join(dir, m.Disk), fill); err != nil {
		return err
	}
	return writeMeta(dir, m)
}

func writeDisk(path string, fill func(dst *os.File) error) error {
	dst, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	if err := fill(dst); err != nil {
		return err
	}
	return dst.Sync()
}

// show renames the finished folder and makes the volume known.
func (p *Pool) show(temp string, v id.Volume, m meta) error {
	if err := os.Rename(temp, p.volumeDir(v)); err != nil {
		return err
	}
	if err := durable.SyncDir(p.dir("volumes")); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.volumes[v] = m
	return nil
}

// Remove implements storage.Pool. A volume that was cloned can always go: clones stand on a base of their own.
func (p *Pool) Remove(ctx context.Context, v id.Volume) error {
	if !storage.IsVolume(v) {
		return fault.New(fault.Invalid, "volume_id", "%q is not the id of a volume", v)
	}
	unlock, err := p.turns.Lock(ctx, string(v))
	if err != nil {
		return err
	}
	defer unlock()
	temp := p.dir("volumes", tempPrefix+string(v))
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("remove %s: %w", v, err)
	}
	if err := os.Rename(p.volumeDir(v), temp); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("remove %s: %w", v, err)
	}
	if err := durable.SyncDir(p.dir("volumes")); err != nil {
		return fmt.Errorf("remove %s: %w", v, err)
	}
	p.mu.Lock()
	delete(p.volumes, v)
	p.mu.Unlock()
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("remove %s: %w", v, err)
	}
	return p.collect()
}
