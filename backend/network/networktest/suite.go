// Package networktest is the suite that every fabric passes: what the agent relies on, whatever makes the ports.
package networktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/network"
)

// Harness is one implementation under test.
type Harness struct {
	// Open makes a fabric on what an earlier Open of the same test left, or on nothing. It closes it at the end of the test.
	Open func(t *testing.T) network.Fabric
	// Shared says that VMs of a network share its addresses, so that one taken twice is refused.
	Shared bool
	// Reaches says that Reach gives a way to the guest's port 22.
	Reaches bool
	// Many is how many VMs are made at once; 0: 32.
	Many int
}

// Run runs the suite; open is called once per test and gives a harness of an empty world.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Harness)
	}{
		{"gives one NIC per port, in order", givesOneNICPerPort},
		{"gives the same NICs when asked again", isRepeatable},
		{"lists what an earlier life attached", listsEarlierLife},
		{"takes over what an earlier life attached", takesOver},
		{"releases everything, and nothing there is success", releases},
		{"drops ports that are no longer named", dropsPorts},
		{"makes a VM without any port", attachesNothing},
		{"refuses what cannot be, and keeps nothing of it", refuses},
		{"refuses an address that another VM has", refusesTakenAddress},
		{"refuses a port of the node that another VM has", refusesTakenPort},
		{"frees a port of the node with its VM", freesPort},
		{"makes many VMs at once", makesMany},
		{"reaches ssh of what is attached, and says why not else", reaches},
		{"says its mode and what it means", saysMode},
		{"refuses every call after Close", refusesAfterClose},
		{"refuses a call whose context has ended", refusesEnded},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// VM gives a valid attachment: the n-th guest of network "default", 10.77.3.0/24.
func VM(n int) network.Attachment {
	return network.Attachment{VM: id.NewVM(), Tenant: "ten-a", Hostname: fmt.Sprintf("web-%d", n), Ports: []vm.Port{Port("default", "10.77.3", n)}}
}

// Port gives the n-th guest's port on the network of three octets, a /24. Guests from the 250th on are on networks of 62,500
// guests each, 10.78.0.0/16 and up.
func Port(name, three string, n int) vm.Port {
	p := vm.Port{Bridge: name, Subnet: three + ".0/24", Gateway: three + ".1", MTU: 1400}
	if n >= 250 {
		second := 78 + n/62500
		p.Bridge, p.Subnet, p.Gateway = fmt.Sprintf("%s-%d", name, second), fmt.Sprintf("10.%d.0.0/16", second), fmt.Sprintf("10.%d.255.254", second)
		three, n = fmt.Sprintf("10.%d.%d", second, n/250%250), n%250
	}
	p.NIC = vm.NIC{ID: id.NewNIC(), MAC: mac(three, n), Address: fmt.Sprintf("%s.%d", three, n+2)}
	return p
}

func mac(three string, n int) string {
	var a, b, c byte
	if _, err := fmt.Sscanf(three, "%d.%d.%d", &a, &b, &c); err != nil {
		panic("networktest: " + err.Error())
	}
	return fmt.Sprintf("52:54:%02x:%02x:%02x:%02x", a, b, c, n+2)
}

func givesOneNICPerPort(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	m.Ports = append(m.Ports, Port("second", "10.77.4", 9))
	nics, err := f.Ensure(t.Context(), m)
	must(t, err)
	if len(nics) != 2 {
		t.Fatalf("got %d NICs for 2 ports", len(nics))
	}
	for i, n := range nics {
		if p := m.Ports[i]; n.ID != p.ID || n.MAC != p.MAC || n.MTU != p.MTU {
			t.Errorf("NIC %d is %+v, want id, MAC and MTU of %+v", i, n, p)
		}
	}
}

func isRepeatable(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	first, err := f.Ensure(t.Context(), m)
	must(t, err)
	again, err := f.Ensure(t.Context(), m)
	must(t, err)
	if fmt.Sprint(describe(first)) != fmt.Sprint(describe(again)) {
		t.Errorf("second Ensure gave %v, first %v", describe(again), describe(first))
	}
}

func listsEarlierLife(t *testing.T, h Harness) {
	a, b := VM(1), VM(2)
	f := h.Open(t)
	_, err := f.Ensure(t.Context(), a)
	must(t, err)
	_, err = f.Ensure(t.Context(), b)
	must(t, err)
	must(t, f.Close())
	wantAttached(t, h.Open(t), a.VM, b.VM)
}

func takesOver(t *testing.T, h Harness) {
	m := VM(1)
	f := h.Open(t)
	first, err := f.Ensure(t.Context(), m)
	must(t, err)
	must(t, f.Close())
	again, err := h.Open(t).Ensure(t.Context(), m)
	must(t, err)
	if fmt.Sprint(describe(first)) != fmt.Sprint(describe(again)) {
		t.Errorf("after a restart Ensure gave %v, before %v", describe(again), describe(first))
	}
}

func releases(t *testing.T, h Harness) {
	m := VM(1)
	f := h.Open(t)
	_, err := f.Ensure(t.Context(), m)
	must(t, err)
	must(t, f.Close())
	f = h.Open(t)
	must(t, f.Release(t.Context(), m.VM))
	wantAttached(t, f)
	must(t, f.Release(t.Context(), m.VM))
	must(t, f.Release(t.Context(), id.NewVM()))
	_, err = f.Ensure(t.Context(), m)
	must(t, err)
	wantAttached(t, f, m.VM)
}

func dropsPorts(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	second := Port("default", "10.77.3", 20)
	m.Ports = append(m.Ports, second)
	_, err := f.Ensure(t.Context(), m)
	must(t, err)
	m.Ports = m.Ports[:1]
	nics, err := f.Ensure(t.Context(), m)
	must(t, err)
	if len(nics) != 1 || nics[0].ID != m.Ports[0].ID {
		t.Fatalf("got %v, want the first NIC only", describe(nics))
	}
	other := VM(2)
	other.Ports = []vm.Port{second} // its address is free again
	_, err = f.Ensure(t.Context(), other)
	must(t, err)
}

func attachesNothing(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	m.Ports = nil
	nics, err := f.Ensure(t.Context(), m)
	must(t, err)
	if len(nics) != 0 {
		t.Errorf("got %v for no ports", describe(nics))
	}
	must(t, f.Release(t.Context(), m.VM))
	wantAttached(t, f)
}

func refusesTakenAddress(t *testing.T, h Harness) {
	if !h.Shared {
		t.Skip("every NIC of this fabric is a network of its own: an address cannot be taken")
	}
	f, a, b := h.Open(t), VM(1), VM(2)
	_, err := f.Ensure(t.Context(), a)
	must(t, err)
	b.Ports[0].Address = a.Ports[0].Address
	_, err = f.Ensure(t.Context(), b)
	wantKind(t, err, fault.Conflict, "an address that another VM has")
	wantAttached(t, f, a.VM)
	must(t, f.Release(t.Context(), a.VM))
	_, err = f.Ensure(t.Context(), b)
	must(t, err)
}

func refusesTakenPort(t *testing.T, h Harness) {
	f, a, b := h.Open(t), VM(1), VM(2)
	a.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18080, GuestPort: 80}}
	b.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18080, GuestPort: 8080}}
	_, err := f.Ensure(t.Context(), a)
	must(t, err)
	_, err = f.Ensure(t.Context(), b)
	wantKind(t, err, fault.Conflict, "a port that another VM has")
	b.Forwards[0].Protocol = "udp"
	_, err = f.Ensure(t.Context(), b)
	must(t, err)
}

func freesPort(t *testing.T, h Harness) {
	f, a, b := h.Open(t), VM(1), VM(2)
	a.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18081, GuestPort: 80}}
	_, err := f.Ensure(t.Context(), a)
	must(t, err)
	must(t, f.Release(t.Context(), a.VM))
	b.Forwards = a.Forwards
	_, err = f.Ensure(t.Context(), b)
	must(t, err)
}

func makesMany(t *testing.T, h Harness) {
	f := h.Open(t)
	count := h.Many
	if count == 0 {
		count = 32
	}
	vms := make([]id.VM, count)
	var all sync.WaitGroup
	const workers = 16
	for w := range workers {
		all.Go(func() {
			for n := w; n < count; n += workers {
				m := VM(n)
				vms[n] = m.VM
				if _, err := f.Ensure(t.Context(), m); err != nil {
					t.Errorf("VM %d of %d: %v", n, count, err)
				}
			}
		})
	}
	all.Wait()
	wantAttached(t, f, vms...)
	for w := range workers {
		all.Go(func() {
			for n := w; n < count; n += workers {
				if err := f.Release(t.Context(), vms[n]); err != nil {
					t.Errorf("release of VM %d of %d: %v", n, count, err)
				}
			}
		})
	}
	all.Wait()
	wantAttached(t, f)
}

func reaches(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	_, err := f.Reach(t.Context(), m.VM, 22)
	wantKind(t, err, fault.Unavailable, "a VM that is not attached")
	_, err = f.Ensure(t.Context(), m)
	must(t, err)
	at, err := f.Reach(t.Context(), m.VM, 22)
	if !h.Reaches {
		wantKind(t, err, fault.Unavailable, "a guest without a network")
		return
	}
	must(t, err)
	must(t, f.Close())
	later, err := h.Open(t).Reach(t.Context(), m.VM, 22)
	must(t, err)
	if at == "" || at != later {
		t.Errorf("reached at %q, after a restart at %q", at, later)
	}
}

func saysMode(t *testing.T, h Harness) {
	mode, note := h.Open(t).Mode()
	if !slices.Contains([]string{"bridge", "user", "sim"}, mode) || note == "" {
		t.Errorf("mode %q, note %q", mode, note)
	}
}

func refusesAfterClose(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	must(t, f.Close())
	must(t, f.Close())
	_, err := f.Ensure(t.Context(), m)
	wantKind(t, err, fault.Unavailable, "Ensure after Close")
	wantKind(t, f.Release(t.Context(), m.VM), fault.Unavailable, "Release after Close")
	_, err = f.Attached(t.Context())
	wantKind(t, err, fault.Unavailable, "Attached after Close")
}

func refusesEnded(t *testing.T, h Harness) {
	f, m := h.Open(t), VM(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Ensure(ctx, m); err == nil {
		t.Error("Ensure went through with a context that had ended")
	}
	wantAttached(t, f)
}
