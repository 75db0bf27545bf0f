// Package kvmprobe finds out whether KVM really runs guests here. That the device is there and answers proves nothing: there are
// machines on which a vCPU is created and then hangs. So a vCPU runs a few bytes of code through real, protected and long mode
// and has to report from each of them. It deliberately changes nothing and keeps nothing.
package kvmprobe

import (
	"context"
	"fmt"
	"time"
)

// Options say what else has to work.
type Options struct {
	QEMU     string // path of the emulator for guests of this architecture; empty: not tried
	CPUModel string // the model that guests get
}

// runTimeout is what a vCPU may take for some thirty instructions, with the kernel's set-up of a VM.
const runTimeout = time.Second

const tooShort = "the time for the trial was too short"

// Run gives the sentence that says why KVM cannot be used, or nothing when it can. The vCPU runs in a goroutine of its own with
// its own descriptors; one that hangs is told to stop and, if it does not, left behind.
func Run(ctx context.Context, options Options) string {
	if ctx.Err() != nil {
		return tooShort
	}
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() { done <- runGuest(stop) }()
	timer := time.NewTimer(runTimeout)
	defer timer.Stop()
	var err error
	select {
	case err = <-done:
	case <-timer.C:
		close(stop)
		return "a virtual CPU was started and never came back"
	case <-ctx.Done():
		close(stop)
		return tooShort
	}
	if err != nil {
		return err.Error()
	}
	if options.QEMU == "" {
		return ""
	}
	return tryQEMU(ctx, options)
}

// step names what the guest reports when it is through with it.
var steps = map[byte]string{'R': "real", 'P': "protected", 'L': "long"}

func missed(after, want byte) error {
	if after == 0 {
		return fmt.Errorf("a virtual CPU was started and did not get through %s mode", steps[want])
	}
	return fmt.Errorf("a virtual CPU ran through %s mode and did not get through %s mode", steps[after], steps[want])
}
