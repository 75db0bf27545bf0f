package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"runtime"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// What a VM gets when neither its user nor its image says.
const (
	defaultCPUs      = 1
	defaultMemoryMiB = 512
	defaultDiskGiB   = 10 // blank, beside an installer's CD-ROM
	defaultNetwork   = "default"
	maxDescription   = 1000 // characters
	gib              = int64(1) << 30
)

// specOf makes the whole spec out of what a user asked for: image and networks are looked up, gaps are filled, and every bound is
// checked. Addresses are not given yet.
func (a *App) specOf(ctx context.Context, r *store.Reader, c auth.Caller, w wire.CreateVM) (vm.Spec, error) {
	s := vm.Spec{
		CPUs: w.CPUs, MemoryMiB: w.MemoryMiB, Arch: w.Arch, Firmware: w.Firmware, Secure: w.SecureBoot, TPM: w.TPM,
		Forwards: forwards(w.Forwards), SSHKeys: w.SSHKeys, UserData: w.UserData, Restart: w.Restart, Protected: w.Protected,
	}
	if w.Autostart != nil {
		s.Autostart = vm.Autostart(*w.Autostart)
	}
	if err := a.fromImage(ctx, r, c, w, &s); err != nil {
		return s, err
	}
	fill(&s)
	s.Display = s.Firmware != vm.Direct
	set(&s.Display, w.Display)
	if w.CDROM != "" {
		d, err := a.newDisk(ctx, r, c, wire.NewDisk{Image: w.CDROM, CDROM: true}, "cdrom")
		if err != nil {
			return s, err
		}
		d.BootFrom = true
		s.Disks = append(s.Disks, d)
	}
	for i, d := range w.Disks {
		disk, err := a.newDisk(ctx, r, c, d, fmt.Sprintf("disks[%d]", i))
		if err != nil {
			return s, err
		}
		s.Disks = append(s.Disks, disk)
	}
	networks := []string{defaultNetwork}
	set(&networks, w.Networks)
	for i, n := range networks {
		nic, err := newNIC(ctx, r, c, n, fmt.Sprintf("networks[%d]", i))
		if err != nil {
			return s, err
		}
		s.NICs = append(s.NICs, nic)
	}
	if err := s.Check(); err != nil {
		return s, err
	}
	return s, a.checkUserData(s.UserData)
}

func (a *App) checkUserData(data string) error {
	if data == "" || a.d.CheckUserData == nil {
		return nil
	}
	return a.d.CheckUserData(data)
}

// forwards takes TCP where nobody says the protocol.
func forwards(list []wire.Forward) []vm.Forward {
	var out []vm.Forward
	for _, f := range list {
		if f.Protocol == "" {
			f.Protocol = "tcp"
		}
		out = append(out, vm.Forward(f))
	}
	return out
}

// fill takes what is usual for what nobody said.
func fill(s *vm.Spec) {
	if s.CPUs == 0 {
		s.CPUs = defaultCPUs
	}
	if s.MemoryMiB == 0 {
		s.MemoryMiB = defaultMemoryMiB
	}
	if s.Arch == "" {
		s.Arch = hostArch()
	}
	if s.Restart == "" {
		s.Restart = vm.Stay
	}
	if s.Firmware == "" {
		s.Firmware = vm.BIOS
		if s.Arch == vm.AArch64 || s.Secure {
			s.Firmware = vm.UEFI
		}
	}
}

func hostArch() vm.Arch {
	if runtime.GOARCH == "arm64" {
		return vm.AArch64
	}
	return vm.X86_64
}

// fromImage makes the boot disk. An ISO goes into a CD-ROM beside a blank disk to install on.
func (a *App) fromImage(ctx context.Context, r *store.Reader, c auth.Caller, w wire.CreateVM, s *vm.Spec) error {
	boot := vm.Disk{ID: id.NewVolume(), SizeGiB: w.DiskGiB}
	if w.Image == "" {
		if w.DiskGiB == 0 {
			return fault.New(fault.Invalid, "", "a VM without an image needs the size of its disk").On("disk_gib")
		}
		s.Disks = []vm.Disk{boot}
		return nil
	}
	i, err := readyImage(ctx, r, c, w.Image, "image")
	if err != nil {
		return err
	}
	if w.Arch != "" && i.Arch != "" && w.Arch != i.Arch {
		return fault.New(fault.Invalid, "", "image %s is for %s, not for %s; leave the architecture out", i.Name, i.Arch, w.Arch).On("arch")
	}
	s.Image, s.Arch = i.Digest, i.Arch
	if s.Firmware == "" {
		s.Firmware = i.Firmware
	}
	if s.Firmware == vm.Direct {
		s.Cmdline = i.Cmdline
	}
	if s.MemoryMiB == 0 {
		s.MemoryMiB = i.MinMemoryMiB
	}
	if s.MemoryMiB != 0 && s.MemoryMiB < i.MinMemoryMiB {
		return fault.New(fault.Invalid, "", "image %s needs %d MiB of memory, not %d", i.Name, i.MinMemoryMiB, s.MemoryMiB).On("memory_mib")
	}
	if i.Format == "iso" {
		if boot.SizeGiB == 0 {
			boot.SizeGiB = max(defaultDiskGiB, i.MinDiskGiB)
		}
		s.Disks = []vm.Disk{boot, {ID: id.NewVolume(), Image: i.Digest, CDROM: true, BootFrom: true}}
		return nil
	}
	boot.Image = i.Digest
	boot.SizeGiB, err = sizeFor(boot.SizeGiB, i, "disk_gib")
	s.Disks = []vm.Disk{boot}
	return err
}

// sizeFor gives the size of a disk that starts from the image; asked 0 means as the image wants.
func sizeFor(asked int, i store.Image, field string) (int, error) {
	least := max(int((i.VirtualBytes+gib-1)/gib), 1)
	if asked == 0 {
		return max(least, i.MinDiskGiB), nil
	}
	if asked < least {
		return 0, fault.New(fault.Invalid, "", "image %s is a disk of %d GiB, %d are too few for it", i.Name, least, asked).On(field)
	}
	return asked, nil
}

// readyImage finds an image by id, digest or name among the caller's and the public ones.
func readyImage(ctx context.Context, r *store.Reader, c auth.Caller, ref, field string) (store.Image, error) {
	i, err := findImage(ctx, r, c, ref)
	if fault.Is(err, fault.NotFound) {
		return i, fault.New(fault.Invalid, "image_not_found", "there is no image %.80q; list the images to see their names", ref).On(field)
	}
	if err == nil && i.State != store.ImageReady {
		return i, fault.New(fault.Conflict, "image_not_ready", "image %s is not ready yet; wait until its import has ended", i.Name).On(field)
	}
	return i, err
}

// newDisk makes a further disk of a VM.
func (a *App) newDisk(ctx context.Context, r *store.Reader, c auth.Caller, w wire.NewDisk, field string) (vm.Disk, error) {
	d := vm.Disk{ID: id.NewVolume(), SizeGiB: w.SizeGiB, CDROM: w.CDROM, IOPS: w.IOPS, MiBPerS: w.MiBPerS}
	if w.Image == "" {
		return d, nil
	}
	i, err := readyImage(ctx, r, c, w.Image, field+".image")
	if err != nil {
		return d, err
	}
	d.Image = i.Digest
	if w.CDROM {
		if i.Format != "iso" && i.Format != "raw" {
			return d, fault.New(fault.Invalid, "", "image %s is %s; a CD-ROM needs an ISO", i.Name, i.Format).On(field + ".image")
		}
		return d, nil
	}
	d.SizeGiB, err = sizeFor(w.SizeGiB, i, field+".size_gib")
	return d, err
}

// newNIC makes an interface on a network, without its address.
func newNIC(ctx context.Context, r *store.Reader, c auth.Caller, ref, field string) (vm.NIC, error) {
	w, err := findNetwork(ctx, r, c, ref)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Invalid, "network_not_found", "there is no network %.80q; list the networks to see their names", ref).On(field)
	}
	return vm.NIC{ID: id.NewNIC(), Network: w.ID}, err
}

// macTries is how often a random MAC may turn out to be taken: with 2^32 of them, a second time in a row is a broken generator.
const macTries = 4

// giveAddress gives the interface its MAC and address, which it has for its life. The VM's row must be there.
func giveAddress(ctx context.Context, t *store.Tx, v id.VM, n *vm.NIC) error {
	for try := 1; ; try++ {
		n.MAC = randomMAC()
		got, err := t.AllocateAddress(ctx, n.Network, n.ID, v, n.MAC)
		if fault.Is(err, fault.Conflict) && try < macTries {
			continue
		}
		n.Address = got.Address
		return err
	}
}

// randomMAC is locally administered; 52:54 is what people know as a virtual machine's.
func randomMAC() string {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0}
	rand.Read(mac[2:])
	return mac.String()
}

func checkDescription(s string) error {
	if len([]rune(s)) > maxDescription {
		return fault.New(fault.Invalid, "", "a description has up to %d characters", maxDescription).On("description")
	}
	return nil
}
