package wire

import (
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Node is a machine that runs guests.
type Node struct {
	ID          id.Node           `json:"id"`
	Name        string            `json:"name"`
	State       string            `json:"state" doc:"joining, alive, lost (its lease ended; its guests may run on), dead (confirmed by an operator) or removed"`
	StateReason string            `json:"state_reason"`
	Cordoned    bool              `json:"cordoned" doc:"Takes no new VMs"`
	Labels      map[string]string `json:"labels"`
	Arch        vm.Arch           `json:"arch"`
	CPUs        int               `json:"cpus"`
	CPUModel    string            `json:"cpu_model"`
	MemoryMiB   int               `json:"memory_mib"`
	FreeMiB     int               `json:"memory_free_mib"`
	DiskTotal   int64             `json:"disk_total_bytes"`
	DiskFree    int64             `json:"disk_free_bytes"`
	Load1       float64           `json:"load1"`
	Accel       string            `json:"accel" doc:"kvm, or tcg where KVM does not really run a vCPU"`
	AccelReason string            `json:"accel_reason"`
	Hypervisor  string            `json:"hypervisor"`
	Network     string            `json:"network" doc:"bridge, user or sim"`
	NetworkNote string            `json:"network_note"`
	Kernel      string            `json:"kernel"`
	NovaCron    string            `json:"novacron" doc:"Version of its agent"`
	Missing     []string          `json:"missing" nullable:"false" doc:"What is not installed there and what it would allow"`
	VMs         int               `json:"vms"`
	CPUsUsed    int               `json:"cpus_allocated"`
	MemoryUsed  int               `json:"memory_allocated_mib"`
	LastSeen    *time.Time        `json:"last_seen,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
	Version     int64             `json:"version"`
}

// UpdateNode changes what it names.
type UpdateNode struct {
	Cordoned *bool              `json:"cordoned,omitempty" doc:"Takes no new VMs"`
	Labels   *map[string]string `json:"labels,omitempty" doc:"Replaces all labels"`
}

// Server is a control plane on the installation's database.
type Server struct {
	ID        id.Server `json:"id"`
	Name      string    `json:"name" doc:"Host name of its machine"`
	Address   string    `json:"address" doc:"host:port at which the other servers reach it; empty: it shares its database with none"`
	Version   string    `json:"version"`
	Nodes     int       `json:"nodes" doc:"Nodes that are connected to it"`
	State     string    `json:"state" enum:"alive,silent,stopped" doc:"silent: it said nothing for 40 seconds; stopped: it said that it stops"`
	Self      bool      `json:"self" doc:"It is the one that answers"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at" doc:"When it last said that it lives, every ten seconds, by its own clock; after two minutes of silence it is forgotten"`
}

// JoinToken lets one machine join.
type JoinToken struct {
	Token     string    `json:"token"`
	Command   string    `json:"command" doc:"To type on the machine that joins"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Image is what a VM's disk starts from.
type Image struct {
	ID           id.Image    `json:"id"`
	Name         string      `json:"name"`
	Tenant       id.Tenant   `json:"tenant" doc:"Empty: everybody's"`
	Digest       string      `json:"digest" doc:"sha256:... of its content once it is ready"`
	Checksum     string      `json:"checksum" doc:"That was given for its bytes and that they were found to have; empty: none was given"`
	OS           string      `json:"os"`
	Arch         vm.Arch     `json:"arch"`
	Format       string      `json:"format"`
	Firmware     vm.Firmware `json:"firmware"`
	Bytes        int64       `json:"bytes"`
	VirtualBytes int64       `json:"virtual_bytes" doc:"Size of the disk that a guest sees"`
	MinMemoryMiB int         `json:"min_memory_mib"`
	MinDiskGiB   int         `json:"min_disk_gib"`
	Source       string      `json:"source"`
	State        string      `json:"state" doc:"uploading, importing, ready or error"`
	StateReason  string      `json:"state_reason"`
	UploadOffset int64       `json:"upload_offset" doc:"Bytes of an upload that are on the disk: go on from here"`
	UploadBytes  int64       `json:"upload_bytes" doc:"Bytes of an upload in all"`
	CreatedAt    time.Time   `json:"created_at"`
	Version      int64       `json:"version"`
}

// ImageAnswer is the image and the operation that acts on it.
type ImageAnswer struct {
	Image
	Operation *Operation `json:"operation,omitempty"`
}

// CreateImage makes an image. Exactly one of bytes (an upload follows), url and catalogue is given.
type CreateImage struct {
	Name      string      `json:"name" minLength:"1" maxLength:"63"`
	OS        string      `json:"os,omitempty" maxLength:"64"`
	Arch      vm.Arch     `json:"arch,omitempty" enum:"x86_64,aarch64" doc:"Absent: the server's"`
	Firmware  vm.Firmware `json:"firmware,omitempty" enum:"bios,uefi,direct" doc:"Absent: as the image says"`
	Checksum  string      `json:"checksum,omitempty" maxLength:"140" doc:"sha256:... or sha512:... of the bytes as they come"`
	Public    bool        `json:"public,omitempty" doc:"For all tenants; administrators only"`
	Bytes     int64       `json:"bytes,omitempty" minimum:"0" doc:"Length of the upload that follows"`
	URL       string      `json:"url,omitempty" maxLength:"2048" doc:"Import from here"`
	Catalogue string      `json:"catalogue,omitempty" maxLength:"100" doc:"Import this entry of the catalogue"`
}

// CatalogueEntry is an image that a distribution publishes.
type CatalogueEntry struct {
	Name         string  `json:"name" doc:"What catalogue takes"`
	Title        string  `json:"title"`
	OS           string  `json:"os"`
	Arch         vm.Arch `json:"arch"`
	URL          string  `json:"url"`
	Login        string  `json:"login" doc:"The account that gets the ssh keys"`
	MinMemoryMiB int     `json:"min_memory_mib"`
	MinDiskGiB   int     `json:"min_disk_gib"`
}

// Network is what VMs attach to.
type Network struct {
	ID        id.Network `json:"id"`
	Name      string     `json:"name"`
	Tenant    id.Tenant  `json:"tenant" doc:"Empty: everybody's"`
	Subnet    string     `json:"subnet"`
	Gateway   string     `json:"gateway"`
	DNS       []string   `json:"dns" nullable:"false"`
	MTU       int        `json:"mtu"`
	CreatedAt time.Time  `json:"created_at"`
	Version   int64      `json:"version"`
}

// Health says that the process answers.
type Health struct {
	Status  string `json:"status" doc:"ok"`
	Version string `json:"version"`
}

// Ready says whether the server can do its work, and what is missing or needs an eye.
type Ready struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons" nullable:"false"`
}
