package networktest

import (
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/network"
)

// Wrong are attachments that no fabric makes, by what is wrong with them.
var Wrong = map[string]func(*network.Attachment){
	"no VM id":                     func(m *network.Attachment) { m.VM = "" },
	"a VM id that is a path":       func(m *network.Attachment) { m.VM = "../../etc/passwd" },
	"another kind of id":           func(m *network.Attachment) { m.VM = id.VM(id.NewNode()) },
	"no host name":                 func(m *network.Attachment) { m.Hostname = "" },
	"a host name with a dot":       func(m *network.Attachment) { m.Hostname = "a.b" },
	"a host name with a newline":   func(m *network.Attachment) { m.Hostname = "a\nb" },
	"a host name that is too long": func(m *network.Attachment) { m.Hostname = strings.Repeat("a", 64) },
	"a negative uid":               func(m *network.Attachment) { m.UID = -1 },
	"too many NICs": func(m *network.Attachment) {
		for n := range vm.MaxNICs {
			m.Ports = append(m.Ports, Port("default", "10.77.3", n+10))
		}
	},
	"a NIC twice":                    func(m *network.Attachment) { m.Ports = append(m.Ports, m.Ports[0]) },
	"a NIC without an id":            func(m *network.Attachment) { m.Ports[0].ID = "" },
	"a network that breaks a rule":   func(m *network.Attachment) { m.Ports[0].Bridge = `x" accept` },
	"no MAC":                         func(m *network.Attachment) { m.Ports[0].MAC = "" },
	"a multicast MAC":                func(m *network.Attachment) { m.Ports[0].MAC = "53:54:00:00:00:01" },
	"a MAC that a maker owns":        func(m *network.Attachment) { m.Ports[0].MAC = "00:1b:21:00:00:01" },
	"a MAC of eight bytes":           func(m *network.Attachment) { m.Ports[0].MAC = "52:54:00:00:00:01:02:03" },
	"an address outside its network": func(m *network.Attachment) { m.Ports[0].Address = "10.99.0.2" },
	"the gateway's address":          func(m *network.Attachment) { m.Ports[0].Address = m.Ports[0].Gateway },
	"the network's own address":      func(m *network.Attachment) { m.Ports[0].Address = "10.77.3.0" },
	"the broadcast address":          func(m *network.Attachment) { m.Ports[0].Address = "10.77.3.255" },
	"an IPv6 network":                func(m *network.Attachment) { m.Ports[0].Subnet = "fd00::/64" },
	"a network with host bits":       func(m *network.Attachment) { m.Ports[0].Subnet = "10.77.3.1/24" },
	"all of the internet":            func(m *network.Attachment) { m.Ports[0].Subnet = "0.0.0.0/0" },
	"a gateway elsewhere":            func(m *network.Attachment) { m.Ports[0].Gateway = "10.99.0.1" },
	"an MTU that is too small":       func(m *network.Attachment) { m.Ports[0].MTU = 100 },
	"an MTU that is too large":       func(m *network.Attachment) { m.Ports[0].MTU = 65536 },
	"a name server that is a name":   func(m *network.Attachment) { m.Ports[0].DNS = []string{"dns.example"} },
	"a forward of another protocol": func(m *network.Attachment) {
		m.Forwards = []vm.Forward{{Protocol: "sctp", HostPort: 18090, GuestPort: 80}}
	},
	"a forward from a low port": func(m *network.Attachment) { m.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 22, GuestPort: 22}} },
	"a forward to no port":      func(m *network.Attachment) { m.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18090}} },
	"a forward from a name": func(m *network.Attachment) {
		m.Forwards = []vm.Forward{{Protocol: "tcp", Listen: "localhost", HostPort: 18090, GuestPort: 80}}
	},
	"a forward twice": func(m *network.Attachment) {
		m.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18090, GuestPort: 80}, {Protocol: "tcp", Listen: "127.0.0.1", HostPort: 18090, GuestPort: 81}}
	},
	"a forward without a NIC": func(m *network.Attachment) {
		m.Ports, m.Forwards = nil, []vm.Forward{{Protocol: "tcp", HostPort: 18090, GuestPort: 80}}
	},
	"too many forwards": func(m *network.Attachment) {
		for n := range vm.MaxForwards + 1 {
			m.Forwards = append(m.Forwards, vm.Forward{Protocol: "tcp", HostPort: 18090 + n, GuestPort: 80})
		}
	},
}

func refuses(t *testing.T, h Harness) {
	f := h.Open(t)
	for what, spoil := range Wrong {
		m := VM(1)
		spoil(&m)
		_, err := f.Ensure(t.Context(), m)
		wantKind(t, err, fault.Invalid, what)
	}
	wantAttached(t, f)
}

// describe is what must not change of NICs, without pointers.
func describe(nics []hypervisor.NIC) []any {
	var all []any
	for _, n := range nics {
		user := hypervisor.UserNet{}
		if n.User != nil {
			user = *n.User
		}
		n.User = nil
		all = append(all, n, user)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind, what string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: got %v (%s), want a fault of kind %s", what, err, fault.KindOf(err), kind)
	}
}

func wantAttached(t *testing.T, f network.Fabric, want ...id.VM) {
	t.Helper()
	got, err := f.Attached(t.Context())
	must(t, err)
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%d VMs are attached, want %d: got %.200q, want %.200q", len(got), len(want), got, want)
	}
}
