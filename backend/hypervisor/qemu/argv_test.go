package qemu

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

var update = flag.Bool("update", false, "write the golden files anew; they are reviewed as documents")

func volume(n int) id.Volume { return id.Volume(fmt.Sprintf("vol-%020d", n)) }
func card(n int) hypervisor.NIC {
	return hypervisor.NIC{ID: id.NIC(fmt.Sprintf("nic-%020d", n)), MAC: fmt.Sprintf("52:54:00:00:00:%02x", n), Tap: fmt.Sprintf("tap%d", n), MTU: 1450}
}

func qcow2(path string) hypervisor.File { return hypervisor.File{Path: path, Format: "qcow2"} }

// resolved is a machine as Start hands it to argv.
func resolved() hypervisor.Config {
	return hypervisor.Config{
		VM: "vm-00000000000000000001", Name: "web-1", UID: 20001, Arch: vm.X86_64, Firmware: vm.BIOS, Accel: "tcg",
		MachineType: "pc-q35-7.2", CPUModel: "Nehalem", CPUs: 1, MemoryMiB: 256,
		Disks: []hypervisor.Disk{{ID: volume(1), File: qcow2("/data/boot"), BootIndex: 1}},
		NICs:  []hypervisor.NIC{card(1)},
	}
}

func TestArgv(t *testing.T) {
	host := parts{Binary: "/usr/bin/qemu-system-x86_64", Code: "/usr/share/OVMF/OVMF_CODE_4M.fd"}
	arm := parts{Binary: "/usr/bin/qemu-system-aarch64", Code: "/usr/share/AAVMF/AAVMF_CODE.fd"}
	for name, c := range map[string]struct {
		host parts
		edit func(*hypervisor.Config)
	}{
		"bios-tcg": {host, func(*hypervisor.Config) {}},
		"bios-kvm": {parts{Binary: host.Binary, VhostNet: true}, func(c *hypervisor.Config) { c.Accel = "kvm"; c.MaxCPUs, c.MaxMemoryMiB = 8, 4096 }},
		"direct":   {host, direct},
		"uefi":     {host, uefi},
		"secure-tpm-display": {host, func(c *hypervisor.Config) {
			uefi(c)
			c.Secure, c.Display, c.TPMDir = true, true, "/data/tpm"
		}},
		"arm64-uefi": {arm, func(c *hypervisor.Config) { armed(c); uefi(c); c.Display = true; c.TPMDir = "/data/tpm" }},
		"arm64-kvm": {parts{Binary: arm.Binary, Code: arm.Code, VhostNet: true}, func(c *hypervisor.Config) {
			armed(c)
			uefi(c)
			c.Accel, c.CPUModel, c.MaxCPUs, c.MaxMemoryMiB = "kvm", cpuModel(vm.AArch64, "kvm"), 8, 4096
		}},
		"arm64-direct": {arm, func(c *hypervisor.Config) { armed(c); direct(c) }},
		"user-net": {host, func(c *hypervisor.Config) {
			c.UID, c.Disks[0].BootIndex = 0, 0 // the first disk is what firmware tries where nothing is said
			c.NICs = []hypervisor.NIC{{ID: card(1).ID, MAC: card(1).MAC, User: &hypervisor.UserNet{Subnet: "10.0.2.0/24", Gateway: "10.0.2.2", DNS: "10.0.2.3", Address: "10.0.2.15", Hostname: "web-1",
				Forwards: []vm.Forward{{Protocol: "tcp", HostPort: 2222, GuestPort: 22}, {Protocol: "udp", Listen: "192.0.2.1", HostPort: 5353, GuestPort: 53}}}}}
		}},
		"many-disks": {host, manyDisks},
		"many-nics": {host, func(c *hypervisor.Config) {
			for n := 2; n <= vm.MaxNICs; n++ {
				c.NICs = append(c.NICs, card(n))
			}
		}},
		"restore": {host, func(c *hypervisor.Config) { c.Restore = &hypervisor.File{Path: "/data/state", Format: "raw"} }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := resolved()
			c.edit(&cfg)
			if err := hypervisor.Check(cfg); err != nil {
				t.Fatal(err)
			}
			golden(t, name, render(argv(cfg, newLayout(cfg, cfg.Accel == "tcg"), c.host)))
		})
	}
}

func TestArgv_growsAsTheLayoutSays(t *testing.T) {
	cfg := resolved()
	cfg.MaxCPUs, cfg.MaxMemoryMiB = 4, 1024
	l := newLayout(cfg, true)
	cfg.CPUs, cfg.MemoryMiB, l.DIMMs = 3, 512, []int{128, 128}
	cfg.Disks = append(cfg.Disks, hypervisor.Disk{ID: volume(2), File: qcow2("/data/later")})
	l.Port["dev-"+string(volume(2))] = 5
	golden(t, "restore-grown", render(argv(cfg, l, parts{Binary: "/usr/bin/qemu-system-x86_64"})))
}

func direct(c *hypervisor.Config) {
	c.Firmware, c.Cmdline = vm.Direct, "console=ttyS0 quiet"
	c.Kernel, c.Initrd = hypervisor.File{Path: "/cache/kernel", Format: "raw"}, hypervisor.File{Path: "/cache/initrd", Format: "raw"}
	c.Seed = hypervisor.File{Path: "/data/seed", Format: "raw"}
}

func uefi(c *hypervisor.Config) { c.Firmware, c.Vars = vm.UEFI, qcow2("/data/vars") }

func armed(c *hypervisor.Config) {
	c.Arch, c.MachineType, c.CPUModel = vm.AArch64, "virt-7.2", "cortex-a57"
	c.Disks = append(c.Disks, hypervisor.Disk{ID: volume(7), CDROM: true, File: hypervisor.File{Path: "/data/cd", Format: "raw"}})
}

func manyDisks(c *hypervisor.Config) {
	image := hypervisor.File{Path: "/cache/image", Format: "qcow2"}
	base := hypervisor.File{Path: "/data/base", Format: "qcow2", Backing: &image}
	c.Disks[0].File.Backing = &base
	c.Disks[0].IOPS, c.Disks[0].BytesPerS = 500, 100<<20
	for n := 2; n <= 7; n++ {
		c.Disks = append(c.Disks, hypervisor.Disk{ID: volume(n), File: hypervisor.File{Path: fmt.Sprintf("/data/disk%d", n), Format: "raw"}})
	}
	c.Disks = append(c.Disks, hypervisor.Disk{ID: volume(8), CDROM: true, BootIndex: 2, File: hypervisor.File{Path: "/data/cd", Format: "raw"}})
}

// render writes one argument per line, an option's value behind it, and then what the descriptors are.
func render(l launch) string {
	var out strings.Builder
	for i, arg := range l.Args {
		switch {
		case i == 0:
		case strings.HasPrefix(arg, "-"):
			out.WriteByte('\n')
		default:
			out.WriteByte(' ')
		}
		out.WriteString(arg)
	}
	out.WriteByte('\n')
	for i, s := range l.Sources {
		fmt.Fprintf(&out, "# %d: %s %s\n", firstFD+i, s.Kind, s.Path)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".args")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the command line differs from %s; -update writes it anew for review\ngot:\n%s", path, got)
	}
}

func TestNodeNames_areShortEnoughForQEMU(t *testing.T) {
	file := qcow2("/x")
	for range hypervisor.MaxChain - 1 {
		below := file
		file = qcow2("/x")
		file.Backing = &below
	}
	d := hypervisor.Disk{ID: id.NewVolume(), File: file}
	nodes := append(chain(baseID(d), d.File, func(hypervisor.File) string { return "" }), throttled(d))
	for _, node := range nodes {
		names := []any{node["node-name"]}
		if below, ok := node["file"].(map[string]any); ok {
			names = append(names, below["node-name"])
		}
		for _, name := range names {
			if s := name.(string); len(s) > 31 || s[0] < 'a' {
				t.Errorf("QEMU refuses the node name %q", s)
			}
		}
	}
}

func TestLayout_hasAPortForEverythingThatACheckedConfigHolds(t *testing.T) {
	cfg := resolved()
	cfg.Disks, cfg.NICs = nil, nil
	for n := range vm.MaxDisks {
		cfg.Disks = append(cfg.Disks, hypervisor.Disk{ID: volume(n), File: qcow2("/x")})
	}
	for n := range vm.MaxNICs {
		cfg.NICs = append(cfg.NICs, card(n))
	}
	l := newLayout(cfg, false)
	for device, port := range l.Port {
		if port >= l.Ports || l.Ports > maxPorts {
			t.Errorf("%s sits on port %d of %d", device, port, l.Ports)
		}
	}
	if l.free() != l.Ports-1 {
		t.Errorf("the free port is %d of %d", l.free(), l.Ports)
	}
}
