package qemu

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
)

// record is what the run folder remembers of a process, so that the next agent can take it over. It is written once before the
// process exists, with PID 0, and again whenever something in it changes.
type record struct {
	PID     int               `json:"pid"`
	Started uint64            `json:"started"` // clock tick at which the process began
	TPM     int               `json:"tpm,omitempty"`
	TPMAt   uint64            `json:"tpm_started,omitempty"`
	Config  hypervisor.Config `json:"config"`
	Layout  layout            `json:"layout"`
	Saving  string            `json:"saving,omitempty"` // file that Save is writing
	// Restored is the file that the guest's memory was read from whole; it goes before a vCPU runs.
	Restored string   `json:"restored,omitempty"`
	Frozen   bool     `json:"frozen,omitempty"` // the guest's file systems may be frozen
	Cgroups  []string `json:"cgroups,omitempty"`
}

// folder is a VM's run folder: sockets, record and lock of its process. Only the agent's user can enter it.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// maxRecord bounds the record in bytes: a VM with all disks and NICs has some 30 KiB.
const maxRecord = 1 << 20

func (f folder) load() (record, error) {
	var r record
	file, err := os.Open(f.path("record"))
	if err != nil {
		return r, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() > maxRecord {
		return r, errors.Join(err, errors.New("the record of a VM's process is too large"))
	}
	return r, json.NewDecoder(file).Decode(&r)
}

// store replaces the record at once. It need not survive a loss of power, because the process does not either.
func (f folder) store(r record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	next := f.path("record.next")
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.path("record"))
}

// lock takes the folder for a new process: whoever has the descriptor keeps the folder, and the process inherits it. So a
// process is known to live even when nobody wrote its number down.
func (f folder) lock() (*os.File, error) {
	file, err := os.OpenFile(f.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// busy reports whether a process holds the folder. It only asks: a Start of the same moment does not notice.
func (f folder) busy() bool {
	file, err := os.Open(f.path("lock"))
	if err != nil {
		return false
	}
	defer file.Close()
	ask := unix.Flock_t{Type: unix.F_WRLCK}
	return unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &ask) == nil && ask.Type != unix.F_UNLCK
}

// folders lists the VMs that have one under dir.
func folders(dir string) ([]id.VM, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []id.VM
	for _, e := range entries {
		if name := e.Name(); e.IsDir() && strings.HasPrefix(name, "vm-") && id.Is(name) {
			out = append(out, id.VM(name))
		}
	}
	return out, err
}
