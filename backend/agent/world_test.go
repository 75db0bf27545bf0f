package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	simhost "novacron/backend/hypervisor/sim"
	"novacron/backend/network"
	simnet "novacron/backend/network/sim"
	"novacron/backend/storage"
	simpool "novacron/backend/storage/sim"
	"novacron/backend/storage/storagetest"
)

const tinyDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// world is a simulated machine: what outlives its agents.
type world struct {
	t      testing.TB
	node   id.Node
	dir    string
	host   *simhost.Host
	pool   *simpool.Pool
	net    *simnet.World
	images *storagetest.Images
	limits Limits
	now    *gate // of the present agent
}

func newWorld(t testing.TB, o ...simhost.Options) *world {
	t.Helper()
	w := &world{t: t, node: id.NewNode(), dir: t.TempDir(), host: simhost.NewHost(o...), pool: simpool.New(simpool.Config{}), net: &simnet.World{}, images: storagetest.NewImages(tinyDigest)}
	w.limits = Limits{Call: time.Minute, Start: time.Minute, Copy: time.Minute, GuestPoll: time.Hour, GuestPollMax: time.Hour}
	return w
}

// agent starts an agent that dies, for the world, before its effect number dieAt; 0: never.
func (w *world) agent(dieAt int) *Agent {
	w.t.Helper()
	a, err := w.tryAgent(dieAt)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) tryAgent(dieAt int) (*Agent, error) {
	g := &gate{at: dieAt}
	w.now = g
	a, err := New(Options{Node: w.node, Version: "test", DataDir: w.dir, Driver: &gatedDriver{Driver: w.host.Driver(), g: g}, Pool: gatedPool{w.pool, g},
		Images: w.images, Fabric: gatedFabric{simnet.New(w.net), g}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), NoSync: true, Limits: w.limits,
		Seed: func(path string, m vm.Machine) error { return os.WriteFile(path, []byte(m.Name), 0o600) }})
	if err != nil {
		return nil, err
	}
	a.step = g.enter
	w.t.Cleanup(func() { a.Close() })
	return a, a.Start(context.Background())
}

// gate stands between an agent and the world. Once it is shut, the agent changes nothing more: it is dead for the world,
// though its goroutines still run.
type gate struct {
	mu   sync.Mutex
	n    int
	at   int
	dead bool
	last string // the effect that did not happen, or before which strike was called
	// strike is what happens before effect at in place of the agent's death; nil: it dies.
	strike func()
}

var errDead = errors.New("the agent is dead")

func (g *gate) enter(what string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dead {
		return errDead
	}
	if g.n++; g.n == g.at {
		g.last = what
		if g.strike != nil {
			g.strike()
			return nil
		}
		g.dead = true
		return errDead
	}
	return nil
}

// aim counts anew and lets strike happen before effect at.
func (g *gate) aim(at int, strike func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n, g.at, g.strike = 0, at, strike
}

func (g *gate) died() (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last, g.dead
}

type gatedDriver struct {
	*simhost.Driver
	g *gate
}

func (d *gatedDriver) Start(ctx context.Context, c hypervisor.Config) (hypervisor.Instance, error) {
	if err := d.g.enter("driver start"); err != nil {
		return nil, err
	}
	i, err := d.Driver.Start(ctx, c)
	return wrap(i, d.g), err
}

func (d *gatedDriver) Adopt(ctx context.Context, v id.VM) (hypervisor.Instance, error) {
	if err := d.g.enter("driver adopt"); err != nil {
		return nil, err
	}
	i, err := d.Driver.Adopt(ctx, v)
	return wrap(i, d.g), err
}

func (d *gatedDriver) Clean(ctx context.Context, v id.VM) error {
	if err := d.g.enter("driver clean"); err != nil {
		return err
	}
	return d.Driver.Clean(ctx, v)
}

// peakDriver counts how many guests start at once.
type peakDriver struct {
	*gatedDriver
	now, peak atomic.Int32
}

func (d *peakDriver) Start(ctx context.Context, c hypervisor.Config) (hypervisor.Instance, error) {
	n := d.now.Add(1)
	defer d.now.Add(-1)
	for p := d.peak.Load(); n > p && !d.peak.CompareAndSwap(p, n); p = d.peak.Load() {
	}
	return d.gatedDriver.Start(ctx, c)
}

type simInstance interface {
	hypervisor.Instance
	hypervisor.GuestAgent
}

type gatedInstance struct {
	simInstance
	g *gate
}

func wrap(i hypervisor.Instance, g *gate) hypervisor.Instance {
	if i == nil {
		return nil
	}
	return &gatedInstance{i.(simInstance), g}
}

func (i *gatedInstance) Power(ctx context.Context, c hypervisor.Command) error {
	if err := i.g.enter("power " + string(c)); err != nil {
		return err
	}
	return i.simInstance.Power(ctx, c)
}

func (i *gatedInstance) Apply(ctx context.Context, c hypervisor.Config) ([]string, error) {
	if err := i.g.enter("apply"); err != nil {
		return nil, err
	}
	return i.simInstance.Apply(ctx, c)
}

func (i *gatedInstance) Snapshot(ctx context.Context, r hypervisor.SnapshotRequest) error {
	if err := i.g.enter("snapshot"); err != nil {
		return err
	}
	return i.simInstance.Snapshot(ctx, r)
}

func (i *gatedInstance) Save(ctx context.Context, f hypervisor.File) error {
	if err := i.g.enter("save"); err != nil {
		return err
	}
	return i.simInstance.Save(ctx, f)
}

func (i *gatedInstance) Freeze(ctx context.Context) error {
	if err := i.g.enter("freeze"); err != nil {
		return err
	}
	return i.simInstance.Freeze(ctx)
}

func (i *gatedInstance) Thaw(ctx context.Context) error {
	if err := i.g.enter("thaw"); err != nil {
		return err
	}
	return i.simInstance.Thaw(ctx)
}

type gatedPool struct {
	storage.Pool
	g *gate
}

func (p gatedPool) Ensure(ctx context.Context, v storage.Volume) (hypervisor.File, error) {
	if err := p.g.enter("pool ensure"); err != nil {
		return hypervisor.File{}, err
	}
	return p.Pool.Ensure(ctx, v)
}

func (p gatedPool) Grow(ctx context.Context, v id.Volume, n int64) error {
	if err := p.g.enter("pool grow"); err != nil {
		return err
	}
	return p.Pool.Grow(ctx, v, n)
}

func (p gatedPool) Remove(ctx context.Context, v id.Volume) error {
	if err := p.g.enter("pool remove"); err != nil {
		return err
	}
	return p.Pool.Remove(ctx, v)
}

func (p gatedPool) Snapshot(ctx context.Context, v id.Volume, a storage.SnapshotAction, tag string) error {
	if err := p.g.enter("pool snapshot"); err != nil {
		return err
	}
	return p.Pool.Snapshot(ctx, v, a, tag)
}

type gatedFabric struct {
	network.Fabric
	g *gate
}

func (f gatedFabric) Ensure(ctx context.Context, m network.Attachment) ([]hypervisor.NIC, error) {
	if err := f.g.enter("fabric ensure"); err != nil {
		return nil, err
	}
	return f.Fabric.Ensure(ctx, m)
}

func (f gatedFabric) Release(ctx context.Context, v id.VM) error {
	if err := f.g.enter("fabric release"); err != nil {
		return err
	}
	return f.Fabric.Release(ctx, v)
}

// machine is a VM with two disks and a NIC that shall run.
func (w *world) machine(name string) vm.Machine {
	return vm.Machine{ID: id.NewVM(), Name: name, Tenant: id.NewTenant(), Epoch: 1, Generation: 1, Role: vm.Run, Power: vm.On, Boot: 1, GraceS: 5,
		Arch: vm.X86_64, Firmware: vm.UEFI, CPUs: 1, MemoryMiB: 64,
		Disks: []vm.Disk{{ID: id.NewVolume(), SizeGiB: 2, Image: tinyDigest}, {ID: id.NewVolume(), SizeGiB: 1}},
		NICs:  []vm.Port{port("02:00:00:00:00:01", "10.77.0.5")}, Seed: vm.Seed{Hostname: name}}
}

func port(mac, address string) vm.Port {
	return vm.Port{NIC: vm.NIC{ID: id.NewNIC(), Network: id.NewNetwork(), MAC: mac, Address: address},
		Bridge: "default", Subnet: "10.77.0.0/24", Gateway: "10.77.0.1", DNS: []string{"10.77.0.1"}, MTU: 1500}
}

// with gives the next generation of a machine.
func with(m vm.Machine, change func(*vm.Machine)) vm.Machine {
	m.Generation++
	m.Disks, m.NICs = slices.Clone(m.Disks), slices.Clone(m.NICs)
	change(&m)
	return m
}

func power(p vm.Power) func(*vm.Machine) { return func(m *vm.Machine) { m.Power = p } }

// ensure converges or fails the test.
func (w *world) ensure(a *Agent, m vm.Machine) vm.Seen {
	w.t.Helper()
	s, err := a.Ensure(w.t.Context(), m)
	if err != nil {
		w.t.Fatalf("Ensure generation %d, power %s: %v", m.Generation, m.Power, err)
	}
	return s
}

// await waits until the VM's report fits.
func (w *world) await(a *Agent, v id.VM, what string, fits func(vm.Seen) bool) vm.Seen {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s := a.report(v)
		if fits(s) {
			return s
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited for %s, last report: %+v", what, s)
		}
		time.Sleep(time.Millisecond)
	}
}

func isState(want vm.RunState) func(vm.Seen) bool {
	return func(s vm.Seen) bool { return s.State == want }
}

// empty fails the test when something of a VM is left on the machine.
func (w *world) empty(situation string) {
	w.t.Helper()
	if n := w.host.Guests(); n != 0 {
		w.t.Errorf("%s: %d processes are left", situation, n)
	}
	volumes, err := w.pool.List(w.t.Context())
	if err != nil || len(volumes) != 0 {
		w.t.Errorf("%s: volumes are left: %v %v", situation, volumes, err)
	}
	attached, err := simnet.New(w.net).Attached(w.t.Context())
	if err != nil || len(attached) != 0 {
		w.t.Errorf("%s: ports are left: %v %v", situation, attached, err)
	}
	for _, dir := range []string{"vms", "agent/vms"} {
		files, err := os.ReadDir(filepath.Join(w.dir, dir))
		if err != nil || len(files) != 0 {
			w.t.Errorf("%s: files are left in %s: %v %v", situation, dir, files, err)
		}
	}
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != want {
		t.Errorf("got %v (kind %q), want kind %q", err, fault.KindOf(err), want)
	}
}
