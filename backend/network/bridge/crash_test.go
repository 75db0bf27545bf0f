package bridge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"novacron/backend/network/bridge"
	"novacron/backend/network/networktest"
)

const crashDir = "NOVACRON_TEST_CRASH_DIR"

// crashRounds is how often the process is killed; each takes about a third of a second.
const crashRounds = 12

// A process makes and releases VMs until it is killed with SIGKILL, at a random moment. The next life must release all that is there,
// and then nothing may be left.
func TestKill_leavesNothingThatTheNextLifeDoesNotFind(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		crash(t, dir)
		return
	}
	dir := world(t)
	killed := 0
	for round := range crashRounds {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestKill_")
		cmd.Env = append(os.Environ(), crashDir+"="+filepath.Join(dir, "records"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it has begun
			t.Fatalf("round %d: the process said nothing: %v", round, err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		timer.Stop()
		if err == nil {
			t.Fatalf("round %d: the process ended by itself", round)
		}
		if len(remains(t)) > 0 {
			killed++
		}
		f := open(t, dir)
		vms, err := f.Attached(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, vm := range vms {
			if err := f.Release(t.Context(), vm); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if left := remains(t); len(left) > 0 {
			t.Fatalf("round %d: left %q", round, left)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if killed == 0 {
		t.Errorf("in %d rounds nothing was there to find: the test shows nothing", crashRounds)
	}
}

// crash is what the process that is killed does.
func crash(t *testing.T, dir string) {
	f, err := bridge.New(context.Background(), bridge.Options{Dir: dir, Instance: instance})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("begun")
	for n := 1; ; n = n%100 + 1 {
		m := networktest.VM(n)
		if n%3 == 0 {
			m.Ports = append(m.Ports, networktest.Port("second", "10.77.4", n))
		}
		if _, err := f.Ensure(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		m.Ports = m.Ports[:1]
		if _, err := f.Ensure(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		if err := f.Release(context.Background(), m.VM); err != nil {
			t.Fatal(err)
		}
	}
}
