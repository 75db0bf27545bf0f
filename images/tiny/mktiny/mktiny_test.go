package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pierrec/lz4/v4"
)

// kernelELF makes a 64-bit ELF file with one loadable segment that ends in zeros and a note inside of it.
func kernelELF(content []byte, zeros int) []byte {
	le := binary.LittleEndian
	const offset = 0x1000
	data := append(append([]byte{}, content...), make([]byte, zeros)...)
	out := make([]byte, offset+len(data))
	copy(out, elf.ELFMAG)
	out[4], out[5], out[6] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	le.PutUint16(out[16:], uint16(elf.ET_EXEC))
	le.PutUint16(out[18:], uint16(elf.EM_X86_64))
	le.PutUint32(out[20:], 1)
	le.PutUint64(out[24:], 0x1000000) // entry
	le.PutUint64(out[32:], headerSize)
	le.PutUint16(out[52:], headerSize)
	le.PutUint16(out[54:], segmentSize)
	le.PutUint16(out[56:], 2)
	load := out[headerSize:]
	le.PutUint32(load, uint32(elf.PT_LOAD))
	for i, v := range []uint64{offset, 0xffffffff81000000, 0x1000000, uint64(len(data)), uint64(len(data)), 0x1000} {
		le.PutUint64(load[8+8*i:], v)
	}
	note := out[headerSize+segmentSize:]
	le.PutUint32(note, uint32(elf.PT_NOTE))
	for i, v := range []uint64{offset + 4, 0xffffffff81000004, 0x1000004, 8, 8, 4} {
		le.PutUint64(note[8+8*i:], v)
	}
	copy(out[offset:], data)
	return out
}

func TestCompactELF_keepsContentEntryAndNotesAndDropsZeros(t *testing.T) {
	content := []byte("codeNOTENOTEmore code")
	compact, err := compactELF(kernelELF(content, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if len(compact) > 3*alignment {
		t.Errorf("%d bytes are left; the zeros were to go", len(compact))
	}
	file, err := elf.NewFile(bytes.NewReader(compact))
	if err != nil {
		t.Fatal(err)
	}
	if file.Entry != 0x1000000 {
		t.Errorf("entry %#x, want 0x1000000", file.Entry)
	}
	load, note := file.Progs[0], file.Progs[1]
	if want := uint64(len(content) + 1<<20); load.Memsz != want {
		t.Errorf("the segment takes %d bytes of memory, want %d", load.Memsz, want)
	}
	got, err := io.ReadAll(load.Open())
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the segment holds %q (%v), want %q", got, err, content)
	}
	if got, err = io.ReadAll(note.Open()); err != nil || string(got) != "NOTENOTE" {
		t.Errorf("the note holds %q (%v), want NOTENOTE", got, err)
	}
}

// bzImage wraps a kernel as the boot protocol says, compressed in LZ4's legacy format.
func bzImage(t *testing.T, kernel []byte) []byte {
	t.Helper()
	block := make([]byte, lz4.CompressBlockBound(len(kernel)))
	n, err := lz4.CompressBlock(kernel, block, nil)
	if err != nil || n == 0 {
		t.Fatalf("compressed to %d bytes: %v", n, err)
	}
	payload := binary.LittleEndian.AppendUint32([]byte{0x02, 0x21, 0x4c, 0x18}, uint32(n))
	payload = append(payload, block[:n]...)
	payload = binary.LittleEndian.AppendUint32(payload, uint32(len(kernel)))
	out := make([]byte, 1024)
	out[0x1f1] = 1 // set-up code of one sector
	copy(out[0x202:], "HdrS")
	binary.LittleEndian.PutUint32(out[0x248:], 0)
	binary.LittleEndian.PutUint32(out[0x24c:], uint32(len(payload)))
	return append(out, payload...)
}

func TestUnpackKernel_findsTheKernelInsideABzImage(t *testing.T) {
	kernel := kernelELF([]byte("codeNOTENOTEmore code"), 1<<16)
	got, err := unpackKernel(bzImage(t, kernel))
	if err != nil {
		t.Fatal(err)
	}
	want, err := compactELF(kernel)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the unpacked kernel differs from the one packed")
	}
}

func TestUnpackKernel_refusesABzImageThatEndsEarly(t *testing.T) {
	whole := bzImage(t, kernelELF([]byte("codeNOTENOTEmore code"), 1<<16))
	if _, err := unpackKernel(whole[:len(whole)-16]); err == nil {
		t.Error("a bzImage without its end was taken")
	}
}

func TestUnpackKernel_leavesAnUncompressedArm64ImageAlone(t *testing.T) {
	image := append([]byte("MZ\x40\xfa"), make([]byte, 1024)...)
	got, err := unpackKernel(image)
	if err != nil || !bytes.Equal(got, image) {
		t.Errorf("the image was changed (%v)", err)
	}
}

func TestApplets_areReadOutOfTheProgram(t *testing.T) {
	// What stands before the list differs between releases.
	for _, before := range []string{"code\x00", "text "} {
		program := []byte(before + "[\x00[[\x00acpid\x00ash\x00zcat\x00Usage: \x00zzz\x00")
		if diff := cmp.Diff([]string{"[", "[[", "acpid", "ash", "zcat"}, applets(program)); diff != "" {
			t.Errorf("applets behind %q differ (-want +got):\n%s", before, diff)
		}
	}
}

func TestClosure_putsEachModuleBehindItsNeeds(t *testing.T) {
	set := &moduleSet{
		paths:   map[string]string{"virtio": "x", "virtio_ring": "x", "virtio_blk": "x"},
		builtin: map[string]bool{"ext4": true},
		loaded: map[string]*module{
			"virtio_ring": {name: "virtio_ring"},
			"virtio":      {name: "virtio", needs: []string{"virtio-ring"}},
			"virtio_blk":  {name: "virtio_blk", needs: []string{"virtio_ring", "virtio"}},
		},
	}
	modules, err := set.closure([]string{"virtio_blk", "ext4", "virtio", "of_another_kernel"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range modules {
		got = append(got, m.name)
	}
	if diff := cmp.Diff([]string{"virtio_ring", "virtio", "virtio_blk"}, got); diff != "" {
		t.Errorf("order differs (-want +got):\n%s", diff)
	}
}

func TestBundle_startsWithTheManifestAndIsTheSameEveryTime(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"disk.raw", "initrd", "kernel", "manifest.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second := filepath.Join(t.TempDir(), "a.tar"), filepath.Join(t.TempDir(), "b.tar")
	for _, path := range []string{first, second} {
		if err := writeBundle(dir, path); err != nil {
			t.Fatal(err)
		}
	}
	a, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two bundles of the same files differ")
	}
	var names []string
	for archive := tar.NewReader(bytes.NewReader(a)); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
	if got := strings.Join(names, " "); got != "manifest.json disk.raw initrd kernel" {
		t.Errorf("the bundle holds %s", got)
	}
}
