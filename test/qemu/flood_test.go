package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/hypervisor"
)

// A guest writes without end to its serial line and to the line of its agent, and nobody but itself notices: the platform stays small, its disk
// does not fill, its neighbour and the API answer, and the guest obeys.
func TestFlood_ofAGuestHarmsNobodyElse(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	loud, calm := w.create("loud"), w.create("calm")
	calm.sh("true")
	idle := w.residentKiB()
	loud.sh("yes flood >/dev/ttyS0 2>/dev/null & " +
		"rm -rf /run/qemu-ga; mkdir /run/qemu-ga; killall -9 qemu-ga; " + // whoever restarts the agent finds its folder taken
		"(while :; do yes flood >/dev/virtio-ports/org.qemu.guest_agent.0; sleep 1; done) >/dev/null 2>&1 & true")
	loud.serial().sees(strings.Repeat("flood\r\n", 1000))
	loud.says("ps", "yes flood")

	// Over several questions to the guest's agent, which nobody answers.
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		begin := time.Now()
		if v := loud.get(); v.Status != vm.StateRunning {
			t.Fatalf("it is %s (%s)", v.Status, v.StatusReason)
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("reading the VM took %s", took)
		}
		calm.sh("true")
	}
	if now := w.residentKiB(); now > idle+64<<10 {
		t.Errorf("the platform has grown from %d to %d KiB", idle, now)
	}
	if fi, err := os.Stat(filepath.Join(w.data, "vms", string(loud.get().ID), "serial.log")); err != nil || fi.Size() > hypervisor.SerialLogBytes {
		t.Errorf("the log of the serial line: %v %v", fi, err)
	}
	loud.do(w.PauseVM)
	loud.do(w.ResumeVM)
	loud.stop(wire.StopVM{Force: true})
	w.equalsAPI()
}

// residentKiB is the memory of the platform's process.
func (w *world) residentKiB() (kib int) {
	w.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.proc.Process.Pid))
	if err != nil {
		w.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		w.t.Fatal(err)
	}
	return kib
}
