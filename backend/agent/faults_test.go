package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	simhost "novacron/backend/hypervisor/sim"
)

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
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.limits.Call = 200 * time.Millisecond
		a := w.agent(0)
		m, other := w.machine("web-1"), w.machine("web-2")
		other.NICs = nil
		w.ensure(a, m)
		synctest.Wait() // what the start let the process say is heard: behind the hang it would be taken for an answer
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
	})
}

func TestEnsure_returnsThePresentStateWhenItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	})
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

func TestAgent_aStoppedVMHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	})
}
