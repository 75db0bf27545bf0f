package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	simhost "novacron/backend/hypervisor/sim"
)

func TestAdopt_takesOverRunningGuestsAndSaysWhatDied(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	lives, dies, paused := w.machine("lives"), w.machine("dies"), w.machine("paused")
	dies.NICs, paused.NICs = nil, nil
	paused.Power = vm.Paused
	pid := w.ensure(a, lives).PID
	w.ensure(a, dies)
	w.ensure(a, paused)
	a.Close()
	if err := w.host.Crash(dies.ID); err != nil {
		t.Fatal(err)
	}
	a = w.agent(0)
	if s := a.report(lives.ID); s.State != vm.SeenRunning || s.PID != pid || s.MachineType == "" || s.Generation != 1 {
		t.Errorf("the guest that lives: %+v", s)
	}
	if s := a.report(dies.ID); s.State != vm.SeenFailed || !strings.Contains(s.Reason, "while the node's agent was away") {
		t.Errorf("the guest that died: %s %q", s.State, s.Reason)
	}
	if s := a.report(paused.ID); s.State != vm.SeenPaused {
		t.Errorf("the paused guest: %s", s.State)
	}
	if w.host.Guests() != 2 {
		t.Errorf("%d processes, want 2: nothing starts by itself", w.host.Guests())
	}
}

// reboot makes the machine look as after a restart: no process, another boot id.
func (w *world) reboot(a *Agent, vms ...id.VM) {
	w.t.Helper()
	a.Close()
	for _, v := range vms {
		w.host.Crash(v)
		e, err := a.journal.read(v)
		if err != nil || e == nil {
			w.t.Fatalf("journal of %s: %v %v", v, e, err)
		}
		e.HostBoot = "an earlier boot"
		if err := replaceJournal(a, e); err != nil {
			w.t.Fatal(err)
		}
	}
}

func replaceJournal(a *Agent, e *entry) error {
	j := *a.journal
	j.step = func(string) error { return nil }
	return j.write(e)
}

func TestAutostart_startsInOrderAfterARestartOfTheMachineWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.agent(0)
		var vms []id.VM
		for i, auto := range []vm.Autostart{{Enabled: true, Order: 2}, {Enabled: true, Order: 1, DelayS: 1}, {}} {
			m := w.machine(fmt.Sprintf("vm-%d", i))
			m.NICs, m.Autostart = nil, auto
			w.ensure(a, m)
			vms = append(vms, m.ID)
		}
		w.reboot(a, vms...)
		began := time.Now()
		a = w.agent(0)
		w.await(a, vms[1], "the first in order", isState(vm.SeenRunning))
		if s := a.report(vms[0]); s.State == vm.SeenRunning {
			t.Error("the second in order did not wait for the first one's delay")
		}
		w.await(a, vms[0], "the second in order", isState(vm.SeenRunning))
		if d := time.Since(began); d < time.Second {
			t.Errorf("the second started after %v, want the delay of 1 s first", d)
		}
		if s := a.report(vms[2]); s.State != vm.SeenStopped || !strings.Contains(s.Reason, "restarted") {
			t.Errorf("without autostart: %s %q", s.State, s.Reason)
		}
	})
}

func TestAutostart_waitsForAServerInAFolderThatWasUsedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.agent(0)
		m := w.machine("web-1")
		m.NICs, m.Autostart.Enabled = nil, true
		w.ensure(a, m)
		w.reboot(a, m.ID)
		if err := os.WriteFile(a.home.path, []byte("another machine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		a = w.agent(0)
		time.Sleep(time.Hour) // of the bubble: nothing comes by itself
		if s := a.report(m.ID); s.State != vm.SeenStopped || w.host.Guests() != 0 {
			t.Fatalf("without a server's word it is %s, with %d guests", s.State, w.host.Guests())
		}
		if err := a.Lease(t.Context(), Lease{Node: w.node, Seq: a.AskLease(), Duration: time.Second}); err != nil {
			t.Fatal(err)
		}
		w.await(a, m.ID, "its start once the node has its lease", isState(vm.SeenRunning))
		w.reboot(a, m.ID)
		a = w.agent(0)
		w.await(a, m.ID, "its start in a folder that is known by now", isState(vm.SeenRunning))
	})
}

func TestPlace_isAnotherInACopyOfTheFolderAndStaysWhenItIsRenamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	copied, renamed := dir+"-copy", dir+"-renamed"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	place := func(dir string) string {
		p, err := Place(dir)
		if err != nil || len(p) != 32 {
			t.Fatalf("place of %s: %q, %v", dir, p, err)
		}
		return p
	}
	was := place(dir)
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if place(copied) == was {
		t.Error("the copy has the place of the original")
	}
	if err := os.Rename(dir, renamed); err != nil {
		t.Fatal(err)
	}
	if place(renamed) != was {
		t.Error("the folder changed its place with its name")
	}
}

func TestAdopt_leavesNoHalfMemoryOfASuspendThatAPowerCutEnded(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	half := hypervisor.Partial(filepath.Join(w.dir, "vms", string(m.ID), stateFile))
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.reboot(a, m.ID)
	e, err := a.journal.read(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	e.Machine.Power, e.Phase = vm.Suspended, phaseSuspending
	if err := replaceJournal(a, e); err != nil {
		t.Fatal(err)
	}
	a = w.agent(0)
	if s := a.report(m.ID); s.State != vm.SeenStopped {
		t.Errorf("it is %s (%s), want stopped", s.State, s.Reason)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of a memory is left: %v", err)
	}
}

func TestStopAll_endsEveryGuestAndKeepsWhatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.agent(0)
		m := w.machine("web-1")
		m.Autostart.Enabled = true
		w.ensure(a, m)
		deaf := w.machine("deaf")
		deaf.NICs, deaf.GraceS = nil, maxGraceS
		w.ensure(a, deaf)
		if err := w.host.IgnoreACPI(deaf.ID, true); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := a.StopAll(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.host.Guests(); n != 0 {
			t.Errorf("%d processes are left", n)
		}
		a.Close()
		a = w.agent(0)
		w.await(a, m.ID, "the guest that starts with the platform", isState(vm.SeenRunning))
		if s := a.report(deaf.ID); s.State != vm.SeenStopped || s.Reason != reasonPlatform {
			t.Errorf("the other: %s %q", s.State, s.Reason)
		}
	})
}

func TestJournal_setsADamagedFileAsideAndTheAgentGoesOn(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"half":    func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"one bit": func(b []byte) []byte { return bytes.Replace(b, []byte(`"web-1"`), []byte(`"veb-1"`), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.agent(0)
			runs, stopped := w.machine("web-1"), w.machine("web-1")
			stopped.NICs, stopped.Power = nil, vm.Off
			w.ensure(a, runs)
			w.ensure(a, stopped)
			a.Close()
			for _, v := range []id.VM{runs.ID, stopped.ID} {
				raw, err := os.ReadFile(a.journal.path(v))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(a.journal.path(v), damage(raw), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			a = w.agent(0)
			if s := a.report(runs.ID); s.State != vm.SeenRunning || s.Generation != 1 {
				t.Errorf("the running guest: %+v", s)
			}
			if s := a.report(stopped.ID); s.State != vm.SeenFailed || !strings.Contains(s.Reason, "damaged") {
				t.Errorf("the stopped VM: %s %q", s.State, s.Reason)
			}
			for _, m := range []vm.Machine{runs, stopped} {
				if _, err := os.Stat(a.journal.path(m.ID) + ".damaged"); err != nil {
					t.Errorf("the damaged file is not kept: %v", err)
				}
				os.Remove(a.journal.path(m.ID) + ".damaged")
				w.ensure(a, with(m, power(vm.Gone)))
			}
			w.empty("after the removal")
		})
	}
}

func TestClose_leavesGuestsAndNoGoroutine(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	w := newWorld(t)
	a := w.agent(0)
	w.ensure(a, w.machine("web-1"))
	if _, err := a.Reports(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.host.Guests(); n != 1 {
		t.Errorf("%d guests, want the one to go on", n)
	}
	_, err := a.Ensure(t.Context(), w.machine("web-2"))
	wantKind(t, err, fault.Unavailable)
	goleak.VerifyNone(t, ignore)
}

// killerDriver can end a process without its monitor, as the real driver can.
type killerDriver struct {
	*gatedDriver
	host *simhost.Host
}

func (d killerDriver) Kill(_ context.Context, v id.VM) error { return d.host.Crash(v) }

func TestAdopt_aProcessThatIsSilentIsTriedAgainAndCanBeEndedByForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.limits.Call = 100 * time.Millisecond
		a := w.agent(0)
		m, deaf := w.machine("web-1"), w.machine("deaf")
		deaf.NICs = nil
		w.ensure(a, m)
		w.ensure(a, deaf)
		a.Close()
		w.host.Hang(m.ID, "Adopt", 1)
		for range 3 {
			w.host.Hang(deaf.ID, "Adopt", 1)
		}
		a = w.agent(0)
		if s := a.report(m.ID); s.State != vm.SeenFailed || !strings.Contains(s.Reason, "could not be taken over") {
			t.Errorf("a silent process: %s %q", s.State, s.Reason)
		}
		if s := w.ensure(a, m); s.State != vm.SeenRunning {
			t.Errorf("when it answers again: %s %q", s.State, s.Reason)
		}
		_, err := a.Ensure(t.Context(), with(deaf, power(vm.Off)))
		wantKind(t, err, fault.Unavailable)
		a.o.Driver = killerDriver{a.o.Driver.(*gatedDriver), w.host}
		forced := with(with(deaf, power(vm.Off)), func(m *vm.Machine) { m.Power, m.Force = vm.Off, true })
		if s := w.ensure(a, forced); s.State != vm.SeenStopped || w.host.Guests() != 1 {
			t.Errorf("by force: %s, %d processes", s.State, w.host.Guests())
		}
	})
}

func TestAdopt_aProcessThatWasSilentForAMomentIsTakenOverThoughNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.agent(0)
		m := w.machine("web-1")
		w.ensure(a, m)
		a.Close()
		w.host.Hang(m.ID, "Adopt", 1)
		a = w.agent(0)
		if s := a.report(m.ID); s.State != vm.SeenFailed {
			t.Fatalf("while it is silent: %s", s.State)
		}
		time.Sleep(adoptRetry)
		synctest.Wait()
		if s := a.report(m.ID); s.State != vm.SeenRunning || s.Reason != "" {
			t.Errorf("when it answers again: %s %q, want running", s.State, s.Reason)
		}
	})
}
