package qemu

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"novacron/backend/hypervisor"
)

// Bounds of a VM's control group. They do not share out the machine, they stop one guest's process from harming the others.
const (
	overheadMiB = 1536 // of QEMU itself: translated code up to 1 GiB where it emulates, buffers, screens, threads
	overheadPct = 5    // page tables and dirty bitmaps grow with the guest
	spareTasks  = 256  // threads beside the vCPUs: disks, screen, migration
)

// cgroupMount is where control groups are. A variable for tests.
var cgroupMount = "/sys/fs/cgroup"

// limit is one file of a control group.
type limit struct{ controller, v2, v1, value string }

func groupLimits(cfg hypervisor.Config) []limit {
	memory := max(cfg.MemoryMiB, cfg.MaxMemoryMiB)
	bytes := strconv.FormatInt(int64(memory+memory*overheadPct/100+overheadMiB)<<20, 10)
	cpus := max(cfg.CPUs, cfg.MaxCPUs)
	return []limit{
		{"memory", "memory.max", "memory.limit_in_bytes", bytes},
		{"pids", "pids.max", "pids.max", strconv.Itoa(cpus + spareTasks)},
		{"cpu", "cpu.weight", "cpu.shares", ""}, // by vCPUs; see weight
	}
}

// weight gives each VM a share of a busy machine by its vCPUs. The scales of the versions differ, and so does the most that the kernel
// takes: 100 and 1024 are one vCPU.
func weight(cpus int, v2 bool) int {
	if v2 {
		return min(cpus*100, 10000)
	}
	return min(cpus*1024, 262144)
}

// balance gives the groups above a VM's one process' weight for each processor of the host. With the kernel's default all guests
// together would weigh as much as one other process, however many they are. With the weight of all their vCPUs a burst of guests
// would starve what they wait for, the node's agent, and its lease.
func (d *Driver) balance(dir string) {
	for range strings.Split(filepath.Clean(d.options.CgroupRoot), "/") {
		for _, file := range []string{"cpu.weight", "cpu.shares"} {
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
				_ = os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(weight(runtime.NumCPU(), file == "cpu.weight"))), 0o644) // see makeGroups
			}
		}
		dir = filepath.Dir(dir)
	}
}

// makeGroups makes the VM's control groups and gives their folders. What the host lacks is said by Probe and is no reason not
// to run a guest, so nothing here fails.
func (d *Driver) makeGroups(cfg hypervisor.Config) []string {
	if d.options.CgroupRoot == "" {
		return nil
	}
	d.grouping.Lock() // removeGroups takes the folder above away when it is empty
	defer d.grouping.Unlock()
	var out []string
	for _, l := range groupLimits(cfg) {
		dir, file, v2, ok := d.group(l, string(cfg.VM))
		if !ok {
			continue
		}
		if l.value == "" {
			l.value = strconv.Itoa(weight(cfg.CPUs, v2))
			defer d.balance(filepath.Dir(dir))
		}
		if os.MkdirAll(dir, 0o755) != nil || os.WriteFile(filepath.Join(dir, file), []byte(l.value), 0o644) != nil {
			d.log.Debug("a control group cannot be set", "vm", cfg.VM, "group", dir, "file", file)
			continue
		}
		if len(out) == 0 || out[len(out)-1] != dir {
			out = append(out, dir)
		}
	}
	return out
}

// group says where a limit of the VM lies: version 2 where it has the controller, else version 1.
func (d *Driver) group(l limit, vm string) (dir, file string, v2, ok bool) {
	for _, root := range []string{cgroupMount, filepath.Join(cgroupMount, "unified")} {
		if has(filepath.Join(root, "cgroup.controllers"), l.controller) && d.delegate(root, l.controller) {
			return filepath.Join(root, d.options.CgroupRoot, vm), l.v2, true, true
		}
	}
	root := filepath.Join(cgroupMount, l.controller)
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
		return filepath.Join(root, d.options.CgroupRoot, vm), l.v1, false, true
	}
	return "", "", false, false
}

// delegate passes a controller down to the groups of VMs.
func (d *Driver) delegate(root, controller string) bool {
	at := root
	for _, part := range append([]string{""}, strings.Split(filepath.Clean(d.options.CgroupRoot), "/")...) {
		at = filepath.Join(at, part)
		if os.MkdirAll(at, 0o755) != nil {
			return false
		}
		control := filepath.Join(at, "cgroup.subtree_control")
		if !has(control, controller) && os.WriteFile(control, []byte("+"+controller), 0o644) != nil {
			return false
		}
	}
	return true
}

func has(file, word string) bool {
	raw, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for _, w := range strings.Fields(string(raw)) {
		if w == word {
			return true
		}
	}
	return false
}

func joinGroups(groups []string, pid int) {
	for _, dir := range groups {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644) // see makeGroups
	}
}

// removeGroups removes the groups of a dead process, and with the last one those of the instance. An empty group goes with rmdir.
func (d *Driver) removeGroups(groups []string) {
	if d.options.CgroupRoot == "" {
		return
	}
	d.grouping.Lock()
	defer d.grouping.Unlock()
	for _, dir := range groups {
		_ = os.Remove(dir)               // one that is gone is as good
		_ = os.Remove(filepath.Dir(dir)) // goes with its last VM
	}
}

// missingGroups says which limits this host cannot set.
func (d *Driver) missingGroups() []string {
	if d.options.CgroupRoot == "" {
		return nil
	}
	var missing []string
	for _, l := range groupLimits(hypervisor.Config{}) {
		if _, _, _, ok := d.group(l, "probe"); !ok {
			missing = append(missing, l.controller)
		}
	}
	if missing == nil {
		return nil
	}
	return []string{"The control group controllers " + strings.Join(missing, ", ") + " cannot be used here, so the processes of guests are not limited by them; run as root on a kernel that has them."}
}
