// Package network connects guests. A Fabric makes the ports of VMs on one node: bridge (tap, nftables, DHCP, DNS) where the
// agent is root, user (QEMU's own user-mode networking) where it is not, sim for the simulated hypervisor.
package network

import (
	"context"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Fabric makes ports. Every method may be repeated, and Ensure after a crash takes over what is there.
type Fabric interface {
	// Ensure makes the VM's ports, their network where it is missing, DHCP and DNS entries and forwards, and gives one NIC per
	// port for the driver, in order. The attachment's UID owns the tap devices. Ports and forwards that an earlier Ensure
	// made and that are no longer named go away. fault.Invalid: as Attachment.Check; fault.Conflict: an address or a port of
	// the node is another's. After any other failure part of it may be there: Ensure again, or Release.
	Ensure(ctx context.Context, m Attachment) ([]hypervisor.NIC, error)
	// Release removes everything of the VM that Ensure made. Nothing there is success.
	Release(ctx context.Context, vm id.VM) error
	// Reach gives host:port on this node from which the guest's TCP port can be dialled. fault.Unavailable: not now, or not
	// in this mode; the sentence says which.
	Reach(ctx context.Context, vm id.VM, port int) (string, error)
	// Attached lists the VMs that have something of this fabric, also from an earlier life of the agent.
	Attached(ctx context.Context) ([]id.VM, error)
	// Mode says "bridge", "user" or "sim", and a sentence on what that means for guests.
	Mode() (mode, note string)
	// Close stops what runs in this process (DHCP, DNS, forwards). Bridges, taps and rules stay for the guests that go on. It
	// may be called twice; every other call after it fails with fault.Unavailable.
	Close() error
}

// Attachment is what one VM needs of the fabric.
type Attachment struct {
	VM       id.VM
	Tenant   id.Tenant // whose names the guest is told by the network's DNS
	Hostname string    // DNS label; answered by the network's DNS
	UID      int
	Ports    []vm.Port
	Forwards []vm.Forward
}
