// Package sim is the fabric of the simulated hypervisor. It keeps what a real fabric keeps and makes no device, so that one
// process holds a hundred thousand VMs. What outlives the agent on a real node (taps, rules, files) lives in a World here. It
// deliberately moves no packet: Reach always answers that there is nobody to reach, because a planned address that is
// dialled would leave through the node's real network.
package sim

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	"novacron/backend/network"
)

// World is the simulated node's network: what survives the agent. The zero value is an empty one, ready for use.
type World struct {
	mu       sync.Mutex
	attached map[id.VM]*record
	owners   map[string]id.VM // network/address and protocol/host port, to who has it
	fail     func(call string, vm id.VM) error
}

// record is what is kept of a VM: only its claims, since a hundred thousand are kept.
type record struct{ claims []string }

// Fail makes calls fail: f is asked before each Ensure, Release, Reach and Attached (by these names; the VM is empty for
// the last) and its error is given back with nothing done. nil ends it. f must not call the fabric.
func (w *World) Fail(f func(call string, vm id.VM) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = f
}

// Fabric is one agent's view of a World.
type Fabric struct {
	world  *World
	closed bool // guarded by world.mu
}

var _ network.Fabric = (*Fabric)(nil)

// New gives a fabric on the world; nil means a world of its own.
func New(w *World) *Fabric {
	if w == nil {
		w = &World{}
	}
	return &Fabric{world: w}
}

// Ensure records the VM's ports. NICs have neither tap nor user-mode network: the simulated driver needs none.
func (f *Fabric) Ensure(ctx context.Context, m network.Attachment) ([]hypervisor.NIC, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	w := f.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := f.enter(ctx, "Ensure", m.VM); err != nil {
		return nil, err
	}
	claims, err := w.claims(m)
	if err != nil {
		return nil, err
	}
	w.drop(m.VM)
	if w.attached == nil {
		w.attached, w.owners = map[id.VM]*record{}, map[string]id.VM{}
	}
	w.attached[m.VM] = &record{claims: claims}
	for _, c := range claims {
		w.owners[c] = m.VM
	}
	nics := make([]hypervisor.NIC, len(m.Ports))
	for i, p := range m.Ports {
		nics[i] = hypervisor.NIC{ID: p.ID, MAC: p.MAC, MTU: p.MTU}
	}
	return nics, nil
}

// claims lists what the attachment wants for itself alone, and refuses what another VM has.
func (w *World) claims(m network.Attachment) ([]string, error) {
	claims := make([]string, 0, len(m.Ports)+len(m.Forwards))
	for _, p := range m.Ports {
		c := p.Bridge + "/" + p.Address
		if owner, taken := w.owners[c]; taken && owner != m.VM {
			return nil, fault.New(fault.Conflict, "address_taken", "%s in network %s belongs to another VM; choose another address", p.Address, p.Bridge)
		}
		claims = append(claims, c)
	}
	for _, fw := range m.Forwards {
		listen, err := network.ListenAddress(fw)
		if err != nil {
			return nil, err
		}
		c := fw.Protocol + "/" + listen.String()
		if owner, taken := w.owners[c]; taken && owner != m.VM {
			return nil, fault.New(fault.Conflict, "port_taken", "%s port %d of the node is forwarded to another VM; choose another port", fw.Protocol, fw.HostPort)
		}
		claims = append(claims, c)
	}
	return claims, nil
}

func (w *World) drop(vm id.VM) {
	if r := w.attached[vm]; r != nil {
		for _, c := range r.claims {
			delete(w.owners, c)
		}
		delete(w.attached, vm)
	}
}

// Release forgets the VM.
func (f *Fabric) Release(ctx context.Context, vm id.VM) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if err := f.enter(ctx, "Release", vm); err != nil {
		return err
	}
	f.world.drop(vm)
	return nil
}

// Reach is always fault.Unavailable.
func (f *Fabric) Reach(ctx context.Context, vm id.VM, port int) (string, error) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if err := f.enter(ctx, "Reach", vm); err != nil {
		return "", err
	}
	return "", fault.New(fault.Unavailable, "simulated", "port %d cannot be reached: a simulated guest has no network; use the serial console", port)
}

// Attached lists the VMs of the world in order of their ids.
func (f *Fabric) Attached(ctx context.Context) ([]id.VM, error) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if err := f.enter(ctx, "Attached", ""); err != nil {
		return nil, err
	}
	vms := make([]id.VM, 0, len(f.world.attached))
	for vm := range f.world.attached {
		vms = append(vms, vm)
	}
	slices.Sort(vms)
	return vms, nil
}

// Mode is "sim".
func (f *Fabric) Mode() (mode, note string) {
	return "sim", "guests are simulated: addresses are planned and no packet moves"
}

// Close ends this view; the world stays.
func (f *Fabric) Close() error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.closed = true
	return nil
}

// enter is the head of every call; the caller holds the lock.
func (f *Fabric) enter(ctx context.Context, call string, vm id.VM) error {
	if f.closed {
		return fault.New(fault.Unavailable, "network_closed", "the network of this node is shutting down; try again")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("network %s: %w", call, err)
	}
	if f.world.fail != nil {
		return f.world.fail(call, vm)
	}
	return nil
}
