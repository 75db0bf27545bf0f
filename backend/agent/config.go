package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/network"
	"novacron/backend/storage"
)

// Names of the files in a VM's folder.
const (
	seedFile  = "seed.iso"
	varsFile  = "vars.qcow2"
	stateFile = "state"
	serialLog = "serial.log"
	tpmFolder = "tpm"
)

// dir is the VM's own folder.
func (x *actor) dir() string { return filepath.Join(x.a.o.DataDir, "vms", string(x.vm)) }

func (x *actor) path(name string) string { return filepath.Join(x.dir(), name) }

// volumes makes the disks that are not there and grows those that no process has open.
func (x *actor) volumes(ctx context.Context) ([]hypervisor.Disk, error) {
	release, err := take(ctx, x.a.diskSlots)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, x.a.o.Limits.Copy)
	defer cancel()
	m := &x.e.Machine
	sizes := volumeSizes{}
	disks := make([]hypervisor.Disk, 0, len(m.Disks))
	for i, d := range m.Disks {
		if x.superseded() {
			return nil, errSuperseded
		}
		disk := hypervisor.Disk{ID: d.ID, SizeBytes: int64(d.SizeGiB) << 30, CDROM: d.CDROM, IOPS: d.IOPS, BytesPerS: int64(d.MiBPerS) << 20}
		if disk.File, err = x.volume(ctx, d); err != nil {
			return nil, fmt.Errorf("disk %d: %w", i, err)
		}
		if !d.CDROM {
			sizes[d.ID] = disk.SizeBytes
		}
		disks = append(disks, disk)
	}
	bootOrder(m.Disks, disks)
	x.e.Sizes = sizes // saved with the next step of the process; a lost one costs a Grow that does nothing
	return disks, nil
}

func (x *actor) volume(ctx context.Context, d vm.Disk) (hypervisor.File, error) {
	if d.CDROM {
		image, err := x.a.o.Images.Get(d.Image)
		return image.Disk, err
	}
	size := int64(d.SizeGiB) << 30
	had, known := x.e.Sizes[d.ID]
	file, err := x.a.o.Pool.Ensure(ctx, storage.Volume{
		ID: d.ID, SizeBytes: size, Image: d.Image, From: d.From, Linked: d.Linked, Made: known || slices.Contains(x.e.Machine.Made, d.ID), Epoch: x.e.Machine.Epoch,
	})
	if err != nil {
		return file, err
	}
	// With a process, and with memory in a file, the guest believes in the size that it knows: Apply and the next start
	// grow the disk.
	if known && had < size && x.inst == nil && x.e.Phase == phaseStopped {
		err = x.a.o.Pool.Grow(ctx, d.ID, size)
	}
	return file, err
}

// bootOrder puts disks that ask for it first, then the first disk, then the others in order.
func bootOrder(wanted []vm.Disk, disks []hypervisor.Disk) {
	next := 1
	for _, first := range []bool{true, false} {
		for i := range disks {
			if wanted[i].BootFrom == first {
				disks[i].BootIndex = next
				next++
			}
		}
	}
}

// ports makes the ports on the node and gives a NIC for each.
func (x *actor) ports(ctx context.Context, ports []vm.Port) ([]hypervisor.NIC, error) {
	m := &x.e.Machine
	x.e.Ports = ports
	ctx, cancel := context.WithTimeout(ctx, x.a.o.Limits.Call)
	defer cancel()
	nics, err := x.a.o.Fabric.Ensure(ctx, network.Attachment{VM: m.ID, Tenant: m.Tenant, Hostname: m.Seed.Hostname, UID: m.UID, Ports: ports, Forwards: m.Forwards})
	if err != nil {
		return nil, err
	}
	if len(nics) != len(ports) {
		return nil, fmt.Errorf("the fabric gave %d NICs for %d ports of %s", len(nics), len(ports), m.ID)
	}
	return nics, nil
}

// config says the machine in the driver's words and makes the small files that go with it.
func (x *actor) config(ctx context.Context, disks []hypervisor.Disk, nics []hypervisor.NIC) (hypervisor.Config, error) {
	m := &x.e.Machine
	cfg := hypervisor.Config{
		VM: m.ID, Name: m.Name, Boot: m.Boot, Epoch: m.Epoch, Generation: m.Generation, UID: m.UID,
		Arch: m.Arch, MachineType: x.e.MachineType, CPUModel: x.e.CPUModel,
		CPUs: m.CPUs, MaxCPUs: maxCPUs(m), MemoryMiB: m.MemoryMiB, MaxMemoryMiB: min(2*m.MemoryMiB, vm.MaxMemoryMiB),
		Firmware: m.Firmware, Secure: m.Secure, Display: m.Display, Disks: disks, NICs: nics,
		SerialLog: x.path(serialLog), Seed: hypervisor.File{Path: x.path(seedFile), Format: "raw", ReadOnly: true},
	}
	if x.inst != nil {
		// The ceilings of a process are fixed; what lies above them is told as "restart required".
		there := x.inst.Info().Config
		cfg.MaxCPUs, cfg.MaxMemoryMiB = there.MaxCPUs, there.MaxMemoryMiB
	}
	if err := x.a.step("make the VM's folder"); err != nil {
		return cfg, err
	}
	if err := os.MkdirAll(x.dir(), 0o700); err != nil {
		return cfg, diskError(err, "make the VM's folder")
	}
	if err := x.firmware(ctx, &cfg); err != nil {
		return cfg, err
	}
	if x.inst == nil {
		// A running guest keeps the seed that it started with.
		if err := x.a.step("write seed"); err != nil {
			return cfg, err
		}
		if err := x.a.o.Seed(cfg.Seed.Path, *m); err != nil {
			return cfg, diskError(err, "write the seed")
		}
	}
	return cfg, nil
}

func (x *actor) firmware(ctx context.Context, cfg *hypervisor.Config) error {
	m := &x.e.Machine
	if m.TPM {
		cfg.TPMDir = x.path(tpmFolder)
		if err := os.MkdirAll(cfg.TPMDir, 0o700); err != nil {
			return diskError(err, "make the vTPM's folder")
		}
	}
	if m.Kernel != nil {
		image, err := x.a.o.Images.Get(m.Kernel.Image)
		if err != nil {
			return err
		}
		if image.Kernel == "" {
			return fault.New(fault.Invalid, "image_without_kernel", "the image of %s has no kernel, so it cannot boot without firmware", m.Name)
		}
		cfg.Kernel, cfg.Cmdline = hypervisor.File{Path: image.Kernel, Format: "raw", ReadOnly: true}, m.Kernel.Cmdline
		if image.Initrd != "" {
			cfg.Initrd = hypervisor.File{Path: image.Initrd, Format: "raw", ReadOnly: true}
		}
	}
	if maker, ok := x.a.o.Driver.(hypervisor.VarsMaker); ok && m.Firmware == vm.UEFI {
		var err error
		cfg.Vars, err = maker.MakeVars(ctx, x.path(varsFile), m.Arch, m.Secure)
		return err
	}
	return nil
}

// maxCPUs is the ceiling for live growth: twice what is there, and room to reach the host's own number on small guests.
func maxCPUs(m *vm.Machine) int {
	return min(max(2*m.CPUs, min(runtime.NumCPU(), 4*m.CPUs)), vm.MaxCPUs)
}

// removeFile deletes a file of the VM; absent is success.
func (x *actor) removeFile(name string) error {
	if err := x.a.step("remove " + name); err != nil {
		return err
	}
	if err := os.Remove(x.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func (x *actor) hasState() bool {
	_, err := os.Stat(x.path(stateFile))
	return err == nil
}

// take waits for a slot and gives what frees it.
func take(ctx context.Context, slots chan struct{}) (release func(), err error) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// volumesOf lists the disks that are the VM's own, which its removal takes along.
func volumesOf(m *vm.Machine) []id.Volume {
	var own []id.Volume
	for _, d := range m.Disks {
		if !d.CDROM {
			own = append(own, d.ID)
		}
	}
	return own
}
