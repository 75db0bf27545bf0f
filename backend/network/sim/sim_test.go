package sim_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/network"
	"novacron/backend/network/networktest"
	"novacron/backend/network/sim"
)

func TestSuite(t *testing.T) {
	networktest.Run(t, func(*testing.T) networktest.Harness {
		world := &sim.World{}
		return networktest.Harness{Shared: true, Many: 2000, Open: func(t *testing.T) network.Fabric {
			f := sim.New(world)
			t.Cleanup(func() { f.Close() })
			return f
		}}
	})
}

func TestFail_makesCallsFailAndDoesNothing(t *testing.T) {
	world := &sim.World{}
	f, m := sim.New(world), networktest.VM(1)
	broken := errors.New("broken")
	world.Fail(func(call string, vm id.VM) error {
		if call == "Ensure" && vm == m.VM {
			return broken
		}
		return nil
	})
	if _, err := f.Ensure(t.Context(), m); !errors.Is(err, broken) {
		t.Errorf("got %v, want the scripted error", err)
	}
	if vms, err := f.Attached(t.Context()); err != nil || len(vms) != 0 {
		t.Errorf("after a failed Ensure %v is attached (%v)", vms, err)
	}
	world.Fail(nil)
	if _, err := f.Ensure(t.Context(), m); err != nil {
		t.Errorf("after the fault ended: %v", err)
	}
}

func TestHundredThousandVMs_takeUnder100MiB(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 VMs; left out with -short")
	}
	const count, most = 100_000, 100 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := sim.New(nil)
	for n := range count {
		if _, err := f.Ensure(context.Background(), networktest.VM(n)); err != nil {
			t.Fatalf("VM %d: %v", n, err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > most {
		t.Errorf("%d VMs take %d bytes, want at most %d", count, used, most)
	}
	runtime.KeepAlive(f)
}
