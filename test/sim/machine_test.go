package sim

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/agent/remote"
	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	simhost "novacron/backend/hypervisor/sim"
	"novacron/backend/network"
	"novacron/backend/storage"
)

// What a simulated machine has for guests: little, so that placement has to refuse.
const (
	machineCPUs      = 8
	machineMemoryMiB = 4096
	machineDiskBytes = 1 << 40
)

// machine runs guests: what outlives its agents.
type machine struct {
	*agenttest.World
	w     *world
	nth   int // from 0
	name  string
	dir   string
	clock *clock

	mu   sync.Mutex
	life *resident
	gone chan struct{}
	down time.Duration
	back time.Time
	off  time.Time // without power until then
}

type guestHost = simhost.Host

// resident is one agent process.
type resident struct {
	grip   grip
	driver *simhost.Driver
	agent  *agent.Agent
	cancel context.CancelFunc
	links  sync.WaitGroup
}

func newMachine(w *world, nth int, dir string) *machine {
	name := fmt.Sprintf("n%d", nth+1)
	m := &machine{World: agenttest.NewWorld(w.t), w: w, nth: nth, name: name, dir: filepath.Join(dir, name), clock: &clock{}}
	m.Host = simhost.NewHost(simhost.Options{StartDelay: 200 * time.Millisecond, ShutdownDelay: 3 * time.Second, AgentDelay: 2 * time.Second,
		Snapshots: func(ctx context.Context, v id.Volume, a hypervisor.SnapshotAction, tag string) error {
			return m.Pool.Snapshot(ctx, v, storage.SnapshotAction(a), tag)
		}})
	return m
}

// join makes the machine a node, with a token of the first server.
func (m *machine) join(token string) {
	got, err := remote.Join(context.Background(), m.dial, "s1:8093", token, m.identity())
	m.w.must(err)
	m.Node = got
}

func (m *machine) identity() string { return filepath.Join(m.dir, "identity") }

func (m *machine) dial(ctx context.Context, server string) (net.Conn, error) {
	return m.w.cables.dialNode(ctx, m.name, server)
}

// servers are those that the agent is given, in its own order: what one server wants of a node is mostly passed on by another.
func (m *machine) servers() (all []string) {
	for i := range m.w.hosts {
		all = append(all, m.w.hosts[(i+m.nth)%len(m.w.hosts)].name+":8093")
	}
	return all
}

// start runs an agent, once the one before is gone. It keeps to the first of its servers that answers.
func (m *machine) start() {
	m.mu.Lock()
	gone := m.gone
	m.mu.Unlock()
	if gone != nil {
		<-gone
	}
	r := &resident{driver: m.Host.Driver()}
	r.grip = grip{die: func() { m.bury(r) }, told: func(f string, a ...any) { m.w.note(m.name, f, a...) }}
	link, err := remote.NewLink(remote.LinkOptions{Servers: m.servers(), Dir: m.identity(), Dial: m.dial, Log: m.w.log(m.name)})
	m.w.must(err)
	r.agent = m.Start(func(o *agent.Options) {
		o.Driver, o.Pool, o.Fabric, o.Step = r.driver, heldPool{o.Pool, &r.grip}, heldFabric{o.Fabric, &r.grip}, r.grip.atOnce
		o.Simulated = &agent.Capacity{CPUs: machineCPUs, MemoryMiB: machineMemoryMiB, DiskBytes: machineDiskBytes}
		o.Instant, o.Source, o.Log = m.clock.boot, link.Fetch, m.w.log(m.name)
		o.Limits.GuestPoll, o.Limits.GuestPollMax = 5*time.Second, time.Minute
	})
	r.grip.mu.Lock()
	r.grip.pause = diskPause
	r.grip.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.links.Go(func() { link.Run(ctx, m.w.sabotage(m, r.agent)) })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life = r
}

// kill ends the agent at once. The guests run on.
func (m *machine) kill() {
	m.mu.Lock()
	r := m.life
	m.mu.Unlock()
	if r != nil && r.grip.letGo() {
		m.bury(r)
	}
}

func (m *machine) bury(r *resident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.driver.Drop()
	if m.life != r {
		return
	}
	m.life, m.gone, m.back = nil, make(chan struct{}), time.Now().Add(m.down)
	m.w.cables.unplug(m.name)
	go func() {
		defer close(m.gone)
		r.cancel()
		r.links.Wait()
		r.agent.Close()
	}()
}

// stop ends the agent in order.
func (m *machine) stop() {
	m.mu.Lock()
	r := m.life
	m.life = nil
	m.mu.Unlock()
	if r != nil {
		r.cancel()
		r.links.Wait()
		r.agent.Close()
	}
}

// due reports whether the next agent is to start.
func (m *machine) due() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life == nil && !time.Now().Before(m.back) && !time.Now().Before(m.off)
}

func (m *machine) killFor(down time.Duration) {
	m.mu.Lock()
	m.down = down
	m.mu.Unlock()
	m.kill()
}

// dieSoon lets the agent die at its nth coming effect.
func (m *machine) dieSoon(nth int, down time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	if m.life != nil {
		m.life.grip.dieSoon(nth)
	}
}

// powerCut ends everything that runs on the machine.
func (m *machine) powerCut(down time.Duration) {
	m.mu.Lock()
	m.off = time.Now().Add(down)
	m.mu.Unlock()
	m.kill()
	for _, v := range m.guests() {
		_ = m.Host.Crash(v) // one that ended in this moment needs no end
	}
}

func (m *machine) powered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !time.Now().Before(m.off)
}

// hit lets something happen to the nth guest, if there are so many. Which one that is depends on the run.
func (m *machine) hit(nth int, what func(*guestHost, id.VM) error) {
	all := m.guests()
	slices.Sort(all)
	if nth <= len(all) {
		_ = what(m.Host, all[nth-1]) // as above
	}
}

// guests lists the processes on the machine, whether an agent runs or not.
func (m *machine) guests() []id.VM {
	list, err := m.Host.Driver().Running(context.Background())
	m.w.must(err)
	return list
}

// heldPool changes volumes while its agent lives.
type heldPool struct {
	storage.Pool
	g *grip
}

func (p heldPool) Ensure(ctx context.Context, v storage.Volume) (hypervisor.File, error) {
	if err := p.g.enter("make a disk"); err != nil {
		return hypervisor.File{}, err
	}
	return p.Pool.Ensure(ctx, v)
}

func (p heldPool) Grow(ctx context.Context, v id.Volume, size int64) error {
	if err := p.g.enter("grow a disk"); err != nil {
		return err
	}
	return p.Pool.Grow(ctx, v, size)
}

func (p heldPool) Remove(ctx context.Context, v id.Volume) error {
	if err := p.g.enter("remove a disk"); err != nil {
		return err
	}
	return p.Pool.Remove(ctx, v)
}

func (p heldPool) Snapshot(ctx context.Context, v id.Volume, a storage.SnapshotAction, tag string) error {
	if err := p.g.enter("snapshot a disk"); err != nil {
		return err
	}
	return p.Pool.Snapshot(ctx, v, a, tag)
}

// heldFabric changes ports while its agent lives.
type heldFabric struct {
	network.Fabric
	g *grip
}

func (f heldFabric) Ensure(ctx context.Context, a network.Attachment) ([]hypervisor.NIC, error) {
	if err := f.g.enter("make the ports"); err != nil {
		return nil, err
	}
	return f.Fabric.Ensure(ctx, a)
}

func (f heldFabric) Release(ctx context.Context, v id.VM) error {
	if err := f.g.enter("release the ports"); err != nil {
		return err
	}
	return f.Fabric.Release(ctx, v)
}
