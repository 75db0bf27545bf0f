package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/kvmprobe"
)

// probeTimeout bounds everything that Probe asks, on a busy machine.
const probeTimeout = 30 * time.Second

// Probe looks once and remembers what it found. A host without QEMU is fault.Unsupported and is looked at again.
func (d *Driver) Probe(ctx context.Context) (hypervisor.Host, error) {
	d.probing.Lock()
	defer d.probing.Unlock()
	if d.host != nil {
		return *d.host, nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	host, err := d.probe(ctx)
	if err == nil {
		d.host = &host
	}
	return host, err
}

func (d *Driver) probe(ctx context.Context) (hypervisor.Host, error) {
	host := hypervisor.Host{Arch: hostArch(), Accel: "tcg"}
	asked, err := d.ask(ctx, host.Arch)
	if err != nil {
		return host, err
	}
	host.Version = asked.version
	if host.AccelReason = d.whyNoKVM(ctx, host.Arch); host.AccelReason == "" {
		host.Accel = "kvm"
	}
	host.MachineType, host.CPUModel = asked.machine, cpuModel(host.Arch, host.Accel)
	d.look(&host)
	return host, nil
}

func hostArch() vm.Arch {
	if runtime.GOARCH == "arm64" {
		return vm.AArch64
	}
	return vm.X86_64
}

func (d *Driver) whyNoKVM(ctx context.Context, arch vm.Arch) string {
	if d.options.Accel == "tcg" {
		return "the settings of this node ask for emulation"
	}
	return kvmprobe.Run(ctx, kvmprobe.Options{QEMU: d.emulator(arch), CPUModel: cpuModel(arch, "kvm")})
}

// look notes what else is installed. Why there is no KVM stands in AccelReason alone.
func (d *Driver) look(host *hypervisor.Host) {
	note := func(ok bool, sentence string) bool {
		if !ok {
			host.Missing = append(host.Missing, sentence)
		}
		return ok
	}
	_, err := findFirmware(host.Arch, false)
	host.UEFI = note(err == nil, "UEFI firmware is not installed, so guests with UEFI cannot start; "+firmwarePackage(host.Arch)+".")
	_, err = findFirmware(host.Arch, true)
	host.SecureBoot = note(err == nil, "UEFI firmware with enrolled keys is not installed, so guests with secure boot cannot start; "+firmwarePackage(host.Arch)+".")
	_, err = exec.LookPath(d.binary("qemu-img"))
	note(err == nil, "qemu-img is not installed, so images in other formats are not imported, and disks of stopped guests neither grow nor have snapshots; install the package qemu-utils.")
	_, err = exec.LookPath(d.binary("swtpm"))
	host.TPM = note(err == nil, "swtpm is not installed, so guests cannot have a vTPM; install the package swtpm.")
	host.Missing = append(host.Missing, d.missingGroups()...)
}

// answer is what QEMU says of itself.
type answer struct{ version, machine string }

// ask runs a QEMU without a machine. One process answers all questions.
func (d *Driver) ask(ctx context.Context, arch vm.Arch) (answer, error) {
	binary := d.emulator(arch)
	cmd := exec.CommandContext(ctx, binary, "-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-S", "-qmp", "stdio")
	cmd.Stdin = strings.NewReader(`{"execute":"qmp_capabilities"}{"execute":"query-version"}{"execute":"query-machines"}{"execute":"quit"}`)
	out, err := cmd.Output()
	if err != nil {
		return answer{}, fault.Wrap(err, fault.Unsupported, "no_qemu", "QEMU is not installed on this node or does not run; install it (Debian's packages are qemu-system-x86 and qemu-system-arm)")
	}
	return parseAnswers(string(out), arch)
}

func parseAnswers(out string, arch vm.Arch) (answer, error) {
	a := answer{}
	in := json.NewDecoder(strings.NewReader(out))
	for {
		var m struct {
			Return json.RawMessage `json:"return"`
		}
		if err := in.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			return a, fmt.Errorf("what QEMU says of itself: %w", err)
		}
		a.take(m.Return, arch)
	}
	if a.version == "" || a.machine == "" {
		return a, fault.New(fault.Unsupported, "old_qemu", "the QEMU of this node does not say its version and machines; install QEMU 6.2 or newer")
	}
	return a, nil
}

// take picks an answer by its form.
func (a *answer) take(raw json.RawMessage, arch vm.Arch) {
	var version struct {
		QEMU struct{ Major, Minor, Micro int } `json:"qemu"`
	}
	var machines []struct{ Name, Alias string }
	if json.Unmarshal(raw, &machines) == nil {
		// "q35" and "virt" are other names of the newest version; its full name is what a later QEMU still understands.
		if i := slices.IndexFunc(machines, func(m struct{ Name, Alias string }) bool { return m.Alias == board(arch) }); i >= 0 {
			a.machine = machines[i].Name
		}
	} else if json.Unmarshal(raw, &version) == nil && version.QEMU.Major > 0 {
		a.version = fmt.Sprintf("qemu %d.%d.%d", version.QEMU.Major, version.QEMU.Minor, version.QEMU.Micro)
	}
}

func board(arch vm.Arch) string {
	if arch == vm.AArch64 {
		return "virt"
	}
	return "q35"
}

// cpuModel gives the model of new guests: a named one, so that the guest can move to another host and be restored there. On x86
// it is Nehalem, which is what the distributions call x86-64-v2: each of their present releases runs on it, every host of the
// last 15 years has it, and the emulator implements it whole. ("max" would change with every QEMU, "qemu64" is too old for
// them.) An arm64 host with KVM can only lend its own processor.
func cpuModel(arch vm.Arch, accel string) string {
	switch {
	case arch == vm.AArch64 && accel == "kvm":
		return "host"
	case arch == vm.AArch64:
		return "cortex-a57"
	}
	return "Nehalem"
}

// guestDefaults are what a config leaves open.
type defaults struct{ machine, cpu string }

func guestDefaults(arch vm.Arch, accel string, host hypervisor.Host) defaults {
	out := defaults{host.MachineType, cpuModel(arch, accel)}
	if arch != host.Arch { // the versions of both boards are those of QEMU
		_, version, _ := strings.Cut(host.MachineType, map[vm.Arch]string{vm.X86_64: "q35-", vm.AArch64: "virt-"}[host.Arch])
		out.machine = map[vm.Arch]string{vm.X86_64: "pc-q35-", vm.AArch64: "virt-"}[arch] + version
	}
	return out
}
