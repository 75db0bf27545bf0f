package agent

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"novacron/backend/core/vm"
)

// Facts implements API. Numbers are measured at each call.
func (a *Agent) Facts(ctx context.Context) (Facts, error) {
	h := a.host
	f := Facts{Node: a.o.Node, Version: a.o.Version, Arch: hostArch(), CPUs: runtime.NumCPU(), Accel: h.Accel, AccelReason: h.AccelReason,
		Hypervisor: h.Version, GuestMachine: h.MachineType, GuestCPU: h.CPUModel, UEFI: h.UEFI, SecureBoot: h.SecureBoot, TPM: h.TPM,
		Missing: h.Missing, Root: os.Geteuid() == 0, BootID: a.bootID, StartedAt: a.started}
	f.Hostname, _ = os.Hostname()
	f.Network, f.NetworkNote = a.o.Fabric.Mode()
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return f, fmt.Errorf("uname: %w", err)
	}
	f.Kernel = unix.ByteSliceToString(uname.Release[:])
	f.CPUModel = cpuModel()
	var err error
	if f.MemoryMiB, f.FreeMiB, err = memory(); err != nil {
		return f, err
	}
	if f.Load1, err = load1(); err != nil {
		return f, err
	}
	room, err := a.o.Pool.Capacity(ctx)
	if err != nil {
		return f, fmt.Errorf("capacity of the pool: %w", err)
	}
	f.DiskTotal, f.DiskFree = room.Total, room.Free
	images, err := a.o.Images.List()
	if err != nil {
		return f, fmt.Errorf("list images: %w", err)
	}
	for _, i := range images {
		f.Images = append(f.Images, i.Digest)
	}
	if c := a.o.Simulated; c != nil {
		f.CPUs, f.CPUModel, f.MemoryMiB, f.FreeMiB = c.CPUs, "simulated", c.MemoryMiB, c.MemoryMiB
		f.DiskTotal, f.DiskFree = c.DiskBytes, c.DiskBytes
	}
	return f, nil
}

func hostArch() vm.Arch {
	if runtime.GOARCH == "arm64" {
		return vm.AArch64
	}
	return vm.X86_64
}

// memory gives the machine's memory and what could be used without swapping, as the kernel estimates it.
func memory() (totalMiB, freeMiB int, err error) {
	fields, err := procFields("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	kib := func(name string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(fields[name], " kB"))
		return n
	}
	return kib("MemTotal") >> 10, kib("MemAvailable") >> 10, nil
}

// cpuModel is how the processor names itself; arm64 kernels give only numbers, and the device tree names the board.
func cpuModel() string {
	fields, err := procFields("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	if name := fields["model name"]; name != "" {
		return name
	}
	if board, err := os.ReadFile("/proc/device-tree/model"); err == nil {
		return strings.TrimRight(string(board), "\x00\n")
	}
	return strings.TrimSpace(fields["CPU implementer"] + " " + fields["CPU part"])
}

func load1() (float64, error) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return strconv.ParseFloat(first, 64)
}

// procFields reads a file of "name : value" lines; the first line of a name counts.
func procFields(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fields := map[string]string{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20) // flags of a processor are long
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if name = strings.TrimSpace(name); ok && fields[name] == "" {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields, lines.Err()
}
