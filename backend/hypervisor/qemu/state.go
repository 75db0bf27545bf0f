package qemu

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
)

// A saved state is a header of a fixed size and behind it what QEMU wrote. The header holds the machine that the state fits.
const (
	stateMagic = "NovaCron state 1"
	stateHead  = 64 << 10 // bytes: magic, length, header as JSON, zeros
)

// saved is the header.
type saved struct {
	VM          id.VM  `json:"vm"`
	MachineType string `json:"machine_type"`
	CPUModel    string `json:"cpu_model"`
	Accel       string `json:"accel"`
	CPUs        int    `json:"cpus"`
	Layout      layout `json:"layout"`
}

// newState makes an unfinished state beside path, positioned where QEMU's part begins.
func newState(path string, s saved) (*os.File, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if len(raw) > stateHead-len(stateMagic)-4 {
		return nil, errors.New("the header of a saved state does not fit")
	}
	file, err := os.OpenFile(hypervisor.Partial(path), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint32([]byte(stateMagic), uint32(len(raw)))
	head = append(append(head, raw...), make([]byte, stateHead-len(stateMagic)-4-len(raw))...)
	if _, err := file.Write(head); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}

func dropPartial(path string) {
	if path != "" {
		_ = os.Remove(hypervisor.Partial(path)) // as a rule it is not there
	}
}

// openState opens a finished state, positioned where QEMU's part begins.
func openState(path string) (*os.File, saved, error) {
	var s saved
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s, fault.Wrap(err, fault.NotFound, "state_missing", "the saved state of this VM is gone; start it without it")
	}
	if err != nil {
		return nil, s, err
	}
	if s, err = readState(file); err != nil {
		return nil, s, errors.Join(fault.Wrap(err, fault.Invalid, "state_broken", "the saved state of this VM is damaged; discard it and start the VM anew"), file.Close())
	}
	return file, s, nil
}

func readState(in io.Reader) (saved, error) {
	var s saved
	head := make([]byte, stateHead)
	if _, err := io.ReadFull(in, head); err != nil {
		return s, err
	}
	if string(head[:len(stateMagic)]) != stateMagic {
		return s, errors.New("it is not a saved state")
	}
	size := binary.BigEndian.Uint32(head[len(stateMagic):])
	body := head[len(stateMagic)+4:]
	if int(size) > len(body) {
		return s, errors.New("its header is longer than it can be")
	}
	return s, json.Unmarshal(body[:size], &s)
}

// fits refuses a machine that the state was not saved from.
func (s saved) fits(cfg hypervisor.Config) error {
	wrong := ""
	switch {
	case s.VM != cfg.VM:
		wrong = "another VM"
	case s.MachineType != cfg.MachineType:
		wrong = "machine type " + s.MachineType
	case s.CPUModel != cfg.CPUModel:
		wrong = "CPU model " + s.CPUModel
	case s.Accel != cfg.Accel:
		wrong = "accelerator " + s.Accel
	case s.CPUs != cfg.CPUs:
		wrong = "another number of vCPUs"
	case s.memoryMiB() != cfg.MemoryMiB:
		wrong = "another size of memory"
	default:
		for _, device := range portDevices(cfg) {
			if _, ok := s.Layout.Port[device]; !ok {
				wrong = "other disks or NICs"
			}
		}
		if wrong == "" && len(portDevices(cfg)) != len(s.Layout.Port) {
			wrong = "other disks or NICs"
		}
	}
	if wrong == "" {
		return nil
	}
	return fault.New(fault.Conflict, "state_other", "the saved state of this VM belongs to a machine with %s; restore the VM as it was, or discard the state", wrong)
}

func (s saved) memoryMiB() int {
	total := s.Layout.MemoryKiB >> 10
	for _, size := range s.Layout.DIMMs {
		total += size
	}
	return total
}
