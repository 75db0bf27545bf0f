package storage

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"novacron/backend/core/image"
	"novacron/backend/core/vm"
)

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
