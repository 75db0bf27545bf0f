package user_test

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/network"
	"novacron/backend/network/networktest"
	"novacron/backend/network/user"
)

func open(t *testing.T, dir string) *user.Fabric {
	t.Helper()
	f, err := user.New(user.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestSuite(t *testing.T) {
	networktest.Run(t, func(t *testing.T) networktest.Harness {
		dir := filepath.Join(t.TempDir(), "network")
		return networktest.Harness{Reaches: true, Open: func(t *testing.T) network.Fabric { return open(t, dir) }}
	})
}

func TestEnsure_plansTheGuestsNetwork(t *testing.T) {
	f, m := open(t, t.TempDir()), networktest.VM(1)
	m.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18080, GuestPort: 80}}
	nics, err := f.Ensure(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	u, p := nics[0].User, m.Ports[0]
	if u.Subnet != p.Subnet || u.Gateway != p.Gateway || u.Address != p.Address || u.Hostname != m.Hostname {
		t.Errorf("planned %+v, want the addresses of %+v", u, p)
	}
	dns := netip.MustParseAddr(u.DNS)
	if !netip.MustParsePrefix(u.Subnet).Contains(dns) || u.DNS == u.Gateway || u.DNS == u.Address {
		t.Errorf("DNS is at %s, want a free address of %s", u.DNS, u.Subnet)
	}
	if len(u.Forwards) != 2 || u.Forwards[0] != m.Forwards[0] || u.Forwards[1].GuestPort != 22 || u.Forwards[1].Listen != "127.0.0.1" {
		t.Errorf("forwards are %+v, want the user's and one of loopback for ssh", u.Forwards)
	}
}

func TestEnsure_picksAnotherSSHPortWhenAStrangerHoldsIt(t *testing.T) {
	dir, m := t.TempDir(), networktest.VM(1)
	f := open(t, dir)
	before := sshPort(t, f, m)
	stranger, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(before)))
	if err != nil {
		t.Skipf("another program took port %d between two lines: %v", before, err)
	}
	defer stranger.Close()
	if after := sshPort(t, open(t, dir), m); after == before {
		t.Errorf("kept port %d, which another program listens on", before)
	}
}

func sshPort(t *testing.T, f network.Fabric, m network.Attachment) int {
	t.Helper()
	if _, err := f.Ensure(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	at, err := f.Reach(t.Context(), m.VM, 22)
	if err != nil {
		t.Fatal(err)
	}
	return int(netip.MustParseAddrPort(at).Port())
}

func TestReach_findsForwardedPortsAndSaysWhyNoOthers(t *testing.T) {
	f, m := open(t, t.TempDir()), networktest.VM(1)
	m.Forwards = []vm.Forward{{Protocol: "tcp", Listen: "0.0.0.0", HostPort: 18080, GuestPort: 80}, {Protocol: "udp", HostPort: 18081, GuestPort: 81}}
	if _, err := f.Ensure(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if at, err := f.Reach(t.Context(), m.VM, 80); err != nil || at != "127.0.0.1:18080" {
		t.Errorf("port 80 is at %q (%v), want 127.0.0.1:18080", at, err)
	}
	for _, port := range []int{81, 443} {
		if _, err := f.Reach(t.Context(), m.VM, port); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Sentence(err), "add a forward") {
			t.Errorf("port %d: got %v, want a sentence with the way out", port, err)
		}
	}
}

func TestEnsure_refusesIPv6Forwards(t *testing.T) {
	f, m := open(t, t.TempDir()), networktest.VM(1)
	m.Forwards = []vm.Forward{{Protocol: "tcp", Listen: "::1", HostPort: 18080, GuestPort: 80}}
	if _, err := f.Ensure(t.Context(), m); !fault.Is(err, fault.Unsupported) {
		t.Errorf("got %v, want unsupported", err)
	}
}
