package main

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// maxKernel bounds an unpacked kernel, 256 MiB; a distribution's cloud kernel has about 50.
const maxKernel = 256 << 20

// unpackKernel gives the form of a kernel that starts fastest in QEMU: for x86-64 the ELF file inside the bzImage, entered
// through PVH, which saves the guest its own unpacking; for arm64 the plain Image.
func unpackKernel(packed []byte) ([]byte, error) {
	if len(packed) > 0x260 && string(packed[0x202:0x206]) == "HdrS" {
		vmlinux, err := unpackBzImage(packed)
		if err != nil {
			return nil, err
		}
		return compactELF(vmlinux)
	}
	if bytes.HasPrefix(packed, []byte{0x1f, 0x8b}) {
		return decompress(packed)
	}
	// An EFI image with a compressed payload: "MZ", "zimg", then offset and size of the payload.
	if len(packed) > 16 && string(packed[4:8]) == "zimg" {
		offset := uint64(binary.LittleEndian.Uint32(packed[8:]))
		size := uint64(binary.LittleEndian.Uint32(packed[12:]))
		if offset+size > uint64(len(packed)) {
			return nil, errors.New("the compressed payload lies outside of the file")
		}
		return decompress(packed[offset : offset+size])
	}
	return packed, nil
}

// unpackBzImage finds the payload by the fields of the boot protocol (2.08 and later).
func unpackBzImage(packed []byte) ([]byte, error) {
	sectors := uint64(packed[0x1f1])
	if sectors == 0 {
		sectors = 4 // an old convention of the boot protocol
	}
	offset := (sectors+1)*512 + uint64(binary.LittleEndian.Uint32(packed[0x248:]))
	length := uint64(binary.LittleEndian.Uint32(packed[0x24c:]))
	if length < 8 || offset+length > uint64(len(packed)) {
		return nil, errors.New("the compressed kernel lies outside of the file")
	}
	// The last four bytes are the unpacked size.
	return decompress(packed[offset : offset+length-4])
}

func decompress(packed []byte) ([]byte, error) {
	var reader io.Reader
	var err error
	switch source := bytes.NewReader(packed); {
	case bytes.HasPrefix(packed, []byte{0x02, 0x21, 0x4c, 0x18}):
		return decompressLegacyLZ4(packed[4:])
	case bytes.HasPrefix(packed, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		// The kernel's windows are larger than the decoder's default bound.
		reader, err = zstd.NewReader(source, zstd.WithDecoderMaxWindow(1<<30), zstd.WithDecoderConcurrency(1))
	case bytes.HasPrefix(packed, []byte{0x1f, 0x8b}):
		reader, err = gzip.NewReader(source)
	case bytes.HasPrefix(packed, []byte("\xfd7zXZ\x00")):
		reader, err = xz.NewReader(source)
	default:
		return nil, fmt.Errorf("unknown compression, first bytes % x", packed[:min(8, len(packed))])
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(reader, maxKernel+1))
	if err == nil && len(data) > maxKernel {
		err = fmt.Errorf("the kernel unpacks to more than %d bytes", maxKernel)
	}
	return data, err
}

// legacyBlock is the unpacked size of every block but the last in LZ4's legacy format.
const legacyBlock = 8 << 20

func decompressLegacyLZ4(packed []byte) ([]byte, error) {
	var out []byte
	block := make([]byte, legacyBlock)
	for len(packed) >= 4 {
		size := uint64(binary.LittleEndian.Uint32(packed))
		packed = packed[4:]
		if size > uint64(len(packed)) {
			return nil, errors.New("an LZ4 block lies outside of the file")
		}
		n, err := lz4.UncompressBlock(packed[:size], block)
		if err != nil {
			return nil, err
		}
		out = append(out, block[:n]...)
		if len(out) > maxKernel {
			return nil, fmt.Errorf("the kernel unpacks to more than %d bytes", maxKernel)
		}
		packed = packed[size:]
	}
	return out, nil
}

const (
	headerSize  = 64
	segmentSize = 56
	alignment   = 4096
)

// compactELF rewrites a 64-bit kernel with its loadable segments and notes only. A distribution's vmlinux is a third zeros
// (alignment, .bss and relocations); every byte left out is read, copied and stored less often. The loader fills a segment
// with zeros from its file size to its memory size.
func compactELF(kernel []byte) ([]byte, error) {
	file, err := elf.NewFile(bytes.NewReader(kernel))
	if err != nil {
		return nil, err
	}
	if file.Class != elf.ELFCLASS64 || file.Data != elf.ELFDATA2LSB {
		return nil, errors.New("not a 64-bit little-endian kernel")
	}
	var notes []*elf.Prog
	type segment struct {
		elf.ProgHeader
		data []byte
	}
	var segments []segment
	offset := uint64(alignment)
	for _, p := range file.Progs {
		switch p.Type {
		case elf.PT_LOAD:
			data := make([]byte, p.Filesz)
			if _, err := io.ReadFull(p.Open(), data); err != nil {
				return nil, fmt.Errorf("segment at %#x: %w", p.Off, err)
			}
			s := segment{p.ProgHeader, bytes.TrimRight(data, "\x00")}
			s.Filesz = uint64(len(s.data))
			s.Off = offset
			offset += (s.Filesz + alignment - 1) / alignment * alignment
			segments = append(segments, s)
		case elf.PT_NOTE:
			notes = append(notes, p)
		}
	}
	// Notes (the PVH entry is one) lie inside a loadable segment and move with it.
	for _, n := range notes {
		for i, p := range loads(file) {
			if n.Paddr >= p.Paddr && n.Paddr+n.Filesz <= p.Paddr+segments[i].Filesz {
				header := n.ProgHeader
				header.Off = segments[i].Off + n.Paddr - p.Paddr
				segments = append(segments, segment{ProgHeader: header})
				break
			}
		}
	}
	out := make([]byte, offset)
	copy(out, kernel[:headerSize])
	le := binary.LittleEndian
	le.PutUint64(out[32:], headerSize)            // program headers right behind the header
	le.PutUint64(out[40:], 0)                     // no section headers
	le.PutUint16(out[56:], uint16(len(segments))) // number of program headers
	le.PutUint16(out[60:], 0)
	le.PutUint16(out[62:], 0)
	for i, s := range segments {
		h := out[headerSize+i*segmentSize:]
		le.PutUint32(h, uint32(s.Type))
		le.PutUint32(h[4:], uint32(s.Flags))
		for j, v := range []uint64{s.Off, s.Vaddr, s.Paddr, s.Filesz, s.Memsz, alignment} {
			le.PutUint64(h[8+8*j:], v)
		}
		if s.Type == elf.PT_NOTE {
			le.PutUint64(h[48:], 4)
		}
		copy(out[s.Off:], s.data)
	}
	return out, nil
}

func loads(file *elf.File) []*elf.Prog {
	var found []*elf.Prog
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD {
			found = append(found, p)
		}
	}
	return found
}
