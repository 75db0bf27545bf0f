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
	Node         string    `json:"node" doc:"Name of the node that it is on; empty until one was chosen"`
	NodeID       id.Node   `json:"node_id"`
	Status       vm.State  `json:"status" enum:"creating,stopped,starting,running,stopping,paused,suspended,migrating,error,unknown"`
	StatusReason string    `json:"status_reason" doc:"A sentence, where the status alone does not explain itself"`
	Addresses    []string  `json:"addresses" nullable:"false" doc:"As the guest reports them, else as its networks gave them"`
	Image        string    `json:"image" doc:"Digest of the image that it was made from; empty: a blank disk"`
	CPUs         int       `json:"cpus"`
	MemoryMiB    int       `json:"memory_mib"`
	DiskGiB      int       `json:"disk_gib" doc:"All disks together"`
	Tags         []string  `json:"tags" nullable:"false" doc:"In alphabetical order"`
	CreatedAt    time.Time `json:"created_at"`
	Version      int64     `json:"version" doc:"Counts the changes; the ETag of the VM"`
}

// VM is the whole of a VM.
type VM struct {
	VMSummary
	Actions         map[vm.Verb]vm.Decision `json:"actions" doc:"Per verb: possible now, or one sentence why not"`
	Description     string                  `json:"description"`
	Protected       bool                    `json:"protected"`
	Wanted          vm.Power                `json:"wanted" enum:"stopped,running,paused,suspended,gone" doc:"The run state that its user asked for"`
	Arch            vm.Arch                 `json:"arch"`
	Firmware        vm.Firmware             `json:"firmware"`
	SecureBoot      bool                    `json:"secure_boot"`
	TPM             bool                    `json:"tpm"`
	Display         bool                    `json:"display"`
	Disks           []vm.Disk               `json:"disks" nullable:"false"`
	NICs            []NIC                   `json:"nics" nullable:"false"`
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
	LinkedClones    []string                `json:"linked_clones" nullable:"false" doc:"Names of the VMs whose disks rest on this one's"`
	SnapshotCount   int                     `json:"snapshot_count"`
	OperationID     id.Operation            `json:"operation_id,omitempty" doc:"The operation that acts on it now"`
	UpdatedAt       time.Time               `json:"updated_at"`
}

// NIC is a network interface of a VM with its network's name.
type NIC struct {
	vm.NIC
	NetworkName string `json:"network_name"`
}

// VMAnswer is the VM and the operation that acts on it.
type VMAnswer struct {
	VM
	Operation *Operation `json:"operation,omitempty"`
}

// CreateVM asks for a VM. Name, image and size suffice.
type CreateVM struct {
	Name        string      `json:"name" minLength:"1" maxLength:"63" doc:"A DNS label, unique within the tenant"`
	Description string      `json:"description,omitempty" maxLength:"1000"`
	Tags        []string    `json:"tags,omitempty" maxItems:"16" doc:"Words to find it by: 1 to 63 lower-case letters, digits, dots, hyphens and underscores each"`
	Image       string      `json:"image,omitempty" maxLength:"100" doc:"Id, name or digest; empty: a blank boot disk"`
	CPUs        int         `json:"cpus,omitempty" minimum:"1" maximum:"512" default:"1"`
	MemoryMiB   int         `json:"memory_mib" minimum:"16" maximum:"16777216"`
	DiskGiB     int         `json:"disk_gib,omitempty" minimum:"0" maximum:"65536" doc:"Of the boot disk; 0: as large as the image"`
	Networks    *[]string   `json:"networks,omitempty" maxItems:"8" doc:"Ids or names, one NIC each; absent: the default network"`
	SSHKeys     []string    `json:"ssh_keys,omitempty" maxItems:"32"`
	UserData    string      `json:"user_data,omitempty" maxLength:"65536" doc:"cloud-init user-data"`
	Start       *bool       `json:"start,omitempty" doc:"Start it when it is made; absent: yes"`
	Node        string      `json:"node,omitempty" maxLength:"100" doc:"Id or name of the node to use; empty: one with room"`
	Arch        vm.Arch     `json:"arch,omitempty" enum:"x86_64,aarch64" doc:"Absent: the image's"`
	Firmware    vm.Firmware `json:"firmware,omitempty" enum:"bios,uefi,direct" doc:"Absent: the image's"`
	SecureBoot  bool        `json:"secure_boot,omitempty"`
	TPM         bool        `json:"tpm,omitempty"`
	Display     *bool       `json:"display,omitempty" doc:"A VGA display, shown over VNC; absent: yes, except with a direct start"`
	CDROM       string      `json:"cdrom,omitempty" maxLength:"100" doc:"An ISO image to boot from first"`
	Disks       []NewDisk   `json:"disks,omitempty" maxItems:"23" doc:"Disks beside the boot disk"`
	Forwards    []Forward   `json:"forwards,omitempty" maxItems:"64" doc:"Ports of the node that reach the guest"`
	Autostart   *Autostart  `json:"autostart,omitempty"`
	Restart     vm.Restart  `json:"restart,omitempty" enum:"stay,elsewhere" doc:"What may happen when its node is lost; absent: stay"`
	Protected   bool        `json:"protected,omitempty" doc:"Refuses delete"`
}

// Placement is where a VM would be put now. Nothing is reserved by it.
type Placement struct {
	Nodes  []PlacementNode `json:"nodes" nullable:"false" doc:"First those that fit, best first, then the others"`
	Reason string          `json:"reason,omitempty" doc:"Why none fits, with the way out; absent: the first would be taken"`
}

// PlacementNode is what was found of one node.
type PlacementNode struct {
	ID     id.Node `json:"id"`
	Name   string  `json:"name"`
	Fits   bool    `json:"fits"`
	Score  int     `json:"score" doc:"When it fits: the higher, the more stays free there"`
	Reason string  `json:"reason" doc:"What would stay free, or why it does not fit"`
}

// NewDisk is a disk to add.
type NewDisk struct {
	SizeGiB int    `json:"size_gib,omitempty" minimum:"0" maximum:"65536"`
	Image   string `json:"image,omitempty" maxLength:"100" doc:"Id, name or digest of what it starts from"`
	CDROM   bool   `json:"cdrom,omitempty" doc:"Read-only, from an ISO image"`
	IOPS    int    `json:"iops,omitempty" minimum:"0" maximum:"10000000" doc:"Operations per second; 0: no limit"`
	MiBPerS int    `json:"mib_per_s,omitempty" minimum:"0" maximum:"1000000" doc:"Throughput; 0: no limit"`
}

// Forward publishes a port of the guest's first NIC on its node.
type Forward struct {
	Protocol  string `json:"protocol,omitempty" enum:"tcp,udp" default:"tcp"`
	Listen    string `json:"listen,omitempty" maxLength:"64" doc:"Address of the node; empty: 127.0.0.1"`
	HostPort  int    `json:"host_port" minimum:"1024" maximum:"65535"`
	GuestPort int    `json:"guest_port" minimum:"1" maximum:"65535"`
}

// Autostart says whether the VM starts with its node, and when.
type Autostart struct {
	Enabled bool `json:"enabled,omitempty"`
	Order   int  `json:"order,omitempty" minimum:"0" maximum:"10000" doc:"Lower first"`
	DelayS  int  `json:"delay_s,omitempty" minimum:"0" maximum:"3600" doc:"Seconds to wait after this VM before the next order"`
}

// UpdateVM changes what it names and leaves the rest. With a running guest disks and NICs are plugged live.
type UpdateVM struct {
	Name        *string      `json:"name,omitempty" minLength:"1" maxLength:"63"`
	Description *string      `json:"description,omitempty" maxLength:"1000"`
	Tags        *[]string    `json:"tags,omitempty" maxItems:"16" doc:"Replaces all tags"`
	CPUs        *int         `json:"cpus,omitempty" minimum:"1" maximum:"512"`
	MemoryMiB   *int         `json:"memory_mib,omitempty" minimum:"16" maximum:"16777216"`
	Protected   *bool        `json:"protected,omitempty"`
	Autostart   *Autostart   `json:"autostart,omitempty"`
	Restart     *vm.Restart  `json:"restart,omitempty" enum:"stay,elsewhere"`
	Forwards    *[]Forward   `json:"forwards,omitempty" maxItems:"64" doc:"Replaces all forwards"`
	Disks       []DiskChange `json:"disks,omitempty" maxItems:"24" doc:"Of disks that are there"`
	AddDisks    []NewDisk    `json:"add_disks,omitempty" maxItems:"24"`
	RemoveDisks []id.Volume  `json:"remove_disks,omitempty" maxItems:"24" doc:"Their content is lost"`
	AddNICs     []string     `json:"add_nics,omitempty" maxItems:"8" doc:"Networks by id or name"`
	RemoveNICs  []id.NIC     `json:"remove_nics,omitempty" maxItems:"8"`
}

// DiskChange changes one disk. Absent fields stay as they are; a disk only grows.
type DiskChange struct {
	ID      id.Volume `json:"id" maxLength:"40"`
	SizeGiB *int      `json:"size_gib,omitempty" minimum:"1" maximum:"65536"`
	IOPS    *int      `json:"iops,omitempty" minimum:"0" maximum:"10000000"`
	MiBPerS *int      `json:"mib_per_s,omitempty" minimum:"0" maximum:"1000000"`
}

// StopVM says how to stop or restart.
type StopVM struct {
	Force  bool `json:"force,omitempty" doc:"Without asking the guest"`
	GraceS *int `json:"grace_s,omitempty" minimum:"0" maximum:"3600" doc:"Seconds that the guest has before it is ended; absent: the VM's own"`
}

// CloneVM asks for a copy of a VM.
type CloneVM struct {
	Name        string `json:"name" minLength:"1" maxLength:"63"`
	Description string `json:"description,omitempty" maxLength:"1000"`
	Linked      bool   `json:"linked,omitempty" doc:"Share the source's disks; quick, but the source cannot be deleted before the clone"`
	Start       bool   `json:"start,omitempty" doc:"Start the copy when it is made"`
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
	Name        string `json:"name,omitempty" maxLength:"63" doc:"Absent: one is made from the time"`
	Description string `json:"description,omitempty" maxLength:"1000"`
	Memory      bool   `json:"memory,omitempty" doc:"With memory and device state; the VM must run or be paused"`
	Quiesce     bool   `json:"quiesce,omitempty" doc:"Freeze the guest's file systems through its agent"`
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
