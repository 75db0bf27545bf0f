package kvmprobe

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

//go:embed modes.bin
var modes []byte

// Where things lie in the guest's memory; see modes.S.
const (
	memory   = 64 << 10
	codeAt   = 0x1000
	tablesAt = 0x3000
	port     = 0x10
)

// Numbers of the KVM API for x86 that golang.org/x/sys does not name.
const (
	kvmSetRegs         = 0x4090ae82
	kvmGetSregs        = 0x8138ae83
	kvmSetSregs        = 0x4138ae84
	kvmGetSupportedCPU = 0xc008ae05
	kvmSetCPUID        = 0x4008ae90
	sregsSize          = 0x138
	regsSize           = 0x90
	maxCPUID           = 256 // entries of 40 bytes behind a header of 8
	exitIO             = 2
	exitHalt           = 5
)

// layOut puts the code and one 2 MiB page that maps the memory onto itself into the guest.
func layOut(ram []byte) {
	copy(ram[codeAt:], modes)
	binary.LittleEndian.PutUint64(ram[tablesAt:], tablesAt+0x1000|7)
	binary.LittleEndian.PutUint64(ram[tablesAt+0x1000:], tablesAt+0x2000|7)
	binary.LittleEndian.PutUint64(ram[tablesAt+0x2000:], 0x87)
}

// setUp gives the vCPU the host's features and lets it begin at the code in real mode.
func setUp(kvm, cpu int) error {
	features := make([]byte, 8+maxCPUID*40)
	binary.LittleEndian.PutUint32(features, maxCPUID)
	if err := ioctl(kvm, kvmGetSupportedCPU, unsafe.Pointer(&features[0])); err != nil {
		return fmt.Errorf("KVM does not say which processor it offers (%w)", err)
	}
	if err := ioctl(cpu, kvmSetCPUID, unsafe.Pointer(&features[0])); err != nil {
		return fmt.Errorf("KVM refuses the processor that it offers (%w)", err)
	}
	segments := make([]byte, sregsSize)
	if err := ioctl(cpu, kvmGetSregs, unsafe.Pointer(&segments[0])); err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(segments[0:], 0)  // base of CS
	binary.LittleEndian.PutUint16(segments[12:], 0) // its selector
	if err := ioctl(cpu, kvmSetSregs, unsafe.Pointer(&segments[0])); err != nil {
		return err
	}
	registers := make([]byte, regsSize)
	binary.LittleEndian.PutUint64(registers[128:], codeAt) // RIP
	binary.LittleEndian.PutUint64(registers[136:], 2)      // RFLAGS
	return ioctl(cpu, kvmSetRegs, unsafe.Pointer(&registers[0]))
}

// follow runs the vCPU until it has reported from every mode and halts.
func follow(cpu int, run []byte) error {
	var last byte
	for _, want := range []byte("RPL") {
		if err := enter(cpu, run); err != nil {
			return errors.Join(missed(last, want), err)
		}
		at := binary.LittleEndian.Uint64(run[40:]) // offset of the data of an I/O exit
		if reason(run) != exitIO || binary.LittleEndian.Uint16(run[34:]) != port || at >= uint64(len(run)) || run[at] != want {
			return missed(last, want)
		}
		last = want
	}
	if err := enter(cpu, run); err != nil || reason(run) != exitHalt {
		return errors.New("a virtual CPU ran through its three modes and did not halt")
	}
	return nil
}
