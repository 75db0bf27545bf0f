package hypervisortest

import (
	"bytes"
	"io"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

func (g *guest) snapshot(action hypervisor.SnapshotAction, tag string, memory bool) {
	g.t.Helper()
	if err := g.Snapshot(g.t.Context(), hypervisor.SnapshotRequest{Action: action, Tag: tag, Memory: memory}); err != nil {
		g.t.Fatalf("%s %s: %v", action, tag, err)
	}
}

func snapshotsMemory(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.Disks = append(cfg.Disks, m.Disk(t, "qcow2"))
	g := m.start(t, cfg)
	c := g.booted()
	c.say("abc")
	c.write(KeyWrite)
	c.say("d")
	for range 2 { // may be repeated
		g.snapshot(hypervisor.SnapshotCreate, "snap-one", true)
	}
	c.say("ef")
	c.write(KeyWrite)
	if got := c.disk(); got != 6 {
		t.Fatalf("the disk holds %d, want 6", got)
	}
	g.snapshot(hypervisor.SnapshotLoad, "snap-one", false)
	g.wantState(vm.SeenRunning)
	if got := c.count(); got != 4 {
		t.Errorf("memory holds %d, want 4 as at the snapshot", got)
	}
	if got := c.disk(); got != 3 {
		t.Errorf("the disk holds %d, want 3 as at the snapshot", got)
	}
	for range 2 {
		g.snapshot(hypervisor.SnapshotDelete, "snap-one", false)
	}
	err := g.Snapshot(t.Context(), hypervisor.SnapshotRequest{Action: hypervisor.SnapshotLoad, Tag: "snap-one"})
	wantKind(t, "to load what was deleted", err, fault.NotFound)
	c.say("on")
}

func snapshotsGrown(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.CPUs, cfg.MaxCPUs = 1, 2
	cfg.Disks = append(cfg.Disks, m.Disk(t, "qcow2"))
	g := m.start(t, cfg)
	c := g.booted()
	// A disk before a NIC: a machine that is planned anew has them in another order.
	cfg.Disks, cfg.CPUs = append(cfg.Disks, m.Disk(t, "qcow2")), 2
	g.apply(cfg)
	cfg.NICs = append(cfg.NICs, hypervisor.NIC{ID: id.NewNIC(), MAC: "52:54:00:12:34:57", User: &hypervisor.UserNet{Subnet: "10.77.0.0/24", Gateway: "10.77.0.1", Address: "10.77.0.9"}})
	g.apply(cfg)
	c.say("abc")
	was := g.Info().Config
	g.snapshot(hypervisor.SnapshotCreate, "snap-one", true)
	g.power(hypervisor.Kill)
	was.StartPaused = true
	g = m.start(t, was)
	g.snapshot(hypervisor.SnapshotLoad, "snap-one", false)
	g.power(hypervisor.Continue)
	if got := g.terminal().count(); got != 3 {
		t.Errorf("memory holds %d, want 3 as at the snapshot", got)
	}
	if left := hypervisor.Diff(g.Info().Config, cfg); len(left) > 0 {
		t.Errorf("in the new process these differ: %+v", left)
	}
}

func snapshotsDisk(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.Disks = append(cfg.Disks, m.Disk(t, "qcow2"))
	g := m.start(t, cfg)
	c := g.booted()
	for range 2 {
		g.snapshot(hypervisor.SnapshotCreate, "snap-one", false)
	}
	err := g.Snapshot(t.Context(), hypervisor.SnapshotRequest{Action: hypervisor.SnapshotLoad, Tag: "snap-one"})
	wantKind(t, "to load a snapshot without memory", err, fault.Conflict)
	g.snapshot(hypervisor.SnapshotDelete, "snap-one", false)
	c.say("on")
}

func refusesRawSnapshot(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.Disks = append(cfg.Disks, m.Disk(t, "raw"))
	g := m.start(t, cfg)
	err := g.Snapshot(t.Context(), hypervisor.SnapshotRequest{Action: hypervisor.SnapshotCreate, Tag: "snap-one"})
	wantKind(t, "a snapshot of a raw disk", err, fault.Unsupported)
	g.booted()
}

// apply wants everything done at once.
func (g *guest) apply(cfg hypervisor.Config) {
	g.t.Helper()
	for range 2 { // may be repeated
		restart, err := g.Apply(g.t.Context(), cfg)
		if err != nil || len(restart) > 0 {
			g.t.Fatalf("apply: %v, waiting: %q", err, restart)
		}
	}
	if left := hypervisor.Diff(g.Info().Config, cfg); len(left) > 0 {
		g.t.Errorf("after apply these differ: %+v", left)
	}
}

func plugsDisks(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	g.booted()
	extra := m.Disk(t, "qcow2")
	extra.IOPS = 100
	cfg.Generation = 2
	cfg.Disks = append(cfg.Disks, extra)
	g.apply(cfg)
	cfg.Disks[1].IOPS, cfg.Disks[1].BytesPerS = 0, 1<<20
	g.apply(cfg)
	cfg.Disks[1].SizeBytes = 4 << 20
	g.apply(cfg)
	g = m.adopt(t, cfg.VM) // the next agent knows the disk too
	if got := g.Info(); len(got.Config.Disks) != 2 || got.Generation != 2 {
		t.Fatalf("adopted generation %d with %d disks, want 2 with 2", got.Generation, len(got.Config.Disks))
	}
	cfg.Disks = cfg.Disks[:1]
	g.apply(cfg)
	cfg.Disks = append(cfg.Disks[:1:1], extra) // and again, at the same place
	g.apply(cfg)
	g.terminal().say("on")
}

func plugsNICs(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	c := g.booted()
	card := hypervisor.NIC{ID: id.NewNIC(), MAC: "52:54:00:12:34:57", User: &hypervisor.UserNet{Subnet: "10.77.0.0/24", Gateway: "10.77.0.1", Address: "10.77.0.9"}}
	cfg.NICs = append(cfg.NICs, card)
	g.apply(cfg)
	cfg.NICs = append(cfg.NICs[:len(cfg.NICs)-1:len(cfg.NICs)-1], card)
	cfg.NICs[len(cfg.NICs)-1].MAC = "52:54:00:12:34:58"
	g.apply(cfg)
	cfg.NICs = cfg.NICs[:len(cfg.NICs)-1]
	g.apply(cfg)
	c.say("on")
}

func saysWhatWaits(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.CPUs, cfg.MaxCPUs = 1, 2
	g := m.start(t, cfg)
	c := g.booted()
	want := cfg
	want.CPUs, want.MemoryMiB, want.Display, want.Generation = 2, cfg.MemoryMiB/2, true, 9
	restart, err := g.Apply(t.Context(), want)
	if err != nil || len(restart) != 2 {
		t.Fatalf("apply: %v, waiting: %q; want memory and display to wait", err, restart)
	}
	got := g.Info()
	if got.Config.CPUs != 2 || got.Config.MemoryMiB != cfg.MemoryMiB || got.Generation != 9 {
		t.Errorf("%d vCPUs, %d MiB, generation %d", got.Config.CPUs, got.Config.MemoryMiB, got.Generation)
	}
	want.CPUs = 1
	if restart, err = g.Apply(t.Context(), want); err != nil || len(restart) != 3 {
		t.Errorf("apply: %v, waiting: %q; an emulated guest keeps its vCPUs", err, restart)
	}
	c.say("on")
}

func sharesSerial(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	one := g.booted()
	two := g.booted() // the banner again: who comes later sees what was
	one.write("k")
	one.expect("k")
	two.expect("k")
}

func survivesFlood(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	g := m.start(t, cfg)
	idle, err := g.Console(t.Context(), hypervisor.Serial) // somebody who looks away
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	c := g.booted()
	c.write(KeyFlood)
	c.until("a flood", func(seen string) int {
		if len(seen) < 8<<10 {
			return 0
		}
		return len(seen)
	})
	g.wantState(vm.SeenRunning)
	c.write("!")
	c.expect("!")
	c.say("calm")
}

func showsScreen(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	cfg.Display = true
	g := m.start(t, cfg)
	for range 2 { // two viewers
		screen, err := g.Console(t.Context(), hypervisor.VNC)
		if err != nil {
			t.Fatal(err)
		}
		defer screen.Close()
		greeting := make([]byte, 12)
		if _, err := io.ReadFull(screen, greeting); err != nil || string(greeting) != "RFB 003.008\n" {
			t.Errorf("the screen greets with %q (%v)", greeting, err)
		}
	}
	photo, err := g.Instance.(hypervisor.Screenshotter).Screenshot(t.Context())
	if err != nil || !bytes.HasPrefix(photo, []byte("\x89PNG")) {
		t.Errorf("the photograph is no PNG: %.8q (%v)", photo, err)
	}
}

func hasNoScreen(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	_, err := g.Console(t.Context(), hypervisor.VNC)
	wantKind(t, "a screen", err, fault.Unsupported)
	_, err = g.Console(t.Context(), "telegraph")
	wantKind(t, "a console of an unknown kind", err, fault.Invalid)
}
