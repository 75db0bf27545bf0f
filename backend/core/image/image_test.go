package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

var update = flag.Bool("update", false, "write the hostile images of testdata anew")

// image is bytes under construction.
type bytesImage []byte

func (b bytesImage) put(off int, s string) bytesImage { copy(b[off:], s); return b }
func (b bytesImage) be32(off int, n uint32) bytesImage {
	binary.BigEndian.PutUint32(b[off:], n)
	return b
}
func (b bytesImage) be64(off int, n uint64) bytesImage {
	binary.BigEndian.PutUint64(b[off:], n)
	return b
}
func (b bytesImage) le32(off int, n uint32) bytesImage {
	binary.LittleEndian.PutUint32(b[off:], n)
	return b
}
func (b bytesImage) le64(off int, n uint64) bytesImage {
	binary.LittleEndian.PutUint64(b[off:], n)
	return b
}

func qcow2() bytesImage {
	b, err := NewQCOW2(1<<30, "", "")
	if err != nil {
		panic(err)
	}
	return b
}

func qcow2v2() bytesImage {
	return bytesImage(bytes.Clone(qcow2())).be32(4, 2).put(72, strings.Repeat("\x00", 40))
}

const goodDescriptor = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\nRW 20480 SPARSE \"a.vmdk\"\n"

func vmdk(descriptor string) bytesImage {
	b := make(bytesImage, 64<<10)
	return b.put(0, "KDMV").le32(4, 1).le64(12, 20480).le64(20, 128).le64(28, 1).le64(36, 20).le32(44, 512).le64(48, 21).le64(56, 26).
		le64(64, 128).put(73, "\n \r\n").put(512, descriptor)
}

// streamVMDK has its directory's place in a footer.
func streamVMDK() bytesImage {
	b := vmdk(strings.Replace(goodDescriptor, "monolithicSparse", "streamOptimized", 1))
	b.put(len(b)-1024, string(b[:512])).le64(56, vmdkGDAtEnd)
	return b
}

func vdi() bytesImage {
	b := make(bytesImage, 4096)
	return b.put(0, "<<< disk >>>\n").le32(64, vdiSignature).le32(68, vdiVersion).le32(76, 1).le32(340, 512).le32(344, 1024).
		le32(360, 512).le64(368, 10<<20).le32(376, 1<<20).le32(384, 10)
}

func raw() bytesImage {
	b := make(bytesImage, 64<<10)
	return b.put(0, "\xeb\x63").put(510, "\x55\xaa")
}

func gpt() bytesImage {
	b := raw()
	return b.put(512, "EFI PART").le64(512+72, 2).le32(512+80, 128).le32(512+84, 128).put(1024, espType)
}

func iso() bytesImage {
	b := make(bytesImage, 64<<10)
	return b.put(32768, "\x01CD001\x01").le32(32768+80, 32).le32(32768+128, 2048)
}

func bootISO() bytesImage {
	b := iso()
	b.put(34816, "\x00CD001\x01EL TORITO SPECIFICATION").le32(34816+71, 20)
	return b.put(20*2048, "\x01\x00").put(20*2048+32, "\x88").put(20*2048+64, "\x91\xef\x01\x00").put(20*2048+96, "\x88")
}

func TestInspect_namesTheFormat(t *testing.T) {
	for _, c := range []struct {
		name  string
		image bytesImage
		want  Header
	}{
		{"qcow2 version 3", qcow2(), Header{Format: QCOW2, VirtualBytes: 1 << 30, Variant: "v3"}},
		{"qcow2 version 2", qcow2v2(), Header{Format: QCOW2, VirtualBytes: 1 << 30, Variant: "v2"}},
		{"vmdk", vmdk(goodDescriptor), Header{Format: VMDK, VirtualBytes: 10 << 20, Variant: "monolithicSparse"}},
		{"vmdk for streams", streamVMDK(), Header{Format: VMDK, VirtualBytes: 10 << 20, Variant: "streamOptimized"}},
		{"vdi", vdi(), Header{Format: VDI, VirtualBytes: 10 << 20, Variant: "dynamic"}},
		{"raw with MBR", raw(), Header{Format: Raw, VirtualBytes: 64 << 10, Variant: "mbr", Boots: []vm.Firmware{vm.BIOS}}},
		{"raw with GPT and an EFI system partition", gpt(), Header{Format: Raw, VirtualBytes: 64 << 10, Variant: "gpt", Boots: []vm.Firmware{vm.UEFI, vm.BIOS}}},
		{"raw with GPT and no boot code", gpt().put(0, "\x00\x00"), Header{Format: Raw, VirtualBytes: 64 << 10, Variant: "gpt", Boots: []vm.Firmware{vm.UEFI}}},
		{"raw of odd length", append(raw(), 1), Header{Format: Raw, VirtualBytes: 64<<10 + 512, Variant: "mbr", Boots: []vm.Firmware{vm.BIOS}}},
		{"raw with a file system", make(bytesImage, 4096).put(1080, "\x53\xef"), Header{Format: Raw, VirtualBytes: 4096, Variant: "ext4"}},
		{"iso", iso(), Header{Format: ISO, VirtualBytes: 64 << 10, Variant: "data"}},
		{"iso with an MBR too", iso().put(510, "\x55\xaa"), Header{Format: ISO, VirtualBytes: 64 << 10, Variant: "data"}},
		{"bootable iso", bootISO(), Header{Format: ISO, VirtualBytes: 64 << 10, Variant: "bootable", Boots: []vm.Firmware{vm.UEFI, vm.BIOS}}},
		{"bundle", make(bytesImage, 1024).put(257, "ustar"), Header{Format: Bundle, VirtualBytes: 1024, Variant: "tar"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Inspect(bytes.NewReader(c.image), int64(len(c.image)))
			if err != nil {
				t.Fatal(err)
			}
			if got.Format != c.want.Format || got.VirtualBytes != c.want.VirtualBytes || got.Variant != c.want.Variant || !slices.Equal(got.Boots, c.want.Boots) {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// hostile images by the code of their refusal. They stand in testdata too, cut to a few KiB, so that other tools can be
// tried on the same bytes.
func hostile() map[string]bytesImage {
	backed, err := NewQCOW2(1<<30, "/etc/shadow", Raw)
	if err != nil {
		panic(err)
	}
	descriptor := func(old, replacement string) bytesImage {
		return vmdk(strings.Replace(goodDescriptor, old, replacement, 1))
	}
	return map[string]bytesImage{
		"image_backing_file qcow2":                    backed,
		"image_backing_file qcow2 v2":                 qcow2v2().be64(8, 512).be32(16, 11).put(512, "/etc/shadow"),
		"image_backing_file qcow2 no name":            qcow2().be64(8, 512),
		"image_backing_file qcow2 far away":           qcow2().be64(8, 1<<40).be32(16, 10),
		"image_backing_file qcow2 long name":          qcow2().be64(8, 512).be32(16, 1<<31),
		"image_external_data qcow2":                   qcow2().be64(72, featureData),
		"image_external_data qcow2 extension":         qcow2().be32(112, extensionData).be32(116, 8).put(120, "/etc/pwd"),
		"image_encrypted qcow2":                       qcow2().be32(32, 1),
		"image_encrypted qcow2 luks":                  qcow2().be32(32, 2),
		"image_encrypted qcow2 extension":             qcow2().be32(112, extensionCrypto).be32(116, 16),
		"image_features qcow2":                        qcow2().be64(72, 1<<9),
		"image_corrupt qcow2":                         qcow2().be64(72, featureCorrupt),
		"image_dirty qcow2":                           qcow2().be64(72, featureDirty),
		"image_compression qcow2":                     qcow2().be64(72, featureCompression).put(104, "\x07"),
		"image_version qcow2":                         qcow2().be32(4, 4),
		"image_cluster_bits qcow2 few":                qcow2().be32(20, 8),
		"image_cluster_bits qcow2 many":               qcow2().be32(20, 22),
		"image_cluster_bits qcow2 wrap":               qcow2().be32(20, 0xffffffff),
		"image_oversize qcow2":                        qcow2().be64(24, 1<<62),
		"image_oversize qcow2 negative":               qcow2().be64(24, 1<<63),
		"image_empty qcow2":                           qcow2().be64(24, 0),
		"image_l1 qcow2 small":                        qcow2().be32(36, 1),
		"image_l1 qcow2 huge":                         qcow2().be32(36, 0xffffffff),
		"image_l1 qcow2 outside":                      qcow2().be64(40, 1<<40),
		"image_l1 qcow2 negative":                     qcow2().be64(40, 0xffffffffffff0000),
		"image_l1 qcow2 crooked":                      qcow2().be64(40, 0x30001),
		"image_l1 qcow2 in the header":                qcow2().be64(40, 0),
		"image_refcounts qcow2 none":                  qcow2().be32(56, 0),
		"image_refcounts qcow2 huge":                  qcow2().be32(56, 0xffffffff),
		"image_refcounts qcow2 outside":               qcow2().be64(48, 1<<50),
		"image_snapshots qcow2 many":                  qcow2().be32(60, 0xffffffff),
		"image_snapshots qcow2 outside":               qcow2().be32(60, 1).be64(64, 1<<50),
		"image_header qcow2 short":                    qcow2()[:600].put(100, "\x00\x00\x00\x08"),
		"image_header qcow2 refcount order":           qcow2().be32(96, 60),
		"image_header qcow2 length":                   qcow2().be32(100, 0x7ffffff8),
		"image_extensions qcow2 long":                 qcow2().be32(112, 0x1234).be32(116, 0xffffffff),
		"image_vmdk_descriptor alone":                 make(bytesImage, 1024).put(0, "# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n"),
		"image_vmdk_descriptor alone and spaced":      make(bytesImage, 1024).put(0, "\n\n # Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n"),
		"image_vmdk_descriptor no capacity":           vmdk(goodDescriptor).le64(12, 0),
		"image_vmdk_descriptor none":                  vmdk(goodDescriptor).le64(28, 0),
		"image_vmdk_descriptor outside":               vmdk(goodDescriptor).le64(28, 1<<60),
		"image_vmdk_descriptor flat":                  descriptor(`SPARSE "a.vmdk"`, `FLAT "/etc/shadow" 0`),
		"image_vmdk_descriptor two extents":           vmdk(goodDescriptor + "RW 1 SPARSE \"b.vmdk\"\n"),
		"image_vmdk_descriptor no extent":             descriptor("RW 20480", "# RW 20480"),
		"image_vmdk_descriptor COWD":                  make(bytesImage, 1024).put(0, "COWD"),
		"image_backing_file vmdk":                     descriptor("parentCID=ffffffff", "parentCID=12345678"),
		"image_backing_file vmdk hint in a comment":   vmdk(goodDescriptor + "#parentFileNameHint=\"/etc/shadow\"\n"),
		"image_backing_file vmdk hint behind the end": vmdk(goodDescriptor).le64(36, 1).put(512+600, "parentFileNameHint=\"/etc/shadow\""),
		"image_header vmdk footer":                    streamVMDK().le64(64<<10-1024+12, 1<<40),
		"image_header vmdk no footer":                 streamVMDK().put(64<<10-1024, "X"),
		"image_backing_file vmdk hint":                vmdk(goodDescriptor + "parentFileNameHint=\"/etc/shadow\"\n"),
		"image_vmdk_type":                             descriptor("monolithicSparse", "monolithicFlat"),
		"image_version vmdk":                          vmdk(goodDescriptor).le32(4, 9),
		"image_oversize vmdk":                         vmdk(goodDescriptor).le64(12, 1<<60),
		"image_header vmdk grain":                     vmdk(goodDescriptor).le64(20, 0),
		"image_header vmdk text":                      vmdk(goodDescriptor).put(73, "\n \n\n"),
		"image_header vmdk directory":                 vmdk(goodDescriptor).le64(56, 1<<62),
		"image_version vdi":                           vdi().le32(68, 9),
		"image_vdi_type":                              vdi().le32(76, 4),
		"image_backing_file vdi":                      vdi().put(430, "x"),
		"image_oversize vdi":                          vdi().le64(368, 1<<63),
		"image_header vdi blocks":                     vdi().le32(384, 1),
		"image_header vdi map":                        vdi().le32(384, 0x7fffffff),
		"image_header vdi block size":                 vdi().le32(376, 0),
		"image_format vhdx":                           make(bytesImage, 1024).put(0, "vhdxfile"),
		"image_format vhd":                            make(bytesImage, 1024).put(0, "conectix"),
		"image_format vhd fixed":                      append(raw(), make(bytesImage, 512).put(0, "conectix")...),
		"image_format dmg":                            append(raw(), make(bytesImage, 512).put(0, "koly")...),
		"image_format luks":                           make(bytesImage, 1024).put(0, "LUKS\xba\xbe"),
		"image_compressed gzip":                       make(bytesImage, 1024).put(0, "\x1f\x8b"),
		"image_compressed xz":                         make(bytesImage, 1024).put(0, "\xfd7zXZ\x00"),
		"image_is_a_page":                             make(bytesImage, 1024).put(0, "\n<!DOCTYPE html><html>"),
		"image_iso_short":                             iso().le32(32768+80, 1<<20),
		"image_gpt table":                             gpt().le64(512+72, 1<<60),
		"image_gpt entries":                           gpt().le32(512+84, 1<<31),
		"image_unknown":                               make(bytesImage, 1024).put(0, "hello"),
		"image_too_small":                             make(bytesImage, 100),
	}
}

func TestInspect_refusesHostileImagesWithTheirReason(t *testing.T) {
	for name, b := range hostile() {
		t.Run(name, func(t *testing.T) {
			_, err := Inspect(bytes.NewReader(b), int64(len(b)))
			var f *fault.Error
			want, _, _ := strings.Cut(name, " ")
			if !errors.As(err, &f) || f.Code != want {
				t.Fatalf("got %v (%+v), want %s", err, f, want)
			}
			if strings.ContainsAny(f.Message, "\n\x00") || strings.Contains(f.Message, "/etc/") || len(f.Message) > 300 {
				t.Fatalf("the sentence %q repeats what the image says or is too long", f.Message)
			}
		})
	}
}

// The corpus holds the first KiB of each, which is where the hostile numbers stand; cut there, each must be refused still.
func TestInspect_refusesTheCorpus(t *testing.T) {
	const cut = 2048
	if *update {
		for name, b := range hostile() {
			path := filepath.Join("testdata", "hostile", strings.ReplaceAll(name, " ", "-")+".img")
			if err := os.WriteFile(path, b[:min(len(b), cut)], 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob("testdata/hostile/*.img")
	if err != nil || len(files) != len(hostile()) {
		t.Fatalf("%d files, %v; want %d", len(files), err, len(hostile()))
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(path, "vhd-fixed") || strings.Contains(path, "dmg") || strings.Contains(path, "iso-short") {
			continue // what gives these away stands behind the cut
		}
		if _, err := Inspect(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
}

func TestInspect_reportsAnImageThatCannotBeRead(t *testing.T) {
	if _, err := Inspect(broken{}, 1<<20); !fault.Is(err, fault.Internal) {
		t.Fatalf("got %v", err)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

func FuzzInspect(f *testing.F) {
	for _, b := range hostile() {
		f.Add([]byte(b))
	}
	for _, b := range []bytesImage{qcow2(), qcow2v2(), vmdk(goodDescriptor), vdi(), raw(), gpt(), bootISO()} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Inspect(bytes.NewReader(b), int64(len(b)))
		if err == nil && (h.Format == "" || h.VirtualBytes <= 0 || h.VirtualBytes > MaxVirtualBytes) {
			t.Fatalf("took an image as %+v", h)
		}
		if err != nil && fault.KindOf(err) == fault.Internal {
			t.Fatalf("blamed itself: %v", err)
		}
		_, _ = Boots(bytes.NewReader(b), int64(len(b)))
		_, _ = Untouched(bytes.NewReader(b), int64(len(b)))
	})
}

func TestNewQCOW2_refusesWhatItCannotWrite(t *testing.T) {
	for name, err := range map[string]error{
		"no size":        second(NewQCOW2(0, "", "")),
		"half a sector":  second(NewQCOW2(100, "", "")),
		"a huge size":    second(NewQCOW2(MaxVirtualBytes+512, "", "")),
		"a long path":    second(NewQCOW2(512, strings.Repeat("x", 1024), Raw)),
		"a backing vmdk": second(NewQCOW2(512, "x", VMDK)),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestNewQCOW2_writesWhatReadQCOW2Reads(t *testing.T) {
	for _, size := range []int64{512, 1 << 29, 1<<29 + 512, MaxVirtualBytes} {
		b, err := NewQCOW2(size, "../../images/x/disk", Raw)
		if err != nil {
			t.Fatal(err)
		}
		q, err := ReadQCOW2(bytes.NewReader(b), int64(len(b)))
		if err != nil || q.VirtualBytes != size || q.BackingName != "../../images/x/disk" || q.Snapshots != 0 {
			t.Fatalf("size %d: got %+v, %v", size, q, err)
		}
		if fresh, err := Untouched(bytes.NewReader(b), int64(len(b))); err != nil || !fresh {
			t.Fatalf("size %d: untouched is %v, %v", size, fresh, err)
		}
	}
}

func TestBoots_looksInsideAQCOW2(t *testing.T) {
	// L1 entry 0 → L2 in cluster 4 → data in cluster 5.
	b := append(qcow2(), make(bytesImage, 2*clusterBytes)...)
	b.be64(3*clusterBytes, 1<<63|4*clusterBytes).be64(4*clusterBytes, 1<<63|5*clusterBytes)
	copy(b[5*clusterBytes:], gpt())
	got, err := Boots(bytes.NewReader(b), int64(len(b)))
	if err != nil || !slices.Equal(got, []vm.Firmware{vm.UEFI, vm.BIOS}) {
		t.Fatalf("got %v, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }
