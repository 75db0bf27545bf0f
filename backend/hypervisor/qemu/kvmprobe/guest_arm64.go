package kvmprobe

import (
	"encoding/binary"
	"errors"
	"unsafe"
)

// Where things lie in the guest's memory.
const (
	memory = 64 << 10
	codeAt = 0x1000
	port   = 0x1000_0000 // no memory is there: a store ends in the host
)

// Numbers of the KVM API for arm64 that golang.org/x/sys does not name.
const (
	kvmPreferredTarget = 0x8020aeaf
	kvmVCPUInit        = 0x4020aeae
	kvmSetOneReg       = 0x4010aeac
	programCounter     = 0x6030_0000_0010_0040
	exitMMIO           = 6
)

// layOut stores 'L' at port and stays there.
func layOut(ram []byte) {
	for i, instruction := range []uint32{
		0xd2a20000, // mov x0, #0x10000000
		0x52800981, // mov w1, #'L'
		0xb9000001, // str w1, [x0]
		0x14000000, // b .
	} {
		binary.LittleEndian.PutUint32(ram[codeAt+4*i:], instruction)
	}
}

func setUp(vm, cpu int) error {
	target := make([]byte, 32)
	if err := ioctl(vm, kvmPreferredTarget, unsafe.Pointer(&target[0])); err != nil {
		return err
	}
	if err := ioctl(cpu, kvmVCPUInit, unsafe.Pointer(&target[0])); err != nil {
		return err
	}
	start := uint64(codeAt)
	request := struct{ id, address uint64 }{programCounter, uint64(uintptr(unsafe.Pointer(&start)))}
	return ioctl(cpu, kvmSetOneReg, unsafe.Pointer(&request))
}

func follow(cpu int, run []byte) error {
	if err := enter(cpu, run); err != nil {
		return err
	}
	// kvm_run.mmio: address, data, length, direction
	if reason(run) != exitMMIO || binary.LittleEndian.Uint64(run[32:]) != port || run[40] != 'L' {
		return errors.New("a virtual CPU was started and did not do what its code says")
	}
	return nil
}
