package app

import (
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// CreateVMRequest asks for a new VM. Name, Image and sizes suffice; zero values take what stands beside them.
type CreateVMRequest struct {
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Image       string       `json:"image,omitempty"` // name, id or digest; empty: a blank boot disk
	CPUs        int          `json:"cpus"`
	MemoryMiB   int          `json:"memory_mib"`
	DiskGiB     int          `json:"disk_gib,omitempty"`    // of the boot disk; 0: as large as the image
	Networks    []string     `json:"networks"`              // names or ids; null: the default network; []: none
	SSHKeys     []string     `json:"ssh_keys,omitempty"`    //
	UserData    string       `json:"user_data,omitempty"`   // cloud-init
	Start       *bool        `json:"start,omitempty"`       // null: true
	Node        string       `json:"node,omitempty"`        // name or id; empty: the platform chooses
	Arch        vm.Arch      `json:"arch,omitempty"`        // empty: the image's
	Firmware    vm.Firmware  `json:"firmware,omitempty"`    // empty: the image's
	SecureBoot  bool         `json:"secure_boot,omitempty"` //
	TPM         bool         `json:"tpm,omitempty"`         //
	Display     *bool        `json:"display,omitempty"`     // null: true, except with a direct start
	CDROM       string       `json:"cdrom,omitempty"`       // an ISO image to boot from first
	Disks       []NewDisk    `json:"disks,omitempty"`       // beside the boot disk
	Forwards    []vm.Forward `json:"forwards,omitempty"`
	Autostart   vm.Autostart `json:"autostart,omitempty"`
	Restart     vm.Restart   `json:"restart,omitempty"` // empty: stay
	Protected   bool         `json:"protected,omitempty"`
}

// NewDisk is a disk to add.
type NewDisk struct {
	SizeGiB int    `json:"size_gib,omitempty"`
	Image   string `json:"image,omitempty"` // name, id or digest of what it starts from
	CDROM   bool   `json:"cdrom,omitempty"`
	IOPS    int    `json:"iops,omitempty"`
	MiBPerS int    `json:"mib_per_s,omitempty"`
}

// ListVMsRequest filters the list of VMs; empty fields do not filter.
type ListVMsRequest struct {
	ListRequest
	Status vm.State
	Node   string // name or id
	Name   string // part of the name
	Image  string // digest
	Tenant id.Tenant
}

// UpdateVMRequest changes a VM. Nil fields stay as they are. Disks and interfaces are added and removed here too: with a
// running guest they are plugged live.
type UpdateVMRequest struct {
	Name        *string       `json:"name,omitempty"`
	Description *string       `json:"description,omitempty"`
	CPUs        *int          `json:"cpus,omitempty"`
	MemoryMiB   *int          `json:"memory_mib,omitempty"`
	Protected   *bool         `json:"protected,omitempty"`
	Autostart   *vm.Autostart `json:"autostart,omitempty"`
	Restart     *vm.Restart   `json:"restart,omitempty"`
	Forwards    *[]vm.Forward `json:"forwards,omitempty"`
	Disks       []DiskChange  `json:"disks,omitempty"`        // of disks that are there
	AddDisks    []NewDisk     `json:"add_disks,omitempty"`    //
	RemoveDisks []id.Volume   `json:"remove_disks,omitempty"` // their content is lost
	AddNICs     []string      `json:"add_nics,omitempty"`     // networks by name or id
	RemoveNICs  []id.NIC      `json:"remove_nics,omitempty"`

	Version int64 `json:"-"` // If-Match; 0: whatever it is
}

// DiskChange changes one disk. Nil fields stay as they are; a disk only grows.
type DiskChange struct {
	ID      id.Volume `json:"id"`
	SizeGiB *int      `json:"size_gib,omitempty"`
	IOPS    *int      `json:"iops,omitempty"`
	MiBPerS *int      `json:"mib_per_s,omitempty"`
}

// StopVMRequest says how to stop. Force ends the guest without asking it, and ends an operation that waits for the guest.
// Otherwise the guest has GraceS seconds, 0 to vm.MaxGraceS (null: DefaultGraceS), to act on ACPI before it is ended by force.
// Waiting for ever is not offered: a guest that ignores ACPI would block its VM.
type StopVMRequest struct {
	Force  bool `json:"force,omitempty"`
	GraceS *int `json:"grace_s,omitempty"`
}

// CloneVMRequest copies a stopped VM. Linked clones share the source's disks as they are now and keep the source from being
// deleted; full clones own everything.
type CloneVMRequest struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Linked      bool   `json:"linked,omitempty"`
	Start       bool   `json:"start,omitempty"`
}

// CreateSnapshotRequest takes a snapshot of all disks. Name may be empty: one is made from the time.
type CreateSnapshotRequest struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Memory      bool   `json:"memory,omitempty"`  // with memory and devices; needs a running or paused guest
	Quiesce     bool   `json:"quiesce,omitempty"` // freeze the guest's file systems through its agent
}

// ConsoleRequest asks for a ticket to a console.
type ConsoleRequest struct {
	Kind string `json:"kind"`           // serial, vnc or tcp
	Port int    `json:"port,omitempty"` // with tcp: the guest's port
	Mode string `json:"mode,omitempty"` // ask, watch or take; empty: ask
}

// ConsoleTicket opens one console once.
type ConsoleTicket struct {
	Ticket    string    `json:"ticket"`
	VM        id.VM     `json:"vm"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ConsoleGrant is what a redeemed ticket allows.
type ConsoleGrant struct {
	Caller auth.Caller `json:"caller"`
	VM     id.VM       `json:"vm"`
	Kind   string      `json:"kind"`
	Port   int         `json:"port"`
	Mode   string      `json:"mode"`
}

// ListOperationsRequest filters the list of operations; empty fields do not filter.
type ListOperationsRequest struct {
	ListRequest
	Subject string // "vm/<id>"
	Kind    string
	Status  string // a status, or "open" for all that have not ended
}

// ImportImageRequest makes an image. Exactly one of Bytes (an upload follows), URL and File is given.
type ImportImageRequest struct {
	Name     string      `json:"name"`
	OS       string      `json:"os,omitempty"`
	Arch     vm.Arch     `json:"arch,omitempty"`     // empty: the server's
	Firmware vm.Firmware `json:"firmware,omitempty"` // empty: as the image says
	Checksum string      `json:"checksum,omitempty"` // sha256:… or sha512:… of the bytes as they come
	Public   bool        `json:"public,omitempty"`   // for all tenants; administrators only
	Bytes    int64       `json:"bytes,omitempty"`    // length of the upload that follows
	URL      string      `json:"url,omitempty"`
	File     string      `json:"file,omitempty"` // path on the server; administrators only
}

// ListImagesRequest filters the list of images.
type ListImagesRequest struct {
	ListRequest
	Name string
}

// EventsRequest reads the history behind a cursor. Empty Since: from the oldest that is kept. Topics are types or prefixes
// with a star ("vm.*"); none means all.
type EventsRequest struct {
	Since   string
	Topics  []string
	Subject string
	Limit   int
}

// CreateUserRequest makes an account without a mail round trip. PasswordHash is made by core/auth; the app never sees the
// password.
type CreateUserRequest struct {
	Username     string
	Email        string
	Role         auth.Role
	PasswordHash string
	Tenant       id.Tenant // empty: the first tenant
}
