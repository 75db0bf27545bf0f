// Package qemu runs guests with QEMU. A guest is one process without privileges: the agent opens everything that it may
// touch and passes descriptors, so neither the data folder nor the run folder is open to the guest's user. The process outlives
// the agent; what the next agent needs to take it over lies in the VM's run folder:
//
//	<RunDir>/<vm>/lock     held by the process for as long as it lives
//	              record   process number, configuration and layout
//	              qmp, serial, agent   sockets that the process listens on
//
// The command line is a pure function with golden files (argv.go). The package deliberately decides nothing: it starts what it
// is told to start, and never restarts anything.
package qemu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
)

// Options are what a driver needs to know of its surroundings.
type Options struct {
	RunDir     string       // short path, made with mode 0700 by the first Start, one per instance of the platform; needed
	CgroupRoot string       // control group below the hierarchy's root under which VMs get theirs, for example "novacron/1a2b"; empty: none
	Log        *slog.Logger // nil: silence
	Accel      string       // "tcg": do not even try KVM; empty: as Probe finds
	BinDir     string       // folder of qemu-system-* and swtpm; empty: looked up in PATH
}

// Driver runs guests with QEMU.
type Driver struct {
	options Options
	log     *slog.Logger

	probing sync.Mutex
	host    *hypervisor.Host // what Probe found, once it has looked

	step func(what string) error // asked before each line of a restore that changes something; tests cut it short

	grouping sync.Mutex // one change of the control groups at a time

	mu        sync.Mutex
	instances map[*instance]struct{} // whose process lives
}

var (
	_ hypervisor.Driver    = (*Driver)(nil)
	_ hypervisor.VarsMaker = (*Driver)(nil)
	_ hypervisor.Killer    = (*Driver)(nil)
)

// Time that things may take when the caller sets no shorter limit.
const (
	startTimeout   = 60 * time.Second // exec until the monitor answers, on a machine that is short of everything
	monitorTimeout = 10 * time.Second // one command
)

// New starts nothing and makes nothing; see Probe and Start. A run folder that is there is closed to other users.
func New(options Options) (*Driver, error) {
	if options.RunDir == "" || !filepath.IsAbs(options.RunDir) {
		return nil, fault.New(fault.Invalid, "", "the run folder %q is not an absolute path", options.RunDir)
	}
	if len(options.RunDir) > 70 { // behind it come a VM's id and a socket's name, and a socket's path has 107 bytes at most
		return nil, fault.New(fault.Invalid, "run_dir_long", "the run folder's path has %d characters; choose one of at most 70", len(options.RunDir))
	}
	if err := os.Chmod(options.RunDir, 0o700); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("close the run folder: %w", err)
	}
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Driver{options: options, log: log, step: func(string) error { return nil }}, nil
}

// Close lets go of every guest; none of them notices. It is for an agent that ends in good order: the next one adopts. Instances
// of this driver are of no use afterwards, and no more events come.
func (d *Driver) Close() error {
	d.mu.Lock()
	all := d.instances
	d.instances = nil
	d.mu.Unlock()
	for i := range all {
		i.leave()
	}
	return nil
}

// keep notes a living instance, or forgets one.
func (d *Driver) keep(i *instance, living bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.instances == nil {
		d.instances = map[*instance]struct{}{}
	}
	if living {
		d.instances[i] = struct{}{}
	} else {
		delete(d.instances, i)
	}
}

func (d *Driver) folder(vm id.VM) folder { return folder(filepath.Join(d.options.RunDir, string(vm))) }

// Running lists the VMs whose process lives.
func (d *Driver) Running(context.Context) ([]id.VM, error) {
	all, err := folders(d.options.RunDir)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, vm := range all {
		if d.folder(vm).busy() {
			out = append(out, vm)
		}
	}
	return out, nil
}

// Clean removes what a dead process left.
func (d *Driver) Clean(_ context.Context, vm id.VM) error {
	if !id.Is(string(vm)) {
		return fault.New(fault.Invalid, "", "%q is not the id of a VM", vm)
	}
	dir := d.folder(vm)
	if _, err := os.Stat(string(dir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := dir.lock()
	if err != nil {
		return running(err)
	}
	defer lock.Close()
	return d.clean(dir)
}

func running(cause error) error {
	return fault.Wrap(cause, fault.Conflict, "vm_running", "this VM has a process already; stop it first")
}

// clean removes a folder whose lock the caller holds. The record goes last but one and the lock with the folder, so that a
// clean that was cut short can be repeated.
func (d *Driver) clean(dir folder) error {
	r, err := dir.load()
	if err == nil {
		endTPM(r)
		d.removeGroups(r.Cgroups)
		dropPartial(r.Saving)
		dropPartial(r.Restored)
	}
	return os.RemoveAll(string(dir))
}
