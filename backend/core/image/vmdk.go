package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strconv"
	"strings"

	"novacron/backend/core/fault"
)

// A VMDK is a sparse extent with an embedded text, the descriptor, which can name other files as extents or parent. QEMU
// follows those names, so the descriptor must describe this one file and nothing else.

const (
	vmdkMagic          = "KDMV"
	maxDescriptorBytes = 64 << 10
	vmdkGDAtEnd        = ^uint64(0) // the grain directory's offset stands in a footer
	maxVMDKTable       = 512        // grain table entries; every writer uses 512
	maxGrainSectors    = 128 << 11  // 128 MiB in sectors, as in QEMU
)

func isVMDK(head []byte) bool {
	return bytes.HasPrefix(head, []byte(vmdkMagic)) || bytes.HasPrefix(head, []byte("COWD")) || isDescriptor(head)
}

// isDescriptor finds a descriptor that stands alone, as QEMU does: behind any comment and blank lines.
func isDescriptor(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("# Disk DescriptorFile"))
}

func parseVMDK(r io.ReaderAt, size int64, head []byte) (Header, error) {
	if !bytes.HasPrefix(head, []byte(vmdkMagic)) {
		return Header{}, refuse("image_vmdk_descriptor", "the VMDK is a description of other files, not a disk; convert it with qemu-img convert -O qcow2 and import that")
	}
	le := binary.LittleEndian
	version, capacity, grain := le.Uint32(head[4:]), le.Uint64(head[12:]), le.Uint64(head[20:])
	switch {
	case version < 1 || version > 3:
		return Header{}, fault.New(fault.Unsupported, "image_version", "the VMDK has version %d and only 1 to 3 are known", version)
	case capacity == 0: // QEMU would then follow the descriptor to other files
		return Header{}, refuse("image_vmdk_descriptor", "the VMDK describes a disk in other files; convert it with qemu-img convert -O qcow2 and import that")
	case capacity > uint64(MaxVirtualBytes/sectorSize):
		return Header{}, refuse("image_oversize", "the VMDK claims a disk of %d GiB and the limit is %d GiB", capacity>>21, MaxVirtualBytes>>30)
	case grain < 8 || grain > maxGrainSectors || grain&(grain-1) != 0 || le.Uint32(head[44:]) != maxVMDKTable:
		return Header{}, refuse("image_header", "the VMDK has a broken header: grains of %d sectors in tables of %d", grain, le.Uint32(head[44:]))
	case !bytes.Equal(head[73:77], []byte("\n \r\n")):
		return Header{}, refuse("image_header", "the VMDK was changed by a transfer as text; transfer it again as binary")
	}
	directory := le.Uint64(head[56:])
	if directory == vmdkGDAtEnd {
		var err error
		if directory, err = vmdkFooter(r, size, head); err != nil {
			return Header{}, err
		}
	}
	if err := vmdkDirectory(directory, capacity, grain, size); err != nil {
		return Header{}, err
	}
	variant, err := vmdkDescriptor(r, size, le.Uint64(head[28:]), le.Uint64(head[36:]))
	if err != nil {
		return Header{}, err
	}
	return Header{Format: VMDK, VirtualBytes: int64(capacity) * sectorSize, Variant: variant}, nil
}

// vmdkFooter reads the second header that stands at the end of a file written as a stream. QEMU believes it rather than the
// first, so it must say the same in all but the place of the directory.
func vmdkFooter(r io.ReaderAt, size int64, head []byte) (directory uint64, err error) {
	const footerBytes = 3 * sectorSize // a marker, the header, a marker
	at := roundUp(size, sectorSize) - footerBytes + sectorSize
	footer, err := section(r, size, at, sectorSize)
	if err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	switch {
	case len(footer) < sectorSize || !bytes.HasPrefix(footer, []byte(vmdkMagic)):
		return 0, refuse("image_header", "the VMDK has no footer: was the upload cut short?")
	case !bytes.Equal(footer[4:48], head[4:48]) || le.Uint64(footer[56:]) == vmdkGDAtEnd:
		return 0, refuse("image_header", "the VMDK has a broken footer, which describes another disk than its header")
	}
	return le.Uint64(footer[56:]), nil
}

// vmdkDirectory checks that the grain directory lies within the file.
func vmdkDirectory(at, capacity, grain uint64, size int64) error {
	covers := grain * maxVMDKTable
	length := (capacity + covers - 1) / covers * 4
	if length > maxL1Bytes {
		return refuse("image_header", "the VMDK has a broken header: its directory would have %d bytes", length)
	}
	if at == 0 || at > uint64(size)/sectorSize || at*sectorSize+length > uint64(size) {
		return refuse("image_header", "the VMDK has its directory outside of the file: was the upload cut short?")
	}
	return nil
}

func vmdkDescriptor(r io.ReaderAt, size int64, at, sectors uint64) (string, error) {
	if at == 0 || sectors == 0 || sectors > maxDescriptorBytes/sectorSize || at > uint64(size)/sectorSize {
		return "", refuse("image_vmdk_descriptor", "the VMDK has no readable description of itself")
	}
	// QEMU reads 20 sectors whatever the header says, and finds the parent's name anywhere in them, comments included.
	const read = 20
	text, err := section(r, size, int64(at)*sectorSize, int(max(sectors, read))*sectorSize)
	if err != nil {
		return "", err
	}
	if bytes.Contains(bytes.ToLower(text), []byte("parentfilenamehint")) {
		return "", refuse("image_backing_file", "the VMDK is a difference to another disk; convert it with qemu-img convert -O qcow2 and import that")
	}
	text = text[:min(len(text), int(sectors)*sectorSize)]
	if i := bytes.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	return checkDescriptor(text)
}

// checkDescriptor gives the createType of a descriptor with one sparse extent and no parent.
func checkDescriptor(text []byte) (string, error) {
	kind, extents := "", 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxDescriptorBytes)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.Trim(strings.TrimSpace(value), `"`)
		switch {
		case line == "" || line[0] == '#':
		case key == "createtype":
			kind = value
		case key == "parentcid" && !strings.EqualFold(value, "ffffffff"):
			return "", refuse("image_backing_file", "the VMDK is a difference to another disk; convert it with qemu-img convert -O qcow2 and import that")
		case isExtent(line):
			extents++
			if fields := strings.Fields(line); fields[2] != "SPARSE" {
				return "", refuse("image_vmdk_descriptor", "the VMDK has an extent of type %s, which lies in another file; convert it with qemu-img convert -O qcow2 and import that", strconv.Quote(clip(fields[2])))
			}
		}
	}
	switch {
	case lines.Err() != nil:
		return "", refuse("image_vmdk_descriptor", "the VMDK has no readable description of itself")
	case extents != 1:
		return "", refuse("image_vmdk_descriptor", "the VMDK describes %d extents and must have exactly one, itself", extents)
	case kind != "monolithicSparse" && kind != "streamOptimized":
		return "", fault.New(fault.Unsupported, "image_vmdk_type", "the VMDK is of type %s and only monolithicSparse and streamOptimized are accepted", strconv.Quote(clip(kind)))
	}
	return kind, nil
}

// isExtent matches `RW 20480 SPARSE "name"` in any case: access, length, type.
func isExtent(line string) bool {
	f := strings.Fields(line)
	if len(f) < 3 {
		return false
	}
	switch strings.ToUpper(f[0]) {
	case "RW", "RDONLY", "NOACCESS":
		return true
	}
	return false
}

// clip bounds what is repeated of hostile text in a message.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most]
	}
	return s
}
