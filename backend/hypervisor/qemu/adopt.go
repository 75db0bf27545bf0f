package qemu

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
)

// adoptTimeout is how long a process may take to be found and to answer: it may be starting or ending at this moment.
const adoptTimeout = 15 * time.Second

// Adopt takes over a process that an earlier agent started.
func (d *Driver) Adopt(ctx context.Context, vm id.VM) (hypervisor.Instance, error) {
	if !id.Is(string(vm)) {
		return nil, fault.New(fault.Invalid, "", "%q is not the id of a VM", vm)
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	dir := d.folder(vm)
	p, r, err := find(ctx, dir, vm)
	if err != nil {
		return nil, err
	}
	i := newInstance(d, dir, r, p)
	if err := i.reconnect(ctx); err != nil {
		err = i.explain(err)
		p.leave()
		return nil, err
	}
	if err := i.catchUp(ctx); err != nil {
		if !i.over() { // the monitor talks to one at a time: the next try needs it
			d.keep(i, false)
			i.leave()
		}
		return nil, err
	}
	return i, nil
}

// Kill ends a process without its monitor.
func (d *Driver) Kill(ctx context.Context, vm id.VM) error {
	if !id.Is(string(vm)) {
		return fault.New(fault.Invalid, "", "%q is not the id of a VM", vm)
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	p, _, err := find(ctx, d.folder(vm), vm)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.kill()
}

// find gives the process that holds the folder. Between a fork and the record of it, the process is known only by its lock and
// its command line.
func find(ctx context.Context, dir folder, vm id.VM) (*process, record, error) {
	for {
		if !dir.busy() {
			return nil, record{}, fault.New(fault.NotFound, "vm_not_running", "this VM has no process on this machine")
		}
		r, err := dir.load()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, r, fault.Wrap(err, fault.Internal, "record_broken", "the run folder of this VM is damaged; its process must be ended by hand")
		}
		var p *process
		if err == nil && r.PID != 0 {
			p, err = take(r.PID, r.Started, vm)
		} else if err == nil {
			p, err = search(vm)
		}
		if err == nil {
			r.PID = p.pid
			r.Started, err = startTime(p.pid)
		}
		if err == nil {
			return p, r, nil
		}
		select {
		case <-ctx.Done():
			return nil, r, fault.Wrap(err, fault.Unavailable, "vm_unclear", "this VM's process is starting or ending; try again")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// reconnect connects to the process' sockets, which the agent before has left.
func (i *instance) reconnect(ctx context.Context) error {
	if _, err := i.client(ctx); err != nil {
		return err
	}
	serial, err := dial(i.dir.path("serial"))
	if err != nil {
		i.closeMonitor()
		return err
	}
	i.follow(serial)
	return i.update(func(*record) {}) // the number of a process that was found by its command line
}

// catchUp finishes what the agent before left half done and tells the events that nobody heard.
func (i *instance) catchUp(ctx context.Context) error {
	status, err := i.status(ctx)
	if err != nil {
		return err
	}
	r := i.snapshotRecord()
	switch {
	case r.Saving != "":
		return i.catchUpSave(ctx, r, status)
	case r.Config.Restore != nil || r.Restored != "":
		if err := i.finishRestore(ctx); err != nil {
			return err
		}
	case status == "shutdown":
		i.queue.Put(hypervisor.Event{Type: hypervisor.PoweredOff})
	case status == "guest-panicked":
		i.queue.Put(hypervisor.Event{Type: hypervisor.Panicked})
	case status == "io-error":
		i.queue.Put(hypervisor.Event{Type: hypervisor.IOError, Reason: ioReason(false)})
	}
	if open, err := i.agentOpen(ctx); err == nil && open {
		i.queue.Put(hypervisor.Event{Type: hypervisor.AgentUp})
		if r.Frozen {
			_ = i.Thaw(ctx) // the actor's own Thaw tells who cannot be thawed
		}
	}
	return nil
}

// catchUpSave ends a Save that was cut off: one that had given the file its name is finished, any other never was.
func (i *instance) catchUpSave(ctx context.Context, r record, status string) error {
	if _, err := os.Stat(r.Saving); err == nil && status == "postmigrate" {
		if err := i.process.kill(); err != nil {
			return err
		}
		return fault.New(fault.NotFound, "vm_not_running", "this VM has been suspended and has no process")
	}
	return i.abandonSave(ctx, status != "running")
}

func (i *instance) agentOpen(ctx context.Context) (bool, error) {
	var lines []struct {
		Label string
		Open  bool `json:"frontend-open"`
	}
	err := i.run(ctx, "query-chardev", nil, &lines)
	for _, l := range lines {
		if l.Label == "agent" {
			return l.Open, err
		}
	}
	return false, err
}
