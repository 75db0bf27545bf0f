package sim_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/hypervisortest"
	"novacron/backend/hypervisor/sim"
)

func config() hypervisor.Config {
	return hypervisor.Config{
		VM: id.NewVM(), Name: "guest", Arch: vm.X86_64, Firmware: vm.BIOS, CPUs: 1, MaxCPUs: 2, MemoryMiB: 64,
		Disks: []hypervisor.Disk{disk("qcow2")},
	}
}

func disk(format string) hypervisor.Disk {
	vol := id.NewVolume()
	return hypervisor.Disk{ID: vol, File: hypervisor.File{Path: "/nowhere/" + string(vol), Format: format}, SizeBytes: 1 << 20}
}

func TestSim(t *testing.T) {
	hypervisortest.Run(t, func(t *testing.T) *hypervisortest.Machine {
		host := sim.NewHost()
		driver := host.Driver()
		return &hypervisortest.Machine{
			Driver: driver,
			Drop: func() hypervisor.Driver {
				driver.Drop()
				driver = host.Driver()
				return driver
			},
			Config: func(*testing.T) hypervisor.Config { return config() },
			Disk:   func(_ *testing.T, format string) hypervisor.Disk { return disk(format) },
			Crash: func(t *testing.T, vm id.VM) {
				if err := host.Crash(vm); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestFail_strikesTheNthCallOnce(t *testing.T) {
	host := sim.NewHost()
	boom := errors.New("boom")
	host.Fail("*", "Start", 2, boom)
	for i, want := range []error{nil, boom, nil} {
		if _, err := host.Driver().Start(t.Context(), config()); !errors.Is(err, want) {
			t.Errorf("start %d: got %v, want %v", i+1, err, want)
		}
	}
}

func TestHang_waitsForTheDeadlineAndKillWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, cfg := sim.NewHost(), config()
		i, err := host.Driver().Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		host.Hang(cfg.VM, "*", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := i.Status(ctx); !fault.Is(err, fault.Unavailable) {
			t.Errorf("status: got %v, want unavailable", err)
		}
		host.Hang(cfg.VM, "*", 1)
		if err := i.Power(ctx, hypervisor.Kill); err != nil {
			t.Errorf("kill: %v", err)
		}
	})
}

func TestShutdown_takesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := sim.NewHost(sim.Options{ShutdownDelay: 30 * time.Second, StartDelay: time.Second})
		i, err := host.Driver().Start(t.Context(), config())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := i.Power(t.Context(), hypervisor.Shutdown); err != nil {
			t.Fatal(err)
		}
		for e := range i.Events() {
			if e.Type == hypervisor.PoweredOff {
				break
			}
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("the guest took %s, want 30s", took)
		}
	})
}

func TestStart_costsLittlePerIdleVM(t *testing.T) {
	const many = 10_000
	host := sim.NewHost()
	driver := host.Driver()
	threads := runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range many {
		if _, err := driver.Start(t.Context(), config()); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if more := runtime.NumGoroutine() - threads; more > 0 {
		t.Errorf("%d goroutines for idle VMs, want none", more)
	}
	if each := (after.HeapAlloc - before.HeapAlloc) / many; each > 4<<10 {
		t.Errorf("an idle VM takes %d bytes, want at most 4 KiB", each)
	}
	runtime.KeepAlive(host)
}

func TestGuestAgent_answersWhileTheGuestRuns(t *testing.T) {
	host := sim.NewHost()
	i, err := host.Driver().Start(t.Context(), config())
	if err != nil {
		t.Fatal(err)
	}
	agent := i.(hypervisor.GuestAgent)
	if got, err := agent.Guest(t.Context()); err != nil || got.Hostname != "guest" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := errors.Join(agent.Freeze(t.Context()), agent.Thaw(t.Context()), i.Power(t.Context(), hypervisor.Pause)); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Guest(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("of a paused guest: %v, want unavailable", err)
	}
}

func TestDiskFull_pausesTheGuestUntilItIsContinued(t *testing.T) {
	host, cfg := sim.NewHost(sim.Options{NoAgent: true}), config()
	i, err := host.Driver().Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := host.DiskFull(cfg.VM); err != nil {
		t.Fatal(err)
	}
	if e := <-i.Events(); e.Type != hypervisor.IOError || e.Reason == "" {
		t.Errorf("got %+v, want an I/O error with its reason", e)
	}
	if err := i.Power(t.Context(), hypervisor.Continue); err != nil {
		t.Fatal(err)
	}
	if s, _ := i.Status(t.Context()); s != vm.SeenRunning {
		t.Errorf("got %s, want running", s)
	}
}
