package qemu

import (
	"encoding/json"
	"fmt"
	"slices"

	"novacron/backend/hypervisor"
)

// Bounds of the machines that are built.
const (
	maxPorts    = 32 // PCIe root ports, four slots of eight functions
	sparePorts  = 6  // ports kept free for disks and NICs that come while the guest runs
	maxIOThread = 4  // threads that serve disks, however many there are
	maxDIMMs    = 16 // additions of memory to one running guest
)

// layout is what a machine looks like inside beyond its Config. A guest can be restored only into the machine that it was saved
// from, so everything that grew while it ran is remembered: which port holds which device, and which vCPUs and memory came
// later. It is kept with the process and in front of the saved state.
type layout struct {
	CPUs      int            `json:"cpus"`       // at the start of the guest
	MaxCPUs   int            `json:"max_cpus"`   //
	MemoryKiB int            `json:"memory_kib"` // likewise
	MaxMiB    int            `json:"max_mib"`    // 0: memory cannot grow
	DIMMs     []int          `json:"dimms,omitempty"`
	Ports     int            `json:"ports"`
	Port      map[string]int `json:"port,omitempty"` // by device
	IOThreads int            `json:"io_threads"`
}

// newLayout plans a machine for a fresh guest.
func newLayout(cfg hypervisor.Config, emulated bool) layout {
	l := layout{CPUs: cfg.CPUs, MaxCPUs: max(cfg.MaxCPUs, cfg.CPUs), MemoryKiB: cfg.MemoryMiB << 10, Port: map[string]int{}}
	if emulated {
		l.MemoryKiB += oddKiB
	}
	if cfg.MaxMemoryMiB > cfg.MemoryMiB {
		l.MaxMiB = cfg.MaxMemoryMiB
	}
	devices := portDevices(cfg)
	l.Ports = min(maxPorts, len(devices)+sparePorts)
	for i, device := range devices {
		l.Port[device] = i
	}
	l.IOThreads = min(max(1, len(cfg.Disks)), maxIOThread)
	return l
}

// oddKiB is added to the memory of emulated guests. QEMU before 9.0 corrupts an emulated guest that writes memory during live
// migration when its memory is a multiple of 256 KiB: the fast path of its dirty bitmap does not watch the next write.
const oddKiB = 8

// portDevices gives the devices that sit on root ports, in order: every NIC and every disk but the first, which firmware finds
// soonest on the root bus and which never leaves a running guest.
func portDevices(cfg hypervisor.Config) []string {
	var out []string
	for _, n := range cfg.NICs {
		out = append(out, nicID(n))
	}
	for i, d := range cfg.Disks {
		if i > 0 && !d.CDROM {
			out = append(out, diskID(d))
		}
	}
	return out
}

// told is the layout as the seam carries it.
func (l layout) told() json.RawMessage {
	raw, err := json.Marshal(l)
	if err != nil {
		panic("a layout is numbers and names: " + err.Error())
	}
	return raw
}

// plan gives the layout of a machine that has run already, or a new one.
func plan(cfg hypervisor.Config) (layout, error) {
	l := newLayout(cfg, cfg.Accel != "kvm")
	if len(cfg.Layout) == 0 {
		return l, nil
	}
	l = layout{}
	if err := json.Unmarshal(cfg.Layout, &l); err != nil {
		return l, fmt.Errorf("the layout of %s: %w", cfg.VM, err)
	}
	return l, saved{VM: cfg.VM, MachineType: cfg.MachineType, CPUModel: cfg.CPUModel, Accel: cfg.Accel, CPUs: cfg.CPUs, Layout: l}.fits(cfg)
}

// free gives a port without a device, or -1.
func (l layout) free() int {
	taken := map[int]bool{}
	for _, at := range l.Port {
		taken[at] = true
	}
	for i := range l.Ports {
		if !taken[i] {
			return i
		}
	}
	return -1
}

// clone keeps a copy from seeing later changes.
func (l layout) clone() layout {
	l.DIMMs = slices.Clone(l.DIMMs)
	port := make(map[string]int, len(l.Port))
	for device, at := range l.Port {
		port[device] = at
	}
	l.Port = port
	return l
}
