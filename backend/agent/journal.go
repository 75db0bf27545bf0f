package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// phase is how far a VM's process got, as written before the step that could be cut short.
type phase string

// The phases. A crash in a phase that ends in -ing leaves the outcome open; Start finds it out.
const (
	phaseStopped    phase = "stopped"
	phaseStarting   phase = "starting"   // a process may be there
	phaseRunning    phase = "running"    // a process was there
	phaseSuspending phase = "suspending" // a process or a whole state file is there
	phaseSuspended  phase = "suspended"  // a whole state file is there
	phaseRestoring  phase = "restoring"  // as starting; while the state file is there, no vCPU has run
)

// entry is what the node remembers of one VM. It is enough to go on without any server.
type entry struct {
	Machine     vm.Machine `json:"machine"` // the newest that was obeyed
	MachineType string     `json:"machine_type,omitempty"`
	CPUModel    string     `json:"cpu_model,omitempty"`
	Phase       phase      `json:"phase"`
	// Ran: the run that is wanted has begun once. A process that ends by itself is then not started again, until Boot
	// grows or the VM was off in between: the control plane decides.
	Ran      bool               `json:"ran,omitempty"`
	Boot     int64              `json:"boot,omitempty"`      // of the last process
	HostBoot string             `json:"host_boot,omitempty"` // kernel boot id of the machine when that process was started
	Failed   bool               `json:"failed,omitempty"`    // Reason is a failure
	Reason   string             `json:"reason,omitempty"`
	Held     bool               `json:"held,omitempty"`    // paused by an I/O error: goes on only at a newer command
	Frozen   bool               `json:"frozen,omitempty"`  // file systems of the guest may be frozen
	Revert   id.Snapshot        `json:"revert,omitempty"`  // a revert at rest that must be finished before anything else
	Restart  []string           `json:"restart,omitempty"` // changes that wait for the next start
	Ports    []vm.Port          `json:"ports,omitempty"`   // as last given to the fabric
	Sizes    volumeSizes        `json:"sizes,omitempty"`   // bytes that each volume was last made or grown to
	Dropped  []id.Volume        `json:"dropped,omitempty"` // no longer the VM's, to be removed once no process has them open
	Saved    *hypervisor.Config `json:"saved,omitempty"`   // of the process whose memory is in the state file
}

type volumeSizes map[id.Volume]int64

// hasDisks reports whether every disk of the machine was made. One that is missing later was lost.
func (e *entry) hasDisks() bool {
	for _, d := range e.Machine.Disks {
		if _, made := e.Sizes[d.ID]; !made && !d.CDROM {
			return false
		}
	}
	return true
}

// maxEntryBytes bounds one journal file: user data and keys at their limits, twice (machine and saved configuration).
const maxEntryBytes = 1 << 20

// journal keeps one file per VM. A file is replaced whole or not at all, and is on the disk before write returns.
type journal struct {
	dir    string
	noSync bool
	step   func(what string) error // asked before each effect; tests cut it short
}

// record is the form of a file. The sum finds what a power cut or a bad disk did to it.
type record struct {
	Sum   uint32          `json:"crc32c"`
	Entry json.RawMessage `json:"entry"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (j *journal) path(v id.VM) string { return filepath.Join(j.dir, string(v)+".json") }

// write stores the entry. fault.Exhausted: the node's disk is full.
func (j *journal) write(e *entry) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("journal of %s: %w", e.Machine.ID, err)
	}
	if len(raw) > maxEntryBytes/2 {
		return fault.New(fault.TooLarge, "machine_too_large", "the description of %s has %d bytes, a node takes %d", e.Machine.Name, len(raw), maxEntryBytes/2)
	}
	raw, err = json.Marshal(record{Sum: crc32.Checksum(raw, castagnoli), Entry: raw})
	if err != nil {
		return fmt.Errorf("journal of %s: %w", e.Machine.ID, err)
	}
	if err := j.step("journal write " + string(e.Phase)); err != nil {
		return err
	}
	return diskError(replaceFile(j.path(e.Machine.ID), append(raw, '\n'), j.noSync), "write the node's journal")
}

// read gives the entry of a VM, nil if there is none. A damaged file is set aside and errDamaged returned.
func (j *journal) read(v id.VM) (*entry, error) {
	f, err := os.Open(j.path(v))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxEntryBytes+1))
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	e, err := decodeEntry(v, raw)
	if err == nil {
		return e, nil
	}
	// Kept for a person to look at; the name ends differently, so that it is never read again.
	if renameErr := os.Rename(j.path(v), j.path(v)+".damaged"); renameErr != nil {
		return nil, fmt.Errorf("set aside a damaged journal file: %w", renameErr)
	}
	return nil, fmt.Errorf("%w: %s: %w", errDamaged, v, err)
}

var errDamaged = errors.New("damaged journal file set aside")

func decodeEntry(v id.VM, raw []byte) (*entry, error) {
	if len(raw) > maxEntryBytes {
		return nil, fmt.Errorf("more than %d bytes", maxEntryBytes)
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, r.Entry); err != nil {
		return nil, err
	}
	if sum := crc32.Checksum(compact.Bytes(), castagnoli); sum != r.Sum {
		return nil, fmt.Errorf("checksum %08x, written with %08x", sum, r.Sum)
	}
	var e entry
	if err := json.Unmarshal(r.Entry, &e); err != nil {
		return nil, err
	}
	if e.Machine.ID != v {
		return nil, fmt.Errorf("it describes %q", e.Machine.ID)
	}
	return &e, nil
}

func (j *journal) remove(v id.VM) error {
	if err := j.step("journal remove"); err != nil {
		return err
	}
	if err := os.Remove(j.path(v)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	return syncDir(j.dir, j.noSync)
}

// list names the VMs that have a file, and removes what a crash left of an unfinished write.
func (j *journal) list() ([]id.VM, error) {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	files, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var vms []id.VM
	for _, f := range files {
		if strings.HasSuffix(f.Name(), partSuffix) {
			os.Remove(filepath.Join(j.dir, f.Name())) // never renamed, so never obeyed
		}
		if name, ok := strings.CutSuffix(f.Name(), ".json"); ok && id.Is(name) {
			vms = append(vms, id.VM(name))
		}
	}
	return vms, nil
}

const partSuffix = ".part"

// replaceFile writes a file whole or not at all: a reader, also after a power cut, finds the old or the new content.
func replaceFile(path string, content []byte, noSync bool) error {
	part := path + partSuffix
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && !noSync {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
		return err
	}
	return syncDir(filepath.Dir(path), noSync)
}

func syncDir(dir string, noSync bool) error {
	if noSync {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// diskError turns a full disk into a sentence.
func diskError(err error, what string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.Exhausted, "node_disk_full", "the disk of the node is full, it could not %s; free some room and try again", what)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
