package storage

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
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

func TestImportFile_takesTheFileOverAndGivesItBackWhenRefused(t *testing.T) {
	c := newCache(t)
	path := filepath.Join(c.root, "..", "upload")
	must(t, os.WriteFile(path, []byte(strings.Repeat("no image", 100)), 0o600))
	_, err := c.ImportFile(t.Context(), path, ImportOptions{})
	wantCode(t, "image_unknown", err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the refused upload is gone: %v", err)
	}
	must(t, os.WriteFile(path, disk(mib), 0o600))
	info, err := c.ImportFile(t.Context(), path, ImportOptions{})
	must(t, err)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || info.Digest != sum(disk(mib)) {
		t.Fatalf("the upload is still there (%v) or became %s", err, info.Digest)
	}
	must(t, os.WriteFile(path, disk(mib), 0o600))
	_, err = c.ImportFile(t.Context(), path, ImportOptions{})
	must(t, err)
	wantFiles(t, c, 1)
}

func TestBundle_travelsBetweenNodesByItsDigest(t *testing.T) {
	for _, format := range []image.Format{image.Raw, image.QCOW2} {
		t.Run(string(format), func(t *testing.T) {
			content := disk(mib)
			if format == image.QCOW2 {
				content = convert(t, content, "qcow2")
			}
			a, b := newCache(t), newCache(t)
			sent, err := a.Import(t.Context(), bytes.NewReader(bundle(t, manifest(format), kernel, "initrd", string(content))), ImportOptions{})
			must(t, err)
			if sent.Name != "tiny" || sent.Cmdline != "quiet" || sent.Firmware != vm.Direct || sent.DiskFormat != format || sent.VirtualBytes != mib || sent.MinMemoryMiB != 96 {
				t.Errorf("got %+v", sent)
			}
			got := receive(t, a, b, sent)
			if text(t, got.Kernel) != kernel || text(t, got.Initrd) != "initrd" || got.Disk.Format != string(format) {
				t.Errorf("the other node has %+v", got)
			}
			sent.Disk, sent.Kernel, sent.Initrd, sent.Source, sent.ImportedAt = got.Disk, got.Kernel, got.Initrd, got.Source, got.ImportedAt
			if fmt.Sprint(sent) != fmt.Sprint(got) {
				t.Errorf("sent %+v\ngot  %+v", sent, got)
			}
		})
	}
}

func TestBundle_isRefused(t *testing.T) {
	good := manifest(image.Raw)
	content := string(disk(mib))
	change := func(f func(*image.Manifest)) image.Manifest { m := good; f(&m); return m }
	for name, c := range map[string]struct {
		tar  []byte
		code string
	}{
		"without manifest":        {archive(t, tar.Header{Name: "kernel"}, "x"), "bundle_manifest"},
		"with a broken manifest":  {archive(t, tar.Header{Name: "manifest.json"}, "{"), "manifest_syntax"},
		"with a path":             {bundle(t, change(func(m *image.Manifest) { m.Kernel = "../kernel" }), kernel, "i", content), "manifest_kernel"},
		"without its kernel":      {archive(t, tar.Header{Name: "manifest.json"}, encode(t, good)), "bundle_member"},
		"with another member":     {append(archive(t, tar.Header{Name: "../../etc/cron.d/x"}, "x")[:1024], bundle(t, good, kernel, "i", content)...), "bundle_member"},
		"with a link":             {append(archive(t, tar.Header{Name: "initrd", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}, "")[:512], bundle(t, good, kernel, "i", content)...), "bundle_member"},
		"with a member twice":     {append(archive(t, tar.Header{Name: "initrd"}, "x")[:1024], bundle(t, good, kernel, "i", content)...), "bundle_member"},
		"with a script as kernel": {bundle(t, good, "#!/bin/sh\n", "i", content), "bundle_kernel"},
		"with an empty disk":      {bundle(t, good, kernel, "i", ""), "bundle_disk"},
		"with a false format":     {bundle(t, change(func(m *image.Manifest) { m.DiskFormat = image.QCOW2 }), kernel, "i", content), "bundle_disk"},
		"cut short":               {bundle(t, good, kernel, "i", content)[:4000], "bundle_damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := newCache(t)
			_, err := cache.Import(t.Context(), bytes.NewReader(c.tar), ImportOptions{})
			wantCode(t, c.code, err)
			wantFiles(t, cache, 0)
		})
	}
}

func TestReceive_takesDisksByTheirDigest(t *testing.T) {
	for name, source := range map[string][]byte{"raw": disk(4 * mib), "qcow2": convert(t, disk(4*mib), "vmdk")} {
		t.Run(name, func(t *testing.T) {
			a, b := newCache(t), newCache(t)
			sent, err := a.Import(t.Context(), bytes.NewReader(source), ImportOptions{})
			must(t, err)
			got := receive(t, a, b, sent)
			if got.VirtualBytes != sent.VirtualBytes || got.Disk.Format != sent.Disk.Format || got.Firmware != sent.Firmware || got.Bytes != sent.Bytes {
				t.Errorf("sent %+v\ngot  %+v", sent, got)
			}
		})
	}
}

func TestReceive_refusesWhatIsNotTheImage(t *testing.T) {
	c, raw := newCache(t), disk(mib)
	backed, err := image.NewQCOW2(mib, "/etc/passwd", image.Raw)
	must(t, err)
	loose := bundle(t, manifest(image.Raw), kernel, "initrd", string(disk(mib)))
	for name, r := range map[string]struct {
		digest string
		size   int64
		bytes  []byte
		code   string
	}{
		"other bytes":                 {sum([]byte("x")), mib, raw, "image_digest"},
		"fewer bytes":                 {sum(raw), mib, raw[:mib/2], "image_digest"},
		"more bytes":                  {sum(raw), mib / 2, raw, "image_too_large"},
		"a digest that is none":       {"sha256:../../x", mib, raw, "image_digest"},
		"a disk on another file":      {sum(backed), int64(len(backed)), backed, "image_backing_file"},
		"a bundle as it was imported": {sum(loose), int64(len(loose)), loose, "image_digest"},
	} {
		_, err := c.Receive(t.Context(), r.digest, r.size, bytes.NewReader(r.bytes), nil)
		if code(err) != r.code {
			t.Errorf("%s: got %v, want %s", name, err, r.code)
		}
	}
	wantFiles(t, c, 0)
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

func TestBlob_seeksLikeAFile(t *testing.T) {
	c := newCache(t)
	info, err := c.Import(t.Context(), bytes.NewReader(bundle(t, manifest(image.Raw), kernel, "initrd", string(disk(mib)))), ImportOptions{})
	must(t, err)
	b, err := c.Open(info.Digest)
	must(t, err)
	defer b.Close()
	whole, err := io.ReadAll(b)
	must(t, err)
	for _, off := range []int64{0, 1, 511, 512, 700, 2000, info.Bytes - 1, info.Bytes} {
		_, err := b.Seek(off, io.SeekStart)
		must(t, err)
		rest, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(rest, whole[off:]) {
			t.Fatalf("from %d: %d bytes, %v; want %d", off, len(rest), err, len(whole[off:]))
		}
	}
}

const kernel = "\x7fELF kernel"

func manifest(f image.Format) image.Manifest {
	return image.Manifest{Name: "tiny", Arch: vm.X86_64, Firmware: vm.Direct, Cmdline: "quiet", Kernel: "vmlinux", Initrd: "initrd", Disk: "root.img", DiskFormat: f, MinMemoryMiB: 96}
}

func encode(t *testing.T, m image.Manifest) string {
	t.Helper()
	b, err := json.Marshal(m)
	must(t, err)
	return string(b)
}

func bundle(t *testing.T, m image.Manifest, kernel, initrd, disk string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct{ name, content string }{{m.Kernel, kernel}, {"manifest.json", encode(t, m)}, {"./" + m.Initrd, initrd}, {m.Disk, disk}} {
		must(t, w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644, Uid: 1000}))
		_, err := w.Write([]byte(f.content))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func archive(t *testing.T, h tar.Header, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h.Size = int64(len(content))
	must(t, w.WriteHeader(&h))
	_, err := w.Write([]byte(content))
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// disk has a boot sector and something in its middle.
func disk(size int) []byte {
	b := make([]byte, size)
	copy(b, "\xeb\x63")
	copy(b[510:], "\x55\xaa")
	copy(b[size/2:], "middle")
	return b
}

// convert makes a file of another format with qemu-img: "format options".
func convert(t *testing.T, raw []byte, format string) []byte {
	t.Helper()
	needQEMU(t)
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	must(t, os.WriteFile(from, raw, 0o600))
	name, option, _ := strings.Cut(format, " ")
	args := []string{"convert", "-f", "raw", "-O", name, from, to}
	switch {
	case option == "-c":
		args = append(args[:1:1], append([]string{"-c"}, args[1:]...)...)
	case option != "":
		args = append(args[:1:1], append([]string{"-o", option}, args[1:]...)...)
	}
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(to)
	must(t, err)
	return b
}

func newCache(t *testing.T) *Cache {
	t.Helper()
	c, err := OpenCache(Config{Root: filepath.Join(t.TempDir(), "images")})
	must(t, err)
	return c
}

func receive(t *testing.T, from, to *Cache, info Info) Info {
	t.Helper()
	b, err := from.Open(info.Digest)
	must(t, err)
	defer b.Close()
	if b.Size() != info.Bytes {
		t.Fatalf("%d bytes are sent and %d were told", b.Size(), info.Bytes)
	}
	last := int64(0)
	got, err := to.Receive(t.Context(), info.Digest, info.Bytes, b, func(done int64) { last = done })
	must(t, err)
	if got.Digest != info.Digest || last != info.Bytes || !to.Has(info.Digest) {
		t.Fatalf("received %s with progress %d of %d", got.Digest, last, info.Bytes)
	}
	return got
}

func wantBytes(t *testing.T, c *Cache, digest string, want []byte) {
	t.Helper()
	b, err := c.Open(digest)
	must(t, err)
	defer b.Close()
	if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the blob has %d bytes (%v) and %d were imported", len(got), err, len(want))
	}
}

// wantFiles compares the folder with the index: nothing of a failed import may stay.
func wantFiles(t *testing.T, c *Cache, want int) {
	t.Helper()
	entries, err := os.ReadDir(c.root)
	must(t, err)
	all, err := c.List()
	must(t, err)
	if len(entries) != want || len(all) != want {
		t.Errorf("the folder holds %v and the index %d images, want %d", entries, len(all), want)
	}
}

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func wantCode(t *testing.T, want string, err error) {
	t.Helper()
	if got := code(err); got != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func second[T any](_ T, err error) error { return err }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needQEMU(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("needs qemu-img, from the package qemu-utils")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
