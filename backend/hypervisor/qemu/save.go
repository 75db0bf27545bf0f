package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
)

const saveTimeout = 30 * time.Minute // writing the memory of a very large guest to a slow disk

// migration is what query-migrate answers.
type migration struct {
	Status string `json:"status"`
	Error  string `json:"error-desc"`
}

// Save writes the guest's memory and ends its process. Until the file has its name, every failure lets the guest run on.
func (i *instance) Save(ctx context.Context, file hypervisor.File) error {
	if i.over() {
		return exited(nil)
	}
	before, err := i.status(ctx)
	if err != nil {
		return err
	}
	if before != "running" && before != "paused" && before != "prelaunch" && before != "io-error" {
		return fault.New(fault.Conflict, "guest_off", "the guest is not running (%s); there is nothing to save", before)
	}
	i.hush(true)
	defer i.hush(false)
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := i.writeState(ctx, file.Path); err != nil {
		return errors.Join(err, i.abandonSave(context.WithoutCancel(ctx), before == "running"))
	}
	return i.process.kill() // the disks were flushed when the guest stopped; nothing of the process is needed any more
}

// hush keeps stops and resumes that are no news from the events.
func (i *instance) hush(quiet bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.quiet = quiet
}

func (i *instance) writeState(ctx context.Context, path string) error {
	r := i.snapshotRecord()
	c := r.Config
	out, err := newState(path, saved{VM: i.vm, MachineType: c.MachineType, CPUModel: c.CPUModel, Accel: c.Accel, CPUs: c.CPUs, Layout: r.Layout})
	if err != nil {
		return cannotWrite(err)
	}
	defer out.Close()
	if err := i.update(func(r *record) { r.Saving, r.Restored = path, "" }); err != nil {
		return err
	}
	if err := i.migrateTo(ctx, out); err != nil {
		return err
	}
	// On disk before it has its name, and the name before the process ends: a crash leaves a whole file or a running guest.
	if err := out.Sync(); err != nil {
		return cannotWrite(err)
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return cannotWrite(err)
	}
	return syncFolder(path)
}

func (i *instance) migrateTo(ctx context.Context, out *os.File) error {
	if err := i.run(ctx, "stop", nil, nil); err != nil {
		return err
	}
	// A file is no network: the limit is for migrations between hosts.
	if err := i.run(ctx, "migrate-set-parameters", args{"max-bandwidth": int64(1) << 40}, nil); err != nil {
		return err
	}
	if err := i.pass(ctx, "getfd", args{"fdname": "state"}, nil, out.Fd()); err != nil {
		return err
	}
	if err := i.run(ctx, "migrate", args{"uri": "fd:state"}, nil); err != nil {
		return err
	}
	return i.until(ctx, func() (bool, error) {
		var m migration
		if err := i.run(ctx, "query-migrate", nil, &m); err != nil {
			return false, err
		}
		switch m.Status {
		case "completed":
			return true, nil
		case "failed", "cancelled":
			return false, cannotWrite(fmt.Errorf("migration to a file %s: %s", m.Status, m.Error))
		}
		return false, nil
	})
}

func cannotWrite(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, "state_write", "the VM's memory could not be written; make room on the node's disk. The VM runs on")
}

// abandonSave takes an unfinished Save back.
func (i *instance) abandonSave(ctx context.Context, resume bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if i.over() {
		return nil
	}
	_ = i.run(ctx, "migrate_cancel", nil, nil) // refused when none is going on
	err := i.until(ctx, func() (bool, error) {
		var m migration
		err := i.run(ctx, "query-migrate", nil, &m)
		return m.Status == "" || m.Status == "completed" || m.Status == "failed" || m.Status == "cancelled", err
	})
	path := i.snapshotRecord().Saving
	if path != "" {
		dropPartial(path)
		_ = os.Remove(path) // memory that runs on must not be restored a second time
	}
	if resume && err == nil {
		err = i.run(ctx, "cont", nil, nil)
	}
	return errors.Join(err, i.update(func(r *record) { r.Saving = "" }))
}

// finishRestore waits until the memory is read, takes its file away, and lets the guest go on. Whatever can fail comes before the file
// goes: until then the caller may end the process, and the VM is suspended as it was. The agent may die between any two lines; the
// next one finds in the record how far it came.
func (i *instance) finishRestore(ctx context.Context) error {
	r := i.snapshotRecord()
	if from := r.Config.Restore; from != nil {
		if err := i.untilRead(ctx); err != nil {
			return err
		}
		if err := i.driver.step("note that the memory was read"); err != nil {
			return err
		}
		if err := i.update(func(r *record) { r.Restored, r.Config.Restore = from.Path, nil }); err != nil {
			return fault.Wrap(err, fault.Unavailable, "restore_note", "the node could not write down that the memory was read; make room under its run folder")
		}
	}
	if err := i.spend(i.snapshotRecord().Restored); err != nil {
		return fault.Wrap(err, fault.Unavailable, "restore_remove", "the file of the memory could not be taken away on the node's disk; mend the disk")
	}
	// Behind this line there is no way back, so nothing of it is an error. The actor lets a guest go on that stands still.
	if err := i.driver.step("forget the file"); err != nil {
		return err
	}
	if err := i.update(func(r *record) { r.Restored = "" }); err != nil {
		i.driver.log.Warn("the record of a restore stays", "vm", i.vm, "err", err)
	}
	if err := i.driver.step("go on"); err != nil || r.Config.StartPaused {
		return err
	}
	if err := i.run(ctx, "cont", nil, nil); err != nil {
		if i.over() {
			return err
		}
		i.driver.log.Warn("a guest whose memory was read stands still", "vm", i.vm, "err", err)
	}
	return nil
}

func (i *instance) untilRead(ctx context.Context) error {
	return i.until(ctx, func() (bool, error) {
		status, err := i.status(ctx)
		return status != "inmigrate", err
	})
}

// spend takes the file of memory away that was read: memory that runs on must not be restored a second time. The name goes for good
// before the content, so that a disk that refuses leaves the file as it was.
func (i *instance) spend(path string) error {
	if err := i.driver.step("take the name away"); err != nil {
		return err
	}
	err := os.Rename(path, hypervisor.Partial(path))
	there := !errors.Is(err, os.ErrNotExist) // else an agent before this one came further
	if err != nil && there {
		return err
	}
	if err = i.driver.step("make that last"); err == nil {
		err = syncFolder(path)
	}
	if err != nil && there {
		return errors.Join(err, os.Rename(hypervisor.Partial(path), path))
	}
	if err != nil {
		return err
	}
	if err := i.driver.step("take the content away"); err != nil {
		return err
	}
	dropPartial(path)
	return nil
}

// syncFolder makes the coming and going of the file's name last.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
