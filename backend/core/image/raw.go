package image

import (
	"bytes"
	"encoding/binary"
	"io"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// refuseKnown names what is often uploaded by mistake and what QEMU knows but this platform does not take.
func refuseKnown(head []byte) error {
	for _, k := range []struct{ magic, what string }{
		{"QED\x00", "QED"}, {"conectix", "VHD"}, {"cxsparse", "VHD"}, {"WithoutFreeSpace", "Parallels"},
		{"WithouFreSpacExt", "Parallels"}, {"Bochs Virtual HD Image", "Bochs"}, {"LUKS\xba\xbe", "LUKS-encrypted"}, {"OOOM\x00", "user-mode Linux"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return unsupported(k.what)
		}
	}
	for _, k := range []struct{ magic, what string }{
		{"\x1f\x8b", "gzip"}, {"\xfd7zXZ\x00", "xz"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"}, {"PK\x03\x04", "zip"}, {"7z\xbc\xaf\x27\x1c", "7-zip"}, {"LZIP", "lzip"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return fault.New(fault.Unsupported, "image_compressed", "the file is compressed with %s; unpack it and import what is inside", k.what)
		}
	}
	if start := bytes.ToLower(bytes.TrimSpace(head[:min(len(head), 64)])); bytes.HasPrefix(start, []byte("<!doctype")) || bytes.HasPrefix(start, []byte("<html")) || bytes.HasPrefix(start, []byte("<?xml")) {
		return refuse("image_is_a_page", "the file is a web page, not a disk image: does the address lead to a download page?")
	}
	return nil
}

const (
	isoDescriptorAt = 32 << 10
	isoSector       = 2048
	// isoPadding: some writers count padding that others cut off the file.
	isoPadding  = 150 * isoSector
	maxGPTBytes = 64 << 10
)

// parseRaw takes what has no container: an ISO 9660 volume, or a disk with a partition table, boot sector or file system.
func parseRaw(r io.ReaderAt, size int64, head []byte) (Header, error) {
	if descriptor, err := section(r, size, isoDescriptorAt, isoSector); err != nil {
		return Header{}, err
	} else if len(descriptor) == isoSector && string(descriptor[1:6]) == "CD001" {
		return parseISO(r, size, descriptor)
	}
	if footer, err := section(r, size, max(0, size-sectorSize), sectorSize); err != nil {
		return Header{}, err
	} else if bytes.HasPrefix(footer, []byte("conectix")) {
		return Header{}, unsupported("VHD")
	} else if bytes.HasPrefix(footer, []byte("koly")) {
		return Header{}, unsupported("DMG")
	}
	h := Header{Format: Raw, VirtualBytes: roundUp(size, sectorSize)}
	if hasBootSector(head) {
		var err error
		h.Variant, h.Boots, err = partitions(r, size, head)
		return h, err
	}
	switch {
	case len(head) >= 1082 && head[1080] == 0x53 && head[1081] == 0xef:
		h.Variant = "ext4"
	case bytes.HasPrefix(head, []byte("XFSB")):
		h.Variant = "xfs"
	default:
		return Header{}, refuse("image_unknown", "the file is no disk image that is known: it has no partition table, no boot sector, no file system and no ISO 9660 volume")
	}
	return h, nil
}

func hasBootSector(head []byte) bool {
	return len(head) >= sectorSize && head[510] == 0x55 && head[511] == 0xaa
}

// The type of an EFI system partition in a GPT, in its bytes on disk.
const espType = "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b"

// partitions tells MBR from GPT and what can start the disk: UEFI where there is an EFI system partition, BIOS where the
// boot sector holds code. UEFI comes first, since both are there on images that are made for both.
func partitions(r io.ReaderAt, size int64, head []byte) (variant string, boots []vm.Firmware, err error) {
	variant, esp := "mbr", false
	for i := range 4 {
		esp = esp || head[446+16*i+4] == 0xef
	}
	if len(head) >= 2*sectorSize && string(head[sectorSize:sectorSize+8]) == "EFI PART" {
		variant = "gpt"
		table := head[sectorSize:]
		at, n, width := binary.LittleEndian.Uint64(table[72:]), int64(binary.LittleEndian.Uint32(table[80:])), int64(binary.LittleEndian.Uint32(table[84:]))
		if width < 128 || width > headBytes || n > 1024 || at < 2 || at > uint64(size)/sectorSize {
			return "", nil, refuse("image_gpt", "the disk image has a broken partition table: was the upload cut short?")
		}
		entries, err := section(r, size, int64(at)*sectorSize, int(min(n*width, maxGPTBytes)))
		if err != nil {
			return "", nil, err
		}
		for ; int64(len(entries)) >= width; entries = entries[width:] {
			esp = esp || string(entries[:16]) == espType
		}
	}
	if esp {
		boots = append(boots, vm.UEFI)
	}
	if !zero(head[:440]) {
		boots = append(boots, vm.BIOS)
	}
	return variant, boots, nil
}

func parseISO(r io.ReaderAt, size int64, descriptor []byte) (Header, error) {
	le := binary.LittleEndian
	if claimed := int64(le.Uint32(descriptor[80:])) * int64(le.Uint16(descriptor[128:])); claimed > size+isoPadding {
		return Header{}, refuse("image_iso_short", "the ISO says that it has %d bytes and the file has %d: was the upload cut short?", claimed, size)
	}
	h := Header{Format: ISO, VirtualBytes: roundUp(size, isoSector), Variant: "data"}
	record, err := section(r, size, isoDescriptorAt+isoSector, isoSector)
	if err != nil || len(record) < isoSector || !bytes.HasPrefix(record[1:], []byte("CD001\x01EL TORITO SPECIFICATION")) {
		return h, err
	}
	catalogue, err := section(r, size, int64(le.Uint32(record[71:]))*isoSector, isoSector)
	if err != nil || len(catalogue) < isoSector {
		return h, err
	}
	h.Variant, h.Boots = "bootable", elTorito(catalogue)
	return h, nil
}

// elTorito reads the platforms of a boot catalogue: entries of 32 bytes, the validation entry first, then the default
// entry, then one header per further platform followed by its entries.
func elTorito(catalogue []byte) (boots []vm.Firmware) {
	const entry, efi = 32, 0xef
	uefi, bios := catalogue[1] == efi, catalogue[1] == 0
	for at := 2 * entry; at+entry <= len(catalogue); at += entry {
		switch e := catalogue[at : at+entry]; e[0] {
		case 0x90, 0x91:
			uefi = uefi || e[1] == efi
			bios = bios || e[1] == 0
		}
	}
	if uefi {
		boots = append(boots, vm.UEFI)
	}
	if bios {
		boots = append(boots, vm.BIOS)
	}
	return boots
}

func isTar(head []byte) bool { return len(head) >= 262 && string(head[257:262]) == "ustar" }

func parseTar(_ io.ReaderAt, size int64, _ []byte) (Header, error) {
	return Header{Format: Bundle, VirtualBytes: roundUp(size, sectorSize), Variant: "tar"}, nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
