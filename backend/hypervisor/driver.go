// Package hypervisor is the seam between the machine actor and what runs guests. A Driver starts and finds processes; an
// Instance is one running VM. Both implementations, qemu and sim, pass hypervisortest. Nothing here knows pools, networks or
// the control plane: a Config holds opened files, tap names and numbers only.
package hypervisor

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Driver starts guests and finds those that outlived the agent. Methods may be called from several goroutines.
type Driver interface {
	// Probe says what the host can do. It runs a vCPU to decide whether KVM works; the result may be kept.
	Probe(ctx context.Context) (Host, error)
	// Start makes a new process for the VM and returns when its monitor answers. vCPUs run already unless
	// cfg.StartPaused. It fails with fault.Conflict if a process of this VM is there, and leaves nothing behind when it fails.
	Start(ctx context.Context, cfg Config) (Instance, error)
	// Adopt takes over the running process of a VM after the agent that started it died. fault.NotFound: there is none.
	Adopt(ctx context.Context, vm id.VM) (Instance, error)
	// Running lists the VMs that have a process on this machine under this instance of the platform.
	Running(ctx context.Context) ([]id.VM, error)
	// Clean removes what a dead process left (sockets, control group, run folder). It refuses while a process lives.
	Clean(ctx context.Context, vm id.VM) error
}

// Instance is one running VM. Calls are made by one goroutine at a time (the VM's actor), except Console, which may be called
// at any time. After the process ended every call fails with fault.Conflict and Events is closed behind an Exited event.
type Instance interface {
	// Info says what the process is, without asking it.
	Info() Info
	// Status asks the monitor for the run state. vm.SeenStopped: the guest has powered off and its process waits to be killed;
	// vm.SeenFailed: its kernel has stopped.
	Status(ctx context.Context) (vm.RunState, error)
	// Power sends one command. Kill returns when the process is gone.
	Power(ctx context.Context, c Command) error
	// Apply brings devices, limits and sizes to cfg while the guest runs. What can only take effect at the next start is
	// returned as sentences. It may be repeated; after a failure halfway it may be called again with the same cfg.
	Apply(ctx context.Context, cfg Config) (restart []string, err error)
	// Snapshot acts on the snapshots inside the running VM's disks.
	Snapshot(ctx context.Context, s SnapshotRequest) error
	// Save stops the vCPUs, writes memory and device state to file.Path and ends the process. The file appears whole, under its
	// name, or not at all. When it fails the guest runs on.
	Save(ctx context.Context, file File) error
	// Console opens the serial line or the screen.
	Console(ctx context.Context, kind ConsoleKind) (io.ReadWriteCloser, error)
	// Events is closed when the process has ended.
	Events() <-chan Event
}

// GuestAgent is implemented by instances that reach an agent inside the guest. Answers are the guest's words: hostile,
// bounded and checked.
type GuestAgent interface {
	// Guest asks the guest agent for host name and addresses. fault.Unavailable: no answer in time.
	Guest(ctx context.Context) (Guest, error)
	// Freeze stops writes of the guest's file systems, Thaw lets them go on. Thaw is safe when nothing is frozen.
	Freeze(ctx context.Context) error
	Thaw(ctx context.Context) error
}

// Screenshotter is implemented by instances with a display.
type Screenshotter interface {
	// Screenshot gives the screen as PNG.
	Screenshot(ctx context.Context) ([]byte, error)
}

// Killer is implemented by drivers that can end a process which does not let itself be adopted, because its monitor is silent.
type Killer interface {
	// Kill ends the VM's process without its monitor and returns when it is gone. No process is success.
	Kill(ctx context.Context, vm id.VM) error
}

// VarsMaker is implemented by drivers whose guests keep UEFI variables in a file.
type VarsMaker interface {
	// MakeVars makes the file of Config.Vars at path from the firmware's template, with the vendor's keys enrolled when secure.
	// A file that is there is left alone. fault.Unsupported: the firmware is not installed.
	MakeVars(ctx context.Context, path string, arch vm.Arch, secure bool) (File, error)
}

// Command is a change of the run state.
type Command string

// The commands. Shutdown asks the guest by ACPI and returns at once.
const (
	Pause    Command = "pause"
	Continue Command = "continue"
	Shutdown Command = "shutdown"
	Reset    Command = "reset"
	Kill     Command = "kill"
)

// ConsoleKind is which console.
type ConsoleKind string

// The consoles.
const (
	Serial ConsoleKind = "serial"
	VNC    ConsoleKind = "vnc"
)

// File is a file that the guest's process gets by descriptor, never by path: the data folder is closed to the guest's user.
// The driver opens Path itself (it runs with the agent's rights), once for reading and once for writing as needed.
type File struct {
	Path     string
	Format   string // raw or qcow2, never guessed
	ReadOnly bool
	Backing  *File // of a qcow2 overlay, down to the image
}

// Partial is where a file lies that a driver writes whole or not at all, until it has its name. A crash may leave it; it is never
// read, and whoever owns the folder may remove it while nothing is being written there.
func Partial(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".part")
}

// Config is one VM for the driver: the machine of the control plane with everything of this host resolved.
type Config struct {
	VM           id.VM
	Name         string
	Boot         int64
	Epoch        int64
	Generation   int64
	UID          int // unprivileged user and group of the process; 0: the agent's own (an ordinary user's platform)
	Arch         vm.Arch
	MachineType  string // empty: the driver's default, told by Info
	CPUModel     string // empty: the driver's default, told by Info
	Accel        string // kvm or tcg; empty: as Probe found
	CPUs         int
	MaxCPUs      int // ceiling for live growth; at least CPUs
	MemoryMiB    int
	MaxMemoryMiB int // ceiling for live growth; at least MemoryMiB
	Firmware     vm.Firmware
	Secure       bool
	Vars         File   // UEFI variables (qcow2), made by the agent from the driver's template
	TPMDir       string // state folder of the vTPM; empty: none
	Display      bool
	Kernel       File // with vm.Direct
	Initrd       File
	Cmdline      string
	Disks        []Disk
	NICs         []NIC
	Seed         File  // ISO with the NoCloud data; empty path: none
	Restore      *File // state written by Save, or nil. Start removes the file before the first vCPU runs: memory that was restored once must never meet its disks again
	StartPaused  bool
	// Layout is the driver's own plan of the machine inside, as Info told it of another process of the VM: Start builds that machine
	// again, for the memory of a snapshot. Empty: the driver plans.
	Layout    json.RawMessage `json:",omitempty"`
	SerialLog string          // file in which the driver keeps the last SerialLogBytes of the serial line, with a second half beside it in SerialLog + ".1"; may be empty
}

// SerialLogBytes bounds the scrollback of the serial line that is kept per VM.
const SerialLogBytes = 1 << 20

// Disk is one disk of a Config.
type Disk struct {
	ID        id.Volume
	File      File
	SizeBytes int64 // wanted size; larger than the device's: grown live by Apply
	CDROM     bool
	IOPS      int
	BytesPerS int64
	BootIndex int // 0: not bootable by firmware
}

// NIC is one network interface of a Config.
type NIC struct {
	ID   id.NIC
	MAC  string
	Tap  string // name of a tap device made by the fabric; empty: user-mode networking
	User *UserNet
	MTU  int
}

// UserNet is QEMU's own user-mode network of one NIC, for a platform without root.
type UserNet struct {
	Subnet   string // CIDR
	Gateway  string
	DNS      string
	Address  string
	Hostname string
	Forwards []vm.Forward
}

// Info is what is fixed for the life of a process.
type Info struct {
	VM          id.VM
	PID         int
	Boot        int64
	Epoch       int64
	Generation  int64 // of the last Config that Start or Apply finished
	Accel       string
	MachineType string
	CPUModel    string
	Config      Config // the last that Start or Apply finished, with the Layout of the machine as it is now
}

// SnapshotRequest acts on the disks of a running VM.
type SnapshotRequest struct {
	Action SnapshotAction
	Tag    string // the snapshot's id
	Memory bool   // Create: with memory and device state
}

// SnapshotAction is what to do with a snapshot.
type SnapshotAction string

// Create and Delete are safe to repeat. Load puts disks and memory back; only for snapshots with memory, and only into a process that was
// started with the Config that Info told when the snapshot was taken. After a failure the process is of no use: kill it.
const (
	SnapshotCreate SnapshotAction = "create"
	SnapshotDelete SnapshotAction = "delete"
	SnapshotLoad   SnapshotAction = "load"
)

// Event is something the process or the guest did.
type Event struct {
	Type   EventType
	Reason string // a sentence, with Exited and IOError
}

// EventType is the kind of an Event.
type EventType string

// The events. PoweredOff: the guest shut down by itself, its process waits to be killed. Exited is always the last.
const (
	Resumed    EventType = "resumed"
	Stopped    EventType = "paused"
	PoweredOff EventType = "powered-off"
	Rebooted   EventType = "rebooted"
	Panicked   EventType = "panicked"
	IOError    EventType = "io-error" // a disk is full or broken: the guest is paused until it is continued
	AgentUp    EventType = "agent-up"
	AgentDown  EventType = "agent-down"
	Exited     EventType = "exited"
)

// Guest is what the guest agent says.
type Guest struct {
	Hostname  string
	Addresses []string // without loopback and link-local
	OS        string
}

// Host is what this machine can do for guests.
type Host struct {
	Accel       string // kvm or tcg
	AccelReason string // why not kvm, one sentence; empty with kvm
	Version     string // of the hypervisor
	Arch        vm.Arch
	MachineType string // default for new VMs of the host's architecture, versioned
	CPUModel    string // likewise
	UEFI        bool   // firmware files are installed
	SecureBoot  bool
	TPM         bool     // swtpm is installed
	Missing     []string // what is not there and what it would allow, as sentences with the remedy
}
