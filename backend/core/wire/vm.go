package wire

import (
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// VMSummary is a VM in a list.
type VMSummary struct {
	ID           id.VM     `json:"id"`
	Name         string    `json:"name" doc:"Unique within the tenant; the guest's host name"`
	Tenant       id.Tenant `json:"tenant"`
	Node         string    `json:"node" doc:"Name of the node that it is on; empty until one was chosen, and for callers who may not see nodes"`
	Status       vm.State  `json:"status" enum:"creating,stopped,starting,running,stopping,paused,suspended,migrating,error,unknown"`
	StatusReason string    `json:"status_reason" doc:"A sentence, where the status alone does not explain itself"`
	Addresses    []string  `json:"addresses" nullable:"false" doc:"As the guest reports them, else as its networks gave them"`
	Image        string    `json:"image" doc:"Digest of the image that it was made from; empty: a blank disk"`
	CPUs         int       `json:"cpus"`
	MemoryMiB    int       `json:"memory_mib"`
	DiskGiB      int       `json:"disk_gib" doc:"All disks together"`
	Protected    bool      `json:"protected"`
	CreatedAt    time.Time `json:"created_at"`
	Version      int64     `json:"version" doc:"Counts the changes; the ETag of the VM"`
}

// VM is the whole of a VM.
type VM struct {
	VMSummary
	Actions         map[vm.Verb]vm.Decision `json:"actions" doc:"Per verb: possible now, or one sentence why not"`
	Description     string                  `json:"description"`
	Wanted          vm.Power                `json:"wanted" enum:"stopped,running,paused,suspended,gone" doc:"The run state that its user asked for"`
	Arch            vm.Arch                 `json:"arch"`
	Firmware        vm.Firmware             `json:"firmware"`
	SecureBoot      bool                    `json:"secure_boot"`
	TPM             bool                    `json:"tpm"`
	Display         bool                    `json:"display"`
	Disks           []vm.Disk               `json:"disks" nullable:"false"`
	NICs            []vm.NIC                `json:"nics" nullable:"false"`
	Forwards        []vm.Forward            `json:"forwards" nullable:"false"`
	SSHKeys         []string                `json:"ssh_keys" nullable:"false"`
	UserData        string                  `json:"user_data"`
	Autostart       vm.Autostart            `json:"autostart"`
	Restart         vm.Restart              `json:"restart"`
	MachineType     string                  `json:"machine_type" doc:"Fixed at the first start"`
	CPUModel        string                  `json:"cpu_model" doc:"Fixed at the first start"`
	Accel           string                  `json:"accel" doc:"kvm or tcg while it runs"`
	Hostname        string                  `json:"hostname" doc:"As the guest agent says"`
	GuestAgent      bool                    `json:"guest_agent" doc:"The guest agent answers"`
	SSH             string                  `json:"ssh" doc:"host:port on the node that reaches the guest's port 22; may be empty"`
	RestartRequired []string                `json:"restart_required" nullable:"false" doc:"Changes that wait for the next start, as sentences"`
	UpdatedAt       time.Time               `json:"updated_at"`
}

// VMAnswer is the VM and the operation that acts on it.
type VMAnswer struct {
	VM
	Operation *Operation `json:"operation,omitempty"`
}

// CreateVM asks for a VM. Name, image and size suffice.
type CreateVM struct {
	Name        string        `json:"name" minLength:"1" maxLength:"63" doc:"A DNS label, unique within the tenant"`
	Description string        `json:"description,omitempty" maxLength:"1000"`
	Image       string        `json:"image,omitempty" maxLength:"100" doc:"Id, name or digest; empty: a blank disk"`
	CPUs        int           `json:"cpus,omitempty" minimum:"0" maximum:"512" doc:"0: one"`
	MemoryMiB   int           `json:"memory_mib,omitempty" doc:"16 to 16777216; 0: what the image asks for"`
	DiskGiB     int           `json:"disk_gib,omitempty" minimum:"0" maximum:"65536" doc:"Size of the boot disk; 0: what the image asks for"`
	Disks       []DiskWish    `json:"disks,omitempty" maxItems:"23" doc:"Disks beside the boot disk"`
	Networks    []string      `json:"networks,omitempty" maxItems:"8" doc:"Ids or names, one NIC each; absent: the default network"`
	Forwards    []vm.Forward  `json:"forwards,omitempty" maxItems:"64" doc:"Ports of the node that reach the guest"`
	SSHKeys     []string      `json:"ssh_keys,omitempty" maxItems:"32"`
	UserData    string        `json:"user_data,omitempty" maxLength:"65536" doc:"cloud-init user-data"`
	Start       *bool         `json:"start,omitempty" doc:"Start it when it is made; absent: yes"`
	Node        string        `json:"node,omitempty" maxLength:"100" doc:"Id or name of the node to use; empty: one with room"`
	Arch        vm.Arch       `json:"arch,omitempty" enum:"x86_64,aarch64" doc:"Absent: the image's"`
	Firmware    vm.Firmware   `json:"firmware,omitempty" enum:"bios,uefi,direct" doc:"Absent: the image's"`
	SecureBoot  bool          `json:"secure_boot,omitempty"`
	TPM         bool          `json:"tpm,omitempty"`
	Display     bool          `json:"display,omitempty" doc:"A VGA display, shown over VNC"`
	Autostart   *vm.Autostart `json:"autostart,omitempty"`
	Protected   bool          `json:"protected,omitempty"`
}

// DiskWish is a disk as a user asks for it. In an edit the id names a disk that is there; without one a disk is added.
type DiskWish struct {
	ID       id.Volume `json:"id,omitempty" maxLength:"40"`
	SizeGiB  int       `json:"size_gib,omitempty" minimum:"0" maximum:"65536"`
	Image    string    `json:"image,omitempty" maxLength:"100" doc:"Id, name or digest that a new disk starts from"`
	CDROM    bool      `json:"cdrom,omitempty" doc:"Read-only, from an ISO image"`
	IOPS     int       `json:"iops,omitempty" minimum:"0" doc:"Operations per second; 0: no limit"`
	MiBPerS  int       `json:"mib_per_s,omitempty" minimum:"0" doc:"Throughput; 0: no limit"`
	BootFrom bool      `json:"boot_from,omitempty" doc:"Tried before the other disks"`
}

// NICWish is a network interface as a user asks for it. In an edit the id names one that is there; without one it is added.
type NICWish struct {
	ID      id.NIC `json:"id,omitempty" maxLength:"40"`
	Network string `json:"network,omitempty" maxLength:"100" doc:"Id or name"`
}

// UpdateVM changes what it names and leaves the rest. A list replaces the whole list: what it does not hold is removed.
type UpdateVM struct {
	Name        *string       `json:"name,omitempty" minLength:"1" maxLength:"63"`
	Description *string       `json:"description,omitempty" maxLength:"1000"`
	CPUs        *int          `json:"cpus,omitempty" minimum:"1" maximum:"512"`
	MemoryMiB   *int          `json:"memory_mib,omitempty" doc:"16 to 16777216"`
	DiskGiB     *int          `json:"disk_gib,omitempty" minimum:"1" maximum:"65536" doc:"The boot disk's size; disks only grow"`
	Disks       *[]DiskWish   `json:"disks,omitempty" maxItems:"24"`
	NICs        *[]NICWish    `json:"nics,omitempty" maxItems:"8"`
	Forwards    *[]vm.Forward `json:"forwards,omitempty" maxItems:"64"`
	SSHKeys     *[]string     `json:"ssh_keys,omitempty" maxItems:"32" doc:"Taken at the next boot of a new instance"`
	UserData    *string       `json:"user_data,omitempty" maxLength:"65536"`
	TPM         *bool         `json:"tpm,omitempty"`
	Display     *bool         `json:"display,omitempty"`
	Autostart   *vm.Autostart `json:"autostart,omitempty"`
	Protected   *bool         `json:"protected,omitempty"`
}

// StopVM says how to stop or restart.
type StopVM struct {
	Force  bool `json:"force,omitempty" doc:"Without asking the guest"`
	GraceS *int `json:"grace_s,omitempty" minimum:"0" maximum:"3600" doc:"Seconds that the guest has before it is ended; absent: the VM's own"`
}

// CloneVM asks for a copy of a VM.
type CloneVM struct {
	Name   string `json:"name" minLength:"1" maxLength:"63"`
	Linked bool   `json:"linked,omitempty" doc:"Share the source's disks; quick, but the source cannot be deleted before the clone"`
	Start  bool   `json:"start,omitempty" doc:"Start the copy when it is made"`
}

// Snapshot is a point in time of a VM's disks, with or without memory.
type Snapshot struct {
	ID          id.Snapshot `json:"id"`
	VM          id.VM       `json:"vm"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Memory      bool        `json:"memory"`
	State       string      `json:"state" doc:"creating, ready, reverting, deleting or error"`
	StateReason string      `json:"state_reason"`
	CreatedAt   time.Time   `json:"created_at"`
	Version     int64       `json:"version"`
}

// SnapshotAnswer is the snapshot and the operation that acts on it.
type SnapshotAnswer struct {
	Snapshot
	Operation *Operation `json:"operation,omitempty"`
}

// CreateSnapshot asks for a snapshot.
type CreateSnapshot struct {
	Name        string `json:"name" minLength:"1" maxLength:"63"`
	Description string `json:"description,omitempty" maxLength:"1000"`
	Memory      bool   `json:"memory,omitempty" doc:"With memory and device state; the VM must run"`
	Quiesce     *bool  `json:"quiesce,omitempty" doc:"Freeze the guest's file systems where its agent answers; absent: yes"`
}

// ConsoleTicket lets its bearer open one console once.
type ConsoleTicket struct {
	Ticket      string    `json:"ticket" doc:"Offer novacron.ticket.TICKET as WebSocket subprotocol"`
	Subprotocol string    `json:"subprotocol" doc:"The whole subprotocol to offer"`
	Path        string    `json:"path" doc:"Where to open the WebSocket"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// ConsoleWish says what a ticket is for.
type ConsoleWish struct {
	Kind string `json:"kind,omitempty" enum:"serial,vnc,tcp" doc:"Absent: serial"`
	Mode string `json:"mode,omitempty" enum:"ask,watch,take" doc:"ask: only if nobody types; watch: without typing; take: from whoever types. Absent: ask"`
	Port int    `json:"port,omitempty" minimum:"0" maximum:"65535" doc:"With tcp: the guest's port"`
}
