package bridge

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/bpf"
	"golang.org/x/time/rate"
)

var (
	guestMAC  = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	gatewayIP = netip.MustParseAddr("10.77.3.1")
	guestIP   = netip.MustParseAddr("10.77.3.9")
)

// request is a frame as a guest sends it.
func request(payload []byte) []byte {
	frame := compose(guestMAC, net.HardwareAddr{2, 0, 0, 0, 0, 2}, guestIP, gatewayIP, payload)
	binary.BigEndian.PutUint16(frame[34:], dhcpClientPort)
	binary.BigEndian.PutUint16(frame[36:], dhcpServerPort)
	return frame
}

func TestCompose_hasRightChecksums(t *testing.T) {
	for _, payload := range [][]byte{nil, {1}, {1, 2}, bytes.Repeat([]byte{0xff}, 301)} {
		frame := compose(guestMAC, guestMAC, gatewayIP, guestIP, payload)
		ip, udp := frame[14:34], frame[34:]
		if got := fold(sum(0, ip)); got != 0xffff {
			t.Errorf("%d bytes: the IP header sums to %#x", len(payload), got)
		}
		pseudo := sum(sum(uint32(17+len(udp)), ip[12:16]), ip[16:20])
		if got := fold(sum(pseudo, udp)); got != 0xffff {
			t.Errorf("%d bytes: the datagram sums to %#x", len(payload), got)
		}
	}
}

func TestDatagram_andTheKernelsFilterTakeTheSame(t *testing.T) {
	machine, err := bpf.NewVM(requestsOnly)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, v ...byte) []byte {
		f := request([]byte("hello"))
		copy(f[at:], v)
		return f
	}
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"a request":             {request([]byte("hello")), true},
		"IPv6":                  {change(12, 0x86, 0xdd), false},
		"TCP":                   {change(23, 6), false},
		"a fragment":            {change(20, 0x20, 0), false},
		"a later fragment":      {change(20, 0, 1), false},
		"do not fragment is ok": {change(20, 0x40, 0), true},
		"another port":          {change(36, 0, 53), false},
		"nothing":               {make([]byte, 60), false},
	} {
		source, payload, ok := datagram(c.frame)
		n, err := machine.Run(c.frame)
		if err != nil {
			t.Fatal(err)
		}
		if ok != c.want || (n > 0) != c.want {
			t.Errorf("%s: taken %v, by the filter %v; want %v", name, ok, n > 0, c.want)
		}
		if ok && (source.String() != guestMAC.String() || string(payload) != "hello") {
			t.Errorf("%s: read %q from %s", name, payload, source)
		}
	}
	for name, frame := range map[string][]byte{
		"a header that is too short":      change(14, 0x44),
		"a header beyond the frame":       change(14, 0x4f),
		"a length beyond the frame":       change(16, 0xff, 0xff),
		"a length below the headers":      change(16, 0, 20),
		"a datagram beyond the packet":    change(38, 0xff, 0xff),
		"a datagram without its header":   change(38, 0, 7),
		"version six in an IPv4 frame":    change(14, 0x65),
		"a frame that ends in the header": request(nil)[:41],
	} {
		if _, _, ok := datagram(frame); ok {
			t.Errorf("%s was taken", name)
		}
	}
}

// Whatever a guest sends, the server lives, and what it says is for that guest, with its own address or none.
func TestReply_fitsAFrameWhateverTheGuestWantsRepeated(t *testing.T) {
	l := &lan{subnet: netip.MustParsePrefix("10.77.3.0/24"), gateway: gatewayIP}
	l.guests.Store(&directory{byMAC: map[string]guest{string(guestMAC): {mac: guestMAC, address: guestIP, hostname: "web-1"}}})
	s := &dhcpServer{lan: l, mac: net.HardwareAddr{2, 0, 0, 0, 0, 2}, all: rate.NewLimiter(dhcpPerSec, dhcpBurst), each: map[string]*rate.Limiter{}}
	for _, option := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} {
		for _, length := range []int{7, 255, 1200} { // a longer option comes in pieces
			discover, err := dhcpv4.NewDiscovery(guestMAC, dhcpv4.WithOption(dhcpv4.OptGeneric(option, bytes.Repeat([]byte{7}, length))))
			if err != nil {
				t.Fatal(err)
			}
			frame := s.reply(request(discover.ToBytes()))
			if most := etherLen + 1500; frame == nil || len(frame) > most {
				t.Errorf("%s of %d bytes: the answer has %d bytes", option, length, len(frame))
			}
			if option == dhcpv4.OptionClientIdentifier && length <= maxClientID && !bytes.Contains(frame, bytes.Repeat([]byte{7}, length)) {
				t.Errorf("%s of %d bytes is not repeated", option, length)
			}
		}
	}
}

func FuzzReply(f *testing.F) {
	discover, err := dhcpv4.NewDiscovery(guestMAC)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request(discover.ToBytes()))
	f.Add(request(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		source, payload, ok := datagram(frame)
		if !ok {
			return
		}
		q, err := dhcpv4.FromBytes(payload)
		if err != nil {
			return
		}
		a, err := answerDHCP(q, guest{hostname: "web-1", mac: guestMAC, address: guestIP}, netip.MustParsePrefix("10.77.3.0/24"), gatewayIP)
		if err != nil || a == nil {
			return
		}
		if q.ClientHWAddr.String() != guestMAC.String() {
			t.Fatalf("answered %s, asked from %s", q.ClientHWAddr, source)
		}
		if y := a.YourIPAddr; !isUnset(y) && !y.Equal(guestIP.AsSlice()) {
			t.Fatalf("gave %s", y)
		}
		if b := compose(guestMAC, guestMAC, gatewayIP, guestIP, a.ToBytes()); len(b) > 1514 {
			t.Fatalf("an answer of %d bytes", len(b))
		}
	})
}
