package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"novacron/backend/core/vm"
	"novacron/backend/network"
	"novacron/backend/network/bridge"
	"novacron/backend/network/networktest"
)

// instance is the one under test; tests of this package do not run in parallel, since they share a namespace.
const instance = "beef"

func TestMain(m *testing.M) { os.Exit(networktest.Main(m)) }

// patience is how long something that must come may take on a busy machine.
const patience = time.Minute

func open(t *testing.T, dir string) *bridge.Fabric {
	t.Helper()
	resolvers := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolvers, []byte("nameserver 127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := bridge.New(t.Context(), bridge.Options{Dir: filepath.Join(dir, "records"), Instance: instance, Resolvers: resolvers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// world gives an empty folder in the namespace, and sees to it that the test leaves nothing in either.
func world(t *testing.T) string {
	t.Helper()
	networktest.NeedsNamespace(t)
	dir := t.TempDir()
	t.Cleanup(func() {
		// The test's own context has ended.
		f, err := bridge.New(context.Background(), bridge.Options{Dir: filepath.Join(dir, "records"), Instance: instance})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		vms, err := f.Attached(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, vm := range vms {
			if err := f.Release(context.Background(), vm); err != nil {
				t.Errorf("release %s: %v", vm, err)
			}
		}
		if left := remains(t); len(left) > 0 {
			t.Errorf("the test leaves %q", left)
		}
	})
	return dir
}

func ensure(t *testing.T, f network.Fabric, m network.Attachment) string {
	t.Helper()
	nics, err := f.Ensure(t.Context(), m)
	if err != nil {
		t.Fatalf("%v (cause %v)", err, errors.Unwrap(err))
	}
	return nics[0].Tap
}

// remains lists the devices and tables of the instance.
func remains(t *testing.T) []string {
	t.Helper()
	var all []string
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "nc") {
			all = append(all, l.Attrs().Name)
		}
	}
	tables, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(tables)) {
		if strings.Contains(line, "novacron_") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// guest is the end of a tap that QEMU would hold: the test's hands on the wire.
type guest struct {
	t    *testing.T
	file *os.File
	mac  net.HardwareAddr
	port vm.Port
}

const vnetHeader = 10 // bytes that IFF_VNET_HDR puts before each frame

func plug(t *testing.T, tap string, p vm.Port) *guest {
	t.Helper()
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, file: openTap(t, tap), mac: mac, port: p}
	t.Cleanup(g.unplug)
	awaitUp(t, tap)
	awaitUp(t, "nc"+instance)
	return g
}

func (g *guest) unplug() { g.file.Close() }

// awaitUp waits until the kernel has seen that somebody holds a tap: until then the bridge drops its frames.
func awaitUp(t *testing.T, device string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		link, err := netlink.LinkByName(device)
		if err != nil {
			t.Fatal(err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is %s, want up", device, link.Attrs().OperState)
		}
		runtime.Gosched()
	}
}

func openTap(t *testing.T, name string) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		t.Fatalf("open tap %s as the driver does: %v", name, err)
	}
	return os.NewFile(uintptr(fd), name)
}

func (g *guest) send(frame []byte) {
	g.t.Helper()
	if _, err := g.file.Write(append(make([]byte, vnetHeader), frame...)); err != nil {
		g.t.Fatal(err)
	}
}

// receive gives the first frame that match takes, or nil after the time.
func (g *guest) receive(wait time.Duration, match func([]byte) bool) []byte {
	g.t.Helper()
	if err := g.file.SetReadDeadline(time.Now().Add(wait)); err != nil {
		g.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := g.file.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			g.t.Fatal(err)
		}
		if n > vnetHeader && match(buf[vnetHeader:n]) {
			return bytes.Clone(buf[vnetHeader:n])
		}
	}
}

// dhcp sends a message in a frame from the MAC, and gives the answer.
func (g *guest) dhcp(from net.HardwareAddr, message *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	g.t.Helper()
	g.send(udpFrame(from, broadcast, netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255"), 68, 67, message.ToBytes()))
	frame := g.receive(patience, func(b []byte) bool {
		return len(b) > 42 && b[12] == 8 && b[13] == 0 && b[23] == 17 && b[34] == 0 && b[35] == 67
	})
	if frame == nil {
		return nil
	}
	answer, err := dhcpv4.FromBytes(frame[42:])
	if err != nil {
		g.t.Fatal(err)
	}
	return answer
}

// lease runs the whole exchange.
func (g *guest) lease() *dhcpv4.DHCPv4 {
	g.t.Helper()
	discover, err := dhcpv4.NewDiscovery(g.mac)
	if err != nil {
		g.t.Fatal(err)
	}
	offer := g.dhcp(g.mac, discover)
	if offer == nil || offer.MessageType() != dhcpv4.MessageTypeOffer {
		g.t.Fatalf("no offer came, but %v", offer)
	}
	request, err := dhcpv4.NewRequestFromOffer(offer)
	if err != nil {
		g.t.Fatal(err)
	}
	ack := g.dhcp(g.mac, request)
	if ack == nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		g.t.Fatalf("no ACK came, but %v", ack)
	}
	return ack
}

var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func udpFrame(from, to net.HardwareAddr, source, destination netip.Addr, sport, dport uint16, payload []byte) []byte {
	b := append(append(bytes.Clone(to), from...), 8, 0)
	length := 28 + len(payload)
	src, dst := source.As4(), destination.As4()
	ip := []byte{0x45, 0, byte(length >> 8), byte(length), 0, 0, 0, 0, 64, 17, 0, 0}
	ip = append(append(ip, src[:]...), dst[:]...)
	var s uint32
	for i := 0; i < 20; i += 2 {
		s += uint32(ip[i])<<8 | uint32(ip[i+1])
	}
	s = s>>16 + s&0xffff
	s = ^(s>>16 + s&0xffff)
	ip[10], ip[11] = byte(s>>8), byte(s)
	b = append(b, ip...)
	b = append(b, byte(sport>>8), byte(sport), byte(dport>>8), byte(dport), byte((8+len(payload))>>8), byte(8+len(payload)), 0, 0)
	return append(b, payload...)
}

// arpFrame asks who has target.
func arpFrame(from, sender net.HardwareAddr, source, target netip.Addr) []byte {
	b := append(append(bytes.Clone(broadcast), from...), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	src, dst := source.As4(), target.As4()
	b = append(append(b, sender...), src[:]...)
	return append(append(b, 0, 0, 0, 0, 0, 0), dst[:]...)
}

// machine is a guest with a whole IP stack: a namespace whose device is wired to the tap.
func machine(t *testing.T, tap string, p vm.Port) *networktest.Namespace {
	t.Helper()
	n := networktest.NewNamespace(t)
	far := openTap(t, tap)
	var near *os.File
	n.Do(t, func() error {
		near = openTap(t, "g0")
		mac, err := net.ParseMAC(p.MAC)
		if err != nil {
			return err
		}
		link, err := netlink.LinkByName("g0")
		if err != nil {
			return err
		}
		return netlink.LinkSetHardwareAddr(link, mac)
	})
	wire := func(to, from *os.File, done chan<- struct{}) {
		defer close(done)
		buf := make([]byte, 128<<10)
		for {
			k, err := from.Read(buf)
			if errors.Is(err, os.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = to.Write(buf[:k]) // a device that is down loses frames
			}
		}
	}
	up, down := make(chan struct{}), make(chan struct{})
	go wire(far, near, up)
	go wire(near, far, down)
	t.Cleanup(func() {
		near.Close()
		far.Close()
		<-up
		<-down
	})
	subnet := netip.MustParsePrefix(p.Subnet)
	n.Configure(t, "g0", netip.PrefixFrom(netip.MustParseAddr(p.Address), subnet.Bits()), netip.MustParseAddr(p.Gateway))
	return n
}

// outside is a machine beyond the node, which knows no way to the guests. It gives its address.
func outside(t *testing.T) (*networktest.Namespace, netip.Addr) {
	t.Helper()
	n := networktest.NewNamespace(t)
	near := netlink.NewLinkAttrs()
	near.Name = "up0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: near, PeerName: "out0", PeerNamespace: netlink.NsFd(n.FD)}); err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName("up0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	address, err := netlink.ParseAddr("198.51.100.1/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.AddrReplace(link, address), netlink.LinkSetUp(link)); err != nil {
		t.Fatal(err)
	}
	n.Configure(t, "out0", netip.MustParsePrefix("198.51.100.2/24"), netip.Addr{})
	return n, netip.MustParseAddr("198.51.100.2")
}

// echo serves TCP inside: it says the peer's address and what it heard.
func echo(t *testing.T, n *networktest.Namespace, at string) {
	t.Helper()
	var l net.Listener
	n.Do(t, func() (err error) {
		l, err = net.Listen("tcp4", at)
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			buf := make([]byte, 64)
			k, _ := c.Read(buf)
			fmt.Fprintf(c, "%s %s", c.RemoteAddr().(*net.TCPAddr).IP, buf[:k])
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
}

// call says hello over TCP, from inside n or, with nil, from the node.
func call(n *networktest.Namespace, to string, wait time.Duration) (answer string, err error) {
	do := func() error {
		c, err := net.DialTimeout("tcp4", to, wait)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(wait))
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(c)
		answer = b.String()
		return err
	}
	if n == nil {
		return answer, do()
	}
	err = n.Try(do)
	return answer, err
}
