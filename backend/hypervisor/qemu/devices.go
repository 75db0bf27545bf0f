package qemu

import (
	"crypto/sha256"
	"fmt"
	"net"
	"strconv"
	"strings"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// The parts of a machine as QEMU's objects, used by the command line and by hot-plug alike.

func nicID(n hypervisor.NIC) string   { return "dev-" + string(n.ID) }
func diskID(d hypervisor.Disk) string { return "dev-" + string(d.ID) }
func limitID(d hypervisor.Disk) string {
	return "limit-" + string(d.ID)
}

// nodeID names the node of a disk that its device and snapshots use; chainID those below, the overlay first. QEMU allows 31
// characters.
func nodeID(d hypervisor.Disk) string { return "disk-" + string(d.ID) }
func portID(i int) string             { return "port" + strconv.Itoa(i) }
func threadID(i int) string           { return "io" + strconv.Itoa(i) }

// uuid is the machine's identity towards the guest: the same for every start of the VM, told apart from every other's.
func uuid(vm id.VM) string {
	sum := sha256.Sum256([]byte(vm))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// chain gives the block nodes of a file and its backing files, the lowest first. set makes an fd set of each.
func chain(name string, f hypervisor.File, set func(hypervisor.File) string) []map[string]any {
	var nodes []map[string]any
	var backing any
	if f.Backing != nil {
		below := *f.Backing
		below.ReadOnly = true
		under := name + "b"
		nodes = chain(under, below, set)
		backing = under
	}
	node := map[string]any{
		"driver": f.Format, "node-name": name, "read-only": f.ReadOnly, "discard": "unmap",
		"file": map[string]any{"driver": "file", "filename": set(f), "node-name": name + "f", "read-only": f.ReadOnly, "discard": "unmap", "aio": "threads"},
	}
	if f.Format == "qcow2" {
		node["backing"] = backing // said even when there is none: a name in the file's header must never be followed
	}
	return append(nodes, node)
}

func (b *builder) drive(name string, f hypervisor.File) {
	for _, node := range chain(name, f, b.set) {
		b.object("-blockdev", node)
	}
}

// baseID names the format node of a disk: a letter first, as QEMU wants, and short, because the chain below grows the name.
func baseID(d hypervisor.Disk) string { return "v" + strings.TrimPrefix(string(d.ID), "vol-") }

func (b *builder) disk(i int, d hypervisor.Disk) {
	if d.CDROM {
		b.cdrom(d)
		return
	}
	b.object("-object", throttle(d))
	b.drive(baseID(d), d.File)
	b.object("-blockdev", throttled(d))
	device := diskDevice(d, threadID(i%b.layout.IOThreads))
	if i == 0 {
		device["bus"], device["addr"] = "pcie.0", slotDisk
	} else {
		device["bus"] = portID(b.layout.Port[diskID(d)])
	}
	b.object("-device", device)
}

// cdrom adds a drive that every installer knows: SATA on the PC, SCSI where there is no SATA.
func (b *builder) cdrom(d hypervisor.Disk) {
	f := d.File
	f.ReadOnly = true
	b.drive(baseID(d), f)
	device := map[string]any{"driver": "ide-cd", "id": diskID(d), "drive": baseID(d), "bus": fmt.Sprintf("ide.%d", b.cdroms)}
	if b.arm {
		if b.cdroms == 0 {
			b.device("virtio-scsi-pci", "id", "scsi0", "bus", "pcie.0", "addr", slotSCSI, "disable-legacy", "on")
		}
		device["driver"], device["bus"], device["lun"] = "scsi-cd", "scsi0.0", b.cdroms
	}
	if d.BootIndex > 0 {
		device["bootindex"] = d.BootIndex
	}
	b.cdroms++
	b.object("-device", device)
}

// throttle is the group that holds a disk's limits. Every disk has one, so that a limit can come while the guest runs.
func throttle(d hypervisor.Disk) map[string]any {
	return map[string]any{"qom-type": "throttle-group", "id": limitID(d), "limits": limits(d)}
}

func limits(d hypervisor.Disk) map[string]any {
	return map[string]any{"iops-total": d.IOPS, "bps-total": d.BytesPerS}
}

func throttled(d hypervisor.Disk) map[string]any {
	return map[string]any{"driver": "throttle", "node-name": nodeID(d), "throttle-group": limitID(d), "file": baseID(d)}
}

// diskDevice lacks its bus. A disk's serial number is its volume's id without the prefix: 20 characters, all that virtio has.
func diskDevice(d hypervisor.Disk, thread string) map[string]any {
	device := map[string]any{"driver": "virtio-blk-pci", "id": diskID(d), "drive": nodeID(d), "iothread": thread,
		"serial": strings.TrimPrefix(string(d.ID), "vol-"), "disable-legacy": "on",
		"werror": "stop", "rerror": "stop"} // a full or broken disk of the host pauses the guest and does not break its file systems
	if d.BootIndex > 0 {
		device["bootindex"] = d.BootIndex
	}
	return device
}

// netdev is the host's end of a NIC, for a tap without its descriptors.
func netdev(n hypervisor.NIC) map[string]any {
	if n.Tap != "" {
		return map[string]any{"type": "tap", "id": string(n.ID)}
	}
	out := map[string]any{"type": "user", "id": string(n.ID), "ipv6": false}
	u := n.User
	if u == nil {
		return out
	}
	for key, value := range map[string]string{"net": u.Subnet, "host": u.Gateway, "dns": u.DNS, "dhcpstart": u.Address, "hostname": u.Hostname} {
		if value != "" {
			out[key] = value
		}
	}
	var forwards []map[string]any
	for _, f := range u.Forwards {
		forwards = append(forwards, map[string]any{"str": hostForward(f, u.Address)})
	}
	if forwards != nil {
		out["hostfwd"] = forwards
	}
	return out
}

// hostForward writes a forward as QEMU's user-mode network reads it.
func hostForward(f vm.Forward, guest string) string {
	return hostSide(f) + "-" + net.JoinHostPort(guest, strconv.Itoa(f.GuestPort))
}

func hostSide(f vm.Forward) string {
	listen := f.Listen
	if listen == "" {
		listen = "127.0.0.1"
	}
	return f.Protocol + ":" + listen + ":" + strconv.Itoa(f.HostPort)
}

// nicDevice has no boot ROM: a VM starts from its disks.
func nicDevice(n hypervisor.NIC, port int) map[string]any {
	device := map[string]any{"driver": "virtio-net-pci", "id": nicID(n), "netdev": string(n.ID), "mac": n.MAC,
		"bus": portID(port), "romfile": "", "disable-legacy": "on"}
	if n.MTU > 0 {
		device["host_mtu"] = n.MTU
	}
	return device
}

func dimmBackend(i, sizeMiB int) map[string]any {
	return map[string]any{"qom-type": "memory-backend-ram", "id": fmt.Sprintf("more%d", i), "size": int64(sizeMiB) << 20}
}

func dimm(i int) map[string]any {
	return map[string]any{"driver": "pc-dimm", "id": fmt.Sprintf("dimm%d", i), "memdev": fmt.Sprintf("more%d", i)}
}

// processor is a vCPU that came later. All are cores of one socket.
func processor(model string, core int) map[string]any {
	return map[string]any{"driver": model + "-x86_64-cpu", "id": cpuID(core), "socket-id": 0, "core-id": core, "thread-id": 0}
}

func cpuID(core int) string { return fmt.Sprintf("cpu%d", core) }
