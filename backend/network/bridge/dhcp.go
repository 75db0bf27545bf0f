package bridge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

const (
	// leaseTime is what guests are told. Addresses are fixed, so it only says how soon a guest hears of a changed name server or
	// MTU; it renews at half.
	leaseTime = time.Hour

	// domain is what guests search for short names, and the zone of the network's DNS.
	domain = "novacron.internal"

	// maxFrame is the longest frame that is read; DHCP messages have 300 to 600 bytes.
	maxFrame = 2048

	// maxClientID is the longest client identifier that is repeated to its guest: that of one option. One in pieces (RFC 3396) would
	// make an answer that is longer than the bridge carries.
	maxClientID = 255

	// dhcpPerSec and dhcpBurst bound the answers of one network: a thousand guests that boot at once have theirs in ten seconds,
	// and clients ask again for a minute. A guest's own are bounded to guestPerSec and guestBurst, so that it cannot take the rest.
	dhcpPerSec, dhcpBurst   = 200, 400
	guestPerSec, guestBurst = 2, 8
)

// dhcpServer answers the known guests of one network, each with the address planned for it. It reads and writes whole
// frames on the bridge rather than UDP: it sees which MAC a request really came from, reaches guests that have no address
// yet, takes no port that a DHCP server of the node may hold, and lets the node's rules drop everything to its port.
type dhcpServer struct {
	lan    *lan
	mac    net.HardwareAddr // of the bridge
	socket *os.File
	done   chan struct{}
	all    *rate.Limiter
	each   map[string]*rate.Limiter // by MAC; of known guests only
}

func startDHCP(f *Fabric, l *lan) (*dhcpServer, error) {
	socket, err := openPacketSocket(l.index)
	if err != nil {
		return nil, fmt.Errorf("dhcp on %s: %w", l.device, err)
	}
	s := &dhcpServer{lan: l, mac: bridgeMAC(l.device), socket: socket, done: make(chan struct{}), all: rate.NewLimiter(dhcpPerSec, dhcpBurst), each: map[string]*rate.Limiter{}}
	go func() {
		defer close(s.done)
		if err := s.run(); err != nil {
			f.log.Error("DHCP of a network ended; it starts again with the next Ensure of one of its VMs", "network", l.name, "err", err)
		}
	}()
	return s, nil
}

// close ends the server and waits for it.
func (s *dhcpServer) close() {
	s.socket.Close()
	<-s.done
}

// running reports whether the server still answers: it ends by itself when its bridge goes.
func (s *dhcpServer) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// openPacketSocket opens a raw socket that sees the DHCP requests that arrive on a device, and nothing else.
func openPacketSocket(index int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // protocol 0: nothing yet
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "dhcp")
	filter, err := bpf.Assemble(requestsOnly)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("filter: %w", err), file.Close())
	}
	program := make([]unix.SockFilter, len(filter))
	for i, in := range filter {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}); err != nil {
		return nil, errors.Join(fmt.Errorf("filter: %w", err), file.Close())
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_IP), Ifindex: index}); err != nil {
		return nil, errors.Join(fmt.Errorf("bind: %w", err), file.Close())
	}
	return file, nil
}

// requestsOnly is the kernel's share of datagram: IPv4, UDP, whole, to port 67. It keeps the guests' other traffic out of here.
var requestsOnly = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherIPv4, SkipTrue: 8},
	bpf.LoadAbsolute{Off: etherLen + 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolUDP, SkipTrue: 6},
	bpf.LoadAbsolute{Off: etherLen + 6, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 4},
	bpf.LoadMemShift{Off: etherLen},
	bpf.LoadIndirect{Off: etherLen + 2, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: dhcpServerPort, SkipTrue: 1},
	bpf.RetConstant{Val: maxFrame},
	bpf.RetConstant{Val: 0},
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// run answers until the socket is closed or its device goes.
func (s *dhcpServer) run() error {
	buf := make([]byte, maxFrame)
	for {
		n, err := s.socket.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		frame := s.reply(buf[:n])
		if frame == nil {
			continue
		}
		// A full queue loses the answer as a wire would: the client asks again. No answer is too long for the bridge, but if one
		// were, its guest alone goes without.
		if _, err := s.socket.Write(frame); err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EMSGSIZE) {
			return err
		}
	}
}

// reply gives the frame that answers a frame, or nil.
func (s *dhcpServer) reply(frame []byte) []byte {
	source, payload, ok := datagram(frame)
	if !ok {
		return nil
	}
	g, known := s.lan.guests.Load().byMAC[string(source)]
	if !known || !s.allowed(string(source)) {
		return nil
	}
	request, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return nil
	}
	a, err := answerDHCP(request, g, s.lan.subnet, s.lan.gateway)
	if err != nil || a == nil {
		return nil
	}
	to, destination := g.mac, g.address
	if request.IsBroadcast() || a.MessageType() == dhcpv4.MessageTypeNak {
		to, destination = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	return compose(s.mac, to, s.lan.gateway, destination, a.ToBytes())
}

func (s *dhcpServer) allowed(mac string) bool {
	one := s.each[mac]
	if one == nil {
		if guests := s.lan.guests.Load().byMAC; len(s.each) > 2*len(guests)+guestBurst {
			clear(s.each) // mostly of guests that left
		}
		one = rate.NewLimiter(guestPerSec, guestBurst)
		s.each[mac] = one
	}
	return one.Allow() && s.all.Allow()
}

// answerDHCP decides the answer to a guest, nil for none.
func answerDHCP(request *dhcpv4.DHCPv4, g guest, subnet netip.Prefix, gateway netip.Addr) (*dhcpv4.DHCPv4, error) {
	if request.OpCode != dhcpv4.OpcodeBootRequest || string(request.ClientHWAddr) != string(g.mac) || !isUnset(request.GatewayIPAddr) {
		return nil, nil // another's MAC inside, or through a relay: not from a guest of ours
	}
	// An answer repeats the client identifier (RFC 6842) and what a relay says.
	request.Options.Del(dhcpv4.OptionRelayAgentInformation)
	if len(request.Options.Get(dhcpv4.OptionClientIdentifier)) > maxClientID {
		request.Options.Del(dhcpv4.OptionClientIdentifier)
	}
	switch request.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return offer(request, g, subnet, gateway, dhcpv4.MessageTypeOffer)
	case dhcpv4.MessageTypeInform:
		return offer(request, g, subnet, gateway, dhcpv4.MessageTypeAck)
	case dhcpv4.MessageTypeRequest:
	default:
		return nil, nil // release and decline change nothing: the address is the guest's for good
	}
	if server := request.ServerIdentifier(); !isUnset(server) && !server.Equal(gateway.AsSlice()) {
		return nil, nil // it took another server's offer
	}
	wanted := request.RequestedIPAddress()
	if isUnset(wanted) {
		wanted = request.ClientIPAddr
	}
	if !wanted.Equal(g.address.AsSlice()) {
		return dhcpv4.NewReplyFromRequest(request, dhcpv4.WithMessageType(dhcpv4.MessageTypeNak), dhcpv4.WithServerIP(nil),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(gateway.AsSlice())), dhcpv4.WithYourIP(nil))
	}
	return offer(request, g, subnet, gateway, dhcpv4.MessageTypeAck)
}

func offer(request *dhcpv4.DHCPv4, g guest, subnet netip.Prefix, gateway netip.Addr, kind dhcpv4.MessageType) (*dhcpv4.DHCPv4, error) {
	dns := []net.IP{gateway.AsSlice()}
	if len(g.dns) > 0 {
		dns = nil
		for _, a := range g.dns {
			dns = append(dns, a.AsSlice())
		}
	}
	set := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithServerIP(gateway.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(gateway.AsSlice())),
		dhcpv4.WithNetmask(net.CIDRMask(subnet.Bits(), 32)),
		dhcpv4.WithRouter(gateway.AsSlice()),
		dhcpv4.WithDNS(dns...),
		dhcpv4.WithOption(dhcpv4.OptHostName(g.hostname)),
		dhcpv4.WithOption(dhcpv4.OptDomainName(domain)),
	}
	if request.MessageType() != dhcpv4.MessageTypeInform { // its address is its own affair, so it gets no lease
		set = append(set, dhcpv4.WithYourIP(g.address.AsSlice()), dhcpv4.WithLeaseTime(uint32(leaseTime/time.Second)))
	}
	if g.mtu != 0 {
		set = append(set, dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(g.mtu >> 8), byte(g.mtu)})))
	}
	return dhcpv4.NewReplyFromRequest(request, set...)
}

func isUnset(ip net.IP) bool { return ip == nil || ip.IsUnspecified() }
