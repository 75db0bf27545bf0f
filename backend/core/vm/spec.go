// Package vm holds what a virtual machine is: what the user wants of it (Spec, Wanted), what its node saw (Seen), what
// is being done to it (Doing), and the two pure functions that every surface asks, Status and Actions. It deliberately
// knows no database, no QEMU and no clock.
package vm

import "novacron/backend/core/id"

// Limits of what a user may ask of one VM. Each is checked by Spec.Check.
const (
	MaxCPUs       = 512
	MinMemoryMiB  = 16
	MaxMemoryMiB  = 16 << 20 // 16 TiB
	MaxDisks      = 24
	MaxNICs       = 8
	MaxDiskGiB    = 64 << 10 // 64 TiB
	MaxNameLength = 63       // a DNS label, since the name is the guest's host name and its DNS name
	MaxUserData   = 64 << 10 // bytes of cloud-init user-data
	MaxSSHKeys    = 32
	MaxForwards   = 64
)

// Spec is the machine as its user wants it. It is stored as JSON with the VM; fields are only ever added.
type Spec struct {
	Image     string    `json:"image,omitempty"` // digest of the image that the first disk starts from; empty: a blank disk
	CPUs      int       `json:"cpus"`
	MemoryMiB int       `json:"memory_mib"`
	Arch      Arch      `json:"arch"`              // resolved from the image at create
	Firmware  Firmware  `json:"firmware"`          // resolved from the image at create when not asked for
	Secure    bool      `json:"secure_boot"`       // UEFI with enrolled keys
	Cmdline   string    `json:"cmdline,omitempty"` // with Direct: of the kernel, resolved from the image at create
	TPM       bool      `json:"tpm"`               // a vTPM 2.0
	Display   bool      `json:"display"`           // a VGA display, shown over VNC
	Disks     []Disk    `json:"disks"`             // the first is the boot disk
	NICs      []NIC     `json:"nics"`
	Forwards  []Forward `json:"forwards,omitempty"` // ports of the node that reach the guest
	SSHKeys   []string  `json:"ssh_keys,omitempty"` // authorised keys for the seed
	UserData  string    `json:"user_data,omitempty"`
	Autostart Autostart `json:"autostart"`
	Restart   Restart   `json:"restart"`
	Protected bool      `json:"protected"` // refuses delete

	// Made is kept by the platform: the disks that the VM's node had whole. Where one of them is missing it was lost, and an
	// empty one in its place would hide that.
	Made []id.Volume `json:"made,omitempty"`
}

// Arch is a processor architecture in Linux' names.
type Arch string

// The architectures that guests can have.
const (
	X86_64  Arch = "x86_64"
	AArch64 Arch = "aarch64"
)

// Firmware is how the guest starts.
type Firmware string

// The ways to start. Direct loads kernel and initrd out of the image, without firmware.
const (
	BIOS   Firmware = "bios"
	UEFI   Firmware = "uefi"
	Direct Firmware = "direct"
)

// Disk is a disk of a VM.
type Disk struct {
	ID       id.Volume `json:"id"`
	SizeGiB  int       `json:"size_gib"`            // 0 only for a CD-ROM
	Image    string    `json:"image,omitempty"`     // digest of what it starts from
	From     id.Volume `json:"from,omitempty"`      // the volume that it was cloned from
	Linked   bool      `json:"linked,omitempty"`    // a linked clone: shares From's frozen base
	CDROM    bool      `json:"cdrom,omitempty"`     // read-only ISO image
	IOPS     int       `json:"iops,omitempty"`      // operations per second, 0: no limit
	MiBPerS  int       `json:"mib_per_s,omitempty"` // throughput limit, 0: no limit
	BootFrom bool      `json:"boot_from,omitempty"` // tried before the other disks (an installer's CD-ROM)
}

// NIC is a network interface of a VM.
type NIC struct {
	ID      id.NIC     `json:"id"`
	Network id.Network `json:"network"`
	MAC     string     `json:"mac"`     // locally administered, fixed for the VM's life
	Address string     `json:"address"` // IPv4 given by the network's pool, fixed for the NIC's life
}

// Forward publishes a port of the guest's first NIC on the node.
type Forward struct {
	Protocol  string `json:"protocol"`         // tcp or udp
	Listen    string `json:"listen,omitempty"` // address of the node; empty: 127.0.0.1
	HostPort  int    `json:"host_port"`        // 1024..65535
	GuestPort int    `json:"guest_port"`
}

// Autostart says whether the VM starts with its node, and when.
type Autostart struct {
	Enabled bool `json:"enabled"`
	Order   int  `json:"order"`   // lower first
	DelayS  int  `json:"delay_s"` // seconds to wait after this VM before the next order
}

// Restart is what may happen when the VM's node is lost.
type Restart string

// Stay: never started elsewhere until its node says it stopped or an operator confirms the node dead. Elsewhere is
// refused until the watchdog that makes it safe exists.
const (
	Stay      Restart = "stay"
	Elsewhere Restart = "elsewhere"
)
