// Package agent is the node. It makes true what the control plane wants of each VM placed on it, reports what it sees, and goes
// on alone while it is cut off. One goroutine owns each VM. A small journal on the node's disk holds the last machine obeyed
// per VM, so that a restarted agent adopts its guests without any server. It deliberately knows no store and no user.
package agent

import (
	"context"
	"io"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// API is what the control plane can ask of a node. In one process it is the *Agent itself; over the network remote.Client
// speaks it to an Agent. Every call may be repeated for ever with the same arguments.
type API interface {
	// Ensure makes the node's share of the machine true and returns what is then seen. An older (epoch, generation) than the
	// node has obeyed is fault.Precondition. It returns early with the present state when ctx ends; the actor goes on.
	Ensure(ctx context.Context, m vm.Machine) (vm.Seen, error)
	// Snapshot acts on a snapshot of all the VM's disks.
	Snapshot(ctx context.Context, r SnapshotRequest) error
	// EnsureImage fetches an image by digest from the control plane into the node's cache, with progress 0..1.
	EnsureImage(ctx context.Context, r ImageRequest, progress func(done float64)) error
	// Open opens a stream to the VM: serial line, screen, or a TCP port of the guest.
	Open(ctx context.Context, r StreamRequest) (io.ReadWriteCloser, error)
	// Facts says what the node is and has.
	Facts(ctx context.Context) (Facts, error)
	// Reports gives every VM's present report at once and then each change, until ctx ends. A slow reader gets the newest
	// report per VM, never an endless queue. Reports of VMs that are gone come once with SeenAbsent. Behind the first report of
	// every VM that the node has stands one without a VM: what was not named until then is not on the node.
	Reports(ctx context.Context) (<-chan vm.Seen, error)
	// Lease tells the node that the server renewed its lease for d, counted from the moment that the node asked.
	Lease(ctx context.Context, l Lease) error
}

// SnapshotRequest acts on a snapshot of one VM.
type SnapshotRequest struct {
	VM       id.VM          `json:"vm"`
	Epoch    int64          `json:"epoch"`
	Snapshot id.Snapshot    `json:"snapshot"`
	Action   SnapshotAction `json:"action"`
	Memory   bool           `json:"memory"`
	Quiesce  bool           `json:"quiesce"` // freeze file systems through the guest agent where it answers
}

// SnapshotAction is what to do with a snapshot.
type SnapshotAction string

// The actions. Revert of a snapshot without memory needs the VM stopped; with memory it ends running.
const (
	SnapshotCreate SnapshotAction = "create"
	SnapshotRevert SnapshotAction = "revert"
	SnapshotDelete SnapshotAction = "delete"
)

// ImageRequest names an image that the node shall hold.
type ImageRequest struct {
	Digest string `json:"digest"` // sha256:...
	Bytes  int64  `json:"bytes"`
}

// StreamRequest asks for a stream to a VM.
type StreamRequest struct {
	VM   id.VM  `json:"vm"`
	Kind string `json:"kind"` // serial, vnc or tcp
	Port int    `json:"port"` // with tcp: the guest's port
}

// Lease is a renewal of the node's lease. The agent counts Duration from the moment it sent the request Seq, on
// CLOCK_BOOTTIME.
type Lease struct {
	Node     id.Node       `json:"node"`
	Seq      int64         `json:"seq"`
	Duration time.Duration `json:"duration"`
}

// Facts is what a node is and has, as measured.
type Facts struct {
	Node         id.Node   `json:"node"`
	Hostname     string    `json:"hostname"`
	Version      string    `json:"version"` // of novacron
	Arch         vm.Arch   `json:"arch"`
	Kernel       string    `json:"kernel"`
	CPUs         int       `json:"cpus"`
	CPUModel     string    `json:"cpu_model"` // of the host's processor, as it names itself
	MemoryMiB    int       `json:"memory_mib"`
	FreeMiB      int       `json:"memory_free_mib"`
	DiskTotal    int64     `json:"disk_total_bytes"`
	DiskFree     int64     `json:"disk_free_bytes"`
	Load1        float64   `json:"load1"`
	Accel        string    `json:"accel"`
	AccelReason  string    `json:"accel_reason,omitempty"`
	Hypervisor   string    `json:"hypervisor"`    // for example "qemu 7.2.22"
	GuestMachine string    `json:"guest_machine"` // default machine type for new VMs
	GuestCPU     string    `json:"guest_cpu"`     // default CPU model for new VMs
	UEFI         bool      `json:"uefi"`
	SecureBoot   bool      `json:"secure_boot"`
	TPM          bool      `json:"tpm"`
	Network      string    `json:"network"` // bridge, user or sim
	NetworkNote  string    `json:"network_note,omitempty"`
	Root         bool      `json:"root"`
	Images       []string  `json:"images"` // digests in the cache
	Missing      []string  `json:"missing,omitempty"`
	BootID       string    `json:"boot_id"`    // of the machine's kernel
	StartedAt    time.Time `json:"started_at"` // of the agent
}
