package app

import (
	"encoding/json"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/op"
)

// Page is a part of a list. NextCursor is empty on the last one; Total counts what the filter matches on all pages.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
	Total      int    `json:"total"`
}

// ListRequest is what every list takes. Limit 0 means DefaultLimit, and more than MaxLimit is capped.
type ListRequest struct {
	Limit  int
	Cursor string
	Sort   string // a column of the list's, "-" in front for descending; empty: by name or newest first
}

// The bounds of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// VMSummary is a VM in a list.
type VMSummary struct {
	ID           id.VM     `json:"id"`
	Name         string    `json:"name"`
	Tenant       id.Tenant `json:"tenant"`
	Node         string    `json:"node"` // the node's name; empty: not placed yet
	NodeID       id.Node   `json:"node_id"`
	Status       vm.State  `json:"status"`
	StatusReason string    `json:"status_reason"`
	Addresses    []string  `json:"addresses"`
	CPUs         int       `json:"cpus"`
	MemoryMiB    int       `json:"memory_mib"`
	DiskGiB      int       `json:"disk_gib"` // of all disks
	Image        string    `json:"image"`    // digest of what the boot disk starts from; empty: a blank disk
	CreatedAt    time.Time `json:"created_at"`
	Version      int64     `json:"version"`
}

// VM is all that a user can read of a VM.
type VM struct {
	VMSummary
	Actions map[vm.Verb]vm.Decision `json:"actions"`

	Description string       `json:"description"`
	UpdatedAt   time.Time    `json:"updated_at"`
	Wanted      vm.Power     `json:"wanted"`
	Protected   bool         `json:"protected"`
	Arch        vm.Arch      `json:"arch"`
	Firmware    vm.Firmware  `json:"firmware"`
	SecureBoot  bool         `json:"secure_boot"`
	TPM         bool         `json:"tpm"`
	Display     bool         `json:"display"`
	Disks       []vm.Disk    `json:"disks"`
	NICs        []NIC        `json:"nics"`
	Forwards    []vm.Forward `json:"forwards"`
	SSHKeys     []string     `json:"ssh_keys"`
	UserData    string       `json:"user_data"`
	Autostart   vm.Autostart `json:"autostart"`
	Restart     vm.Restart   `json:"restart"`
	MachineType string       `json:"machine_type"` // empty until the first start
	CPUModel    string       `json:"cpu_model"`

	Accel           string       `json:"accel"`            // kvm or tcg; empty: no process
	Hostname        string       `json:"hostname"`         // as the guest says
	GuestAgent      bool         `json:"guest_agent"`      // it answers
	RestartRequired []string     `json:"restart_required"` // changes that wait for the next start
	SSH             string       `json:"ssh"`              // host:port on the node that reaches port 22 of the guest; may be empty
	Operation       id.Operation `json:"operation,omitempty"`
	LinkedClones    []string     `json:"linked_clones"` // names of the VMs whose disks rest on this one's
	SnapshotCount   int          `json:"snapshot_count"`
}

// NIC is a network interface of a VM with its network's name.
type NIC struct {
	vm.NIC
	NetworkName string `json:"network_name"`
}

// VMResult is the answer of a verb that acts on a VM: the VM as it is now and the operation to wait for. Operation is nil when
// there was nothing left to do.
type VMResult struct {
	VM        VM         `json:"vm"`
	Operation *Operation `json:"operation,omitempty"`
}

// Operation is a durable operation as its users see it.
type Operation struct {
	ID              id.Operation    `json:"id"`
	Kind            string          `json:"kind"`
	Tenant          id.Tenant       `json:"tenant"`
	Subject         string          `json:"subject"` // "vm/<id>", "image/<id>", ...
	Caller          string          `json:"caller"`
	Status          op.Status       `json:"status"`
	Progress        float64         `json:"progress"` // 0..1
	Sentence        string          `json:"sentence"`
	Steps           []string        `json:"steps"`
	Step            int             `json:"step"` // index of the one that runs
	Error           *OperationError `json:"error,omitempty"`
	CancelRequested bool            `json:"cancel_requested"`
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
	EndedAt         *time.Time      `json:"ended_at,omitempty"`
}

// OperationError says why an operation failed.
type OperationError struct {
	Kind    fault.Kind `json:"kind"`
	Code    string     `json:"code,omitempty"`
	Message string     `json:"message"`
}

// Snapshot is a point in time of a VM.
type Snapshot struct {
	ID          id.Snapshot `json:"id"`
	VM          id.VM       `json:"vm"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Memory      bool        `json:"memory"`
	State       string      `json:"state"` // creating, ready, deleting, error
	StateReason string      `json:"state_reason"`
	CreatedAt   time.Time   `json:"created_at"`
	Version     int64       `json:"version"`
}

// SnapshotResult is the answer of a verb that acts on a snapshot.
type SnapshotResult struct {
	Snapshot  Snapshot   `json:"snapshot"`
	Operation *Operation `json:"operation,omitempty"`
}

// Image is something that VMs start from. Tenant is empty for those of all tenants.
type Image struct {
	ID           id.Image    `json:"id"`
	Tenant       id.Tenant   `json:"tenant"`
	Name         string      `json:"name"`
	Digest       string      `json:"digest"`
	OS           string      `json:"os"`
	Arch         vm.Arch     `json:"arch"`
	Format       string      `json:"format"`
	Firmware     vm.Firmware `json:"firmware"`
	Bytes        int64       `json:"bytes"`
	VirtualBytes int64       `json:"virtual_bytes"`
	MinMemoryMiB int         `json:"min_memory_mib"`
	MinDiskGiB   int         `json:"min_disk_gib"`
	Source       string      `json:"source"` // where it came from: upload, a URL, a file of the server
	State        string      `json:"state"`  // uploading, importing, ready, error
	StateReason  string      `json:"state_reason"`
	CreatedAt    time.Time   `json:"created_at"`
	Version      int64       `json:"version"`
}

// ImageResult is the answer of a verb that acts on an image.
type ImageResult struct {
	Image     Image      `json:"image"`
	Upload    *Upload    `json:"upload,omitempty"`
	Operation *Operation `json:"operation,omitempty"`
}

// Upload is a resumable upload of an image's bytes.
type Upload struct {
	ID        id.Upload `json:"id"`
	Image     id.Image  `json:"image"`
	Offset    int64     `json:"offset"` // bytes that are on the disk: go on from here
	Bytes     int64     `json:"bytes"`  // in all
	ExpiresAt time.Time `json:"expires_at"`
}

// Node is a machine that runs guests.
type Node struct {
	ID          id.Node      `json:"id"`
	Name        string       `json:"name"`
	State       string       `json:"state"` // joining, alive, lost, dead
	StateReason string       `json:"state_reason"`
	Cordoned    bool         `json:"cordoned"`
	Facts       *agent.Facts `json:"facts,omitempty"` // nil: it has not told any yet
	VMs         int          `json:"vms"`
	CPUsUsed    int          `json:"cpus_allocated"`
	MemoryUsed  int          `json:"memory_allocated_mib"`
	LastSeen    time.Time    `json:"last_seen"`
	CreatedAt   time.Time    `json:"created_at"`
	Version     int64        `json:"version"`
}

// Network is a network that VMs attach to. Tenant is empty for those of all tenants.
type Network struct {
	ID        id.Network `json:"id"`
	Tenant    id.Tenant  `json:"tenant"`
	Name      string     `json:"name"`
	Subnet    string     `json:"subnet"`
	Gateway   string     `json:"gateway"`
	DNS       []string   `json:"dns"`
	MTU       int        `json:"mtu"`
	CreatedAt time.Time  `json:"created_at"`
	Version   int64      `json:"version"`
}

// Event is something that happened. ID is its cursor; it is empty for what is not kept (operation.progress).
type Event struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Time    time.Time       `json:"time"`
	Tenant  id.Tenant       `json:"tenant"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// User is an account, without its secrets.
type User struct {
	ID        id.User   `json:"id"`
	Tenant    id.Tenant `json:"tenant"`
	Username  string    `json:"username"`
	Email     string    `json:"email"`
	Role      auth.Role `json:"role"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}
