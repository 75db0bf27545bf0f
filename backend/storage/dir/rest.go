package dir

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/image"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
	"novacron/backend/storage/qemuimg"
)

// Grow implements storage.Pool.
func (p *Pool) Grow(ctx context.Context, v id.Volume, size int64) error {
	if err := storage.CheckSize(size); err != nil {
		return err
	}
	return p.edit(ctx, v, func(f hypervisor.File, m meta) error {
		// The disk decides, not the meta: QEMU may have grown it while the VM ran.
		have, err := header(f.Path)
		if err != nil {
			return err
		}
		if have.VirtualBytes < size {
			if err := qemuimg.Resize(ctx, f, size); err != nil {
				return p.full(fmt.Errorf("grow %s: %w", v, err), 0)
			}
			have.VirtualBytes = size
		}
		if have.VirtualBytes == m.SizeBytes {
			return nil
		}
		m.SizeBytes = have.VirtualBytes
		return p.put(v, m)
	})
}

// Snapshot implements storage.Pool.
func (p *Pool) Snapshot(ctx context.Context, v id.Volume, a storage.SnapshotAction, tag string) error {
	if err := storage.CheckSnapshot(a, tag); err != nil {
		return err
	}
	return p.edit(ctx, v, func(f hypervisor.File, m meta) error {
		have, err := qemuimg.Snapshots(ctx, f)
		if err != nil {
			return fmt.Errorf("list the snapshots of %s: %w", v, err)
		}
		flag, there := "", slices.Contains(have, tag)
		switch {
		case a == storage.SnapshotCreate && there, a == storage.SnapshotDelete && !there:
			return nil
		case a == storage.SnapshotCreate && len(have) >= storage.MaxSnapshots:
			return storage.TooManySnapshots(v)
		case a == storage.SnapshotCreate:
			flag = "-c"
		case a == storage.SnapshotDelete:
			flag = "-d"
		case !there:
			return storage.NoSnapshot(v, tag)
		default:
			flag = "-a"
		}
		if err := qemuimg.Snapshot(ctx, f, flag, tag); err != nil {
			return p.full(fmt.Errorf("snapshot %s of %s: %w", a, v, err), 0)
		}
		return nil
	})
}

// edit calls do with the disk of a volume that no process has open, in the volume's turn.
func (p *Pool) edit(ctx context.Context, v id.Volume, do func(f hypervisor.File, m meta) error) error {
	unlock, err := p.turns.Lock(ctx, string(v))
	if err != nil {
		return err
	}
	defer unlock()
	m, err := p.get(v)
	if err != nil {
		return err
	}
	f, err := p.file(filepath.Join(p.volumeDir(v), m.Disk), m)
	if err != nil {
		return err
	}
	if _, err := atRest(f.Path); err != nil {
		return err
	}
	return do(f, m)
}

// atRest refuses a disk file that a process has open, and gives the number of snapshots inside.
func atRest(path string) (snapshots int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	// QEMU marks an open image by locks on bytes 100 to 299, one for each right that it uses or denies to others.
	const from, length = 100, 200
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: from, Len: length}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("ask for locks: %w", err)
	}
	if lock.Type != unix.F_UNLCK {
		return 0, fault.New(fault.Conflict, "disk_in_use", "a process has the disk open; stop the VM first")
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	q, err := image.ReadQCOW2(f, info.Size())
	return q.Snapshots, err
}

func header(path string) (image.QCOW2Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return image.QCOW2Header{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return image.QCOW2Header{}, err
	}
	return image.ReadQCOW2(f, info.Size())
}
