package vm

import "novacron/backend/core/id"

// Power is the run state that the user wants.
type Power string

// The wanted run states.
const (
	Off       Power = "stopped"
	On        Power = "running"
	Paused    Power = "paused"
	Suspended Power = "suspended" // state on disk, no process
	Gone      Power = "gone"      // nothing of it may remain on the node
)

// Role is what a node does for a VM at an owner epoch.
type Role string

// Run: this node may run the VM. Receive: it takes an incoming migration. None: it must not run the VM and drops it.
const (
	Run     Role = "run"
	Receive Role = "receive"
	None    Role = "none"
)

// Machine is the whole of what a node must make true for one VM: the answer to every question a driver asks, resolved once
// by the control plane. A node obeys the machine with the greatest (Epoch, Generation) it has seen and refuses older ones.
type Machine struct {
	ID         id.VM     `json:"id"`
	Name       string    `json:"name"`
	Tenant     id.Tenant `json:"tenant"`
	Epoch      int64     `json:"epoch"`      // owner epoch: grows each time another node becomes the owner
	Generation int64     `json:"generation"` // grows with every change of what is wanted
	Role       Role      `json:"role"`
	Power      Power     `json:"power"`
	Boot       int64     `json:"boot"`    // grows when a restart is wanted: a process of an older boot is ended and a new one started
	Force      bool      `json:"force"`   // stop without asking the guest
	GraceS     int       `json:"grace_s"` // seconds that a guest has to act on ACPI before it is killed

	UID         int    `json:"uid"`          // unprivileged user of its QEMU, fixed at create; 0: the agent is not root
	MachineType string `json:"machine_type"` // for example pc-q35-7.2, fixed at the first start so that state can be restored
	CPUModel    string `json:"cpu_model"`

	Arch      Arch        `json:"arch"`
	Firmware  Firmware    `json:"firmware"`
	Secure    bool        `json:"secure_boot"`
	TPM       bool        `json:"tpm"`
	Display   bool        `json:"display"`
	CPUs      int         `json:"cpus"`
	MemoryMiB int         `json:"memory_mib"`
	Kernel    *Kernel     `json:"kernel,omitempty"` // set with Direct
	Disks     []Disk      `json:"disks"`
	Made      []id.Volume `json:"made,omitempty"` // disks that were whole before: one that is missing is not made anew
	NICs      []Port      `json:"nics"`
	Forwards  []Forward   `json:"forwards,omitempty"`
	Seed      Seed        `json:"seed"`

	Autostart Autostart `json:"autostart"` // obeyed by the node itself after its machine restarted, also while it is cut off
	Restart   Restart   `json:"restart"`   // empty: Stay
}

// Kernel is what a direct boot loads, by digest of the image that holds it.
type Kernel struct {
	Image   string `json:"image"` // digest; the image's folder on the node holds "kernel" and "initrd"
	Cmdline string `json:"cmdline"`
}

// Port is a NIC with all that its node needs to know of its network.
type Port struct {
	NIC
	Bridge  string   `json:"bridge"` // name of the network on the node, for example "default"
	Subnet  string   `json:"subnet"` // CIDR
	Gateway string   `json:"gateway"`
	DNS     []string `json:"dns,omitempty"`
	MTU     int      `json:"mtu"`
}

// Seed is the cloud-init NoCloud data of the VM.
type Seed struct {
	Hostname string   `json:"hostname"`
	SSHKeys  []string `json:"ssh_keys,omitempty"`
	UserData string   `json:"user_data,omitempty"`
}

// RunState is what a node sees of a VM's process.
type RunState string

// The run states that a node reports.
const (
	SeenAbsent     RunState = "absent"   // nothing of it is on the node
	SeenStopped    RunState = "stopped"  // disks there, no process
	SeenStarting   RunState = "starting" // process there, no vCPU has run yet
	SeenRunning    RunState = "running"
	SeenPaused     RunState = "paused"
	SeenStopping   RunState = "stopping" // the guest was asked to power off
	SeenSuspending RunState = "suspending"
	SeenSuspended  RunState = "suspended"
	SeenMigrating  RunState = "migrating"
	SeenFailed     RunState = "failed" // it should run and does not; Reason says why
)

// Seen is a node's report of one VM.
type Seen struct {
	VM         id.VM    `json:"vm"`
	Node       id.Node  `json:"node"`
	Epoch      int64    `json:"epoch"`      // of the machine that the node last obeyed
	Generation int64    `json:"generation"` // likewise; what is reported is the outcome of this one
	Boot       int64    `json:"boot"`       // boot counter of the running process
	State      RunState `json:"state"`
	Reason     string   `json:"reason,omitempty"`    // a sentence, when the state alone does not explain itself
	GuestOff   bool     `json:"guest_off,omitempty"` // with SeenStopped: the guest powered off by itself, nobody asked for it
	Stale      bool     `json:"stale,omitempty"`     // process or disks do not follow this generation yet
	Seq        int64    `json:"seq"`                 // grows with every report of this node for this VM: an older one never replaces a newer one
	PID        int      `json:"pid,omitempty"`
	Accel      string   `json:"accel,omitempty"` // kvm or tcg

	MachineType string   `json:"machine_type,omitempty"` // as resolved at the first start
	CPUModel    string   `json:"cpu_model,omitempty"`
	Addresses   []string `json:"addresses,omitempty"`        // from the guest agent, else from DHCP
	Hostname    string   `json:"hostname,omitempty"`         // from the guest agent
	Agent       bool     `json:"agent"`                      // the guest agent answers
	Restart     []string `json:"restart_required,omitempty"` // changes that wait for the next start, as sentences
	SSH         string   `json:"ssh,omitempty"`              // host:port on the node that reaches the guest's port 22
}
