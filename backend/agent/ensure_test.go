package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	simhost "novacron/backend/hypervisor/sim"
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

func TestEnsure_removesADiskThatWasTakenBackAfterTheGuestEndedByItself(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	w.ensure(a, m)
	more := with(m, func(m *vm.Machine) { m.Disks = append(m.Disks, vm.Disk{ID: id.NewVolume(), SizeGiB: 1}) })
	w.ensure(a, more)
	if err := w.host.Crash(m.ID); err != nil {
		t.Fatal(err)
	}
	w.await(a, m.ID, "the end", isState(vm.SeenFailed))
	w.ensure(a, with(more, func(x *vm.Machine) { x.Disks = m.Disks }))
	if left, err := w.pool.List(t.Context()); err != nil || len(left) != len(m.Disks) {
		t.Errorf("%d disks are wanted, there are %v %v", len(m.Disks), left, err)
	}
	if s := a.report(m.ID); s.State != vm.SeenFailed {
		t.Errorf("got %s", s.State)
	}
}

func TestEnsure_makesADiskThatIsAddedWhileThereIsNoProcess(t *testing.T) {
	for _, c := range []struct {
		state vm.RunState
		end   func(w *world, a *Agent, m vm.Machine) vm.Machine
	}{
		{vm.SeenFailed, func(w *world, a *Agent, m vm.Machine) vm.Machine {
			if err := w.host.Crash(m.ID); err != nil {
				w.t.Fatal(err)
			}
			w.await(a, m.ID, "the end", isState(vm.SeenFailed))
			return m
		}},
		{vm.SeenSuspended, func(w *world, a *Agent, m vm.Machine) vm.Machine {
			m = with(m, power(vm.Suspended))
			w.ensure(a, m)
			return m
		}},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			w := newWorld(t)
			a := w.agent(0)
			m := w.machine("web-1")
			w.ensure(a, m)
			m = c.end(w, a, m)
			w.ensure(a, with(m, func(m *vm.Machine) { m.Disks = append(m.Disks, vm.Disk{ID: id.NewVolume(), SizeGiB: 1}) }))
			if s := a.report(m.ID); s.State != c.state || s.Stale {
				t.Errorf("it is %s (%s), stale %v; want it as it was, with the disks that are wanted", s.State, s.Reason, s.Stale)
			}
			if there, err := w.pool.List(t.Context()); err != nil || len(there) != len(m.Disks)+1 {
				t.Errorf("%d disks are wanted, there are %v %v", len(m.Disks)+1, there, err)
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

func TestStop_asksAGuestAgainThatDidNotHearTheFirstTime(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	m := w.machine("web-1")
	m.GraceS = maxGraceS
	w.ensure(a, m)
	if err := w.host.IgnoreACPI(m.ID, true); err != nil {
		t.Fatal(err)
	}
	done := make(chan vm.Seen, 1)
	go func() { s, _ := a.Ensure(t.Context(), with(m, power(vm.Off))); done <- s }()
	w.await(a, m.ID, "the stop under way", isState(vm.SeenStopping))
	if err := w.host.IgnoreACPI(m.ID, false); err != nil {
		t.Fatal(err)
	}
	select {
	case s := <-done:
		if s.State != vm.SeenStopped {
			t.Errorf("got %s", s.State)
		}
	case <-time.After(time.Minute):
		t.Error("a guest that obeys now was not asked again")
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
	synctest.Test(t, func(t *testing.T) {
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
	})
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
