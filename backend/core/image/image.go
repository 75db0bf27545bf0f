// Package image decides what a disk image is from its own bytes, before any tool looks at it.
package image

import (
	"io"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// Format is the container of a disk image.
type Format string

// The formats that Inspect can answer.
const (
	Raw    Format = "raw"
	ISO    Format = "iso"
	QCOW2  Format = "qcow2"
	VMDK   Format = "vmdk"
	VDI    Format = "vdi"
	VHDX   Format = "vhdx"
	Bundle Format = "bundle" // a tar of manifest.json, kernel, initrd and disk; see Manifest
)

// MaxVirtualBytes is the largest disk that an image may claim.
const MaxVirtualBytes = int64(vm.MaxDiskGiB) << 30

// Header is what Inspect learned of an image.
type Header struct {
	Format       Format
	VirtualBytes int64
	Firmware     vm.Firmware
	Variant      string
}

// Inspect names the format of the size bytes in r, or refuses them.
func Inspect(r io.ReaderAt, size int64) (Header, error) { return Header{}, nil }

func refuse(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, code, format, args...)
}
