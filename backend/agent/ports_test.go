package agent

import (
	"slices"
	"testing"
	"testing/synctest"

	"novacron/backend/core/vm"
	simnet "novacron/backend/network/sim"
)

func TestAdopt_leavesNoPortsOfAStartThatWasCutShort(t *testing.T) {
	for dieAt := 1; ; dieAt++ {
		w := newWorld(t)
		a := w.agent(dieAt)
		m := w.machine("web-1")
		a.Ensure(t.Context(), m)
		what, died := w.now.died()
		a.Close()
		if !died {
			return
		}
		w.agent(0)
		attached, err := simnet.New(w.net).Attached(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w.host.Guests() == 0 && len(attached) > 0 {
			t.Errorf("the agent died before %s, and the next one leaves ports without a process", what)
		}
	}
}

func TestEnsure_aStopThatComesBeforeTheProcessLeavesNoPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.limits.Starts = 1
		a := w.agent(0)
		first, second := w.machine("first"), w.machine("second")
		first.NICs = nil                  // both would have one address
		w.host.Hang(first.ID, "Start", 1) // holds the only place to start in
		go a.Ensure(t.Context(), first)
		synctest.Wait()
		go a.Ensure(t.Context(), second)
		synctest.Wait()
		attached := func() bool {
			list, err := simnet.New(w.net).Attached(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return slices.Contains(list, second.ID)
		}
		if !attached() {
			t.Fatal("the second has no ports while it waits to be started")
		}
		w.ensure(a, with(second, power(vm.Off)))
		if attached() {
			t.Error("a VM that was stopped before it had a process has ports")
		}
	})
}
