package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// firmware is a pair of UEFI code and the template of its variables.
type firmware struct{ code, vars string }

// firmwares gives where distributions keep UEFI, best first. Debian, Ubuntu; Fedora, RHEL; Arch, SUSE.
func firmwares(arch vm.Arch, secure bool) []firmware {
	switch {
	case arch == vm.AArch64 && secure:
		return []firmware{{"/usr/share/AAVMF/AAVMF_CODE.ms.fd", "/usr/share/AAVMF/AAVMF_VARS.ms.fd"}}
	case arch == vm.AArch64:
		return []firmware{
			{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
			{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"},
		}
	case secure:
		return []firmware{
			{"/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"},
			{"/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"},
			{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"},
		}
	}
	return []firmware{
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
		{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	}
}

func findFirmware(arch vm.Arch, secure bool) (firmware, error) {
	for _, f := range firmwares(arch, secure) {
		if exists(f.code) && exists(f.vars) {
			return f, nil
		}
	}
	return firmware{}, fault.New(fault.Unsupported, "no_firmware", "this node has no UEFI firmware for %s guests (%s); install it or use another firmware", arch, firmwarePackage(arch))
}

func firmwarePackage(arch vm.Arch) string {
	if arch == vm.AArch64 {
		return "Debian's package is qemu-efi-aarch64"
	}
	return "Debian's package is ovmf"
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// MakeVars makes the file of UEFI variables unless it is there. qcow2, so that snapshots cover it and it stays small.
func (d *Driver) MakeVars(ctx context.Context, path string, arch vm.Arch, secure bool) (hypervisor.File, error) {
	file := hypervisor.File{Path: path, Format: "qcow2"}
	if exists(path) {
		return file, nil
	}
	f, err := findFirmware(arch, secure)
	if err != nil {
		return file, err
	}
	part := hypervisor.Partial(path)
	out, err := exec.CommandContext(ctx, d.binary("qemu-img"), "convert", "-q", "-f", "raw", "-O", "qcow2", f.vars, part).CombinedOutput()
	if err != nil {
		return file, errors.Join(fmt.Errorf("make UEFI variables: %w: %s", err, lastLine(string(out))), os.Remove(part))
	}
	return file, os.Rename(part, path)
}

// parts finds what the host lends to a machine.
func (d *Driver) parts(cfg hypervisor.Config) (parts, error) {
	p := parts{Binary: d.emulator(cfg.Arch), VhostNet: cfg.Accel == "kvm" && canOpen("/dev/vhost-net")}
	if _, err := exec.LookPath(p.Binary); err != nil {
		return p, fault.Wrap(err, fault.Unsupported, "no_emulator", "this node has no QEMU for %s guests; install it (Debian's packages are qemu-system-x86 and qemu-system-arm)", cfg.Arch)
	}
	if cfg.Firmware == vm.UEFI {
		f, err := findFirmware(cfg.Arch, cfg.Secure)
		if err != nil {
			return p, err
		}
		p.Code = f.code
	}
	return p, nil
}

func canOpen(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return err == nil && f.Close() == nil
}

func (d *Driver) emulator(arch vm.Arch) string { return d.binary("qemu-system-" + string(arch)) }

// binary gives the full path of a program, or its name if it is nowhere.
func (d *Driver) binary(name string) string {
	if d.options.BinDir != "" {
		return filepath.Join(d.options.BinDir, name)
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return name
}
