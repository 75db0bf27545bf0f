package kvmprobe

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// busy is what a machine with other work may take beside the probe's own time-outs.
const busy = 20 * time.Second

func TestRun_answersInTimeWhateverTheMachine(t *testing.T) {
	began := time.Now()
	why := Run(t.Context(), Options{})
	if took := time.Since(began); took > runTimeout+busy {
		t.Errorf("it took %s", took)
	}
	t.Logf("KVM: %q", why)
}

func TestRun_believesOnlyAGuestThatRan(t *testing.T) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("needs qemu-system-x86_64")
	}
	began := time.Now()
	why := Run(t.Context(), Options{QEMU: qemu, CPUModel: "Nehalem"})
	if took := time.Since(began); took > 2*runTimeout+busy {
		t.Errorf("it took %s", took)
	}
	t.Logf("KVM with QEMU: %q", why)
}

func TestRun_endsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if why := Run(ctx, Options{}); why == "" {
		t.Error("KVM is believed without a trial")
	}
}
