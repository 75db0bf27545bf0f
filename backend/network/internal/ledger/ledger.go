// Package ledger keeps what a fabric made for each VM: one small JSON file per VM in a folder, so that a fabric that lost its
// memory still knows what to take back. A record is written before the first device is made and removed behind the last, so that
// nothing exists without one.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"novacron/backend/core/id"
)

// maxBytes bounds a record that is read: 8 ports and 64 forwards take less than a quarter.
const maxBytes = 64 << 10

// Ledger is a folder of records. Callers see to it that one record is used by one goroutine at a time.
type Ledger struct{ dir string }

// Open makes the folder where it is missing, and removes the temporary files of writes that a crash cut short.
func Open(dir string) (Ledger, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Ledger{}, fmt.Errorf("network records: %w", err)
	}
	half, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil {
		return Ledger{}, fmt.Errorf("network records: %w", err)
	}
	for _, f := range half {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Ledger{}, fmt.Errorf("network records: %w", err)
		}
	}
	return Ledger{dir: dir}, nil
}

// Put writes the record so that a power cut leaves the old or the new one, whole.
func (l Ledger) Put(vm id.VM, record any) error {
	b, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("record %s: %w", vm, err)
	}
	tmp := l.path(vm) + ".tmp"
	if err := writeSynced(tmp, b); err != nil {
		return errors.Join(fmt.Errorf("record %s: %w", vm, err), removeIfThere(tmp))
	}
	if err := os.Rename(tmp, l.path(vm)); err != nil {
		return errors.Join(fmt.Errorf("record %s: %w", vm, err), removeIfThere(tmp))
	}
	return l.sync()
}

// Get reads the record into record; found is false when there is none. A record that cannot be read is an error, and is
// still in List.
func (l Ledger) Get(vm id.VM, record any) (found bool, err error) {
	f, err := os.Open(l.path(vm))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("record %s: %w", vm, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return true, fmt.Errorf("record %s: %w", vm, err)
	}
	if info.Size() > maxBytes {
		return true, fmt.Errorf("record %s: %d bytes, at most %d are believed", vm, info.Size(), maxBytes)
	}
	if err := json.NewDecoder(f).Decode(record); err != nil {
		return true, fmt.Errorf("record %s: %w", vm, err)
	}
	return true, nil
}

// Remove deletes the record; absent is success.
func (l Ledger) Remove(vm id.VM) error {
	if err := removeIfThere(l.path(vm)); err != nil {
		return fmt.Errorf("record %s: %w", vm, err)
	}
	return l.sync()
}

// List gives the VMs that have a record, sorted. Files of other names are not ours and are passed over.
func (l Ledger) List() ([]id.VM, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("network records: %w", err)
	}
	var vms []id.VM
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && id.Is(name) && strings.HasPrefix(name, "vm-") {
			vms = append(vms, id.VM(name))
		}
	}
	slices.Sort(vms)
	return vms, nil
}

func (l Ledger) path(vm id.VM) string { return filepath.Join(l.dir, string(vm)+".json") }

func (l Ledger) sync() error {
	d, err := os.Open(l.dir)
	if err != nil {
		return fmt.Errorf("network records: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("network records: %w", err)
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
