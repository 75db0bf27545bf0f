package hypervisor

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Bounds of a Config beyond those of vm.Spec.
const (
	MaxChain  = 6 // files of one disk, the image included
	MaxCDROMs = 6 // SATA ports of a PC
	maxName   = 128
)

var (
	modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	tapName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`) // the kernel's limit is 15 bytes
)

// Check refuses a Config that no driver may act on. It is the last guard before a command line, so it trusts nobody.
func Check(cfg Config) error {
	for _, c := range []struct {
		wrong bool
		why   string
	}{
		{!id.Is(string(cfg.VM)), fmt.Sprintf("%q is not the id of a VM", cfg.VM)},
		{cfg.UID < 0, "a negative user id is none"},
		{cfg.CPUs < 1 || max(cfg.CPUs, cfg.MaxCPUs) > vm.MaxCPUs, fmt.Sprintf("a VM has 1 to %d vCPUs", vm.MaxCPUs)},
		{cfg.MemoryMiB < vm.MinMemoryMiB || max(cfg.MemoryMiB, cfg.MaxMemoryMiB) > vm.MaxMemoryMiB, fmt.Sprintf("a VM has %d to %d MiB of memory", vm.MinMemoryMiB, vm.MaxMemoryMiB)},
		{len(cfg.Name) > maxName, "a VM's name is too long"},
		{cfg.Arch != vm.X86_64 && cfg.Arch != vm.AArch64, fmt.Sprintf("%q is no processor architecture that guests can have; x86_64 and aarch64 are", cfg.Arch)},
		{cfg.MachineType != "" && !modelName.MatchString(cfg.MachineType), "the machine type is not a name"},
		{cfg.CPUModel != "" && !modelName.MatchString(cfg.CPUModel), "the CPU model is not a name"},
		{cfg.Accel != "" && cfg.Accel != "kvm" && cfg.Accel != "tcg", fmt.Sprintf("%q is no accelerator; kvm and tcg are", cfg.Accel)},
		{cfg.Arch == vm.AArch64 && cfg.Firmware == vm.BIOS, "arm64 guests have no BIOS; use UEFI or a direct boot"},
		{cfg.Secure && cfg.Firmware != vm.UEFI, "secure boot needs UEFI"},
		{len(cfg.NICs) > vm.MaxNICs, fmt.Sprintf("a VM has at most %d NICs", vm.MaxNICs)},
		{len(cfg.Disks) > vm.MaxDisks, fmt.Sprintf("a VM has at most %d disks", vm.MaxDisks)},
	} {
		if c.wrong {
			return fault.New(fault.Invalid, "", "%s", c.why)
		}
	}
	if err := checkFiles(cfg); err != nil {
		return err
	}
	for _, n := range cfg.NICs {
		if err := checkNIC(n); err != nil {
			return err
		}
	}
	return nil
}

func checkFiles(cfg Config) error {
	seen, cdroms := map[id.Volume]bool{}, 0
	for _, d := range cfg.Disks {
		if !id.Is(string(d.ID)) || seen[d.ID] {
			return fault.New(fault.Invalid, "", "%q is not the id of a volume, or it is there twice", d.ID)
		}
		seen[d.ID] = true
		if d.CDROM {
			cdroms++
		}
		if d.IOPS < 0 || d.BytesPerS < 0 {
			return fault.New(fault.Invalid, "", "a limit of disk %s is negative; 0 means none", d.ID)
		}
		if err := checkFile("disk "+string(d.ID), d.File); err != nil {
			return err
		}
	}
	if cdroms > MaxCDROMs {
		return fault.New(fault.Invalid, "", "a VM has at most %d CD-ROM drives", MaxCDROMs)
	}
	if cfg.Firmware == vm.UEFI {
		if err := checkFile("the file of UEFI variables", cfg.Vars); err != nil {
			return err
		}
	}
	if cfg.Seed.Path != "" {
		if err := checkFile("the seed", cfg.Seed); err != nil {
			return err
		}
	}
	if cfg.Firmware == vm.Direct && !filepath.IsAbs(cfg.Kernel.Path) {
		return fault.New(fault.Invalid, "", "a direct boot needs a kernel")
	}
	return nil
}

func checkFile(what string, f File) error {
	depth := 0
	for at := &f; at != nil; at = at.Backing {
		if at.Format != "raw" && at.Format != "qcow2" {
			return fault.New(fault.Invalid, "", "%s has the format %q; raw and qcow2 are possible", what, at.Format)
		}
		if !filepath.IsAbs(at.Path) {
			return fault.New(fault.Invalid, "", "%s has no absolute path", what)
		}
		if at.Backing != nil && at.Format != "qcow2" {
			return fault.New(fault.Invalid, "", "%s is raw and cannot lie over another file", what)
		}
		if depth++; depth > MaxChain {
			return fault.New(fault.Invalid, "", "%s lies over more than %d files; flatten it", what, MaxChain-1)
		}
	}
	return nil
}

func checkNIC(n NIC) error {
	if _, err := net.ParseMAC(n.MAC); err != nil || !id.Is(string(n.ID)) {
		return fault.New(fault.Invalid, "", "NIC %q has no valid id or the MAC address %q is none", n.ID, n.MAC)
	}
	if n.Tap != "" && !tapName.MatchString(n.Tap) {
		return fault.New(fault.Invalid, "", "NIC %s has a tap device of an impossible name", n.ID)
	}
	if n.MTU != 0 && (n.MTU < 68 || n.MTU > 65535) {
		return fault.New(fault.Invalid, "", "NIC %s has the MTU %d; 68 to 65535 are possible", n.ID, n.MTU)
	}
	if n.User == nil {
		return nil
	}
	for _, f := range n.User.Forwards {
		_, listen := netip.ParseAddr(f.Listen)
		if f.Protocol != "tcp" && f.Protocol != "udp" || f.Listen != "" && listen != nil || f.HostPort < 1 || f.HostPort > 65535 || f.GuestPort < 1 || f.GuestPort > 65535 {
			return fault.New(fault.Invalid, "", "NIC %s has a forward that is none: %s %s port %d to port %d", n.ID, f.Protocol, f.Listen, f.HostPort, f.GuestPort)
		}
	}
	return nil
}
