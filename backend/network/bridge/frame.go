package bridge

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Sizes of the headers around a DHCP message, in bytes.
const (
	etherLen = 14
	ipLen    = 20 // without options, as written here
	udpLen   = 8
)

const (
	dhcpServerPort = 67
	dhcpClientPort = 68
	protocolUDP    = 17
	etherIPv4      = 0x0800
)

// datagram reads an Ethernet frame that holds a whole UDP datagram to the DHCP server's port. ok is false for everything else: the
// bytes are a guest's. Checksums are not looked at, because a frame from a tap may not have its own yet.
func datagram(frame []byte) (source net.HardwareAddr, payload []byte, ok bool) {
	if len(frame) < etherLen+ipLen+udpLen || binary.BigEndian.Uint16(frame[12:]) != etherIPv4 {
		return nil, nil, false
	}
	ip := frame[etherLen:]
	header, total := int(ip[0]&0x0f)*4, int(binary.BigEndian.Uint16(ip[2:]))
	const moreOrOffset = 0x3fff // a fragment has either
	if ip[0]>>4 != 4 || header < ipLen || total > len(ip) || total < header+udpLen ||
		binary.BigEndian.Uint16(ip[6:])&moreOrOffset != 0 || ip[9] != protocolUDP {
		return nil, nil, false
	}
	udp := ip[header:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != dhcpServerPort || length < udpLen || length > len(udp) {
		return nil, nil, false
	}
	return net.HardwareAddr(frame[6:12]), udp[udpLen:length], true
}

// compose writes the frame of an answer to a DHCP client, with both checksums: old clients read raw frames and refuse a
// datagram whose checksum was left to the network card.
func compose(from, to net.HardwareAddr, source, destination netip.Addr, payload []byte) []byte {
	frame := make([]byte, etherLen+ipLen+udpLen, etherLen+ipLen+udpLen+len(payload))
	copy(frame, to)
	copy(frame[6:], from)
	binary.BigEndian.PutUint16(frame[12:], etherIPv4)

	ip := frame[etherLen : etherLen+ipLen]
	ip[0] = 0x45 // version 4, five words
	binary.BigEndian.PutUint16(ip[2:], uint16(ipLen+udpLen+len(payload)))
	ip[8] = 64 // hops
	ip[9] = protocolUDP
	src, dst := source.As4(), destination.As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], ^fold(sum(0, ip)))

	udp := frame[etherLen+ipLen:]
	binary.BigEndian.PutUint16(udp, dhcpServerPort)
	binary.BigEndian.PutUint16(udp[2:], dhcpClientPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(udpLen+len(payload)))
	pseudo := sum(sum(protocolUDP+uint32(udpLen+len(payload)), src[:]), dst[:])
	check := ^fold(sum(sum(pseudo, udp), payload))
	if check == 0 {
		check = 0xffff // zero means "none"
	}
	binary.BigEndian.PutUint16(udp[6:], check)
	return append(frame, payload...)
}

// sum adds 16-bit words to a running checksum; a last odd byte is a high one.
func sum(s uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
