package storage

import (
	"time"

	"novacron/backend/core/image"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Info is an image in the cache.
//
// Digest is the SHA-256 of exactly the bytes that Cache.Open gives and that Cache.Receive takes on another node: the raw disk
// or ISO as it was imported, the clean qcow2 that a conversion made, or the canonical tar of a bundle. Source is the
// SHA-256 of the bytes that somebody imported, which is the same only where nothing was converted.
type Info struct {
	Digest       string        `json:"digest"` // "sha256:" and 64 hexadecimal digits
	Source       string        `json:"source"` // likewise
	Name         string        `json:"name"`
	OS           string        `json:"os,omitempty"`
	Arch         vm.Arch       `json:"arch"`
	Format       image.Format  `json:"format"`             // of the bytes that are transferred: raw, iso, qcow2 or bundle
	DiskFormat   image.Format  `json:"disk_format"`        // of the disk file: raw, iso or qcow2; empty: a bundle without disk
	SourceFormat image.Format  `json:"source_format"`      // as it was imported
	Firmware     vm.Firmware   `json:"firmware,omitempty"` // empty: not known
	Boots        []vm.Firmware `json:"boots,omitempty"`    // everything that starts it, as its content says, preferred first
	Cmdline      string        `json:"cmdline,omitempty"`
	Bytes        int64         `json:"bytes"`         // length of what is transferred
	VirtualBytes int64         `json:"virtual_bytes"` // size of the disk that a guest sees; 0 without a disk
	MinMemoryMiB int           `json:"min_memory_mib,omitempty"`
	MinDiskGiB   int           `json:"min_disk_gib,omitempty"`
	ImportedAt   time.Time     `json:"imported_at"`

	Disk   hypervisor.File `json:"-"` // read-only; empty path: a bundle without disk
	Kernel string          `json:"-"` // path; empty unless the image is a bundle
	Initrd string          `json:"-"` // path; may be empty

	HasInitrd bool `json:"has_initrd,omitempty"`
}

// ImportOptions says what to make of the bytes of an import. The zero value is good.
type ImportOptions struct {
	Name     string      // shown to people; empty: "image"
	OS       string      // for example "debian-12"
	Arch     vm.Arch     // of a disk image; empty: that of this machine. A bundle's manifest decides for itself
	Firmware vm.Firmware // of a disk image; empty: what its partitions or boot catalogue say
	Checksum string      // "sha256:…" or "sha512:…" of the bytes as given, refused when it differs; empty: not checked
	Size     int64       // length of the bytes as given when it is known, for the check of free space; 0: not known
	MaxBytes int64       // most bytes that are taken; 0: MaxImageBytes
	Progress func(Progress)
}

// Progress is how far an import or a transfer is.
type Progress struct {
	Phase string // a sentence for people: "reading the image"
	Done  int64  // bytes
	Total int64  // bytes; 0: not known
}

// MaxImageBytes bounds the bytes of one import unless the caller sets less.
const MaxImageBytes = 1 << 40
