// Package agenttest makes simulated machines with real agents on them, for tests of whoever talks to agents. The hypervisor,
// the pool and the network are simulated; the agent is the one that runs in production.
package agenttest

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	simhost "novacron/backend/hypervisor/sim"
	simnet "novacron/backend/network/sim"
	simpool "novacron/backend/storage/sim"
	"novacron/backend/storage/storagetest"
)

// Tiny is the digest of an image that every World has.
const Tiny = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// World is a machine: what outlives its agents.
type World struct {
	Node   id.Node
	Dir    string
	Host   *simhost.Host
	Pool   *simpool.Pool
	Net    *simnet.World
	Images *storagetest.Images
	t      testing.TB
}

// NewWorld makes a machine without guests, in a folder of the test.
func NewWorld(t testing.TB, o ...simhost.Options) *World {
	return &World{Node: id.NewNode(), Dir: t.TempDir(), Host: simhost.NewHost(o...), Pool: simpool.New(simpool.Config{}), Net: &simnet.World{}, Images: storagetest.NewImages(Tiny), t: t}
}

// Start starts an agent on the machine; change may adjust its options and may be nil. The test closes it.
func (w *World) Start(change func(*agent.Options)) *agent.Agent {
	w.t.Helper()
	o := agent.Options{Node: w.Node, Version: "test", DataDir: w.Dir, Driver: w.Host.Driver(), Pool: w.Pool, Images: w.Images, Fabric: simnet.New(w.Net),
		Log: slog.New(slog.DiscardHandler), NoSync: true,
		Simulated: &agent.Capacity{CPUs: 1024, MemoryMiB: 1 << 20, DiskBytes: 1 << 44}, // the same wherever the test runs
		Limits:    agent.Limits{Call: 5 * time.Second, Start: 10 * time.Second, Copy: 10 * time.Second, GuestPoll: time.Hour, GuestPollMax: time.Hour},
		Seed:      func(path string, m vm.Machine) error { return os.WriteFile(path, []byte(m.Name), 0o600) }}
	if change != nil {
		change(&o)
	}
	a, err := agent.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { a.Close() })
	if err := a.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// Machine is a VM with a disk and without a NIC that shall run.
func Machine(name string) vm.Machine {
	return vm.Machine{ID: id.NewVM(), Name: name, Tenant: id.NewTenant(), Epoch: 1, Generation: 1, Role: vm.Run, Power: vm.On, Boot: 1, GraceS: 5,
		Arch: vm.X86_64, Firmware: vm.BIOS, CPUs: 1, MemoryMiB: 64, Disks: []vm.Disk{{ID: id.NewVolume(), SizeGiB: 2, Image: Tiny}}, Seed: vm.Seed{Hostname: name}}
}
