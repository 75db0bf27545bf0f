package storage

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/core/vm"
	"novacron/backend/storage/durable"
)

const mib = 1 << 20

func TestImport_keepsARawDiskSparseAndAsItIs(t *testing.T) {
	c := newCache(t)
	raw := disk(64 * mib)
	info, err := c.Import(t.Context(), bytes.NewReader(raw), ImportOptions{Name: "data", Arch: vm.AArch64})
	must(t, err)
	if info.Digest != sum(raw) || info.Source != info.Digest || info.Format != image.Raw || info.Disk.Format != "raw" || !info.Disk.ReadOnly || info.VirtualBytes != 64*mib || info.Firmware != vm.BIOS || info.Arch != vm.AArch64 {
		t.Errorf("got %+v", info)
	}
	st, err := os.Stat(info.Disk.Path)
	must(t, err)
	if used := durable.Allocated(st); used > mib || st.Mode().Perm() != 0o444 {
		t.Errorf("the file takes %d bytes and has mode %v", used, st.Mode().Perm())
	}
	wantBytes(t, c, info.Digest, raw)
}

func TestImport_convertsToACleanQCOW2InTheJail(t *testing.T) {
	for _, format := range []string{"qcow2", "vmdk", "vdi", "qcow2 compat=0.10", "vmdk subformat=streamOptimized"} {
		t.Run(format, func(t *testing.T) {
			c := newCache(t)
			raw := disk(8 * mib)
			source := convert(t, raw, format)
			info, err := c.Import(t.Context(), bytes.NewReader(source), ImportOptions{})
			must(t, err)
			if info.Format != image.QCOW2 || info.Disk.Format != "qcow2" || info.VirtualBytes != 8*mib || info.Source != sum(source) || info.Firmware != vm.BIOS {
				t.Errorf("got %+v", info)
			}
			back := filepath.Join(t.TempDir(), "raw")
			out, err := exec.Command("qemu-img", "convert", "-f", "qcow2", "-O", "raw", info.Disk.Path, back).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got, _ := os.ReadFile(back); !bytes.Equal(got, raw) {
				t.Error("the content changed")
			}
			again, err := c.Import(t.Context(), bytes.NewReader(source), ImportOptions{})
			must(t, err)
			if again.Digest != info.Digest {
				t.Error("a second import of the same bytes made another image")
			}
			wantFiles(t, c, 1)
		})
	}
}

func TestImport_refusesBeforeAnyToolLooks(t *testing.T) {
	backed, err := image.NewQCOW2(mib, "/etc/passwd", image.Raw)
	must(t, err)
	t.Setenv("PATH", t.TempDir()) // no tool could be found
	c := newCache(t)
	_, err = c.Import(t.Context(), bytes.NewReader(backed), ImportOptions{})
	wantCode(t, "image_backing_file", err)
	wantFiles(t, c, 0)
}

func TestImport_refusesAQCOW2ThatIsDamagedBehindItsHeader(t *testing.T) {
	needQEMU(t)
	b, err := image.NewQCOW2(mib, "", "")
	must(t, err)
	b[3*65536], b[3*65536+6] = 0x80, 0x02 // the L1 entry points to the middle of a cluster
	c := newCache(t)
	_, err = c.Import(t.Context(), bytes.NewReader(b), ImportOptions{})
	wantCode(t, "image_conversion", err)
	wantFiles(t, c, 0)
}

func TestImport_checksTheChecksum(t *testing.T) {
	raw := disk(mib)
	for name, o := range map[string]struct{ sum, code string }{
		"right sha256": {sum(raw), ""},
		"right sha512": {fmt.Sprintf("sha512:%x", sha512.Sum512(raw)), ""},
		"wrong sha256": {sum([]byte("x")), "image_checksum"},
		"wrong sha512": {"sha512:" + strings.Repeat("0", 128), "image_checksum"},
		"no checksum":  {"md5:123", "image_checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t)
			_, err := c.Import(t.Context(), bytes.NewReader(raw), ImportOptions{Checksum: o.sum})
			wantCode(t, o.code, err)
			wantFiles(t, c, map[bool]int{true: 1, false: 0}[o.code == ""])
		})
	}
}

func TestImport_givesNoImageToWhoeverHasItsChecksumOnly(t *testing.T) {
	c := newCache(t)
	raw := disk(mib)
	_, err := c.Import(t.Context(), bytes.NewReader(raw), ImportOptions{})
	must(t, err)
	info, err := c.Import(t.Context(), bytes.NewReader(disk(2*mib)), ImportOptions{Checksum: sum(raw)})
	wantCode(t, "image_checksum", err)
	if info.Digest != "" {
		t.Errorf("other bytes became %s", info.Digest)
	}
	wantFiles(t, c, 1)
}

func TestImport_boundsTheBytes(t *testing.T) {
	c := newCache(t)
	for _, o := range []ImportOptions{{MaxBytes: 1000}, {MaxBytes: 1000, Size: mib}} {
		_, err := c.Import(t.Context(), bytes.NewReader(disk(mib)), o)
		wantCode(t, "image_too_large", err)
	}
	_, err := c.Import(t.Context(), bytes.NewReader(disk(mib)), ImportOptions{Size: 1 << 60, MaxBytes: 1 << 61})
	wantCode(t, "disk_full", err)
	if s := fault.Sentence(err); !strings.Contains(s, "1 EiB") || !strings.Contains(s, "free") {
		t.Errorf("the sentence is %q", s)
	}
	wantFiles(t, c, 0)
}

func TestImport_stopsWhenItsCallerGaveUp(t *testing.T) {
	c := newCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	src := io.MultiReader(bytes.NewReader(disk(4*mib)), readerFunc(func([]byte) (int, error) { cancel(); return 1, nil }), bytes.NewReader(disk(64*mib)))
	if _, err := c.Import(ctx, src, ImportOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	wantFiles(t, c, 0)
}

func TestImport_ofTheSameBytesByManyMakesOneImage(t *testing.T) {
	needQEMU(t)
	c := newCache(t)
	source := convert(t, disk(8*mib), "qcow2")
	var wait sync.WaitGroup
	digests := make([]string, 8)
	for i := range digests {
		wait.Go(func() {
			info, err := c.Import(t.Context(), bytes.NewReader(source), ImportOptions{})
			digests[i] = fmt.Sprint(info.Digest, err)
		})
	}
	wait.Wait()
	for _, d := range digests {
		if d != digests[0] || !strings.HasSuffix(d, "<nil>") {
			t.Fatalf("got %q and %q", digests[0], d)
		}
	}
	wantFiles(t, c, 1)
}

func TestImport_onAFullDiskSaysSoAndLeavesNothingBehind(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	needQEMU(t)
	small := t.TempDir()
	if err := unix.Mount("small", small, "tmpfs", 0, "size=4m"); err != nil {
		t.Skip("needs to mount a small file system: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	c, err := OpenCache(Config{Root: filepath.Join(small, "images")})
	must(t, err)
	full := bytes.Repeat([]byte("x"), 8*mib)
	copy(full[510:], "\x55\xaa")
	packed := convert(t, full, "qcow2 -c")
	for name, src := range map[string][]byte{"while reading": full, "while converting": packed} {
		_, err = c.Import(t.Context(), bytes.NewReader(src), ImportOptions{})
		if !fault.Is(err, fault.Exhausted) || !strings.Contains(fault.Sentence(err), "MiB") {
			t.Errorf("%s: got %v", name, err)
		}
		wantFiles(t, c, 0)
	}
}

func TestOpenCache_sweepsHalfImportsAndKeepsWholeOnes(t *testing.T) {
	c := newCache(t)
	info, err := c.Import(t.Context(), bytes.NewReader(disk(mib)), ImportOptions{Name: "a"})
	must(t, err)
	damaged, err := c.Import(t.Context(), bytes.NewReader(disk(2*mib)), ImportOptions{Name: "b"})
	must(t, err)
	must(t, os.Remove(damaged.Disk.Path))
	must(t, os.Mkdir(filepath.Join(c.root, stagingPrefix+"1"), 0o700))
	must(t, os.Mkdir(filepath.Join(c.root, trashPrefix+"1"), 0o700))
	c, err = OpenCache(Config{Root: c.root})
	must(t, err)
	all, err := c.List()
	must(t, err)
	if len(all) != 1 || all[0].Digest != info.Digest || all[0].Disk != info.Disk || c.Has(damaged.Digest) {
		t.Fatalf("got %+v", all)
	}
	_, err = c.Import(t.Context(), bytes.NewReader(disk(2*mib)), ImportOptions{})
	must(t, err)
	wantFiles(t, c, 2)
}

func TestRemove_refusesWhileAGuardSaysSo(t *testing.T) {
	c, used := newCache(t), true
	info, err := c.Import(t.Context(), bytes.NewReader(disk(mib)), ImportOptions{})
	must(t, err)
	c.Guard(func(d string) bool { return used && d == info.Digest })
	wantCode(t, "image_in_use", c.Remove(info.Digest))
	blob, err := c.Open(info.Digest)
	must(t, err)
	defer blob.Close()
	used = false
	must(t, c.Remove(info.Digest))
	must(t, c.Remove(info.Digest))
	wantFiles(t, c, 0)
	if got, err := io.ReadAll(blob); err != nil || !bytes.Equal(got, disk(mib)) {
		t.Errorf("a reader that was there first got %d bytes, %v", len(got), err)
	}
	wantCode(t, "image_not_found", second(c.Open(info.Digest)))
}
