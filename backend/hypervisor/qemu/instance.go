package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/qmp"
	"novacron/backend/hypervisor/tty"
)

// instance is one running QEMU.
type instance struct {
	driver  *Driver
	vm      id.VM
	dir     folder
	process *process
	dialing sync.Mutex  // guards qmp
	qmp     *qmp.Client // see client
	queue   hypervisor.Queue
	agent   agentLine

	mu      sync.Mutex
	record  record
	left    chan struct{} // closed when the driver lets go of the process
	line    *tty.Line
	serial  *net.UnixConn
	typing  sync.Mutex    // one writer at a time on serial
	changed chan struct{} // closed and replaced at each event: what waits for a state looks again
	quiet   bool          // stops and resumes are this driver's own doing
	halted  bool          // the next STOP has been explained by the event before it
}

var (
	_ hypervisor.Instance      = (*instance)(nil)
	_ hypervisor.GuestAgent    = (*instance)(nil)
	_ hypervisor.Screenshotter = (*instance)(nil)
)

func newInstance(d *Driver, dir folder, r record, p *process) *instance {
	i := &instance{driver: d, vm: r.Config.VM, dir: dir, process: p, record: r, changed: make(chan struct{}), left: make(chan struct{})}
	i.agent.path = dir.path("agent")
	return i
}

// follow begins what runs as long as the process does: the reader of the serial line and the watch over the process' end.
func (i *instance) follow(serial *net.UnixConn) {
	i.serial = serial
	var log *tty.Log
	if path := i.record.Config.SerialLog; path != "" {
		var err error
		if log, err = tty.OpenLog(path, hypervisor.SerialLogBytes); err != nil {
			i.driver.log.Warn("the serial line is not logged", "vm", i.vm, "err", err)
		}
	}
	i.line = tty.New(hypervisor.SerialLogBytes, log, i.typed)
	i.driver.keep(i, true)
	go i.readSerial()
	go i.watch()
}

// leave lets go of the process, which lives on.
func (i *instance) leave() {
	close(i.left)
	i.closeMonitor()
	i.process.leave()
	i.serial.Close()
	i.agent.close()
}

// watch ends the instance with its process.
func (i *instance) watch() {
	select {
	case <-i.process.gone:
	case <-i.left:
		return
	}
	i.driver.keep(i, false)
	i.closeMonitor() // waits for its reader, so that no event comes behind Exited
	i.serial.Close()
	i.agent.close()
	reason := i.process.status
	if words := i.process.errors.String(); words != "" {
		i.driver.log.Info("qemu has ended", "vm", i.vm, "err", words)
		if said := lastLine(words); said != "" {
			reason += "; QEMU said: " + said
		}
	}
	i.queue.Close(hypervisor.Event{Type: hypervisor.Exited, Reason: reason})
}

// Info says what the process is.
func (i *instance) Info() hypervisor.Info {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.record.Config
	c.Layout = i.record.Layout.told()
	return hypervisor.Info{
		VM: i.vm, PID: i.process.pid, Boot: c.Boot, Epoch: c.Epoch, Generation: c.Generation,
		Accel: c.Accel, MachineType: c.MachineType, CPUModel: c.CPUModel, Config: c,
	}
}

// Events gives the channel.
func (i *instance) Events() <-chan hypervisor.Event { return i.queue.Events() }

// run sends one command of the monitor, with a limit of its own, and makes the seam's errors of QEMU's.
func (i *instance) run(ctx context.Context, command string, arguments, result any) error {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	monitor, err := i.client(ctx)
	if err == nil {
		err = monitor.Run(ctx, command, arguments, result)
	}
	return i.explain(err)
}

// pass sends a command with a descriptor.
func (i *instance) pass(ctx context.Context, command string, arguments, result any, fd uintptr) error {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	monitor, err := i.client(ctx)
	if err == nil {
		err = monitor.RunWithFile(ctx, command, arguments, result, int(fd))
	}
	return i.explain(err)
}

// client gives the connection to the monitor, a new one if the last has broken and the process lives: one line that could not
// be written whole must not cost the VM its monitor.
func (i *instance) client(ctx context.Context) (*qmp.Client, error) {
	i.dialing.Lock()
	defer i.dialing.Unlock()
	if i.qmp != nil {
		select {
		case <-i.qmp.Done():
		default:
			return i.qmp, nil
		}
	}
	select {
	case <-i.process.gone:
		return nil, qmp.ErrGone
	case <-i.left:
		return nil, fault.New(fault.Unavailable, "agent_gone", "the agent has let go of this VM")
	default:
	}
	conn, err := dial(i.dir.path("qmp"))
	if err != nil {
		return nil, err
	}
	client, err := qmp.Open(ctx, conn, i.event)
	if err != nil {
		return nil, err
	}
	i.qmp = client
	return client, nil
}

func (i *instance) closeMonitor() {
	i.dialing.Lock()
	defer i.dialing.Unlock()
	if i.qmp != nil {
		i.qmp.Close()
	}
}

func (i *instance) explain(err error) error {
	_, refused := errors.AsType[*qmp.Error](err)
	_, known := errors.AsType[*fault.Error](err)
	if err == nil || refused || known {
		return err
	}
	if errors.Is(err, qmp.ErrGone) { // a dying process closes its sockets a moment before it is gone
		select {
		case <-i.process.gone:
		case <-time.After(dyingTimeout):
		}
	}
	if i.over() {
		return exited(err)
	}
	return fault.Wrap(err, fault.Unavailable, "monitor_silent", "the VM's process did not answer in time; try again, or force the VM off")
}

// dyingTimeout is how long a process may take from closing its monitor to its end; releasing much memory takes time.
const dyingTimeout = 5 * time.Second

func exited(cause error) error {
	return fault.Wrap(cause, fault.Conflict, "vm_exited", "the VM's process has ended")
}

func (i *instance) over() bool {
	select {
	case <-i.process.gone:
		return true
	default:
		return false
	}
}

// args are the arguments of a command of the monitor.
type args map[string]any

// update changes the record and writes it.
func (i *instance) update(change func(*record)) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.record
	r.Layout = r.Layout.clone()
	change(&r)
	if err := i.dir.store(r); err != nil {
		return fmt.Errorf("write down the state of %s: %w", i.vm, err)
	}
	i.record = r
	return nil
}

func (i *instance) snapshotRecord() record {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.record
}

// until waits until check says yes, looking again at every event and now and then, since events can have been missed.
func (i *instance) until(ctx context.Context, check func() (bool, error)) error {
	pause := 5 * time.Millisecond
	for {
		i.mu.Lock()
		changed := i.changed
		i.mu.Unlock()
		if done, err := check(); done || err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
			pause = min(2*pause, 200*time.Millisecond)
		case <-i.process.gone:
			timer.Stop()
			return exited(nil)
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
}

// event takes what QEMU tells. It runs on the monitor's reader and must not wait for anything.
func (i *instance) event(e qmp.Event) {
	i.mu.Lock()
	close(i.changed)
	i.changed = make(chan struct{})
	out, ok := i.translate(e)
	i.mu.Unlock()
	if ok {
		i.queue.Put(out)
	}
}

// translate gives the seam's event. A guest that powers off, panics or meets a full disk is stopped too; one event says so, not
// two.
func (i *instance) translate(e qmp.Event) (hypervisor.Event, bool) {
	var data struct {
		Guest   bool   `json:"guest"`
		Reason  string `json:"reason"`
		Action  string `json:"action"`
		NoSpace bool   `json:"nospace"`
		Open    bool   `json:"open"`
		ID      string `json:"id"`
	}
	if len(e.Data) > 0 && json.Unmarshal(e.Data, &data) != nil {
		return hypervisor.Event{}, false
	}
	halted := i.halted
	switch e.Name {
	case "STOP":
		i.halted = false
		return hypervisor.Event{Type: hypervisor.Stopped}, !halted && !i.quiet
	case "RESUME":
		i.halted = false
		return hypervisor.Event{Type: hypervisor.Resumed}, !i.quiet
	case "SHUTDOWN":
		i.halted = data.Guest && data.Reason != "guest-panic"
		return hypervisor.Event{Type: hypervisor.PoweredOff}, i.halted
	case "RESET":
		return hypervisor.Event{Type: hypervisor.Rebooted}, data.Reason != "snapshot-load"
	case "GUEST_PANICKED":
		i.halted = true
		return hypervisor.Event{Type: hypervisor.Panicked}, !halted // it is told twice: by the device and when the guest is paused
	case "BLOCK_IO_ERROR":
		first := data.Action == "stop" && !halted
		i.halted = i.halted || data.Action == "stop"
		return hypervisor.Event{Type: hypervisor.IOError, Reason: ioReason(data.NoSpace)}, first
	case "VSERPORT_CHANGE":
		if data.Open {
			return hypervisor.Event{Type: hypervisor.AgentUp}, data.ID == "agent0"
		}
		return hypervisor.Event{Type: hypervisor.AgentDown}, data.ID == "agent0"
	}
	return hypervisor.Event{}, false
}

func ioReason(full bool) string {
	if full {
		return "the disk that holds this VM is full; make room and continue the VM"
	}
	return "a disk of this VM cannot be read or written; mend it and continue the VM"
}

// Status asks the monitor.
func (i *instance) Status(ctx context.Context) (vm.RunState, error) {
	status, err := i.status(ctx)
	return runState(status), err
}

func (i *instance) status(ctx context.Context) (string, error) {
	var answer struct{ Status string }
	err := i.run(ctx, "query-status", nil, &answer)
	return answer.Status, err
}

// runState translates QEMU's words.
func runState(status string) vm.RunState {
	switch status {
	case "running":
		return vm.SeenRunning
	case "shutdown":
		return vm.SeenStopped
	case "inmigrate", "restore-vm":
		return vm.SeenStarting
	case "finish-migrate", "postmigrate", "save-vm":
		return vm.SeenSuspending
	case "guest-panicked", "internal-error":
		return vm.SeenFailed
	case "":
		return ""
	}
	return vm.SeenPaused // paused, prelaunch, io-error, suspended, watchdog, debug, colo
}
