package bridge_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/network"
	"novacron/backend/network/bridge"
	"novacron/backend/network/networktest"
)

func TestSuite(t *testing.T) {
	networktest.Run(t, func(t *testing.T) networktest.Harness {
		dir := world(t)
		return networktest.Harness{Shared: true, Reaches: true, Open: func(t *testing.T) network.Fabric { return open(t, dir) }}
	})
}

func TestNew_refusesAnInstanceThatIsNoTag(t *testing.T) {
	for _, tag := range []string{"", "abc", "ABCD", "123456789", "../x", `a";b`} {
		if _, err := bridge.New(t.Context(), bridge.Options{Dir: t.TempDir(), Instance: tag}); !fault.Is(err, fault.Invalid) {
			t.Errorf("instance %q: got %v, want invalid", tag, err)
		}
	}
}

func TestRelease_leavesNothing(t *testing.T) {
	dir := world(t)
	f, a, b := open(t, dir), networktest.VM(1), networktest.VM(2)
	b.Ports = append(b.Ports, networktest.Port("second", "10.77.4", 1))
	ensure(t, f, a)
	ensure(t, f, b)
	if got := remains(t); len(got) != 7 { // two bridges, three taps, two tables
		t.Fatalf("made %q, want 7 things", got)
	}
	for _, m := range []network.Attachment{a, b} {
		if err := f.Release(t.Context(), m.VM); err != nil {
			t.Fatal(err)
		}
	}
	if got := remains(t); len(got) != 0 {
		t.Errorf("left %q", got)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "records")); err != nil || len(files) != 0 {
		t.Errorf("left records %v (%v)", files, err)
	}
}

func TestRelease_findsWhatABrokenRecordMade(t *testing.T) {
	dir := world(t)
	f, m := open(t, dir), networktest.VM(1)
	ensure(t, f, m)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "records", string(m.VM)+".json"), []byte(`{"atta`), 0o600); err != nil {
		t.Fatal(err)
	}
	f = open(t, dir)
	if err := f.Release(t.Context(), m.VM); err != nil {
		t.Fatal(err)
	}
	if got := remains(t); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

func TestEnsure_putsBackWhatSomebodyTookAway(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	tap := ensure(t, f, m)
	for _, away := range [][]string{{"nft", "flush", "ruleset"}, {"ip", "link", "del", tap}, {"ip", "link", "del", "nc" + instance}} {
		before := len(remains(t))
		if out, err := exec.Command(away[0], away[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", away, err, out)
		}
		ensure(t, f, m)
		if after := remains(t); len(after) != before {
			t.Errorf("after %v there is %q, want %d things", away, after, before)
		}
		g := plug(t, tap, m.Ports[0])
		if ack := g.lease(); ack.YourIPAddr.String() != m.Ports[0].Address {
			t.Errorf("after %v the guest got %s", away, ack.YourIPAddr)
		}
		g.unplug()
	}
}

func TestRules_arePutBackWithoutAnEnsureWhenSomebodyFlushesThem(t *testing.T) {
	f, a, b := open(t, world(t)), networktest.VM(1), networktest.VM(2)
	ensure(t, f, a)
	ensure(t, f, b)
	before := ruleset(t)
	if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	f.CheckRules()
	if after := ruleset(t); after != before {
		t.Errorf("the rules became\n%s\nwere\n%s", after, before)
	}
}

func TestRules_ofManySmallChangesAreThoseOfOneLargeOne(t *testing.T) {
	dir := world(t)
	f, a, b := open(t, dir), networktest.VM(1), networktest.VM(2)
	second := networktest.Port("default", "10.77.3", 9)
	b.Ports = append(b.Ports, second)
	ensure(t, f, a)
	ensure(t, f, b)
	b.Ports = b.Ports[:1]
	ensure(t, f, b)
	if err := f.Release(t.Context(), a.VM); err != nil {
		t.Fatal(err)
	}
	changed := ruleset(t)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // writes the whole
	if whole := ruleset(t); whole != changed {
		t.Errorf("small changes made\n%s\nthe whole is\n%s", changed, whole)
	}
}

func ruleset(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "ruleset").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestEnsure_refusesANetworkThatTheNodeReachesAnotherWay(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	_, _ = outside(t)
	m.Ports[0].Subnet, m.Ports[0].Gateway, m.Ports[0].Address = "198.51.100.0/25", "198.51.100.1", "198.51.100.9"
	if _, err := f.Ensure(t.Context(), m); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestEnsure_leavesAStrangersBridgeAlone(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "nc" + instance
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(&netlink.Bridge{LinkAttrs: attrs}) })
	if _, err := f.Ensure(t.Context(), m); err == nil {
		t.Error("a bridge that is not ours was taken over")
	}
}

func TestTap_belongsToTheVMsUser(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	m.UID = 268435999
	tap := ensure(t, f, m)
	link, err := netlink.LinkByName(tap)
	if err != nil {
		t.Fatal(err)
	}
	if owner := link.(*netlink.Tuntap).Owner; int(owner) != m.UID {
		t.Errorf("the tap is owned by %d, want %d", owner, m.UID)
	}
	if link.Attrs().MTU != m.Ports[0].MTU {
		t.Errorf("the tap's MTU is %d, want %d", link.Attrs().MTU, m.Ports[0].MTU)
	}
}

func TestDHCP_givesThePlannedAddressAndAllThatGoesWithIt(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	g := plug(t, ensure(t, f, m), m.Ports[0])
	ack, p := g.lease(), m.Ports[0]
	got := fmt.Sprintf("%s %v %v %v %s %s %v %s", ack.YourIPAddr, net.IP(ack.SubnetMask()), ack.Router(), ack.DNS(), ack.HostName(), ack.DomainName(),
		ack.Options.Get(dhcpv4.OptionInterfaceMTU), ack.IPAddressLeaseTime(0))
	want := fmt.Sprintf("%s 255.255.255.0 [%s] [%s] %s novacron.internal [5 120] 1h0m0s", p.Address, p.Gateway, p.Gateway, m.Hostname)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDHCP_answersGuestsThatGoOnAfterARestart(t *testing.T) {
	dir := world(t)
	f, m := open(t, dir), networktest.VM(1)
	g := plug(t, ensure(t, f, m), m.Ports[0])
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // and nobody calls Ensure
	if ack := g.lease(); ack.YourIPAddr.String() != m.Ports[0].Address {
		t.Errorf("after a restart the guest got %s, want %s", ack.YourIPAddr, m.Ports[0].Address)
	}
}

func TestDHCP_refusesAnotherAddressAndIsSilentToStrangers(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	g := plug(t, ensure(t, f, m), m.Ports[0])
	request, err := dhcpv4.New(dhcpv4.WithHwAddr(g.mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 77, 3, 99))))
	if err != nil {
		t.Fatal(err)
	}
	if a := g.dhcp(g.mac, request); a == nil || a.MessageType() != dhcpv4.MessageTypeNak {
		t.Errorf("asked for another's address and got %v, want NAK", a)
	}
	stranger := net.HardwareAddr{0x52, 0x54, 9, 9, 9, 9}
	foreign, err := dhcpv4.NewDiscovery(stranger) // from the guest's own port and MAC, for somebody else
	if err != nil {
		t.Fatal(err)
	}
	own, err := dhcpv4.NewDiscovery(g.mac)
	if err != nil {
		t.Fatal(err)
	}
	g.send(udpFrame(g.mac, broadcast, netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255"), 68, 67, foreign.ToBytes()))
	g.send(make([]byte, 14))
	g.send(udpFrame(g.mac, broadcast, netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255"), 68, 67, []byte("not DHCP")))
	if a := g.dhcp(g.mac, own); a == nil || a.TransactionID != own.TransactionID {
		t.Errorf("the first answer is %v, want the one to the guest's own question", a)
	}
}

// A frame that must not pass is sent before one that must: when the second has come, the first was dropped.
func TestGuest_cannotSpeakForAnother(t *testing.T) {
	f, a, b := open(t, world(t)), networktest.VM(1), networktest.VM(2)
	from, to := plug(t, ensure(t, f, a), a.Ports[0]), plug(t, ensure(t, f, b), b.Ports[0])
	own, other, gateway := netip.MustParseAddr(a.Ports[0].Address), netip.MustParseAddr(b.Ports[0].Address), netip.MustParseAddr(a.Ports[0].Gateway)
	stranger := net.HardwareAddr{0x52, 0x54, 9, 9, 9, 9}
	mark := func(s string) []byte { return []byte("novacron-test " + s) }
	good := udpFrame(from.mac, to.mac, own, other, 4000, 4000, mark("good"))
	for what, frame := range map[string][]byte{
		"another MAC":                udpFrame(stranger, to.mac, own, other, 4000, 4000, mark("bad")),
		"another guest's address":    udpFrame(from.mac, to.mac, other.Next(), other, 4000, 4000, mark("bad")),
		"the gateway's address":      udpFrame(from.mac, to.mac, gateway, other, 4000, 4000, mark("bad")),
		"no address":                 udpFrame(from.mac, to.mac, netip.IPv4Unspecified(), other, 4000, 4000, mark("bad")),
		"a DHCP server":              udpFrame(from.mac, to.mac, own, other, 67, 68, mark("bad")),
		"ARP for the gateway":        append(arpFrame(from.mac, from.mac, gateway, other), mark("bad")...),
		"ARP with another MAC":       append(arpFrame(from.mac, stranger, own, other), mark("bad")...),
		"ARP in another MAC's frame": append(arpFrame(stranger, stranger, own, other), mark("bad")...),
		"a router of IPv6":           append(append(append(append([]byte{}, to.mac...), from.mac...), 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0x30, 58, 255), mark("bad")...),
		"a VLAN":                     append(append(append(append([]byte{}, to.mac...), from.mac...), 0x81, 0, 0, 5, 8, 0), mark("bad")...),
	} {
		from.send(frame)
		from.send(good)
		got := to.receive(patience, func(b []byte) bool { return strings.Contains(string(b), "novacron-test") })
		if got == nil {
			t.Fatalf("%s: not even the good frame came", what)
		}
		if strings.Contains(string(got), "bad") {
			t.Errorf("%s: the frame passed", what)
			to.receive(patience, func(b []byte) bool { return strings.Contains(string(b), "good") })
		}
	}
	from.send(arpFrame(from.mac, from.mac, netip.IPv4Unspecified(), other)) // a probe of somebody without an address yet
	if to.receive(patience, func(b []byte) bool { return b[12] == 8 && b[13] == 6 && b[28] == 0 }) == nil {
		t.Error("an ARP probe of the guest's own was dropped")
	}
}

func TestGuest_reachesTheOutsideThroughNATAndIsNotReachedFromThere(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	far, address := outside(t)
	inside := machine(t, ensure(t, f, m), m.Ports[0])
	echo(t, far, address.String()+":8000")
	echo(t, inside, m.Ports[0].Address+":8000")
	if got, err := call(inside, address.String()+":8000", patience); err != nil || got != "198.51.100.1 hello" {
		t.Errorf("the guest heard %q (%v), want the node's address as its own", got, err)
	}
	far.Do(t, func() error { // a neighbour that sends to the guests by way of the node
		link, err := netlink.LinkByName("out0")
		if err != nil {
			return err
		}
		subnet, err := netlink.ParseIPNet(m.Ports[0].Subnet)
		if err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IPv4(198, 51, 100, 1), Dst: subnet})
	})
	for _, to := range []string{m.Ports[0].Address + ":8000", m.Ports[0].Gateway + ":53"} {
		if got, err := call(far, to, time.Second); err == nil {
			t.Errorf("from outside %s answered %q", to, got)
		}
	}
	at, err := f.Reach(t.Context(), m.VM, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := call(nil, at, patience); err != nil || got != m.Ports[0].Gateway+" hello" {
		t.Errorf("the node heard %q from %s (%v)", got, at, err)
	}
}

func TestGuest_reachesOtherGuestsButNotTheNodesServicesNorOtherNetworks(t *testing.T) {
	f, a, b, c := open(t, world(t)), networktest.VM(1), networktest.VM(2), networktest.VM(3)
	c.Ports[0] = networktest.Port("second", "10.77.4", 1)
	one, two, three := machine(t, ensure(t, f, a), a.Ports[0]), machine(t, ensure(t, f, b), b.Ports[0]), machine(t, ensure(t, f, c), c.Ports[0])
	echo(t, two, b.Ports[0].Address+":8000")
	echo(t, three, c.Ports[0].Address+":8000")
	l, err := net.Listen("tcp4", "0.0.0.0:8000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, err := call(one, b.Ports[0].Address+":8000", patience); err != nil || got != a.Ports[0].Address+" hello" {
		t.Errorf("its neighbour said %q (%v)", got, err)
	}
	for what, to := range map[string]string{"the node": a.Ports[0].Gateway, "another network": c.Ports[0].Address, "another gateway": c.Ports[0].Gateway} {
		if got, err := call(one, to+":8000", time.Second); err == nil {
			t.Errorf("%s answered %q", what, got)
		}
	}
}

func TestForward_carriesTCPAndUDPAndIsBackAfterARestart(t *testing.T) {
	dir := world(t)
	f, m := open(t, dir), networktest.VM(1)
	m.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18080, GuestPort: 8000}, {Protocol: "udp", Listen: "0.0.0.0", HostPort: 18080, GuestPort: 8000}}
	inside := machine(t, ensure(t, f, m), m.Ports[0])
	echo(t, inside, "0.0.0.0:8000")
	udpEcho(t, inside, "0.0.0.0:8000")
	for _, life := range []string{"first", "second"} {
		if got, err := call(nil, "127.0.0.1:18080", patience); err != nil || got != m.Ports[0].Gateway+" hello" {
			t.Errorf("%s life: TCP said %q (%v)", life, got, err)
		}
		if got, err := ask("127.0.0.1:18080"); err != nil || got != "hello" {
			t.Errorf("%s life: UDP said %q (%v)", life, got, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f = open(t, dir)
	}
}

func TestForward_saysWhenAnotherProgramHoldsThePort(t *testing.T) {
	f, m := open(t, world(t)), networktest.VM(1)
	l, err := net.Listen("tcp4", "127.0.0.1:18085")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m.Forwards = []vm.Forward{{Protocol: "tcp", HostPort: 18085, GuestPort: 80}}
	if _, err := f.Ensure(t.Context(), m); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Sentence(err), "18085") {
		t.Errorf("got %v, want a conflict that names the port", err)
	}
	l.Close()
	ensure(t, f, m)
}

func udpEcho(t *testing.T, n *networktest.Namespace, at string) {
	t.Helper()
	var c net.PacketConn
	n.Do(t, func() (err error) {
		c, err = net.ListenPacket("udp4", at)
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			k, peer, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:k], peer)
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
	})
}

// ask sends hello until an answer comes: datagrams may be lost while the guest's address is still being found.
func ask(to string) (string, error) {
	c, err := net.Dial("udp4", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	buf := make([]byte, 100)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := c.Write([]byte("hello")); err != nil {
			return "", err
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if k, err := c.Read(buf); err == nil {
			return string(buf[:k]), nil
		}
	}
	return "", errors.New("no answer")
}
