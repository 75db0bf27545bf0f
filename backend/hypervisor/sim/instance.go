package sim

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"slices"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// instance is what one agent holds of a guest.
type instance struct {
	driver *Driver
	vm     id.VM
	guest  *guest
	queue  hypervisor.Queue
}

var (
	_ hypervisor.Instance      = (*instance)(nil)
	_ hypervisor.GuestAgent    = (*instance)(nil)
	_ hypervisor.Screenshotter = (*instance)(nil)
)

// begin meets the scripted faults and then takes the guest's lock, which done gives back.
func (i *instance) begin(ctx context.Context, call string) (done func(), err error) {
	if err := i.driver.enter(ctx, i.vm, call); err != nil {
		return nil, err
	}
	i.guest.mu.Lock()
	if i.guest.ended {
		i.guest.mu.Unlock()
		return nil, fault.New(fault.Conflict, "vm_exited", "the VM's process has ended")
	}
	return i.guest.mu.Unlock, nil
}

// Info says what the process is.
func (i *instance) Info() hypervisor.Info {
	g := i.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	return hypervisor.Info{
		VM: g.cfg.VM, PID: g.pid, Boot: g.cfg.Boot, Epoch: g.cfg.Epoch, Generation: g.cfg.Generation,
		Accel: g.cfg.Accel, MachineType: g.cfg.MachineType, CPUModel: g.cfg.CPUModel, Config: g.cfg,
	}
}

// Status gives the run state.
func (i *instance) Status(ctx context.Context) (vm.RunState, error) {
	done, err := i.begin(ctx, "Status")
	if err != nil {
		return "", err
	}
	defer done()
	return i.guest.state, nil
}

// Power acts on the run state.
func (i *instance) Power(ctx context.Context, c hypervisor.Command) error {
	call := "Power"
	if c == hypervisor.Kill { // has a name of its own, because it needs no monitor
		ctx, call = context.WithoutCancel(ctx), "Kill"
	}
	done, err := i.begin(ctx, call)
	if err != nil {
		return err
	}
	defer done()
	g := i.guest
	if c == hypervisor.Kill {
		g.end("the VM's process was killed")
		return nil
	}
	if g.state == off || g.state == panicked {
		if c == hypervisor.Shutdown {
			return nil
		}
		return fault.New(fault.Conflict, "guest_off", "the guest has powered off; start the VM again")
	}
	switch c {
	case hypervisor.Pause:
		g.stop(paused, hypervisor.Event{Type: hypervisor.Stopped})
	case hypervisor.Continue:
		g.run()
	case hypervisor.Shutdown:
		g.powerButton()
	case hypervisor.Reset:
		g.reset()
	default:
		return fault.New(fault.Invalid, "", "%q is no command of a VM", c)
	}
	return nil
}

// Apply takes over what a running guest can take.
func (i *instance) Apply(ctx context.Context, cfg hypervisor.Config) ([]string, error) {
	done, err := i.begin(ctx, "Apply")
	if err != nil {
		return nil, err
	}
	defer done()
	if err := hypervisor.Check(cfg); err != nil {
		return nil, err
	}
	g := i.guest
	var restart []string
	for _, c := range hypervisor.Diff(g.cfg, cfg) {
		switch {
		case c.Kind == hypervisor.NextStart:
			restart = append(restart, c.Sentence)
		case c.Kind == hypervisor.SetCPUs && c.To < c.From:
			restart = append(restart, "fewer vCPUs, which an emulated guest cannot give back while it runs, take effect at the next start")
		default:
			g.cfg = hypervisor.Applied(g.cfg, c)
		}
	}
	g.cfg.Generation, g.cfg.Epoch, g.cfg.Name = cfg.Generation, cfg.Epoch, cfg.Name
	return restart, nil
}

// Snapshot acts on the remembered snapshots of the VM's disks.
func (i *instance) Snapshot(ctx context.Context, s hypervisor.SnapshotRequest) error {
	done, err := i.begin(ctx, "Snapshot")
	if err != nil {
		return err
	}
	defer done()
	g := i.guest
	disks, err := g.snapshotDisks()
	if err != nil {
		return err
	}
	if err := g.mirror(ctx, s); err != nil {
		return err
	}
	switch s.Action {
	case hypervisor.SnapshotCreate:
		for _, d := range disks {
			d.create(s, g.memory, inside(g.cfg))
		}
		return nil
	case hypervisor.SnapshotDelete:
		for _, d := range disks {
			delete(d.snapshots, s.Tag)
		}
		return nil
	case hypervisor.SnapshotLoad:
		return g.load(disks, s.Tag)
	}
	return fault.New(fault.Invalid, "", "%q is nothing that can be done with a snapshot", s.Action)
}

func (d *disk) create(s hypervisor.SnapshotRequest, m memory, machine string) {
	if d.snapshots[s.Tag] != nil {
		return
	}
	if d.snapshots == nil {
		d.snapshots = map[string]*snapshot{}
	}
	made := &snapshot{value: d.value, machine: machine}
	if s.Memory {
		made.memory = &m
	}
	d.snapshots[s.Tag] = made
}

// inside is what a guest sees of its machine and cannot lose while its memory goes on.
func inside(cfg hypervisor.Config) string {
	var devices []string
	for _, n := range cfg.NICs {
		devices = append(devices, string(n.ID))
	}
	for _, d := range cfg.Disks {
		devices = append(devices, string(d.ID))
	}
	slices.Sort(devices)
	return fmt.Sprint(cfg.CPUs, cfg.MemoryMiB, devices)
}

// mirror tells the pool beside the host.
func (g *guest) mirror(ctx context.Context, s hypervisor.SnapshotRequest) error {
	tell := g.host.options.Snapshots
	if tell == nil || s.Action == hypervisor.SnapshotLoad {
		return nil
	}
	for _, d := range g.cfg.Disks {
		if d.CDROM || d.File.ReadOnly {
			continue
		}
		if err := tell(ctx, d.ID, s.Action, s.Tag); err != nil {
			return err
		}
	}
	return nil
}

// snapshotDisks gives the disks that snapshots cover.
func (g *guest) snapshotDisks() ([]*disk, error) {
	var out []*disk
	for _, d := range g.cfg.Disks {
		switch {
		case d.CDROM || d.File.ReadOnly:
		case d.File.Format != "qcow2":
			return nil, fault.New(fault.Unsupported, "snapshot_raw", "disk %s is raw and cannot hold snapshots; use a qcow2 disk", d.ID)
		default:
			out = append(out, g.host.disk(d.File.Path))
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Unsupported, "snapshot_no_disk", "this VM has no disk that could hold a snapshot")
	}
	return out, nil
}

func (g *guest) load(disks []*disk, tag string) error {
	for _, d := range disks {
		if d.snapshots[tag] == nil {
			return fault.New(fault.NotFound, "snapshot_missing", "this VM's disks have no snapshot %s", tag)
		}
		if d.snapshots[tag].memory == nil {
			return fault.New(fault.Conflict, "snapshot_no_memory", "snapshot %s was taken without memory; stop the VM to go back to it", tag)
		}
	}
	if disks[0].snapshots[tag].machine != inside(g.cfg) {
		g.stop(paused, hypervisor.Event{Type: hypervisor.Stopped})
		return fault.New(fault.Conflict, "snapshot_load", "the memory of the snapshot could not be loaded, because it is of another machine; start the VM anew from its disks")
	}
	for _, d := range disks {
		d.value = d.snapshots[tag].value
		g.memory = *d.snapshots[tag].memory
	}
	return nil
}

// Save ends the process and leaves its memory in the file.
func (i *instance) Save(ctx context.Context, file hypervisor.File) error {
	done, err := i.begin(ctx, "Save")
	if err != nil {
		return err
	}
	defer done()
	g := i.guest
	if g.state == off || g.state == panicked {
		return fault.New(fault.Conflict, "guest_off", "the guest has powered off; there is nothing to save")
	}
	if err := save(file.Path, g.memory); err != nil {
		return fault.Wrap(err, fault.Unavailable, "state_write", "the VM's memory could not be written; make room on the node's disk. The VM runs on")
	}
	g.end("the VM's memory was saved")
	return nil
}

// Console opens the shell or the screen.
func (i *instance) Console(ctx context.Context, kind hypervisor.ConsoleKind) (io.ReadWriteCloser, error) {
	done, err := i.begin(ctx, "Console")
	if err != nil {
		return nil, err
	}
	defer done()
	switch {
	case kind == hypervisor.Serial:
		line, err := i.guest.serial().Open()
		if err != nil {
			return nil, fault.Wrap(err, fault.Exhausted, "console_readers", "%s", err.Error())
		}
		return line, nil
	case kind == hypervisor.VNC && i.guest.cfg.Display:
		return openScreen(), nil
	case kind == hypervisor.VNC:
		return nil, fault.New(fault.Unsupported, "no_display", "this VM has no display; give it one and start it again, or use the serial console")
	}
	return nil, fault.New(fault.Invalid, "", "%q is no console; serial and vnc are", kind)
}

// Events gives the channel.
func (i *instance) Events() <-chan hypervisor.Event { return i.queue.Events() }

// Guest answers as the agent inside would.
func (i *instance) Guest(ctx context.Context) (hypervisor.Guest, error) {
	done, err := i.agent(ctx, "Guest")
	if err != nil {
		return hypervisor.Guest{}, err
	}
	defer done()
	answer := hypervisor.Guest{Hostname: i.guest.cfg.Name, OS: "Simulated 1"}
	for _, n := range i.guest.cfg.NICs {
		if n.User != nil && n.User.Address != "" {
			answer.Addresses = append(answer.Addresses, n.User.Address)
		}
	}
	return answer, nil
}

// Freeze and Thaw hold back nothing and remember it.
func (i *instance) Freeze(ctx context.Context) error { return i.freeze(ctx, "Freeze", true) }

// Thaw is safe when nothing is frozen.
func (i *instance) Thaw(ctx context.Context) error { return i.freeze(ctx, "Thaw", false) }

func (i *instance) freeze(ctx context.Context, call string, frozen bool) error {
	done, err := i.agent(ctx, call)
	if err != nil {
		return err
	}
	defer done()
	i.guest.frozen = frozen
	return nil
}

func (i *instance) agent(ctx context.Context, call string) (done func(), err error) {
	done, err = i.begin(ctx, call)
	if err != nil {
		return nil, err
	}
	if !i.guest.agent || i.guest.state != running {
		done()
		return nil, fault.New(fault.Unavailable, "agent_silent", "the guest agent does not answer; is qemu-guest-agent installed and running in the guest?")
	}
	return done, nil
}

// Screenshot draws a plain screen.
func (i *instance) Screenshot(ctx context.Context) ([]byte, error) {
	done, err := i.begin(ctx, "Screenshot")
	if err != nil {
		return nil, err
	}
	defer done()
	if !i.guest.cfg.Display {
		return nil, fault.New(fault.Unsupported, "no_display", "this VM has no display; give it one and start it again")
	}
	screen := image.NewRGBA(image.Rect(0, 0, screenWidth, screenHeight))
	draw.Draw(screen, screen.Bounds(), image.NewUniform(color.RGBA{screenRed, screenGreen, screenBlue, 255}), image.Point{}, draw.Src)
	var out bytes.Buffer
	err = png.Encode(&out, screen)
	return out.Bytes(), err
}
