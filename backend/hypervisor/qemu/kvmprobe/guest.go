//go:build amd64 || arm64

package kvmprobe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers of the KVM API that golang.org/x/sys does not name. They are the same on both architectures.
const (
	kvmVersion      = 0xae00
	kvmCreateVM     = 0xae01
	kvmRunSize      = 0xae04
	kvmCreateVCPU   = 0xae41
	kvmSetMemory    = 0x4020ae46
	kvmRun          = 0xae80
	version         = 12
	maxInterruption = 1000 // signals, of the runtime's own scheduling for the most part, before a run counts as hung
)

// ioctl passes a structure to the kernel. The vCPU's memory is kept alive by the callers.
func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}

// create asks for a new descriptor.
func create(fd int, request uint, arg uintptr) (int, error) {
	out, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), arg)
	if errno != 0 {
		return -1, errno
	}
	return int(out), nil
}

// runGuest runs the code on a new vCPU. Closing stop lets a run that hangs end.
func runGuest(stop <-chan struct{}) error {
	runtime.LockOSThread() // KVM wants one thread per vCPU, and stop interrupts this one
	defer runtime.UnlockOSThread()
	kvm, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return errors.New("this machine has no /dev/kvm: its processor or its own hypervisor offers no virtualization")
	case errors.Is(err, unix.EACCES):
		return errors.New("/dev/kvm is closed to this user: add the user to the group kvm")
	case err != nil:
		return fmt.Errorf("/dev/kvm cannot be opened (%w)", err)
	}
	defer unix.Close(kvm)
	if got, err := create(kvm, kvmVersion, 0); err != nil || got != version {
		return fmt.Errorf("/dev/kvm speaks version %d and not %d", got, version)
	}
	vm, err := create(kvm, kvmCreateVM, 0)
	if err != nil {
		return fmt.Errorf("KVM makes no virtual machine (%w)", err)
	}
	defer unix.Close(vm)
	return withMemory(kvm, vm, stop)
}

func withMemory(kvm, vm int, stop <-chan struct{}) error {
	ram, err := unix.Mmap(-1, 0, memory, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	defer unix.Munmap(ram)
	layOut(ram)
	slot := struct {
		slot, flags         uint32
		guest, size, userAt uint64
	}{size: memory, userAt: uint64(uintptr(unsafe.Pointer(&ram[0])))}
	if err := ioctl(vm, kvmSetMemory, unsafe.Pointer(&slot)); err != nil {
		return fmt.Errorf("KVM takes no memory (%w)", err)
	}
	cpu, err := create(vm, kvmCreateVCPU, 0)
	if err != nil {
		return fmt.Errorf("KVM makes no virtual CPU (%w)", err)
	}
	defer unix.Close(cpu)
	size, err := create(kvm, kvmRunSize, 0)
	if err != nil {
		return err
	}
	run, err := unix.Mmap(cpu, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(run)
	return onCPU(kvm, vm, cpu, run, stop)
}

// onCPU runs the guest while another goroutine stands by to interrupt it.
func onCPU(kvm, vm, cpu int, run []byte, stop <-chan struct{}) error {
	target := kvm
	if runtime.GOARCH == "arm64" { // there the preferred target is asked of the VM, on x86 the features of KVM
		target = vm
	}
	if err := setUp(target, cpu); err != nil {
		return err
	}
	thread, over := unix.Gettid(), make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-stop:
			run[1] = 1                                          // immediate_exit: the next run ends at once
			_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGURG) // the signal that the Go runtime expects at any time
		case <-over:
		}
	}()
	err := follow(cpu, run)
	close(over)
	<-stopped // it writes to run, which the caller unmaps
	return err
}

// enter runs the vCPU until it leaves for the host.
func enter(cpu int, run []byte) error {
	for range maxInterruption {
		err := ioctl(cpu, kvmRun, nil)
		if !errors.Is(err, unix.EINTR) || run[1] != 0 {
			return err
		}
	}
	return errors.New("it was interrupted and never came back")
}

func reason(run []byte) uint32 { return binary.LittleEndian.Uint32(run[8:]) }
