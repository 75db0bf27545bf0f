package image

import (
	"bytes"
	"encoding/binary"
	"io"

	"novacron/backend/core/fault"
)

const (
	vdiSignature  = 0xbeda107f
	vdiVersion    = 0x00010001
	vdiHeaderEnd  = 0x1c8   // bytes of the fixed header; fewer than the smallest image has
	vdiBlockBytes = 1 << 20 // every writer uses 1 MiB
	vdiDynamic    = 1
	vdiStatic     = 2
)

func isVDI(head []byte) bool {
	return len(head) >= 68 && binary.LittleEndian.Uint32(head[64:]) == vdiSignature
}

func parseVDI(_ io.ReaderAt, size int64, head []byte) (Header, error) {
	le := binary.LittleEndian
	if v := le.Uint32(head[68:]); v != vdiVersion {
		return Header{}, fault.New(fault.Unsupported, "image_version", "the VDI has version %#x and only %#x is known", v, vdiVersion)
	}
	kind, mapAt, dataAt := le.Uint32(head[76:]), int64(le.Uint32(head[340:])), int64(le.Uint32(head[344:]))
	virtual, blocks := le.Uint64(head[368:]), int64(le.Uint32(head[384:]))
	switch {
	case kind != vdiDynamic && kind != vdiStatic:
		return Header{}, fault.New(fault.Unsupported, "image_vdi_type", "the VDI is of type %d and only dynamic and fixed disks are accepted", kind)
	case !zero(head[424:456]):
		return Header{}, refuse("image_backing_file", "the VDI is a difference to another disk; convert it with qemu-img convert -O qcow2 and import that")
	case virtual > uint64(MaxVirtualBytes):
		return Header{}, refuse("image_oversize", "the VDI claims a disk of %d GiB and the limit is %d GiB", virtual>>30, MaxVirtualBytes>>30)
	case le.Uint32(head[360:]) != sectorSize || le.Uint32(head[376:]) != vdiBlockBytes:
		return Header{}, refuse("image_header", "the VDI has a broken header: sectors of %d and blocks of %d bytes", le.Uint32(head[360:]), le.Uint32(head[376:]))
	case int64(virtual) > blocks*vdiBlockBytes || int64(le.Uint32(head[388:])) > blocks:
		return Header{}, refuse("image_header", "the VDI has a broken header: %d blocks for a disk of %d bytes", blocks, virtual)
	case mapAt < vdiHeaderEnd || mapAt%sectorSize != 0 || dataAt%sectorSize != 0 || mapAt+blocks*4 > dataAt || mapAt+blocks*4 > size:
		return Header{}, refuse("image_header", "the VDI has its block map outside of the file: was the upload cut short?")
	}
	variant := "dynamic"
	if kind == vdiStatic {
		variant = "fixed"
	}
	return Header{Format: VDI, VirtualBytes: int64(virtual), Variant: variant}, nil
}

func isVHDX(head []byte) bool { return bytes.HasPrefix(head, []byte("vhdxfile")) }

func parseVHDX(io.ReaderAt, int64, []byte) (Header, error) {
	return Header{}, unsupported("VHDX")
}

func unsupported(what string) error {
	return fault.New(fault.Unsupported, "image_format", "%s images are not accepted; convert it with qemu-img convert -O qcow2 and import that", what)
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
