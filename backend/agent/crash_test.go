package agent

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// crashCase is something that an agent does and dies in.
type crashCase struct {
	name   string
	before []func(m vm.Machine) vm.Machine // commands that succeed first; the last result is what act starts from
	act    func(ctx context.Context, a *Agent, m vm.Machine) (vm.Machine, error)
	want   vm.RunState // after the same command again
}

var snap = id.NewSnapshot()

func ensureNext(change func(*vm.Machine)) func(context.Context, *Agent, vm.Machine) (vm.Machine, error) {
	return func(ctx context.Context, a *Agent, m vm.Machine) (vm.Machine, error) {
		m = with(m, change)
		_, err := a.Ensure(ctx, m)
		return m, err
	}
}

func ensureSame(ctx context.Context, a *Agent, m vm.Machine) (vm.Machine, error) {
	_, err := a.Ensure(ctx, m)
	return m, err
}

func snapshots(requests ...SnapshotRequest) func(context.Context, *Agent, vm.Machine) (vm.Machine, error) {
	return func(ctx context.Context, a *Agent, m vm.Machine) (vm.Machine, error) {
		for _, r := range requests {
			r.VM, r.Epoch, r.Snapshot = m.ID, m.Epoch, snap
			if err := a.Snapshot(ctx, r); err != nil {
				return m, err
			}
		}
		return m, nil
	}
}

func to(change func(*vm.Machine)) func(vm.Machine) vm.Machine {
	return func(m vm.Machine) vm.Machine { return with(m, change) }
}

func twoDisks(m vm.Machine) vm.Machine {
	return with(m, func(m *vm.Machine) { m.Disks = append(slices.Clone(m.Disks), vm.Disk{ID: id.NewVolume(), SizeGiB: 1}) })
}

func dropSecond(m *vm.Machine) { m.Disks = m.Disks[:1] }

func same(m vm.Machine) vm.Machine { return m }

var crashCases = []crashCase{
	{"create and start", nil, ensureSame, vm.SeenRunning},
	{"create without start", []func(vm.Machine) vm.Machine{}, ensureNext(power(vm.Off)), vm.SeenStopped},
	{"stop", []func(vm.Machine) vm.Machine{same}, ensureNext(power(vm.Off)), vm.SeenStopped},
	{"kill", []func(vm.Machine) vm.Machine{same}, ensureNext(func(m *vm.Machine) { m.Power, m.Force = vm.Off, true }), vm.SeenStopped},
	{"start again", []func(vm.Machine) vm.Machine{same, to(power(vm.Off))}, ensureNext(power(vm.On)), vm.SeenRunning},
	{"restart", []func(vm.Machine) vm.Machine{same}, ensureNext(func(m *vm.Machine) { m.Boot++ }), vm.SeenRunning},
	{"pause", []func(vm.Machine) vm.Machine{same}, ensureNext(power(vm.Paused)), vm.SeenPaused},
	{"resume", []func(vm.Machine) vm.Machine{same, to(power(vm.Paused))}, ensureNext(power(vm.On)), vm.SeenRunning},
	{"suspend", []func(vm.Machine) vm.Machine{same}, ensureNext(power(vm.Suspended)), vm.SeenSuspended},
	{"resume from suspend", []func(vm.Machine) vm.Machine{same, to(power(vm.Suspended))}, ensureNext(power(vm.On)), vm.SeenRunning},
	{"give suspended memory up", []func(vm.Machine) vm.Machine{same, to(power(vm.Suspended))}, ensureNext(power(vm.Off)), vm.SeenStopped},
	{"grow a disk live", []func(vm.Machine) vm.Machine{same}, ensureNext(func(m *vm.Machine) { m.Disks[0].SizeGiB++ }), vm.SeenRunning},
	{"grow a disk at rest", []func(vm.Machine) vm.Machine{same, to(power(vm.Off))}, ensureNext(func(m *vm.Machine) { m.Disks[0].SizeGiB++ }), vm.SeenStopped},
	{"drop a disk live", []func(vm.Machine) vm.Machine{twoDisks}, ensureNext(dropSecond), vm.SeenRunning},
	{"drop a disk at rest", []func(vm.Machine) vm.Machine{twoDisks, to(power(vm.Off))}, ensureNext(dropSecond), vm.SeenStopped},
	{"swap a NIC live", []func(vm.Machine) vm.Machine{same}, ensureNext(func(m *vm.Machine) { m.NICs = []vm.Port{port("02:00:00:00:00:02", "10.77.0.6")} }), vm.SeenRunning},
	{"snapshot live", []func(vm.Machine) vm.Machine{same}, snapshots(SnapshotRequest{Action: SnapshotCreate, Quiesce: true}), vm.SeenRunning},
	{"snapshot with memory", []func(vm.Machine) vm.Machine{same}, snapshots(SnapshotRequest{Action: SnapshotCreate, Memory: true}, SnapshotRequest{Action: SnapshotRevert, Memory: true}), vm.SeenRunning},
	{"snapshot at rest and revert", []func(vm.Machine) vm.Machine{same, to(power(vm.Off))}, snapshots(SnapshotRequest{Action: SnapshotCreate}, SnapshotRequest{Action: SnapshotRevert}), vm.SeenStopped},
	{"delete", []func(vm.Machine) vm.Machine{same}, ensureNext(power(vm.Gone)), vm.SeenAbsent},
	{"delete suspended", []func(vm.Machine) vm.Machine{same, to(power(vm.Suspended))}, ensureNext(power(vm.Gone)), vm.SeenAbsent},
}

// An agent may die before each of its effects on the world. The next agent, given the same command again, reaches the same
// end, and a removal leaves nothing.
func TestAgent_convergesAfterDyingBeforeAnyEffect(t *testing.T) {
	for _, c := range crashCases {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; ; n++ {
				if crashOnce(t, c, n) {
					if n < 3 {
						t.Fatalf("the agent had only %d effects: the gate is not in the way", n)
					}
					t.Logf("died before each of %d effects", n-1)
					return
				}
			}
		})
	}
}

// crashOnce runs the case with a death before effect n of act, and reports whether act ended before that.
func crashOnce(t *testing.T, c crashCase, n int) (complete bool) {
	w := newWorld(t)
	m := w.machine("web-1")
	first := w.agent(0)
	for _, f := range c.before {
		m = f(m)
		w.ensure(first, m)
	}
	w.now.aim(n, nil)
	after, err := c.act(t.Context(), first, m)
	last, died := w.now.died()
	if !died && err != nil {
		t.Fatalf("without a death: %v", err)
	}
	first.Close()

	situation := fmt.Sprintf("death before effect %d (%s)", n, last)
	second := w.agent(0)
	// No guest ended by itself, so none has failed: a server that reads this before it repeats its command would give it up.
	if got := second.report(m.ID); got.State == vm.SeenFailed {
		t.Errorf("%s: the next agent reports that it failed (%s)", situation, got.Reason)
	}
	if _, err := c.act(t.Context(), second, m); err != nil {
		t.Fatalf("%s: the command again: %v", situation, err)
	}
	if got := second.report(m.ID); got.State != c.want {
		t.Fatalf("%s: %s (%s), want %s", situation, got.State, got.Reason, c.want)
	}
	checkProcess(t, w, c.want, situation)
	if c.want != vm.SeenAbsent {
		checkVolumes(t, w, after, situation)
	}
	w.ensure(second, with(after, func(m *vm.Machine) { m.Power, m.Generation = vm.Gone, m.Generation+1 }))
	w.empty(situation)
	second.Close()
	return !died
}

func checkProcess(t *testing.T, w *world, want vm.RunState, situation string) {
	t.Helper()
	processes := 0
	if want == vm.SeenRunning || want == vm.SeenPaused {
		processes = 1
	}
	if n := w.host.Guests(); n != processes {
		t.Errorf("%s: %d processes, want %d", situation, n, processes)
	}
}

func checkVolumes(t *testing.T, w *world, m vm.Machine, situation string) {
	t.Helper()
	found, err := w.pool.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(volumesOf(&m)) {
		t.Errorf("%s: the pool has %d volumes, the machine %d", situation, len(found), len(volumesOf(&m)))
	}
}

// QEMU may be killed before each of the agent's effects. The command then succeeds or says why it cannot, the report says what is
// there, the next command finds everything in order, and a removal leaves nothing.
func TestAgent_saysWhatIsThereWhenTheGuestIsKilledBeforeAnyEffect(t *testing.T) {
	for _, c := range crashCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			killed := 0
			for n := 1; ; n++ {
				hit, complete := killOnce(t, c, n)
				if complete {
					t.Logf("the guest was killed before %d of %d effects", killed, n-1)
					return
				}
				if hit {
					killed++
				}
			}
		})
	}
}

// killOnce runs the case and kills the guest before effect n of act. hit: there was one; complete: act ended before that.
func killOnce(t *testing.T, c crashCase, n int) (hit, complete bool) {
	w := newWorld(t)
	m := w.machine("web-1")
	a := w.agent(0)
	defer a.Close()
	for _, f := range c.before {
		m = f(m)
		w.ensure(a, m)
	}
	w.now.aim(n, func() { hit = w.host.Crash(m.ID) == nil })
	after, err := c.act(t.Context(), a, m)
	w.now.aim(0, nil)
	last, _ := w.now.died()
	situation := fmt.Sprintf("guest killed before effect %d (%s)", n, last)
	if err != nil && (!hit || fault.Is(err, fault.Internal) || fault.Sentence(err) == "") {
		t.Errorf("%s: %v", situation, err)
	}
	seen := w.await(a, m.ID, situation+", a report of what is there", func(s vm.Seen) bool {
		switch s.State {
		case vm.SeenRunning, vm.SeenPaused:
			return w.host.Guests() == 1
		case vm.SeenStopped, vm.SeenFailed, vm.SeenSuspended, vm.SeenAbsent:
			return w.host.Guests() == 0
		}
		return false
	})
	if seen.State == vm.SeenFailed && seen.Reason == "" || !hit && seen.State != c.want {
		t.Errorf("%s: it reports %s (%q)", situation, seen.State, seen.Reason)
	}
	if c.want != vm.SeenAbsent {
		after = with(after, func(m *vm.Machine) { m.Power, m.Boot = vm.On, m.Boot+1 })
		if s := w.ensure(a, after); s.State != vm.SeenRunning {
			t.Errorf("%s: started again it is %s (%s)", situation, s.State, s.Reason)
		}
		checkVolumes(t, w, after, situation)
	}
	w.ensure(a, with(after, func(m *vm.Machine) { m.Power, m.Force = vm.Gone, true }))
	w.empty(situation)
	return hit, last == ""
}

// The agent that adopts may die as well, again and again.
func TestAgent_convergesAfterManyDeathsInARow(t *testing.T) {
	w := newWorld(t)
	m := w.machine("web-1")
	for n := 1; n < 40; n++ {
		a, err := w.tryAgent(n)
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			a.Ensure(ctx, m)
			cancel()
		}
		a.Close()
		if _, died := w.now.died(); !died {
			break
		}
	}
	a := w.agent(0)
	if s := w.ensure(a, m); s.State != vm.SeenRunning {
		t.Errorf("got %s, want running", s.State)
	}
	w.ensure(a, with(m, power(vm.Gone)))
	w.empty("after many deaths")
}
