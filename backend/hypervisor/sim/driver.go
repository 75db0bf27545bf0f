package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync/atomic"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Driver is what one agent has of a Host.
type Driver struct {
	host *Host
	dead atomic.Bool
}

var (
	_ hypervisor.Driver    = (*Driver)(nil)
	_ hypervisor.VarsMaker = (*Driver)(nil)
	_ hypervisor.Killer    = (*Driver)(nil)
)

// Drop lets the agent that uses this driver die: every later call on it and on its instances fails, and no event comes any
// more. The guests go on.
func (d *Driver) Drop() { d.dead.Store(true) }

func (d *Driver) enter(ctx context.Context, vm id.VM, call string) error {
	if d.dead.Load() {
		return fault.New(fault.Unavailable, "agent_gone", "the agent that made this call is gone")
	}
	return d.host.meet(ctx, vm, call)
}

// Probe describes the simulated machine.
func (d *Driver) Probe(ctx context.Context) (hypervisor.Host, error) {
	if err := d.enter(ctx, "", "Probe"); err != nil {
		return hypervisor.Host{}, err
	}
	host := hypervisor.Host{
		Accel: "tcg", AccelReason: "guests are simulated", Version: "sim 1", Arch: d.host.options.Arch,
		MachineType: "pc-q35-7.2", CPUModel: "Nehalem", UEFI: true, SecureBoot: true, TPM: true,
	}
	if host.Arch == vm.AArch64 {
		host.MachineType, host.CPUModel = "virt-7.2", "cortex-a57"
	}
	return host, nil
}

// MakeVars makes an empty file at path unless one is there.
func (d *Driver) MakeVars(ctx context.Context, path string, _ vm.Arch, _ bool) (hypervisor.File, error) {
	file := hypervisor.File{Path: path, Format: "qcow2"}
	if err := d.enter(ctx, "", "MakeVars"); err != nil {
		return file, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return file, err
	}
	return file, f.Close()
}

// Start makes a guest.
func (d *Driver) Start(ctx context.Context, cfg hypervisor.Config) (hypervisor.Instance, error) {
	if err := d.enter(ctx, cfg.VM, "Start"); err != nil {
		return nil, err
	}
	if err := hypervisor.Check(cfg); err != nil {
		return nil, err
	}
	g, err := d.host.reserve(cfg)
	if err != nil {
		return nil, err
	}
	if err := d.boot(ctx, g); err != nil {
		d.host.forget(g)
		return nil, err
	}
	return g.attach(d), nil
}

// boot does what can fail between the making of a process and its first vCPU.
func (d *Driver) boot(ctx context.Context, g *guest) error {
	if err := wait(ctx, d.host.options.StartDelay); err != nil {
		return err
	}
	var restored *memory
	if g.cfg.Restore != nil {
		m, err := load(g.cfg.Restore.Path)
		if err != nil {
			return err
		}
		if err := os.Remove(g.cfg.Restore.Path); err != nil {
			return err
		}
		restored = m
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.start(restored)
	return nil
}

// load reads what Save wrote.
func load(path string) (*memory, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Wrap(err, fault.NotFound, "state_missing", "the saved state of this VM is gone; start it without it")
	}
	if err != nil {
		return nil, err
	}
	var m memory
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "state_broken", "the saved state of this VM is damaged; discard it and start the VM anew")
	}
	return &m, nil
}

// save makes the file appear whole or not at all.
func save(path string, m memory) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	part := hypervisor.Partial(path)
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, path)
}

// reserve puts the VM's process on the host, once.
func (h *Host) reserve(cfg hypervisor.Config) (*guest, error) {
	host, _ := (&Driver{host: h}).Probe(context.Background())
	cfg.Accel = "tcg"
	cfg.MachineType = cmp.Or(cfg.MachineType, host.MachineType)
	cfg.CPUModel = cmp.Or(cfg.CPUModel, host.CPUModel)
	cfg.MaxCPUs, cfg.MaxMemoryMiB = max(cfg.MaxCPUs, cfg.CPUs), max(cfg.MaxMemoryMiB, cfg.MemoryMiB)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.guests[cfg.VM] != nil {
		return nil, fault.New(fault.Conflict, "vm_running", "this VM has a process already")
	}
	h.lastPID++
	g := &guest{host: h, cfg: cfg, pid: h.lastPID}
	h.guests[cfg.VM] = g
	return g, nil
}

// forget takes the process off the host.
func (h *Host) forget(g *guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.guests[g.cfg.VM] == g {
		delete(h.guests, g.cfg.VM)
	}
}

// Adopt takes over a guest of an agent that is gone.
func (d *Driver) Adopt(ctx context.Context, vm id.VM) (hypervisor.Instance, error) {
	if err := d.enter(ctx, vm, "Adopt"); err != nil {
		return nil, err
	}
	g := d.host.guest(vm)
	if g == nil {
		return nil, fault.New(fault.NotFound, "vm_not_running", "this VM has no process on this machine")
	}
	return g.attach(d), nil
}

// Kill ends a guest without adopting it.
func (d *Driver) Kill(ctx context.Context, vm id.VM) error {
	if err := d.enter(ctx, vm, "Kill"); err != nil {
		return err
	}
	if err := d.host.act(vm, func(g *guest) { g.end("the VM's process was killed") }); err != nil && !errors.Is(err, ErrNoGuest) {
		return err
	}
	return nil
}

// Running lists the guests.
func (d *Driver) Running(ctx context.Context) ([]id.VM, error) {
	if err := d.enter(ctx, "", "Running"); err != nil {
		return nil, err
	}
	d.host.mu.Lock()
	defer d.host.mu.Unlock()
	out := make([]id.VM, 0, len(d.host.guests))
	for vm := range d.host.guests {
		out = append(out, vm)
	}
	return out, nil
}

// Clean has nothing to remove: a simulated process leaves nothing.
func (d *Driver) Clean(ctx context.Context, vm id.VM) error {
	if err := d.enter(ctx, vm, "Clean"); err != nil {
		return err
	}
	if d.host.guest(vm) != nil {
		return fault.New(fault.Conflict, "vm_running", "this VM has a process; end it first")
	}
	return nil
}
