package hypervisortest

import (
	"path/filepath"
	"slices"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Machine is a host under test.
type Machine struct {
	Driver hypervisor.Driver // the present agent's
	// Drop lets the present agent die as by kill -9 and gives the next one's driver. The guests go on.
	Drop func() hypervisor.Driver
	// Config gives a guest that was never started. Its first disk is qcow2; it is no bigger than it must be.
	Config func(t *testing.T) hypervisor.Config
	// Disk gives an empty disk of 1 MiB in the format.
	Disk func(t *testing.T, format string) hypervisor.Disk
	// Crash ends the VM's process from outside.
	Crash func(t *testing.T, vm id.VM)
}

// Run runs the suite. machine makes a fresh host for each requirement and cleans up behind it.
func Run(t *testing.T, machine func(t *testing.T) *Machine) {
	for _, c := range []struct {
		requirement string
		test        func(t *testing.T, m *Machine)
	}{
		{"a started guest runs and its serial line answers", startsAndAnswers},
		{"a guest that is started paused does nothing until it is continued", startsPaused},
		{"pause and continue are told and may be repeated", pausesAndContinues},
		{"a guest that obeys ACPI powers off and its process waits", shutsDown},
		{"a guest that powers off by itself is told", powersOff},
		{"a guest that ignores ACPI runs on until it is killed", ignoresACPI},
		{"reset starts the guest anew in its process", resets},
		{"a reboot by the guest is told", reboots},
		{"a second start of a running VM is a conflict and harms nothing", startsOnce},
		{"a failed start leaves nothing behind", failsClean},
		{"a config that is none is refused", refusesNonsense},
		{"the next agent adopts what the last one started", adopts},
		{"the next agent learns of a power-off that nobody heard", adoptsPoweredOff},
		{"there is nothing to adopt where no process is", adoptsNothing},
		{"the end of the process is the last event and ends everything", exits},
		{"clean is refused while the process lives and may be repeated", cleans},
		{"a process is killed without being adopted", killsStrangers},
		{"a saved guest goes on where it was", savesAndRestores},
		{"a guest whose memory cannot be saved runs on", failsToSave},
		{"a state that is none is refused", refusesBrokenState},
		{"a snapshot with memory puts memory and disk back", snapshotsMemory},
		{"a snapshot with memory of a VM that grew goes on in a new process", snapshotsGrown},
		{"a snapshot without memory is not loaded into a running guest", snapshotsDisk},
		{"a guest with a raw disk has no snapshots", refusesRawSnapshot},
		{"disks come, grow, are limited and go", plugsDisks},
		{"network cards come and go", plugsNICs},
		{"what cannot change live is said in a sentence and the rest is done", saysWhatWaits},
		{"several people see the same serial line", sharesSerial},
		{"a guest that floods its serial line harms nobody", survivesFlood},
		{"the screen speaks RFB and can be photographed", showsScreen},
		{"a guest without a display says so", hasNoScreen},
	} {
		t.Run(c.requirement, func(t *testing.T) { c.test(t, machine(t)) })
	}
}

func (m *Machine) start(t *testing.T, cfg hypervisor.Config) *guest {
	t.Helper()
	i, err := m.Driver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return &guest{i, t}
}

func (m *Machine) adopt(t *testing.T, vm id.VM) *guest {
	t.Helper()
	m.Driver = m.Drop()
	i, err := m.Driver.Adopt(t.Context(), vm)
	if err != nil {
		t.Fatalf("adopt: %v", err)
	}
	return &guest{i, t}
}

func (m *Machine) wantRunning(t *testing.T, want ...id.VM) {
	t.Helper()
	got, err := m.Driver.Running(t.Context())
	if err != nil || !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("running: got %v (%v), want %v", got, err, want)
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%s: got %v, want a fault of the kind %s", what, err, want)
	}
}

func startsAndAnswers(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.Boot, cfg.Epoch, cfg.Generation = 3, 2, 7
	g := m.start(t, cfg)
	g.wantState(vm.SeenRunning)
	c := g.booted()
	c.say("hello")
	if got := c.count(); got != 5 {
		t.Errorf("the guest counted %d keys, want 5", got)
	}
	m.wantRunning(t, cfg.VM)
	info := g.Info()
	if info.VM != cfg.VM || info.PID == 0 || info.Boot != 3 || info.Epoch != 2 || info.Generation != 7 {
		t.Errorf("info is %+v", info)
	}
	if info.MachineType == "" || info.CPUModel == "" || info.Accel == "" {
		t.Errorf("the driver does not say what it chose: %q, %q, %q", info.MachineType, info.CPUModel, info.Accel)
	}
}

func startsPaused(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.StartPaused = true
	g := m.start(t, cfg)
	g.wantState(vm.SeenPaused)
	g.power(hypervisor.Continue)
	g.wantState(vm.SeenRunning)
	g.booted()
}

func pausesAndContinues(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	c := g.booted()
	for range 2 {
		g.power(hypervisor.Pause)
		g.wantState(vm.SeenPaused)
	}
	g.event(hypervisor.Stopped)
	for range 2 {
		g.power(hypervisor.Continue)
		g.wantState(vm.SeenRunning)
	}
	g.event(hypervisor.Resumed)
	c.say("on")
}

func shutsDown(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	g.booted()
	g.power(hypervisor.Shutdown)
	g.event(hypervisor.PoweredOff)
	g.wantOff(m, cfg.VM)
}

// wantOff checks a guest that has powered off: its process is there, and only the end is left for it.
func (g *guest) wantOff(m *Machine, vmID id.VM) {
	g.t.Helper()
	g.wantState(vm.SeenStopped)
	m.wantRunning(g.t, vmID)
	g.power(hypervisor.Shutdown) // may be repeated
	for _, c := range []hypervisor.Command{hypervisor.Pause, hypervisor.Continue, hypervisor.Reset} {
		wantKind(g.t, string(c)+" of a guest that is off", g.Power(g.t.Context(), c), fault.Conflict)
	}
	g.power(hypervisor.Kill)
	if e := g.event(hypervisor.Exited); e.Reason == "" {
		g.t.Error("the end has no reason")
	}
	m.wantRunning(g.t)
}

func powersOff(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	g.booted().write(KeyOff)
	g.event(hypervisor.PoweredOff)
	g.wantOff(m, cfg.VM)
}

func ignoresACPI(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	c := g.booted()
	c.write(KeyDeaf)
	c.say("x")
	g.power(hypervisor.Shutdown)
	c.say("still here") // it has looked at the button many times by then
	g.wantState(vm.SeenRunning)
	g.power(hypervisor.Kill)
	g.event(hypervisor.Exited)
}

func resets(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	pid := g.Info().PID
	c := g.booted()
	c.say("abc")
	g.power(hypervisor.Reset)
	c.expect(Banner)
	g.event(hypervisor.Rebooted)
	if got := c.count(); got != 0 {
		t.Errorf("after a reset the guest remembers %d keys", got)
	}
	if g.Info().PID != pid {
		t.Error("the process is another one")
	}
}

func reboots(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	c := g.booted()
	c.write(KeyBoot)
	g.event(hypervisor.Rebooted)
	c.expect(Banner)
}

func startsOnce(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	c := g.booted()
	_, err := m.Driver.Start(t.Context(), cfg)
	wantKind(t, "a second start", err, fault.Conflict)
	m.Driver = m.Drop()
	_, err = m.Driver.Start(t.Context(), cfg)
	wantKind(t, "a start by the next agent", err, fault.Conflict)
	_ = c
	i, err := m.Driver.Adopt(t.Context(), cfg.VM)
	if err != nil {
		t.Fatal(err)
	}
	(&guest{i, t}).terminal().say("unharmed")
}

func failsClean(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	wrong := cfg
	wrong.Restore = &hypervisor.File{Path: filepath.Join(t.TempDir(), "nowhere"), Format: "raw"}
	_, err := m.Driver.Start(t.Context(), wrong)
	wantKind(t, "a start from a state that is gone", err, fault.NotFound)
	m.wantRunning(t)
	_, err = m.Driver.Adopt(t.Context(), cfg.VM)
	wantKind(t, "to adopt it", err, fault.NotFound)
	m.start(t, cfg).booted()
}

func refusesNonsense(t *testing.T, m *Machine) {
	for name, edit := range map[string]func(*hypervisor.Config){
		"a VM without vCPUs":         func(c *hypervisor.Config) { c.CPUs = 0 },
		"an id that is a path":       func(c *hypervisor.Config) { c.VM = "../escape" },
		"a disk of a guessed format": func(c *hypervisor.Config) { c.Disks[0].File.Format = "" },
	} {
		cfg := m.Config(t)
		cfg.Disks = slices.Clone(cfg.Disks)
		edit(&cfg)
		_, err := m.Driver.Start(t.Context(), cfg)
		wantKind(t, name, err, fault.Invalid)
	}
}

func adopts(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.Generation = 4
	g := m.start(t, cfg)
	g.booted().say("abc")
	before := g.Info()
	g = m.adopt(t, cfg.VM)
	if after := g.Info(); after.PID != before.PID || after.Generation != 4 || after.CPUModel != before.CPUModel {
		t.Errorf("adopted %+v, started %+v", after, before)
	}
	g.wantState(vm.SeenRunning)
	c := g.terminal()
	c.say("de")
	if got := c.count(); got != 5 {
		t.Errorf("the guest counted %d keys, want 5", got)
	}
	g.power(hypervisor.Shutdown)
	g.event(hypervisor.PoweredOff)
	g.power(hypervisor.Kill)
	g.event(hypervisor.Exited)
}

func adoptsPoweredOff(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	g.booted().write(KeyOff)
	g.wantState(vm.SeenStopped)
	g = m.adopt(t, cfg.VM)
	g.event(hypervisor.PoweredOff)
	g.wantOff(m, cfg.VM)
}

func adoptsNothing(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	_, err := m.Driver.Adopt(t.Context(), cfg.VM)
	wantKind(t, "to adopt a VM that was never started", err, fault.NotFound)
	m.start(t, cfg).booted()
	m.Driver = m.Drop()
	m.Crash(t, cfg.VM)
	wait(t, "no process", func() bool {
		got, err := m.Driver.Running(t.Context())
		return err == nil && len(got) == 0
	})
	_, err = m.Driver.Adopt(t.Context(), cfg.VM)
	wantKind(t, "to adopt a VM whose process died meanwhile", err, fault.NotFound)
	if err := m.Driver.Clean(t.Context(), cfg.VM); err != nil {
		t.Errorf("clean: %v", err)
	}
	m.start(t, cfg).booted()
}

func exits(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	c := g.booted()
	m.Crash(t, cfg.VM)
	g.event(hypervisor.Exited)
	if e, open := <-g.Events(); open {
		t.Errorf("%s came behind the end", e.Type)
	}
	c.ended()
	ctx := t.Context()
	_, err := g.Status(ctx)
	wantKind(t, "status", err, fault.Conflict)
	wantKind(t, "kill", g.Power(ctx, hypervisor.Kill), fault.Conflict)
	wantKind(t, "pause", g.Power(ctx, hypervisor.Pause), fault.Conflict)
	_, err = g.Apply(ctx, cfg)
	wantKind(t, "apply", err, fault.Conflict)
	wantKind(t, "snapshot", g.Snapshot(ctx, hypervisor.SnapshotRequest{Action: hypervisor.SnapshotCreate, Tag: "x"}), fault.Conflict)
	wantKind(t, "save", g.Save(ctx, hypervisor.File{Path: filepath.Join(t.TempDir(), "state"), Format: "raw"}), fault.Conflict)
	_, err = g.Console(ctx, hypervisor.Serial)
	wantKind(t, "console", err, fault.Conflict)
	m.start(t, cfg).booted()
}

func cleans(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	if err := m.Driver.Clean(t.Context(), cfg.VM); err != nil {
		t.Errorf("clean of what never was: %v", err)
	}
	g := m.start(t, cfg)
	wantKind(t, "clean of a living process", m.Driver.Clean(t.Context(), cfg.VM), fault.Conflict)
	g.booted()
	g.power(hypervisor.Kill)
	for range 2 {
		if err := m.Driver.Clean(t.Context(), cfg.VM); err != nil {
			t.Errorf("clean: %v", err)
		}
	}
	m.wantRunning(t)
}

func killsStrangers(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	m.start(t, cfg)
	m.Driver = m.Drop()
	killer := m.Driver.(hypervisor.Killer)
	for range 2 {
		if err := killer.Kill(t.Context(), cfg.VM); err != nil {
			t.Errorf("kill: %v", err)
		}
	}
	m.wantRunning(t)
	if err := m.Driver.Clean(t.Context(), cfg.VM); err != nil {
		t.Errorf("clean: %v", err)
	}
}
