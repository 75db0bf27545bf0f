package image

import (
	"encoding/json"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

func good() Manifest {
	return Manifest{Name: "tiny", OS: "tiny", Arch: vm.X86_64, Firmware: vm.Direct, Cmdline: "console=ttyS0 quiet", Kernel: "vmlinux", Initrd: "initrd.img", Disk: "disk.raw", DiskFormat: Raw, MinMemoryMiB: 96}
}

func TestManifest_Check(t *testing.T) {
	for name, spoil := range map[string]func(*Manifest){
		"no name":                   func(m *Manifest) { m.Name = "" },
		"a long name":               func(m *Manifest) { m.Name = strings.Repeat("x", 65) },
		"a name with a line break":  func(m *Manifest) { m.Name = "a\nb" },
		"a strange system":          func(m *Manifest) { m.OS = "\x1b[31m" },
		"an unknown architecture":   func(m *Manifest) { m.Arch = "m68k" },
		"firmware":                  func(m *Manifest) { m.Firmware = vm.UEFI },
		"a long command line":       func(m *Manifest) { m.Cmdline = strings.Repeat("x", 2049) },
		"a command line of lines":   func(m *Manifest) { m.Cmdline = "a\nb" },
		"negative memory":           func(m *Manifest) { m.MinMemoryMiB = -1 },
		"a huge disk":               func(m *Manifest) { m.MinDiskGiB = vm.MaxDiskGiB + 1 },
		"no kernel":                 func(m *Manifest) { m.Kernel = "" },
		"a kernel by path":          func(m *Manifest) { m.Kernel = "/boot/vmlinuz" },
		"a kernel above":            func(m *Manifest) { m.Kernel = ".." },
		"an initrd by path":         func(m *Manifest) { m.Initrd = "../x" },
		"a disk by path":            func(m *Manifest) { m.Disk = "a/b" },
		"a disk like an option":     func(m *Manifest) { m.Disk = "-o" },
		"the manifest as a member":  func(m *Manifest) { m.Kernel = ManifestName },
		"one member twice":          func(m *Manifest) { m.Initrd = m.Kernel },
		"a disk of another format":  func(m *Manifest) { m.DiskFormat = VMDK },
		"a disk without its format": func(m *Manifest) { m.DiskFormat = "" },
		"a format without a disk":   func(m *Manifest) { m.Disk = "" },
	} {
		m := good()
		spoil(&m)
		if err := m.Check(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := good().Check(); err != nil {
		t.Error(err)
	}
}

func TestDecodeManifest_takesOneKnownObject(t *testing.T) {
	text, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeManifest(text); err != nil || got != good() {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, s := range map[string]string{
		"nothing":          "",
		"a list":           "[]",
		"an unknown field": strings.Replace(string(text), `"os"`, `"run"`, 1),
		"two objects":      string(text) + string(text),
		"too many bytes":   string(text) + strings.Repeat(" ", MaxManifestBytes),
	} {
		if _, err := DecodeManifest([]byte(s)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestCheckKernel(t *testing.T) {
	head := make([]byte, 1024)
	for name, put := range map[string]struct {
		off   int
		magic string
	}{"ELF": {0, "\x7fELF"}, "bzImage": {0x202, "HdrS"}, "arm64": {56, "ARM\x64"}} {
		b := append([]byte(nil), head...)
		copy(b[put.off:], put.magic)
		if err := CheckKernel(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, head, []byte("#!/bin/sh\n")} {
		if err := CheckKernel(b); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.10q: got %v", b, err)
		}
	}
}

func TestFindSum_readsWhatMakersWrite(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("B", 64)
	for name, c := range map[string]struct{ text, want string }{
		"GNU":           {b + "  other\n" + a + "  disk.img\n", "sha256:" + a},
		"GNU binary":    {a + " *disk.img\n", "sha256:" + a},
		"BSD, signed":   {"-----BEGIN PGP SIGNED MESSAGE-----\n# disk.img: 1 bytes\nSHA256 (disk.img) = " + b + "\n", "sha256:" + strings.ToLower(b)},
		"alone":         {a + "\n", "sha256:" + a},
		"another file":  {a + "  disk.img.torrent\n", ""},
		"short digits":  {a[:40] + "  disk.img\n", ""},
		"not digits":    {strings.Repeat("x", 64) + "  disk.img\n", ""},
		"nothing":       {"", ""},
		"a page":        {"<html>" + a + "</html>", ""},
		"two bare sums": {a + "\n" + b + "\n", ""},
	} {
		if got := FindSum([]byte(c.text), "disk.img", SHA256); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCatalogue_isFetchedOverTLSFromItsMaker(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Catalogue() {
		key := o.Name + string(o.Arch)
		if seen[key] || !strings.HasPrefix(o.URL, "https://") || !strings.HasPrefix(o.SumsURL, "https://") || o.Sum != SHA256 && o.Sum != SHA512 || o.MinMemory == 0 || o.MinDisk == 0 || o.Login == "" {
			t.Errorf("%+v is incomplete or there twice", o)
		}
		seen[key] = true
	}
	if _, ok := FindOfficial("debian-12", vm.AArch64); !ok {
		t.Error("debian-12 for arm64 is not found")
	}
	if _, ok := FindOfficial("debian-12", "m68k"); ok {
		t.Error("debian-12 for m68k is found")
	}
}
