package agent

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	simhost "novacron/backend/hypervisor/sim"
)

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
	if mark := <-reports; mark.VM != "" {
		t.Errorf("no mark behind the only VM: %+v", mark)
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
	if mark := <-late; mark.VM != "" {
		t.Errorf("a later reader hears of the VM that is gone: %+v", mark)
	}
	other := w.machine("web-2")
	other.NICs = nil
	w.ensure(a, other)
	if s := <-late; s.VM != other.ID {
		t.Errorf("a later reader hears of the VM that is gone: %+v", s)
	}
}

func TestReports_markTheEndOfTheFirstOnesOnceAllVMsAreAdopted(t *testing.T) {
	b := newBoard()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	early, err := b.subscribe(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := []id.VM{id.NewVM(), id.NewVM()}
	b.post(&vm.Seen{VM: v[0], State: vm.SeenRunning, Seq: 1})
	if s := <-early; s.VM != v[0] {
		t.Errorf("before the agent knows all its VMs: %+v", s)
	}
	b.post(&vm.Seen{VM: v[1], State: vm.SeenStopped, Seq: 2})
	b.complete()
	got := []id.VM{(<-early).VM, (<-early).VM}
	if got[0] != v[1] || got[1] != "" {
		t.Errorf("got reports of %q, want the second VM and then the mark", got)
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

func TestGuest_addressesComeFromItsAgentAndBeforeFromThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, simhost.Options{AgentDelay: 30 * time.Millisecond})
		a := w.agent(0)
		m := w.machine("web-1")
		if s := w.ensure(a, m); !slices.Equal(s.Addresses, []string{"10.77.0.5"}) || s.Agent {
			t.Errorf("before the agent: %v, agent %v", s.Addresses, s.Agent)
		}
		w.await(a, m.ID, "the guest agent", func(s vm.Seen) bool { return s.Agent && s.Hostname != "" })
	})
}

// speakingDriver's guests name these addresses.
type speakingDriver struct {
	hypervisor.Driver
	addresses []string
}

func (d *speakingDriver) Start(ctx context.Context, c hypervisor.Config) (hypervisor.Instance, error) {
	i, err := d.Driver.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return &speakingInstance{i.(simInstance), d.addresses}, nil
}

type speakingInstance struct {
	simInstance
	addresses []string
}

func (i *speakingInstance) Guest(context.Context) (hypervisor.Guest, error) {
	return hypervisor.Guest{Addresses: i.addresses}, nil
}

func TestGuest_addressOfAnInterfaceThatWasTakenAwayIsNotReported(t *testing.T) {
	w := newWorld(t)
	a := w.agent(0)
	a.o.Driver = &speakingDriver{a.o.Driver, []string{"10.77.0.5", "10.77.0.6", "10.8.0.1"}}
	m := w.machine("web-1")
	m.Firmware = vm.BIOS // the driver above makes no file for UEFI
	m.NICs = append(m.NICs, port("02:00:00:00:00:02", "10.77.0.6"))
	w.ensure(a, m)
	w.await(a, m.ID, "the guest's own words", func(s vm.Seen) bool { return len(s.Addresses) == 3 })
	m = with(m, func(m *vm.Machine) { m.NICs = m.NICs[:1] })
	if s := w.ensure(a, m); !slices.Equal(s.Addresses, []string{"10.77.0.5"}) {
		t.Errorf("with one interface it has %v", s.Addresses)
	}
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
	if !bytes.Equal(w.images.Bytes(r.Digest), raw) || !slices.Equal(offsets, []int64{0, 20_000, 40_000}) {
		t.Errorf("%d bytes with connections at %v", len(w.images.Bytes(r.Digest)), offsets)
	}
}

func TestLease_countsFromTheMomentItWasAskedFor(t *testing.T) {
	now := node.Instant(time.Hour)
	w := newWorld(t)
	a := w.agent(0)
	a.lease.now = func() node.Instant { return now }
	lease := func(seq int64, d time.Duration) error {
		return a.Lease(t.Context(), Lease{Node: w.node, Seq: seq, Duration: d})
	}
	seq := a.AskLease()
	now = now.Add(3 * time.Second) // the answer travels
	if err := lease(seq, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if left := a.LeaseLeft(); left != 7*time.Second {
		t.Errorf("%v are left, want 7s", left)
	}
	wantKind(t, lease(seq+1, 10*time.Second), fault.Precondition)
	wantKind(t, lease(seq, 0), fault.Invalid)
	wantKind(t, a.Lease(t.Context(), Lease{Node: id.NewNode(), Seq: seq, Duration: time.Second}), fault.Forbidden)
	now = now.Add(time.Minute) // the machine sleeps
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
