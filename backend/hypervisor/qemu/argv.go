package qemu

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// parts is what the host lends to a machine of one architecture.
type parts struct {
	Binary   string // path of qemu-system-...
	Code     string // UEFI firmware, world-readable; empty: none is installed
	VhostNet bool   // the kernel can serve virtio-net
}

// source says what a descriptor of the new process is.
type source struct {
	Kind sourceKind
	Path string // of a file, a tap's name, or a socket's name in the run folder
}

type sourceKind string

// The kinds of descriptor that a QEMU is started with.
const (
	readOnly  sourceKind = "read"   // a file for reading
	readWrite sourceKind = "write"  // a file for reading and writing
	listener  sourceKind = "listen" // a listening socket in the run folder
	tap       sourceKind = "tap"    // an opened tap device
	vhost     sourceKind = "vhost"  // /dev/vhost-net
	tpmSocket sourceKind = "tpm"    // the near end of the vTPM's socket
	state     sourceKind = "state"  // a saved state, at the beginning of QEMU's part
)

// firstFD is the number of the first descriptor behind stdin, stdout and stderr.
const firstFD = 3

// launch is a process to start: its arguments and, from descriptor 3 on, its descriptors.
type launch struct {
	Args    []string
	Sources []source
}

// argv writes the command line of a machine. It is pure: the golden files in testdata are its specification. cfg is resolved:
// machine type, CPU model and accelerator are set.
func argv(cfg hypervisor.Config, l layout, host parts) launch {
	cfg.Disks = bootable(cfg.Disks)
	b := &builder{cfg: cfg, layout: l, host: host, arm: cfg.Arch == vm.AArch64}
	b.add(host.Binary)
	b.base()
	b.processor()
	b.channels()
	b.firmware()
	b.platform()
	b.bus()
	for i, d := range cfg.Disks {
		b.disk(i, d)
	}
	b.seed()
	for _, n := range cfg.NICs {
		b.nic(n)
	}
	b.tpm()
	b.screen()
	b.start()
	return launch{Args: b.args, Sources: b.sources}
}

// bootable lets firmware try the first disk where the config names none.
func bootable(disks []hypervisor.Disk) []hypervisor.Disk {
	if len(disks) == 0 || slices.ContainsFunc(disks, func(d hypervisor.Disk) bool { return d.BootIndex > 0 }) {
		return disks
	}
	disks = slices.Clone(disks)
	disks[0].BootIndex = 1
	return disks
}

type builder struct {
	cfg     hypervisor.Config
	layout  layout
	host    parts
	arm     bool
	args    []string
	sources []source
	sets    int // fd sets made
	cdroms  int
}

func (b *builder) add(args ...string) { b.args = append(b.args, args...) }

// object adds an option whose value is JSON, which knows no commas to escape.
func (b *builder) object(option string, value map[string]any) {
	b.add(option, encode(value))
}

// encode writes JSON with the keys in order. Maps of plain values cannot fail to encode.
func encode(value map[string]any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("a device's properties cannot be written as JSON: " + err.Error())
	}
	return strings.TrimSpace(out.String())
}

// fd takes the next descriptor.
func (b *builder) fd(kind sourceKind, path string) int {
	b.sources = append(b.sources, source{kind, path})
	return firstFD + len(b.sources) - 1
}

// set makes an fd set of the file. A writable one holds a read-only descriptor too, since QEMU reopens files when their use
// changes.
func (b *builder) set(f hypervisor.File) string {
	b.sets++
	for _, kind := range opens(f) {
		b.add("-add-fd", fmt.Sprintf("fd=%d,set=%d", b.fd(kind, f.Path), b.sets))
	}
	return fmt.Sprintf("/dev/fdset/%d", b.sets)
}

func opens(f hypervisor.File) []sourceKind {
	if f.ReadOnly {
		return []sourceKind{readOnly}
	}
	return []sourceKind{readWrite, readOnly}
}

func (b *builder) base() {
	b.add("-name", "guest="+string(b.cfg.VM)+",debug-threads=on", "-uuid", uuid(b.cfg.VM), "-nodefaults", "-no-user-config", "-display", "none")
	// Without privileges, without children: the process has what it was given and nothing else.
	b.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
	// A guest that powers off waits, paused: an agent that was dead at that moment still finds out.
	b.add("-action", "reboot=reset,shutdown=pause,panic=pause,watchdog=reset", "-rtc", "base=utc")
}

func (b *builder) processor() {
	b.add("-machine", b.machine())
	if b.cfg.Accel == "kvm" {
		b.add("-accel", "kvm")
	} else {
		b.add("-accel", "tcg,thread=multi")
	}
	l := b.layout
	b.add("-cpu", b.cfg.CPUModel, "-smp", fmt.Sprintf("cpus=%d,sockets=1,cores=%d,threads=1,maxcpus=%d", l.CPUs, l.MaxCPUs, l.MaxCPUs))
	if l.MaxMiB > 0 {
		b.add("-m", fmt.Sprintf("size=%dK,slots=%d,maxmem=%dM", l.MemoryKiB, maxDIMMs, l.MaxMiB+1))
	} else {
		b.add("-m", fmt.Sprintf("size=%dK", l.MemoryKiB))
	}
	for i, size := range l.DIMMs {
		b.object("-object", dimmBackend(i, size))
		b.object("-device", dimm(i))
	}
	for core := l.CPUs; core < b.cfg.CPUs; core++ {
		b.object("-device", processor(b.cfg.CPUModel, core))
	}
}

// machine gives the machine type with what it shall not have: each absent device is less to emulate, to start and to attack.
func (b *builder) machine() string {
	out := b.cfg.MachineType
	if b.arm {
		out += ",gic-version=" + map[bool]string{true: "host", false: "3"}[b.cfg.Accel == "kvm"]
	} else {
		out += ",usb=off,vmport=off,hpet=off,smm=" + map[bool]string{true: "on", false: "off"}[b.cfg.Secure]
		if !slices.ContainsFunc(b.cfg.Disks, func(d hypervisor.Disk) bool { return d.CDROM }) {
			out += ",sata=off"
		}
	}
	if b.cfg.Firmware == vm.UEFI {
		out += ",pflash0=fw-code,pflash1=fw-vars"
	}
	return out + ",dump-guest-core=off"
}

// channels are the ways in: the agent made the listening sockets, so their folder can stay closed to the guest's user.
func (b *builder) channels() {
	for _, name := range []string{"qmp", "serial", "agent"} {
		wait := "off"
		if name == "serial" { // the agent has connected already; accepted later, the guest's first words would be lost
			wait = "on"
		}
		b.add("-chardev", fmt.Sprintf("socket,id=%s,fd=%d,server=on,wait=%s", name, b.fd(listener, name), wait))
	}
	b.add("-mon", "chardev=qmp,mode=control", "-serial", "chardev:serial")
}

func (b *builder) firmware() {
	switch b.cfg.Firmware {
	case vm.Direct:
		b.add("-kernel", fmt.Sprintf("/proc/self/fd/%d", b.fd(readOnly, b.cfg.Kernel.Path)))
		if b.cfg.Initrd.Path != "" {
			b.add("-initrd", fmt.Sprintf("/proc/self/fd/%d", b.fd(readOnly, b.cfg.Initrd.Path)))
		}
		cmdline := b.cfg.Cmdline
		if b.cfg.Accel != "kvm" && !b.arm {
			// An emulated timer is late on a busy host; Linux' check of it would then stop the boot.
			cmdline = strings.TrimSpace("no_timer_check " + cmdline)
		}
		if cmdline != "" {
			b.add("-append", cmdline)
		}
	case vm.UEFI:
		b.object("-blockdev", map[string]any{"driver": "raw", "node-name": "fw-code", "read-only": true,
			"file": map[string]any{"driver": "file", "filename": b.host.Code, "node-name": "fw-code-file"}})
		b.drive("fw-vars", b.cfg.Vars)
		if b.cfg.Secure && !b.arm {
			b.add("-global", "driver=cfi.pflash01,property=secure,value=on") // only firmware in SMM writes the variables
		}
		if !b.arm {
			b.add("-global", "ICH9-LPC.disable_s3=1") // sleep to memory does not survive with these firmwares
		}
	}
}

// Places on the root bus. They are fixed so that a machine is the same whatever else it has.
const (
	slotScreen  = "0x1"
	slotSerial  = "0x2"
	slotRandom  = "0x3"
	slotBalloon = "0x4"
	slotDisk    = "0x5"
	slotSeed    = "0x6"
	slotUSB     = "0x7"
	slotPorts   = 0x8 // to 0xb
	slotSCSI    = "0xc"
	slotPanic   = "0xd"
)

func (b *builder) platform() {
	b.device("virtio-serial-pci", "id", "vserial", "bus", "pcie.0", "addr", slotSerial, "disable-legacy", "on")
	b.device("virtserialport", "id", "agent0", "bus", "vserial.0", "chardev", "agent", "name", "org.qemu.guest_agent.0")
	b.object("-object", map[string]any{"qom-type": "rng-builtin", "id": "rng0"})
	b.device("virtio-rng-pci", "id", "random0", "rng", "rng0", "bus", "pcie.0", "addr", slotRandom, "disable-legacy", "on")
	b.device("virtio-balloon-pci", "id", "balloon0", "bus", "pcie.0", "addr", slotBalloon, "disable-legacy", "on", "deflate-on-oom", true, "free-page-reporting", true)
	if b.arm {
		b.device("pvpanic-pci", "id", "panic0", "bus", "pcie.0", "addr", slotPanic)
	} else {
		b.device("pvpanic", "id", "panic0")
	}
}

func (b *builder) device(driver string, properties ...any) {
	value := map[string]any{"driver": driver}
	for i := 0; i < len(properties); i += 2 {
		value[properties[i].(string)] = properties[i+1]
	}
	b.object("-device", value)
}

// bus adds the root ports. Virtio needs no I/O ports, and a bridge would reserve 4096 of the 65536.
func (b *builder) bus() {
	for i := range b.layout.Ports {
		b.device("pcie-root-port", "id", portID(i), "bus", "pcie.0", "chassis", i+1,
			"addr", fmt.Sprintf("0x%x.0x%x", slotPorts+i/8, i%8), "multifunction", true, "io-reserve", 0)
	}
	for i := range b.layout.IOThreads {
		b.object("-object", map[string]any{"qom-type": "iothread", "id": threadID(i)})
	}
}

func (b *builder) seed() {
	if b.cfg.Seed.Path == "" {
		return
	}
	f := b.cfg.Seed
	f.ReadOnly = true
	b.drive("seed", f)
	b.device("virtio-blk-pci", "id", "seed0", "drive", "seed", "bus", "pcie.0", "addr", slotSeed, "disable-legacy", "on")
}

func (b *builder) nic(n hypervisor.NIC) {
	netdev := netdev(n)
	if n.Tap != "" {
		netdev["fd"] = fmt.Sprint(b.fd(tap, n.Tap))
		if b.host.VhostNet && b.cfg.Accel == "kvm" {
			netdev["vhost"], netdev["vhostfd"] = true, fmt.Sprint(b.fd(vhost, n.Tap))
		}
	}
	b.object("-netdev", netdev)
	b.object("-device", nicDevice(n, b.layout.Port[nicID(n)]))
}

func (b *builder) tpm() {
	if b.cfg.TPMDir == "" {
		return
	}
	b.add("-chardev", fmt.Sprintf("socket,id=tpm,fd=%d", b.fd(tpmSocket, b.cfg.TPMDir)), "-tpmdev", "emulator,id=tpm0,chardev=tpm")
	if b.arm {
		b.device("tpm-tis-device", "tpmdev", "tpm0")
	} else {
		b.device("tpm-crb", "tpmdev", "tpm0")
	}
}

// screen adds a display with a pointer that follows the viewer's. VNC listens nowhere: each viewer is handed in.
func (b *builder) screen() {
	if !b.cfg.Display {
		return
	}
	b.add("-vnc", "none")
	if b.arm {
		b.device("virtio-gpu-pci", "id", "video0", "bus", "pcie.0", "addr", slotScreen)
	} else {
		b.device("VGA", "id", "video0", "bus", "pcie.0", "addr", slotScreen, "vgamem_mb", 16)
	}
	b.device("qemu-xhci", "id", "usb0", "bus", "pcie.0", "addr", slotUSB)
	b.device("usb-tablet", "bus", "usb0.0")
	if b.arm {
		b.device("usb-kbd", "bus", "usb0.0")
	}
}

func (b *builder) start() {
	b.add("-boot", "menu=off,strict=on")
	if b.cfg.Restore != nil {
		b.add("-incoming", fmt.Sprintf("fd:%d", b.fd(state, b.cfg.Restore.Path)))
	}
	if b.cfg.Restore != nil || b.cfg.StartPaused {
		b.add("-S")
	}
}
