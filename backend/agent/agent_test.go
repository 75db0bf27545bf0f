package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	simhost "novacron/backend/hypervisor/sim"
	simpool "novacron/backend/storage/sim"
)

func TestEnsure_refusesOlderEpochsAndGenerationsAlsoAfterARestartAndARemoval(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.Epoch, m.Generation = 3, 7
	w.ensure(a, m)
	check := func(situation string, a *Agent) {
		t.Helper()
		for _, v := range []version{{3, 6}, {2, 99}, {0, 0}} {
			old := m
			old.Epoch, old.Generation, old.Power = v.epoch, v.generation, vm.Off
			if _, err := a.Ensure(t.Context(), old); !fault.Is(err, fault.Precondition) {
				t.Errorf("%s: epoch %d generation %d: %v, want a refusal", situation, v.epoch, v.generation, err)
			}
		}
	}
	check("running", a)
	a.Close()
	a = w.agent(0)
	check("after a restart", a)
	w.ensure(a, with(m, power(vm.Gone)))
	check("after the removal", a)
	a.Close()
	a = w.agent(0)
	check("after the removal and a restart", a)
	w.empty("after refused commands")
}

func TestEnsure_theSameGenerationAgainChangesNothing(t *testing.T) {
	w := newWorld(t, simhost.Options{NoAgent: true})
	a := w.agent(0)
	m := w.machine("web-1")
	first := w.ensure(a, m)
	for range 3 {
		if again := w.ensure(a, m); again.Seq != first.Seq || again.PID != first.PID {
			t.Errorf("got %+v, want the report of the first time %+v", again, first)
		}
	}
}

func TestEnsure_doesNotStartAgainWhatEndedByItself(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(*world, id.VM) error
		state  vm.RunState
		reason string
	}{
		{"the guest powered off", func(w *world, v id.VM) error { return w.host.PowerOff(v) }, vm.SeenStopped, "the guest powered off"},
		{"the process was killed", func(w *world, v id.VM) error { return w.host.Crash(v) }, vm.SeenFailed, "killed by signal 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.agent(0)
			m := w.machine("web-1")
			w.ensure(a, m)
			if err := c.end(w, m.ID); err != nil {
				t.Fatal(err)
			}
			s := w.await(a, m.ID, "the end", isState(c.state))
			if !strings.Contains(s.Reason, c.reason) {
				t.Errorf("reason %q, want it to say %q", s.Reason, c.reason)
			}
			if s := w.ensure(a, m); s.State != c.state || w.host.Guests() != 0 {
				t.Errorf("the same command again: %s, %d processes", s.State, w.host.Guests())
			}
			a.Close()
			a = w.agent(0)
			if s := a.report(m.ID); s.State != c.state || !strings.Contains(s.Reason, c.reason) {
				t.Errorf("after a restart of the agent: %s %q", s.State, s.Reason)
			}
			if s := w.ensure(a, with(m, func(m *vm.Machine) { m.Boot++ })); s.State != vm.SeenRunning || s.Boot != 2 {
				t.Errorf("with the next boot: %s boot %d", s.State, s.Boot)
			}
		})
	}
}

func TestAgent_reportsAPauseByAFullDiskAndGoesOnOnlyWhenToldTo(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	if err := w.host.DiskFull(m.ID); err != nil {
		t.Fatal(err)
	}
	s := w.await(a, m.ID, "the pause", isState(vm.SeenPaused))
	if !strings.Contains(s.Reason, "full") {
		t.Errorf("reason %q", s.Reason)
	}
	if s := w.ensure(a, m); s.State != vm.SeenPaused || s.Reason == "" {
		t.Errorf("the same command again: %s %q", s.State, s.Reason)
	}
	if s := w.ensure(a, with(m, power(vm.On))); s.State != vm.SeenRunning || s.Reason != "" {
		t.Errorf("a newer command: %s %q", s.State, s.Reason)
	}
}

func TestAgent_reportsAPanic(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	if err := w.host.Panic(m.ID); err != nil {
		t.Fatal(err)
	}
	if s := w.await(a, m.ID, "the panic", isState(vm.SeenFailed)); !strings.Contains(s.Reason, "panicked") {
		t.Errorf("reason %q", s.Reason)
	}
}

func TestStop_killsAGuestThatIgnoresACPIAfterItsGrace(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.GraceS = 1
	w.ensure(a, m)
	if err := w.host.IgnoreACPI(m.ID, true); err != nil {
		t.Fatal(err)
	}
	done := make(chan vm.Seen, 1)
	go func() { s, _ := a.Ensure(t.Context(), with(m, power(vm.Off))); done <- s }()
	w.await(a, m.ID, "the stop under way", isState(vm.SeenStopping))
	if s := <-done; s.State != vm.SeenStopped || w.host.Guests() != 0 {
		t.Errorf("got %s, %d processes", s.State, w.host.Guests())
	}
}

func TestEnsure_aForcedStopSupersedesOneThatWaitsForTheGuest(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.GraceS = maxGraceS
	w.ensure(a, m)
	if err := w.host.IgnoreACPI(m.ID, true); err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	off := with(m, power(vm.Off))
	go func() { _, err := a.Ensure(t.Context(), off); first <- err }()
	w.await(a, m.ID, "the stop under way", isState(vm.SeenStopping))
	if s := w.ensure(a, with(off, func(m *vm.Machine) { m.Force = true })); s.State != vm.SeenStopped {
		t.Errorf("got %s", s.State)
	}
	wantKind(t, <-first, fault.Precondition)
}

func TestEnsure_aStartThatSupersedesAStopEndsRunning(t *testing.T) {
	w := newWorld(t, simhost.Options{ShutdownDelay: 20 * time.Millisecond})
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	off := with(m, power(vm.Off))
	go a.Ensure(t.Context(), off)
	w.await(a, m.ID, "the stop under way", isState(vm.SeenStopping))
	w.ensure(a, with(off, power(vm.On)))
	// The guest was told to power off before: it does, and is started again.
	before := a.report(m.ID).PID
	w.await(a, m.ID, "the new process", func(s vm.Seen) bool { return s.State == vm.SeenRunning && s.PID != before && s.PID != 0 })
}

func TestSuspend_keepsTheMemoryThroughARestoreThatFails(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	m = with(m, power(vm.Suspended))
	if s := w.ensure(a, m); s.State != vm.SeenSuspended || w.host.Guests() != 0 {
		t.Fatalf("suspend: %s, %d processes", s.State, w.host.Guests())
	}
	state := filepath.Join(w.dir, "vms", string(m.ID), stateFile)
	w.host.Fail(m.ID, "Start", 1, fault.New(fault.Internal, "", "no memory left"))
	m = with(m, power(vm.On))
	if _, err := a.Ensure(t.Context(), m); err == nil {
		t.Fatal("the restore did not fail")
	}
	if s := a.report(m.ID); s.State != vm.SeenFailed || !strings.Contains(s.Reason, "no memory left") {
		t.Errorf("after the failure: %s %q", s.State, s.Reason)
	}
	if _, err := os.Stat(state); err != nil {
		t.Errorf("the memory is gone: %v", err)
	}
	a.Close()
	a = w.agent(0)
	if s := w.ensure(a, m); s.State != vm.SeenRunning || s.Reason != "" {
		t.Errorf("the same command again: %s %q", s.State, s.Reason)
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the memory was not used up: %v", err)
	}
}

func TestResize_listsWhatWaitsForTheNextStart(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.CPUs = 2
	w.ensure(a, m)
	m = with(m, func(m *vm.Machine) { m.CPUs = 1 })
	if s := w.ensure(a, m); len(s.Restart) == 0 {
		t.Errorf("fewer vCPUs took effect at once: %+v", s)
	}
	if s := w.ensure(a, with(m, func(m *vm.Machine) { m.Boot++ })); len(s.Restart) != 0 {
		t.Errorf("after the restart it still waits for %v", s.Restart)
	}
}

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
}

func TestStopAll_endsEveryGuestAndKeepsWhatIsWanted(t *testing.T) {
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

func TestEnsure_onAFullDiskRefusesAStartAndStillStopsAndRemoves(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	full := fmt.Errorf("write: %w", syscall.ENOSPC)
	a.step = func(what string) error {
		if strings.HasPrefix(what, "journal write") {
			return diskError(full, "write the node's journal")
		}
		return nil
	}
	other := w.machine("web-2")
	other.NICs = nil
	_, err := a.Ensure(t.Context(), other)
	wantKind(t, err, fault.Exhausted)
	if s := a.report(other.ID); s.State != vm.SeenAbsent {
		t.Errorf("the VM that was refused: %s", s.State)
	}
	_, err = a.Ensure(t.Context(), with(m, func(m *vm.Machine) { m.Power, m.Force = vm.Off, true }))
	wantKind(t, err, fault.Exhausted) // not acknowledged, because it is not on the disk
	if n := w.host.Guests(); n != 0 {
		t.Errorf("%d processes after a stop on a full disk", n)
	}
	w.ensure(a, with(with(m, power(vm.Off)), power(vm.Gone)))
	w.empty("after a removal on a full disk")
}

func TestEnsure_whenThePoolIsFullSaysSoAndLaterSucceeds(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	w.pool.FillUp(0)
	m := w.machine("web-1")
	_, err := a.Ensure(t.Context(), m)
	wantKind(t, err, fault.Exhausted)
	if s := a.report(m.ID); s.State != vm.SeenFailed || s.Reason == "" {
		t.Errorf("got %s %q", s.State, s.Reason)
	}
	w.pool.FillUp(1 << 30)
	if s := w.ensure(a, m); s.State != vm.SeenRunning || s.Reason != "" {
		t.Errorf("the same command with room: %s %q", s.State, s.Reason)
	}
}

func TestEnsure_aMonitorThatHangsHoldsUpNobodyElseAndIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.limits.Call = 200 * time.Millisecond
	a := w.agent(0)
	m, other := w.machine("web-1"), w.machine("web-2")
	other.NICs = nil
	w.ensure(a, m)
	w.host.Hang(m.ID, "Power", 1)
	m = with(m, power(vm.Paused))
	hung := make(chan error, 1)
	go func() { _, err := a.Ensure(t.Context(), m); hung <- err }()
	w.ensure(a, other)
	wantKind(t, <-hung, fault.Unavailable)
	if s := a.report(m.ID); s.State != vm.SeenRunning || s.Reason != reasonMute {
		t.Errorf("after the hang: %s %q", s.State, s.Reason)
	}
	if s := w.ensure(a, m); s.State != vm.SeenPaused {
		t.Errorf("again: %s", s.State)
	}
	w.host.Hang(m.ID, "Power", 1) // of the ACPI shutdown
	if s := w.ensure(a, with(m, power(vm.Off))); s.State != vm.SeenStopped {
		t.Errorf("a stop through a monitor that hangs: %s", s.State)
	}
}

func TestEnsure_returnsThePresentStateWhenItsCallerLeaves(t *testing.T) {
	w := newWorld(t, simhost.Options{StartDelay: 100 * time.Millisecond})
	a := w.agent(0)
	m := w.machine("web-1")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	s, err := a.Ensure(ctx, m)
	wantKind(t, err, fault.Unavailable)
	if s.State == vm.SeenRunning {
		t.Errorf("got %s before it can run", s.State)
	}
	w.await(a, m.ID, "the start to go on alone", isState(vm.SeenRunning))
}

func TestAgent_twoHundredCreatesAtOnceStartWithinTheBound(t *testing.T) {
	w := newWorld(t, simhost.Options{StartDelay: time.Millisecond})
	w.limits.Starts = 3
	a := w.agent(0)
	peak := &peakDriver{gatedDriver: a.o.Driver.(*gatedDriver)}
	a.o.Driver = peak
	var wg sync.WaitGroup
	for i := range 200 {
		m := w.machine(fmt.Sprintf("vm-%d", i))
		m.NICs = nil
		wg.Go(func() {
			if _, err := a.Ensure(context.Background(), m); err != nil {
				t.Errorf("create: %v", err)
			}
		})
	}
	wg.Wait()
	if n := w.host.Guests(); n != 200 {
		t.Errorf("%d guests run, want 200", n)
	}
	if p := peak.peak.Load(); p < 2 || p > 3 {
		t.Errorf("%d guests started at once, want 2 to 3", p)
	}
}

func TestReports_giveTheNewestPerVMToASlowReaderAndAnEndOnce(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports, err := a.Reports(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first := <-reports
	if first.State != vm.SeenRunning {
		t.Errorf("first report: %+v", first)
	}
	for range 50 {
		m = with(m, power(vm.Paused))
		w.ensure(a, m)
		m = with(m, power(vm.On))
		w.ensure(a, m)
	}
	w.ensure(a, with(m, power(vm.Gone)))
	seq, n := first.Seq, 0
	for s := range reports {
		n++
		if s.Seq <= seq {
			t.Errorf("report %d follows %d", s.Seq, seq)
		}
		if seq = s.Seq; s.State == vm.SeenAbsent {
			break
		}
	}
	if n > 3 { // one in the hand of the deliverer, the newest, and the end
		t.Errorf("a reader that slept got %d reports", n)
	}
	late, err := a.Reports(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other := w.machine("web-2")
	other.NICs = nil
	w.ensure(a, other)
	if s := <-late; s.VM != other.ID {
		t.Errorf("a later reader hears of the VM that is gone: %+v", s)
	}
}

func TestReports_growInNumberAcrossRestarts(t *testing.T) {
	w := newWorld(t)
	m := w.machine("web-1")
	last := int64(0)
	for i := range 3 {
		a := w.agent(0)
		s := w.ensure(a, m)
		if s.Seq <= last {
			t.Errorf("life %d: report %d follows %d", i, s.Seq, last)
		}
		last = s.Seq
		a.Close()
		if i == 1 {
			if err := os.WriteFile(filepath.Join(w.dir, "agent", "seq"), []byte("rubbish"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAgent_aFloodOfEventsEndsInTheTruth(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	for range 1000 {
		if err := w.host.DiskFull(m.ID); err != nil {
			t.Fatal(err)
		}
	}
	w.await(a, m.ID, "the pause", isState(vm.SeenPaused))
	if err := w.host.Crash(m.ID); err != nil {
		t.Fatal(err)
	}
	w.await(a, m.ID, "the end", isState(vm.SeenFailed))
}

func TestGuest_addressesComeFromItsAgentAndBeforeFromThePlan(t *testing.T) {
	w := newWorld(t, simhost.Options{AgentDelay: 30 * time.Millisecond})
	a := w.agent(0)
	m := w.machine("web-1")
	if s := w.ensure(a, m); !slices.Equal(s.Addresses, []string{"10.77.0.5"}) || s.Agent {
		t.Errorf("before the agent: %v, agent %v", s.Addresses, s.Agent)
	}
	w.await(a, m.ID, "the guest agent", func(s vm.Seen) bool { return s.Agent && s.Hostname != "" })
}

func TestImages_areFetchedOnceForAllWhoAskAndResumeAfterABreak(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	raw := bytes.Repeat([]byte("image"), 10_000)
	var mu sync.Mutex
	var offsets []int64
	a.o.Source = func(_ context.Context, _ string, offset int64) (io.ReadCloser, error) {
		mu.Lock()
		defer mu.Unlock()
		offsets = append(offsets, offset)
		rest := raw[offset:]
		return io.NopCloser(bytes.NewReader(rest[:min(len(rest), 20_000)])), nil // each connection ends early
	}
	r := ImageRequest{Digest: "sha256:" + strings.Repeat("ab", 32), Bytes: int64(len(raw))}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := a.EnsureImage(t.Context(), r, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(w.images.have[r.Digest], raw) || !slices.Equal(offsets, []int64{0, 20_000, 40_000}) {
		t.Errorf("%d bytes with connections at %v", len(w.images.have[r.Digest]), offsets)
	}
}

func TestLease_countsFromTheMomentItWasAskedFor(t *testing.T) {
	now := time.Hour
	real := bootTime
	bootTime = func() time.Duration { return now }
	t.Cleanup(func() { bootTime = real })
	w := newWorld(t)
	a := w.agent(0)
	lease := func(seq int64, d time.Duration) error {
		return a.Lease(t.Context(), Lease{Node: w.node, Seq: seq, Duration: d})
	}
	seq := a.AskLease()
	now += 3 * time.Second // the answer travels
	if err := lease(seq, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if left := a.LeaseLeft(); left != 7*time.Second {
		t.Errorf("%v are left, want 7s", left)
	}
	wantKind(t, lease(seq+1, 10*time.Second), fault.Precondition)
	wantKind(t, lease(seq, 2*maxLease), fault.Invalid)
	wantKind(t, a.Lease(t.Context(), Lease{Node: id.NewNode(), Seq: seq, Duration: time.Second}), fault.Forbidden)
	now += time.Minute
	if left := a.LeaseLeft(); left != 0 {
		t.Errorf("%v are left of a lease that ended", left)
	}
}

func TestFacts_areMeasured(t *testing.T) {
	w := newWorld(t)
	f, err := w.agent(0).Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.MemoryMiB <= 0 || f.FreeMiB <= 0 || f.FreeMiB > f.MemoryMiB || f.CPUs < 1 || f.Kernel == "" || len(f.BootID) != 36 || f.DiskTotal == 0 || f.GuestMachine == "" {
		t.Errorf("facts: %+v", f)
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

func TestAgent_aStoppedVMHasNoGoroutine(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	w.ensure(a, with(m, power(vm.Off)))
	x := a.actors[m.ID]
	deadline := time.Now().Add(5 * time.Second)
	for {
		x.mu.Lock()
		live := x.live
		x.mu.Unlock()
		if !live {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the actor of a stopped VM still has its goroutine")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSnapshot_isRefusedInTheWrongStateOrEpoch(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	r := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: SnapshotRevert}
	wantKind(t, a.Snapshot(t.Context(), r), fault.Conflict) // it runs
	r.Epoch = 0
	wantKind(t, a.Snapshot(t.Context(), r), fault.Precondition)
	r.VM = id.NewVM()
	wantKind(t, a.Snapshot(t.Context(), r), fault.NotFound)
	r.Snapshot = "../etc"
	wantKind(t, a.Snapshot(t.Context(), r), fault.Invalid)
}

func TestSnapshot_atRestIsTakenBackWhenADiskHasNoRoom(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.Power = vm.Off
	w.ensure(a, m)
	tag := id.NewSnapshot()
	// The first disk succeeds; a snapshot that exists nowhere can be reverted nowhere.
	w.pool.Fail(simpool.Snapshot, 1, fault.New(fault.Exhausted, "pool_full", "the pool is full"))
	r := SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: tag, Action: SnapshotCreate}
	wantKind(t, a.Snapshot(t.Context(), r), fault.Exhausted)
	r.Action = SnapshotRevert
	wantKind(t, a.Snapshot(t.Context(), r), fault.NotFound)
}

// Whatever commands come in whatever order, the node never goes back to an older one, and a removal leaves nothing.
func TestAgent_obeysTheNewestOfAnyOrderOfCommands(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		a := w.agent(0)
		defer func() { a.Close() }()
		base := w.machine("web-1")
		newest := version{}
		boots := int64(1)
		for range rapid.IntRange(1, 12).Draw(r, "commands") {
			if rapid.IntRange(0, 5).Draw(r, "restart of the agent") == 0 {
				a.Close()
				a = w.agent(0)
			}
			m := base
			m.Epoch, m.Generation = rapid.Int64Range(1, 3).Draw(r, "epoch"), rapid.Int64Range(1, 20).Draw(r, "generation")
			m.Power = rapid.SampledFrom([]vm.Power{vm.On, vm.Off, vm.Paused, vm.Suspended, vm.Gone}).Draw(r, "power")
			m.Force = rapid.Bool().Draw(r, "force")
			boots += rapid.Int64Range(0, 1).Draw(r, "boot")
			m.Boot = boots
			v := versionOf(&m)
			_, err := a.Ensure(context.Background(), m)
			if v.less(newest) != fault.Is(err, fault.Precondition) {
				r.Fatalf("version %v after %v: %v", v, newest, err)
			}
			if err == nil || !v.less(newest) {
				newest = v
			}
			if s := a.report(m.ID); s.State != vm.SeenAbsent && (version{s.Epoch, s.Generation}).less(newest) {
				r.Fatalf("reports %d.%d, the newest is %v", s.Epoch, s.Generation, newest)
			}
		}
		gone := base
		gone.Epoch, gone.Generation, gone.Power = 4, 1, vm.Gone
		w.ensure(a, gone)
		w.empty("at the end")
	})
}
