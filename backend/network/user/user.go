// Package user is the fabric of a platform that is not root: each network interface is QEMU's own user-mode network. It makes no
// device; it only plans, and remembers the one port of the node that reaches the guest's ssh, since that choice must be found
// again when the guest outlives the agent. It deliberately connects no guest to another: what QEMU's user mode cannot do is
// said by Mode and refused with a sentence.
package user

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/network"
	"novacron/backend/network/internal/ledger"
)

// sshPort is the guest's port that gets a loopback port of the node of its own.
const sshPort = 22

// pickTries bounds the search for a free port: each try is a port that the kernel says is free, and only a race loses it.
const pickTries = 16

// Options are where the fabric keeps its records.
type Options struct {
	Dir string // of this fabric alone; made with mode 0700 where missing
}

// Fabric plans user-mode networks. Methods may be called from several goroutines.
type Fabric struct {
	mu       sync.Mutex // held over whole calls: they are short, and only touch a small file
	records  ledger.Ledger
	attached map[id.VM]record
	closed   bool
}

// record is what is kept of a VM.
type record struct {
	Attachment network.Attachment `json:"attachment"`
	SSH        int                `json:"ssh"` // port of 127.0.0.1 that reaches the guest's port 22; 0: no NIC
}

var _ network.Fabric = (*Fabric)(nil)

// New opens the records of earlier lives of the agent.
func New(o Options) (*Fabric, error) {
	records, err := ledger.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	f := &Fabric{records: records, attached: map[id.VM]record{}}
	vms, err := records.List()
	if err != nil {
		return nil, err
	}
	for _, v := range vms {
		var r record
		if _, err := records.Get(v, &r); err != nil {
			r = record{} // kept in Attached, so that it is released or made anew by Ensure
		}
		f.attached[v] = r
	}
	return f, nil
}

// Ensure plans the VM's networks. The port that reaches its ssh stays the same, unless another program holds it now.
func (f *Fabric) Ensure(ctx context.Context, m network.Attachment) ([]hypervisor.NIC, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	for i, fw := range m.Forwards {
		if a, err := netip.ParseAddr(fw.Listen); err == nil && !a.Unmap().Is4() {
			return nil, fault.New(fault.Unsupported, "forward_ipv6", "user-mode networking forwards IPv4 only; leave the address out, or run the platform as root").On(fmt.Sprintf("forwards[%d].listen", i))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "ensure"); err != nil {
		return nil, err
	}
	if err := f.checkFree(m); err != nil {
		return nil, err
	}
	r := record{Attachment: m}
	if len(m.Ports) > 0 {
		ssh, err := f.sshPort(m)
		if err != nil {
			return nil, err
		}
		r.SSH = ssh
	}
	if err := f.records.Put(m.VM, r); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "network_record", "the node cannot write its network records; see to the disk of its data folder")
	}
	f.attached[m.VM] = r
	return r.nics(), nil
}

// checkFree refuses a port of the node that another VM of this instance forwards.
func (f *Fabric) checkFree(m network.Attachment) error {
	for _, fw := range m.Forwards {
		for other, r := range f.attached {
			if other != m.VM && r.takes(fw) {
				return fault.New(fault.Conflict, "port_taken", "%s port %d of the node is forwarded to another VM; choose another port", fw.Protocol, fw.HostPort)
			}
		}
	}
	return nil
}

func (r record) takes(fw vm.Forward) bool {
	want, err := network.ListenAddress(fw)
	if err != nil {
		return false
	}
	for _, have := range r.forwards() {
		at, err := network.ListenAddress(have)
		if err == nil && have.Protocol == fw.Protocol && at.Port() == want.Port() &&
			(at.Addr() == want.Addr() || at.Addr().IsUnspecified() || want.Addr().IsUnspecified()) {
			return true
		}
	}
	return false
}

// forwards are the user's and the one for ssh.
func (r record) forwards() []vm.Forward {
	all := append([]vm.Forward(nil), r.Attachment.Forwards...)
	if r.SSH != 0 {
		all = append(all, vm.Forward{Protocol: "tcp", Listen: "127.0.0.1", HostPort: r.SSH, GuestPort: sshPort})
	}
	return all
}

// sshPort gives the port remembered for the VM, or a free one.
func (f *Fabric) sshPort(m network.Attachment) (int, error) {
	kept := f.attached[m.VM].SSH
	if kept != 0 && !(record{Attachment: m}).takes(vm.Forward{Protocol: "tcp", HostPort: kept}) && (isFree(kept) || heldBy(kept, m.VM)) {
		return kept, nil
	}
	for range pickTries {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, fault.Wrap(err, fault.Exhausted, "no_port", "the node has no free port left to reach the guest's ssh; close some connections and try again")
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("pick a port: %w", err)
		}
		if !f.isPlanned(m, port) {
			return port, nil
		}
	}
	return 0, fault.New(fault.Exhausted, "no_port", "the node found no free port to reach the guest's ssh in %d tries; stop a VM and try again", pickTries)
}

// isPlanned reports whether a VM, stopped now perhaps, will want the port.
func (f *Fabric) isPlanned(m network.Attachment, port int) bool {
	fw := vm.Forward{Protocol: "tcp", HostPort: port}
	if (record{Attachment: m}).takes(fw) {
		return true
	}
	for other, r := range f.attached {
		if other != m.VM && r.takes(fw) {
			return true
		}
	}
	return false
}

func isFree(port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && l.Close() == nil
}

// nics gives the driver's side. Each NIC is a network of its own with the planned addresses inside, so that a VM that moves to a
// node with a bridge keeps its address. Forwards go to the first NIC.
func (r record) nics() []hypervisor.NIC {
	nics := make([]hypervisor.NIC, len(r.Attachment.Ports))
	for i, p := range r.Attachment.Ports {
		nics[i] = hypervisor.NIC{ID: p.ID, MAC: p.MAC, MTU: p.MTU, User: &hypervisor.UserNet{
			Subnet: p.Subnet, Gateway: p.Gateway, DNS: resolver(p), Address: p.Address, Hostname: r.Attachment.Hostname,
		}}
	}
	if len(nics) > 0 {
		nics[0].User.Forwards = r.forwards()
	}
	return nics
}

// resolver picks the address where QEMU answers DNS: the highest of the subnet that is neither gateway nor guest. Check has
// seen to it that the subnet has five hosts at least.
func resolver(p vm.Port) string {
	subnet, gateway, address, err := network.Plan(p)
	if err != nil {
		return ""
	}
	a := network.Broadcast(subnet).Prev()
	for a == gateway || a == address {
		a = a.Prev()
	}
	return a.String()
}

// Release forgets the VM. Its process, and with it the network, is the driver's to end.
func (f *Fabric) Release(ctx context.Context, vm id.VM) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "release"); err != nil {
		return err
	}
	if _, there := f.attached[vm]; !there {
		return nil
	}
	if err := f.records.Remove(vm); err != nil {
		return err
	}
	delete(f.attached, vm)
	return nil
}

// Reach gives the node's port for the guest's port 22, or for a TCP port that is forwarded.
func (f *Fabric) Reach(ctx context.Context, vm id.VM, port int) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "reach"); err != nil {
		return "", err
	}
	r, there := f.attached[vm]
	if !there {
		return "", fault.New(fault.Unavailable, "not_attached", "the VM has no network on this node; start it")
	}
	for _, fw := range r.forwards() {
		if fw.Protocol != "tcp" || fw.GuestPort != port {
			continue
		}
		at, err := network.ListenAddress(fw)
		if err != nil {
			continue
		}
		if at.Addr().IsUnspecified() {
			at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
		}
		return at.String(), nil
	}
	return "", fault.New(fault.Unavailable, "user_mode", "port %d of the guest cannot be reached: with user-mode networking only ssh and forwarded ports can; add a forward, or run the platform as root", port)
}

// Attached lists the VMs that have a record.
func (f *Fabric) Attached(ctx context.Context) ([]id.VM, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "list"); err != nil {
		return nil, err
	}
	return f.records.List()
}

// Mode is "user".
func (f *Fabric) Mode() (mode, note string) {
	return "user", "user-mode networking: guests reach the outside, do not reach each other, and are reached only through forwarded ports; run the platform as root for a network of their own"
}

// Close ends this view; records stay.
func (f *Fabric) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

var errClosed = errors.New("closed")

func (f *Fabric) enter(ctx context.Context, call string) error {
	if f.closed {
		return fault.Wrap(errClosed, fault.Unavailable, "network_closed", "the network of this node is shutting down; try again")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("network %s: %w", call, err)
	}
	return nil
}
