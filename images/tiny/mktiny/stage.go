package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// stage is the layout of one guest.
type stage struct {
	arch     string
	packages string
	recipe   string
	tree     string
	out      string
}

// platform is what differs between the architectures.
type platform struct {
	serial  string
	loader  string // the dynamic loader's path, fixed in every program
	cmdline string
}

// The parameters that save time at boot under software emulation and cost nothing under KVM. There is no tsc_early_khz: it
// would fix the guest's clock to a guess of the host's. No console=tty0: the kernel's and init's words go to the serial line.
const (
	quiet = "quiet loglevel=3 panic=-1 nowatchdog rcupdate.rcu_expedited=1 random.trust_cpu=on mitigations=off memhp_default_state=online"
	x86   = "console=ttyS0 no_timer_check noreplace-smp i8042.noaux 8250.nr_uarts=1 " + quiet
	arm   = "console=ttyAMA0 " + quiet
)

var platforms = map[string]platform{
	"x86_64":  {serial: "ttyS0", loader: "lib64/ld-linux-x86-64.so.2", cmdline: x86},
	"aarch64": {serial: "ttyAMA0", loader: "lib/ld-linux-aarch64.so.1", cmdline: arm},
}

// manifest describes the image to the platform; the field names are part of the bundle's format.
type manifest struct {
	Name         string `json:"name"`
	OS           string `json:"os"`
	Arch         string `json:"arch"`
	Firmware     string `json:"firmware"`
	Cmdline      string `json:"cmdline"`
	Kernel       string `json:"kernel"`
	Initrd       string `json:"initrd"`
	Disk         string `json:"disk"`
	DiskFormat   string `json:"disk_format"`
	MinMemoryMiB int    `json:"min_memory_mib"`
	MinDiskGiB   int    `json:"min_disk_gib"`
}

// bootModules are what the initial RAM disk needs to reach the root disk; the rest is on the disk and is loaded for the
// devices that are there. A name that the kernel has built in is passed over.
var bootModules = []string{"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_rng", "ext4"}

var diskModules = []string{
	"virtio_net", "virtio_console", "virtio_balloon", "virtio_scsi", "virtio_mem", "virtio_input", "virtio_rng",
	"vmw_vsock_virtio_transport", "virtiofs", "sd_mod", "sr_mod", "isofs", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "loop",
	"evdev", "button", "gpio_keys", "tpm_crb", "tpm_tis", "i6300esb",
}

var programs = []string{"dropbear", "dropbearkey", "qemu-ga", "resize2fs"}

func (s stage) run() error {
	p, ok := platforms[s.arch]
	if !ok {
		return fmt.Errorf("no recipe for %s; there are x86_64 and aarch64", s.arch)
	}
	if err := s.writeKernel(); err != nil {
		return err
	}
	modules, err := findModules(s.packages)
	if err != nil {
		return err
	}
	if err := s.writeInitrd(modules); err != nil {
		return err
	}
	if err := s.writeTree(p, modules); err != nil {
		return err
	}
	m := manifest{
		Name: "tiny", OS: "NovaCron tiny", Arch: s.arch, Firmware: "direct", Cmdline: p.cmdline, Kernel: "kernel",
		Initrd: "initrd", Disk: "disk.raw", DiskFormat: "raw", MinMemoryMiB: 96, MinDiskGiB: 1,
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, "manifest.json"), append(text, '\n'), 0o644)
}

func (s stage) writeKernel() error {
	found, err := filepath.Glob(filepath.Join(s.packages, "boot", "vmlinu*"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no kernel in %s/boot", s.packages)
	}
	sort.Strings(found)
	packed, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		return err
	}
	kernel, err := unpackKernel(packed)
	if err != nil {
		// QEMU starts it as it came too, a second slower.
		fmt.Fprintf(os.Stderr, "mktiny: the kernel stays packed: %v\n", err)
		kernel = packed
	}
	return os.WriteFile(filepath.Join(s.out, "kernel"), kernel, 0o644)
}

func (s stage) writeInitrd(modules *moduleSet) error {
	files, err := modules.closure(bootModules)
	if err != nil {
		return err
	}
	names, err := index(s.packages)
	if err != nil {
		return err
	}
	busybox, err := os.ReadFile(names["busybox"])
	if err != nil {
		return fmt.Errorf("busybox: %w", err)
	}
	init, err := os.ReadFile(filepath.Join(s.recipe, "init"))
	if err != nil {
		return err
	}
	var archive cpio
	for _, dir := range []string{"bin", "dev", "modules", "proc", "root", "sys"} {
		archive.dir(dir)
	}
	// The kernel opens it for the first process before devtmpfs is there.
	archive.device("dev/console", 5, 1)
	archive.file("bin/busybox", 0o755, busybox)
	for _, applet := range []string{"insmod", "mount", "sh", "switch_root", "umount", "usleep"} {
		archive.link("bin/"+applet, "busybox")
	}
	archive.file("init", 0o755, init)
	var order bytes.Buffer
	for _, m := range files {
		archive.file("modules/"+m.file(), 0o644, m.data)
		fmt.Fprintln(&order, m.file())
	}
	archive.file("modules/order", 0o644, order.Bytes())
	return os.WriteFile(filepath.Join(s.out, "initrd"), archive.bytes(), 0o644)
}

func (s stage) writeTree(p platform, modules *moduleSet) error {
	for _, dir := range []string{"bin", "dev", "lib", "mnt", "proc", "root", "run", "sys", "tmp", "var/lib/tiny"} {
		if err := os.MkdirAll(filepath.Join(s.tree, dir), 0o755); err != nil {
			return err
		}
	}
	if err := s.copyRecipe(p); err != nil {
		return err
	}
	// Programs look for each other in /bin and /sbin alike; one folder serves both.
	links := map[string]string{"sbin": "bin", "usr": ".", "etc/resolv.conf": "../run/resolv.conf", "var/run": "../run", "etc/mtab": "../proc/mounts"}
	for _, name := range []string{"poweroff", "reboot", "halt", "shutdown"} {
		links["bin/"+name] = "/etc/tiny/stop"
	}
	if err := s.writePrograms(p, links); err != nil {
		return err
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(s.tree, name)); err != nil {
			return err
		}
	}
	return modules.write(s.tree, diskModules)
}

// copyRecipe puts images/tiny/root into the tree with the modes that git keeps, 0755 and 0644.
func (s stage) copyRecipe(p platform) error {
	source := os.DirFS(filepath.Join(s.recipe, "root"))
	if err := os.CopyFS(s.tree, source); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(s.tree, "root"), 0o700); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(s.tree, "etc", "shadow"), 0o600); err != nil {
		return err
	}
	inittab := filepath.Join(s.tree, "etc", "inittab")
	text, err := os.ReadFile(inittab)
	if err != nil {
		return err
	}
	return os.WriteFile(inittab, []byte(strings.ReplaceAll(string(text), "@SERIAL@", p.serial)), 0o644)
}
