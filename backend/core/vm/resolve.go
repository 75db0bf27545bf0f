package vm

import (
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Order is what the control plane has decided about one VM beside its Spec: who owns it and what is wanted of it.
type Order struct {
	ID          id.VM
	Name        string
	Tenant      id.Tenant
	Epoch       int64
	Generation  int64
	Role        Role
	Power       Power
	Boot        int64
	Force       bool
	GraceS      int
	UID         int
	MachineType string
	CPUModel    string
}

// Network is what a node must know of a network to make a port on it.
type Network struct {
	Name    string
	Subnet  string // CIDR
	Gateway string
	DNS     []string
	MTU     int
}

// Resolve answers every question that a node will ask about the VM. It fails with fault.Internal when a NIC names a network
// that is not in networks: a network with VMs on it cannot be removed, so that is a bug of the caller.
func Resolve(s Spec, o Order, networks map[id.Network]Network) (Machine, error) {
	m := Machine{
		ID: o.ID, Name: o.Name, Tenant: o.Tenant, Epoch: o.Epoch, Generation: o.Generation, Role: o.Role, Power: o.Power,
		Boot: o.Boot, Force: o.Force, GraceS: o.GraceS, UID: o.UID, MachineType: o.MachineType, CPUModel: o.CPUModel,
		Arch: s.Arch, Firmware: s.Firmware, Secure: s.Secure, TPM: s.TPM, Display: s.Display,
		CPUs: s.CPUs, MemoryMiB: s.MemoryMiB, Disks: s.Disks, Made: s.Made, Forwards: s.Forwards,
		Autostart: s.Autostart, Restart: s.Restart,
		Seed: Seed{Hostname: o.Name, SSHKeys: s.SSHKeys, UserData: s.UserData},
	}
	if s.Firmware == Direct {
		m.Kernel = &Kernel{Image: s.Image, Cmdline: s.Cmdline}
	}
	for _, n := range s.NICs {
		net, ok := networks[n.Network]
		if !ok {
			return Machine{}, fault.New(fault.Internal, "network_missing", "the network %s of VM %s is not known", n.Network, o.Name)
		}
		m.NICs = append(m.NICs, Port{NIC: n, Bridge: net.Name, Subnet: net.Subnet, Gateway: net.Gateway, DNS: net.DNS, MTU: net.MTU})
	}
	return m, nil
}
