package agent_test

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"novacron/backend/agent"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor/qemu"
	simnet "novacron/backend/network/sim"
	"novacron/backend/seed"
	"novacron/backend/storage"
	"novacron/backend/storage/dir"
)

// bench is a machine with the real hypervisor and real files; only the network is simulated, so it needs no root.
type bench struct {
	t     *testing.T
	base  string
	node  id.Node
	net   *simnet.World
	agent *agent.Agent
	stop  func()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real guests, which -short leaves out")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("needs qemu-system-x86_64")
	}
	base, err := os.MkdirTemp("/tmp", "nva") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, base: base, node: id.NewNode(), net: &simnet.World{}}
	t.Cleanup(func() { os.RemoveAll(base) })
	b.start()
	t.Cleanup(func() {
		b.agent.StopAll(canceled())
		b.stop()
	})
	return b
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// start starts an agent as a new process would: with a new driver on the same folders.
func (b *bench) start() {
	b.t.Helper()
	log := slog.New(slog.DiscardHandler)
	data := filepath.Join(b.base, "data")
	cache, err := storage.OpenCache(storage.Config{Root: filepath.Join(data, "images")})
	if err != nil {
		b.t.Fatal(err)
	}
	pool, err := dir.Open(dir.Config{Root: data, Images: cache})
	if err != nil {
		b.t.Fatal(err)
	}
	driver, err := qemu.New(qemu.Options{RunDir: filepath.Join(b.base, "run"), Accel: "tcg", Log: log})
	if err != nil {
		b.t.Fatal(err)
	}
	b.agent, err = agent.New(agent.Options{Node: b.node, DataDir: data, Driver: driver, Pool: pool, Images: cache, Fabric: simnet.New(b.net),
		Seed: func(path string, m vm.Machine) error { return seed.Write(path, seed.For(m)) }, Log: log})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.agent.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.stop = func() { b.agent.Close(); driver.Close() }
}

func (b *bench) restart() {
	b.t.Helper()
	b.stop()
	b.start()
}

// next makes a change of the machine true and checks the state that follows.
func (b *bench) next(m *vm.Machine, want vm.RunState, change func(*vm.Machine)) vm.Seen {
	b.t.Helper()
	m.Generation++
	change(m)
	s, err := b.agent.Ensure(b.t.Context(), *m)
	if err != nil || s.State != want {
		b.t.Fatalf("generation %d, power %s: %s %q, %v; want %s", m.Generation, m.Power, s.State, s.Reason, err, want)
	}
	return s
}

func (b *bench) snapshot(r agent.SnapshotRequest) {
	b.t.Helper()
	if err := b.agent.Snapshot(b.t.Context(), r); err != nil {
		b.t.Fatalf("%s the snapshot (memory %v): %v", r.Action, r.Memory, err)
	}
}

func blankMachine() *vm.Machine {
	return &vm.Machine{ID: id.NewVM(), Name: "real", Tenant: id.NewTenant(), Epoch: 1, Role: vm.Run, Power: vm.On, Boot: 1, GraceS: 1, Arch: vm.X86_64, Firmware: vm.BIOS,
		CPUs: 1, MemoryMiB: 128, Disks: []vm.Disk{{ID: id.NewVolume(), SizeGiB: 1}}, Seed: vm.Seed{Hostname: "real"}}
}

func TestAgent_leadsARealGuestThroughItsLifeAcrossRestarts(t *testing.T) {
	b := newBench(t)
	m := blankMachine()
	first := b.next(m, vm.SeenRunning, func(*vm.Machine) {})
	snap := agent.SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: agent.SnapshotCreate, Memory: true}
	b.snapshot(snap)
	b.next(m, vm.SeenPaused, func(m *vm.Machine) { m.Power = vm.Paused })
	b.restart()
	b.next(m, vm.SeenRunning, func(m *vm.Machine) { m.Power = vm.On })
	snap.Action = agent.SnapshotRevert
	b.snapshot(snap)
	snap.Action = agent.SnapshotDelete
	b.snapshot(snap)
	grown := b.next(m, vm.SeenRunning, func(m *vm.Machine) { m.Disks = slices.Clone(m.Disks); m.Disks[0].SizeGiB = 2 })
	if grown.PID != first.PID {
		t.Errorf("the process changed from %d to %d", first.PID, grown.PID)
	}
	b.next(m, vm.SeenSuspended, func(m *vm.Machine) { m.Power = vm.Suspended })
	b.restart()
	b.next(m, vm.SeenRunning, func(m *vm.Machine) { m.Power = vm.On })
	if s := b.next(m, vm.SeenRunning, func(m *vm.Machine) { m.Boot, m.Force = 2, true }); s.Boot != 2 {
		t.Errorf("boot %d after a restart, want 2", s.Boot)
	}
	b.next(m, vm.SeenStopped, func(m *vm.Machine) { m.Power = vm.Off })
	snap.Snapshot, snap.Memory = id.NewSnapshot(), false
	for _, snap.Action = range []agent.SnapshotAction{agent.SnapshotCreate, agent.SnapshotRevert, agent.SnapshotDelete} {
		b.snapshot(snap)
	}
	b.next(m, vm.SeenRunning, func(m *vm.Machine) { m.Power = vm.On })
	b.next(m, vm.SeenAbsent, func(m *vm.Machine) { m.Power = vm.Gone })
	b.nothingOf(m.ID)
}

// nothingOf fails the test when a file whose name holds an id of the VM or its disk is left.
func (b *bench) nothingOf(v id.VM) {
	b.t.Helper()
	filepath.WalkDir(b.base, func(path string, d fs.DirEntry, err error) error {
		if name := d.Name(); err == nil && (id.Is(name) || name == string(v)+".json") {
			b.t.Errorf("%s is left", path)
		}
		return nil
	})
}

func TestAgent_endsARealGuestWhoseMonitorIsSilentAlsoAfterARestart(t *testing.T) {
	b := newBench(t)
	m := blankMachine()
	s := b.next(m, vm.SeenRunning, func(*vm.Machine) {})
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.next(m, vm.SeenStopped, func(m *vm.Machine) { m.Power, m.Force = vm.Off, true })
	if err := syscall.Kill(s.PID, 0); err == nil {
		t.Errorf("process %d is still there", s.PID)
	}
	b.next(m, vm.SeenAbsent, func(m *vm.Machine) { m.Power = vm.Gone })
	b.nothingOf(m.ID)
}

func TestAgent_reportsARealGuestThatWasKilled(t *testing.T) {
	b := newBench(t)
	m := blankMachine()
	s := b.next(m, vm.SeenRunning, func(*vm.Machine) {})
	reports, err := b.agent.Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for r := range reports {
		if r.State == vm.SeenFailed {
			if r.Reason == "" {
				t.Error("a death without a reason")
			}
			break
		}
	}
	b.next(m, vm.SeenRunning, func(m *vm.Machine) { m.Boot = 2 })
	b.next(m, vm.SeenAbsent, func(m *vm.Machine) { m.Power = vm.Gone })
	b.nothingOf(m.ID)
}
