package qemu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/qmp"
)

// Start makes a process for the VM.
func (d *Driver) Start(ctx context.Context, cfg hypervisor.Config) (hypervisor.Instance, error) {
	if err := hypervisor.Check(cfg); err != nil {
		return nil, err
	}
	cfg, host, err := d.resolve(ctx, cfg)
	if err != nil {
		return nil, err
	}
	dir := d.folder(cfg.VM)
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return nil, fmt.Errorf("make the run folder of %s: %w", cfg.VM, err)
	}
	lock, err := dir.lock()
	if err != nil {
		return nil, running(err)
	}
	defer lock.Close()
	if r, err := dir.load(); err == nil { // what a dead process left
		endTPM(r)
		d.removeGroups(r.Cgroups)
		dropPartial(r.Saving)
		dropPartial(r.Restored)
	}
	s := &starter{driver: d, dir: dir, lock: lock, cfg: cfg, host: host}
	instance, err := s.run(ctx)
	if err != nil {
		s.undo()
		return nil, err
	}
	return instance, nil
}

// starter is one Start under way: what it has made so far, so that a failure leaves nothing behind.
type starter struct {
	driver  *Driver
	dir     folder
	lock    *os.File
	cfg     hypervisor.Config
	host    parts
	record  record
	args    []string
	files   []*os.File // of the new process
	process *process
	serial  *net.UnixConn
	monitor *net.UnixConn
}

func (s *starter) run(ctx context.Context) (*instance, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	defer closeAll(s.files)
	// Written before the process is there: whatever happens from here on, the next agent finds it.
	if err := s.dir.store(s.record); err != nil {
		return nil, err
	}
	if err := s.exec(); err != nil {
		return nil, err
	}
	if err := s.dir.store(s.record); err != nil {
		return nil, err
	}
	return s.connect(ctx)
}

// prepare plans the machine and opens what it needs. When it fails nothing stays open.
func (s *starter) prepare() (err error) {
	s.record = record{Config: s.cfg}
	if s.record.Layout, err = plan(s.cfg); err != nil {
		return err
	}
	s.record.Config.Layout = nil // from here on the record's own is the one that is kept
	open := opener{dir: s.dir}
	defer func() {
		if err != nil {
			closeAll([]*os.File{open.state, open.tpm}) // either may be nil, or closed with the rest
		}
	}()
	if s.cfg.Restore != nil {
		file, saved, err := openState(s.cfg.Restore.Path)
		if err != nil {
			return err
		}
		if err := saved.fits(s.cfg); err != nil {
			return errors.Join(err, file.Close())
		}
		s.record.Layout, open.state = saved.Layout, file
	}
	if s.cfg.TPMDir != "" {
		near, err := s.driver.startTPM(s.cfg, s.dir, &s.record)
		if err != nil {
			return err
		}
		open.tpm = near
	}
	made := argv(s.cfg, s.record.Layout, s.host)
	if s.files, err = open.all(made.Sources); err != nil {
		return err
	}
	s.record.Cgroups = s.driver.makeGroups(s.cfg)
	s.args = made.Args
	return nil
}

// exec connects to the sockets, which listen already, and starts QEMU. In this order QEMU finds the serial line connected before
// the guest writes its first byte, and never waits for an agent that has died.
func (s *starter) exec() (err error) {
	if s.monitor, err = dial(s.dir.path("qmp")); err != nil {
		return err
	}
	if s.serial, err = dial(s.dir.path("serial")); err != nil {
		return err
	}
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Stdin, cmd.ExtraFiles = s.lock, s.files
	p, err := spawn(cmd, s.cfg.UID)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "qemu_start", "QEMU cannot be started on this node; see the node's log")
	}
	s.process = p
	s.record.PID = p.pid
	s.record.Started, err = startTime(p.pid)
	if err != nil {
		return s.died(err)
	}
	joinGroups(s.record.Cgroups, p.pid)
	return nil
}

func dial(path string) (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
}

// connect waits for the monitor and hands everything to the instance.
func (s *starter) connect(ctx context.Context) (*instance, error) {
	closeAll(s.files) // ours: with them open, a QEMU that dies before it accepts would leave the connections waiting
	s.files = nil
	i := newInstance(s.driver, s.dir, s.record, s.process)
	coming, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	monitor, err := qmp.Open(coming, s.monitor, i.event)
	s.monitor = nil
	if err != nil {
		return nil, s.died(err)
	}
	i.qmp = monitor
	if s.cfg.Restore != nil {
		reading, cancel := context.WithTimeout(ctx, saveTimeout)
		defer cancel()
		if err := i.finishRestore(reading); err != nil {
			monitor.Close()
			return nil, s.died(err)
		}
	}
	i.follow(s.serial)
	s.serial = nil
	return i, nil
}

// died ends a process whose monitor did not come and says why, in QEMU's words where it had any.
func (s *starter) died(cause error) error {
	late := errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, context.Canceled)
	if err := s.process.kill(); err != nil {
		return err
	}
	if _, ok := errors.AsType[*fault.Error](cause); ok {
		return cause
	}
	words := s.process.errors.all()
	said := lastLine(words)
	if late || said == "" {
		return fault.Wrap(cause, fault.Unavailable, "qemu_start", "QEMU did not come up in time; the node may be overloaded, try again")
	}
	return fault.Wrap(errors.Join(cause, errors.New(words)), fault.Unavailable, "qemu_start", "QEMU ended at once and said: %s", said)
}

// maxWords bounds what of QEMU's complaint reaches a user, in bytes.
const maxWords = 300

// lastLine gives the last thing that the program itself complained of, or nothing: lines without its name are hints for people at a
// terminal, and with info it says that all is well, at each start of a guest that it waits for its serial line.
func lastLine(text string) string {
	out := ""
	for line := range strings.Lines(text) {
		if strings.Contains(line, ": info: ") {
			continue
		}
		name, words, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if ok && !strings.Contains(name, " ") || out == "" {
			out = cmp.Or(words, name)
		}
	}
	return out[:min(len(out), maxWords)]
}

// undo takes back what a failed start has made.
func (s *starter) undo() {
	if s.monitor != nil {
		s.monitor.Close()
	}
	if s.serial != nil {
		s.serial.Close()
	}
	closeAll(s.files)
	if s.process != nil {
		if err := s.process.kill(); err != nil {
			s.driver.log.Error("a process that failed to start cannot be killed", "vm", s.cfg.VM, "err", err)
			return // its folder must stay so that it is found
		}
	}
	if err := s.dir.store(s.record); err == nil { // names the helpers that clean ends
		err = s.driver.clean(s.dir)
		if err != nil {
			s.driver.log.Error("the run folder of a failed start stays", "vm", s.cfg.VM, "err", err)
		}
	}
}

// resolve fills in what the config leaves to the driver.
func (d *Driver) resolve(ctx context.Context, cfg hypervisor.Config) (hypervisor.Config, parts, error) {
	host, err := d.Probe(ctx)
	if err != nil {
		return cfg, parts{}, err
	}
	cfg.Accel = cmp.Or(cfg.Accel, host.Accel)
	if cfg.Arch != host.Arch {
		cfg.Accel = "tcg"
	}
	if cfg.Accel == "kvm" && host.Accel != "kvm" {
		return cfg, parts{}, fault.New(fault.Unsupported, "no_kvm", "this node cannot use KVM: %s", host.AccelReason)
	}
	defaults := guestDefaults(cfg.Arch, cfg.Accel, host)
	cfg.MachineType = cmp.Or(cfg.MachineType, defaults.machine)
	cfg.CPUModel = cmp.Or(cfg.CPUModel, defaults.cpu)
	lent, err := d.parts(cfg)
	return cfg, lent, err
}
