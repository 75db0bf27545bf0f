package image

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// The members of a bundle. Kernel, initrd and disk stand under the names that the manifest gives them.
const (
	ManifestName     = "manifest.json"
	MaxManifestBytes = 64 << 10
	MaxKernelBytes   = 256 << 20
	MaxInitrdBytes   = 1 << 30
	maxCmdline       = 2048 // bytes; Linux on x86-64 takes 2048 with the terminating zero
	maxText          = 64   // characters of a name
)

// Manifest describes a bundle: an image that starts by loading its kernel directly, without firmware.
type Manifest struct {
	Name         string      `json:"name"`
	OS           string      `json:"os"`
	Arch         vm.Arch     `json:"arch"`
	Firmware     vm.Firmware `json:"firmware"` // always direct
	Cmdline      string      `json:"cmdline"`  // the whole kernel command line
	Kernel       string      `json:"kernel"`   // member of the bundle: ELF (entered by PVH) or bzImage
	Initrd       string      `json:"initrd"`   // member of the bundle; empty: none
	Disk         string      `json:"disk"`     // member of the bundle; empty: the root is in the initrd
	DiskFormat   Format      `json:"disk_format,omitempty"`
	MinMemoryMiB int         `json:"min_memory_mib"`
	MinDiskGiB   int         `json:"min_disk_gib"`
}

// DecodeManifest reads and checks a manifest.
func DecodeManifest(b []byte) (Manifest, error) {
	if len(b) > MaxManifestBytes {
		return Manifest{}, refuse("manifest_too_large", "%s has %d bytes and the limit is %d", ManifestName, len(b), MaxManifestBytes)
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fault.Wrap(err, fault.Invalid, "manifest_syntax", "%s of the bundle is not the JSON object that it must be", ManifestName)
	}
	if _, err := d.Token(); err != io.EOF {
		return Manifest{}, refuse("manifest_syntax", "%s of the bundle has something behind its JSON object", ManifestName)
	}
	return m, m.Check()
}

// Check holds every field within its bounds.
func (m Manifest) Check() error {
	switch {
	case !text(m.Name, maxText) || m.Name == "":
		return manifestField("name", "must have 1 to %d printable characters", maxText)
	case !text(m.OS, maxText):
		return manifestField("os", "must have at most %d printable characters", maxText)
	case m.Arch != vm.X86_64 && m.Arch != vm.AArch64:
		return manifestField("arch", "must be %s or %s", vm.X86_64, vm.AArch64)
	case m.Firmware != vm.Direct:
		return manifestField("firmware", "must be %q: import a disk image where firmware shall start it", vm.Direct)
	case !text(m.Cmdline, maxCmdline):
		return manifestField("cmdline", "must have at most %d printable characters", maxCmdline)
	case m.MinMemoryMiB < 0 || m.MinMemoryMiB > vm.MaxMemoryMiB:
		return manifestField("min_memory_mib", "must be 0 to %d", vm.MaxMemoryMiB)
	case m.MinDiskGiB < 0 || m.MinDiskGiB > vm.MaxDiskGiB:
		return manifestField("min_disk_gib", "must be 0 to %d", vm.MaxDiskGiB)
	}
	return m.checkMembers()
}

func (m Manifest) checkMembers() error {
	switch {
	case !member(m.Kernel):
		return manifestField("kernel", "must be the plain name of a member of the bundle")
	case m.Initrd != "" && !member(m.Initrd):
		return manifestField("initrd", "must be the plain name of a member of the bundle, or empty")
	case m.Disk != "" && !member(m.Disk):
		return manifestField("disk", "must be the plain name of a member of the bundle, or empty")
	case m.Kernel == m.Initrd || m.Kernel == m.Disk || m.Initrd != "" && m.Initrd == m.Disk:
		return manifestField("kernel", "must differ from initrd and disk: each is a member of its own")
	case m.Disk == "" && m.DiskFormat != "":
		return manifestField("disk_format", "must be empty without a disk")
	case m.Disk != "" && m.DiskFormat != Raw && m.DiskFormat != QCOW2:
		return manifestField("disk_format", "must be %s or %s", Raw, QCOW2)
	}
	return nil
}

func manifestField(field, format string, args ...any) error {
	return refuse("manifest_"+field, ManifestName+" of the bundle: "+field+" "+format, args...)
}

// member reports whether s is a plain file name: no folder, no hidden file, nothing that a shell or a path would bend.
func member(s string) bool {
	if s == "" || len(s) > maxText || s[0] == '.' || s[0] == '-' || s == ManifestName {
		return false
	}
	return strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_')
	}) < 0
}

func text(s string, limit int) bool {
	return len(s) <= limit && strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}
