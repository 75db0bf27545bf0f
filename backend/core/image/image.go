// Package image decides what a disk image is from its own bytes, before any tool looks at it. Its one idea: the format is
// never guessed by the program that converts or runs an image; this parser names it, refuses what could reach outside the
// file (backing files, external data, descriptors that name other files) or lie about its size, and everything after it gets
// the format spelled out. It deliberately reads headers only and converts nothing.
package image

import (
	"io"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// Format is the container of a disk image.
type Format string

// The formats that Inspect can answer. Raw and ISO are kept as they are, the others are converted to a clean qcow2.
const (
	Raw   Format = "raw"
	ISO   Format = "iso"
	QCOW2 Format = "qcow2"
	VMDK  Format = "vmdk"
	VDI   Format = "vdi"
	VHDX  Format = "vhdx"
	// Bundle is a tar of manifest.json, kernel, initrd and disk; see Manifest.
	Bundle Format = "bundle"
)

// MaxVirtualBytes is the largest disk that an image may claim.
const MaxVirtualBytes = int64(vm.MaxDiskGiB) << 30

// Header is what Inspect learned of an image.
type Header struct {
	Format       Format
	VirtualBytes int64         // size of the disk that a guest sees; of a bundle the size of the file
	Boots        []vm.Firmware // what starts a raw disk or an ISO, preferred first; empty: it cannot be seen from outside
	Variant      string        // the dialect inside a format, for messages: "v3", "streamOptimized", "gpt"
}

// Inspect names the format of the size bytes in r, or refuses them with fault.Invalid or fault.Unsupported and one sentence.
// It reads at most a few hundred KiB, whatever the bytes claim, and never panics on hostile input.
func Inspect(r io.ReaderAt, size int64) (Header, error) {
	if size < sectorSize {
		return Header{}, refuse("image_too_small", "the image has %d bytes, and no disk image is smaller than %d: was the upload cut short?", size, sectorSize)
	}
	head, err := prefix(r, size, headBytes)
	if err != nil {
		return Header{}, err
	}
	for _, p := range parsers {
		if !p.match(head) {
			continue
		}
		h, err := p.parse(r, size, head)
		if err != nil {
			return Header{}, err
		}
		return h, checkVirtual(h)
	}
	if err := refuseKnown(head); err != nil {
		return Header{}, err
	}
	h, err := parseRaw(r, size, head)
	if err != nil {
		return Header{}, err
	}
	return h, checkVirtual(h)
}

// The parsers by magic. Raw has none and is what remains.
var parsers = []struct {
	match func(head []byte) bool
	parse func(r io.ReaderAt, size int64, head []byte) (Header, error)
}{
	{isQCOW2, parseQCOW2},
	{isVMDK, parseVMDK},
	{isVDI, parseVDI},
	{isVHDX, parseVHDX},
	{isTar, parseTar},
}

const (
	sectorSize = 512
	headBytes  = 4096 // covers every magic and fixed header that is matched on
)

// prefix reads up to n bytes from the start of r, fewer where the image is shorter.
func prefix(r io.ReaderAt, size int64, n int) ([]byte, error) {
	return section(r, size, 0, n)
}

// section reads up to n bytes at off, fewer where the image ends.
func section(r io.ReaderAt, size, off int64, n int) ([]byte, error) {
	if off < 0 || off >= size {
		return nil, nil
	}
	if rest := size - off; int64(n) > rest {
		n = int(rest)
	}
	buf := make([]byte, n)
	if got, err := r.ReadAt(buf, off); got < n {
		return nil, fault.Wrap(err, fault.Internal, "image_read", "the image could not be read; try the import again")
	}
	return buf, nil
}

// checkVirtual holds the claimed size of the disk within what a VM may have.
func checkVirtual(h Header) error {
	switch {
	case h.VirtualBytes <= 0:
		return refuse("image_empty", "the %s image describes a disk of no bytes", h.Format)
	case h.VirtualBytes > MaxVirtualBytes:
		return refuse("image_oversize", "the %s image claims a disk of %d GiB and the limit is %d GiB", h.Format, h.VirtualBytes>>30, vm.MaxDiskGiB)
	}
	return nil
}

func refuse(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, code, format, args...)
}
