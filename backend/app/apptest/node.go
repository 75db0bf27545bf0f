// Package apptest has what tests of the verbs stand on: a node that obeys in memory, by the rules of agent.API, and calls a
// point function at each of its effects, so that a test can make any of them fail or crash.
package apptest

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Node obeys machines at once and in memory.
type Node struct {
	ID   id.Node
	What agent.Facts // told by Facts
	// Point is called before each effect; its error is the effect's. It may end the goroutine. nil: nothing.
	Point func(where string) error

	mu      sync.Mutex
	vms     map[id.VM]*guest
	graves  map[id.VM][2]int64
	images  map[string]bool
	seq     int64
	readers map[chan vm.Seen]bool
	Stuck   map[id.VM]bool // guests that never act on ACPI; only a forced stop ends them
}

// guest is a VM on the node.
type guest struct {
	m         vm.Machine
	seen      vm.Seen
	ran       bool
	reverted  bool
	snapshots map[id.Snapshot]bool
}

// NewNode makes a node with room for everything.
func NewNode(n id.Node) *Node {
	return &Node{
		ID: n, vms: map[id.VM]*guest{}, graves: map[id.VM][2]int64{}, images: map[string]bool{}, readers: map[chan vm.Seen]bool{}, Stuck: map[id.VM]bool{},
		What: agent.Facts{
			Node: n, Hostname: "sim", Arch: vm.X86_64, CPUs: 4096, MemoryMiB: 1 << 24, DiskTotal: 1 << 50, DiskFree: 1 << 50, UEFI: true, SecureBoot: true, TPM: true,
			GuestMachine: "pc-q35-7.2", GuestCPU: "max",
		},
	}
}

func (n *Node) point(where string) error {
	if n.Point == nil {
		return nil
	}
	return n.Point(where)
}

// Ensure implements agent.API.
func (n *Node) Ensure(ctx context.Context, m vm.Machine) (vm.Seen, error) {
	if err := n.point("the node obeys"); err != nil {
		return vm.Seen{}, err
	}
	seen, err := n.ensure(m)
	if err == nil {
		err = n.point("the node has obeyed")
	}
	return seen, err
}

func (n *Node) ensure(m vm.Machine) (vm.Seen, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.vms[m.ID]
	newest := n.graves[m.ID]
	if g != nil {
		newest = [2]int64{g.m.Epoch, g.m.Generation}
	}
	if m.Epoch < newest[0] || m.Epoch == newest[0] && m.Generation < newest[1] {
		return vm.Seen{}, fault.New(fault.Precondition, "machine_outdated", "the node has obeyed a newer machine")
	}
	if m.Role == vm.None || m.Power == vm.Gone {
		delete(n.vms, m.ID)
		n.graves[m.ID] = [2]int64{m.Epoch, m.Generation}
		return n.report(vm.Seen{VM: m.ID, Epoch: m.Epoch, Generation: m.Generation, State: vm.SeenAbsent}), nil
	}
	for _, d := range m.Disks {
		if d.Image != "" && !n.images[d.Image] {
			return vm.Seen{}, fault.New(fault.NotFound, "image_missing", "the node lacks the image")
		}
	}
	if g == nil {
		g = &guest{snapshots: map[id.Snapshot]bool{}}
		n.vms[m.ID] = g
	}
	was := g.m
	g.m = m
	g.seen = n.report(n.next(g, was))
	return g.seen, nil
}

// next is what the node sees once it has done what the machine says.
func (n *Node) next(g *guest, was vm.Machine) vm.Seen {
	s := vm.Seen{VM: g.m.ID, Epoch: g.m.Epoch, Generation: g.m.Generation, Boot: g.seen.Boot, MachineType: "pc-q35-7.2", CPUModel: "max", State: g.seen.State}
	up := s.State == vm.SeenRunning || s.State == vm.SeenPaused
	switch g.m.Power {
	case vm.Off:
		g.ran = false
		s.State, s.Boot = vm.SeenStopped, 0
		if up && n.Stuck[g.m.ID] && !g.m.Force {
			s.State = vm.SeenStopping
		}
	case vm.Suspended:
		if up || s.State == vm.SeenSuspended {
			s.State, s.Boot = vm.SeenSuspended, 0
		}
	case vm.On, vm.Paused:
		if g.ran && !up && s.State != vm.SeenSuspended && g.m.Boot <= was.Boot {
			s.State, s.Reason, s.GuestOff = g.seen.State, g.seen.Reason, g.seen.GuestOff
			return s // it ended by itself
		}
		g.ran = true
		s.State, s.Boot, s.PID, s.Accel = vm.SeenRunning, g.m.Boot, 4711, "tcg"
		if g.m.Power == vm.Paused {
			s.State = vm.SeenPaused
		}
	}
	return s
}

// report numbers a report and tells the readers. The caller holds mu.
func (n *Node) report(s vm.Seen) vm.Seen {
	n.seq++
	s.Node, s.Seq = n.ID, n.seq
	for r := range n.readers {
		select {
		case r <- s:
		default:
		}
	}
	return s
}

// Happen makes a VM's process do something by itself: a power-off, a crash.
func (n *Node) Happen(v id.VM, change func(*vm.Seen)) vm.Seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.vms[v]
	change(&g.seen)
	g.seen = n.report(g.seen)
	return g.seen
}

// Snapshot implements agent.API.
func (n *Node) Snapshot(_ context.Context, r agent.SnapshotRequest) error {
	if err := n.point("the node works on the snapshot"); err != nil {
		return err
	}
	if err := n.snapshot(r); err != nil {
		return err
	}
	return n.point("the node has worked on the snapshot")
}

func (n *Node) snapshot(r agent.SnapshotRequest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.vms[r.VM]
	if g == nil {
		return fault.New(fault.NotFound, "vm_not_on_node", "the node has no such VM")
	}
	switch r.Action {
	case agent.SnapshotCreate:
		g.snapshots[r.Snapshot] = true
	case agent.SnapshotDelete:
		delete(g.snapshots, r.Snapshot)
	case agent.SnapshotRevert:
		if !g.snapshots[r.Snapshot] {
			return fault.New(fault.NotFound, "snapshot_not_found", "the node has no such snapshot")
		}
		g.reverted = true
		if r.Memory {
			g.ran, g.seen.State = true, vm.SeenRunning
			g.seen = n.report(g.seen)
		}
	}
	return nil
}

// EnsureImage implements agent.API.
func (n *Node) EnsureImage(_ context.Context, r agent.ImageRequest, progress func(float64)) error {
	if err := n.point("the node fetches the image"); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.images[r.Digest] = true
	progress(1)
	return nil
}

// Open implements agent.API: an echo.
func (n *Node) Open(_ context.Context, r agent.StreamRequest) (io.ReadWriteCloser, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.vms[r.VM] == nil {
		return nil, fault.New(fault.NotFound, "vm_not_on_node", "the node has no such VM")
	}
	near, far := net.Pipe()
	go func() { defer far.Close(); _, _ = io.Copy(far, far) }()
	return near, nil
}

// Facts implements agent.API.
func (n *Node) Facts(context.Context) (agent.Facts, error) { return n.What, nil }

// Reports implements agent.API.
func (n *Node) Reports(ctx context.Context) (<-chan vm.Seen, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ch := make(chan vm.Seen, 1<<16)
	for _, g := range n.vms {
		ch <- g.seen
	}
	ch <- vm.Seen{} // that was every VM
	n.readers[ch] = true
	context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.readers, ch)
		close(ch)
	})
	return ch, nil
}

// Lease implements agent.API.
func (n *Node) Lease(context.Context, agent.Lease) error { return nil }

// Look describes what the node has, without ids: one line per VM, in order.
func (n *Node) Look() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var lines []string
	for _, g := range n.vms {
		lines = append(lines, fmt.Sprintf("node: %s %s, restarted %v, %d disks, %d nics, %d CPUs, %d snapshots, reverted %v",
			g.m.Name, g.seen.State, g.seen.Boot > 1, len(g.m.Disks), len(g.m.NICs), g.m.CPUs, len(g.snapshots), g.reverted))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Has reports what the node sees of the VM; nil: nothing.
func (n *Node) Has(v id.VM) *vm.Seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	if g := n.vms[v]; g != nil {
		s := g.seen
		return &s
	}
	return nil
}

// Nodes is an app.Nodes of fixed nodes.
type Nodes struct {
	mu  sync.Mutex
	all map[id.Node]agent.API
}

// Connect makes a node reachable, or with nil unreachable.
func (c *Nodes) Connect(n id.Node, api agent.API) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[id.Node]agent.API{}
	}
	if api == nil {
		delete(c.all, n)
		return
	}
	c.all[n] = api
}

// Node implements app.Nodes.
func (c *Nodes) Node(_ context.Context, n id.Node) (agent.API, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	api, ok := c.all[n]
	return api, ok
}

var _ agent.API = (*Node)(nil)
