package network

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// subnetBits is the size of a network that nobody chose: 253 guests.
const subnetBits = 24

// widest is the widest route that counts as an address plan of somebody. Wider ones are ways to the rest of the world (a default
// route, or the two halves that VPN clients put over it) and say nothing of what is used.
const widest = 4

// private are the blocks that a subnet is taken from, in order of preference: where both larger ones are routed to a company's
// network, home networks are left.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
}

// FreeSubnet picks a private /24 that overlaps none of the routes. The seed (an instance's tag and the network's name) decides
// which, so that two instances on one machine take different ones and the same instance takes the same again. The zero Prefix:
// every private block is routed somewhere.
func FreeSubnet(seed string, routes []netip.Prefix) netip.Prefix {
	h := fnv.New64a()
	h.Write([]byte(seed))
	start := h.Sum64()
	for _, block := range private {
		count := uint64(1) << (subnetBits - block.Bits())
		for i := range count {
			p := nth(block, (start+i)%count)
			if _, taken := Taken(p, routes); !taken {
				return p
			}
		}
	}
	return netip.Prefix{}
}

// nth gives the block's n-th /24.
func nth(block netip.Prefix, n uint64) netip.Prefix {
	base := block.Addr().As4()
	a := binary.BigEndian.Uint32(base[:]) + uint32(n)<<(32-subnetBits)
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a)
	return netip.PrefixFrom(netip.AddrFrom4(b), subnetBits)
}

// Taken gives the first route that p overlaps, leaving out those that are too wide to mean anything.
func Taken(p netip.Prefix, routes []netip.Prefix) (route netip.Prefix, taken bool) {
	for _, r := range routes {
		if r.IsValid() && r.Bits() >= widest && r.Overlaps(p) {
			return r, true
		}
	}
	return netip.Prefix{}, false
}

// Routes gives the IPv4 networks that this machine knows a way to: its routing table and the networks of its
// interfaces, those that are down too.
func Routes() ([]netip.Prefix, error) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("routes of this machine: %w", err)
	}
	defer f.Close()
	routes, err := parseRoutes(f)
	if err != nil {
		return nil, fmt.Errorf("routes of this machine: %w", err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of this machine: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			routes = append(routes, p.Masked())
		}
	}
	return routes, nil
}

// parseRoutes reads the kernel's table: destination and mask are hexadecimal, in the machine's byte order.
func parseRoutes(r io.Reader) ([]netip.Prefix, error) {
	var routes []netip.Prefix
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[0] == "Iface" {
			continue
		}
		destination, err := strconv.ParseUint(f[1], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", clip(lines.Text()), err)
		}
		mask, err := strconv.ParseUint(f[7], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", clip(lines.Text()), err)
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(destination))
		routes = append(routes, netip.PrefixFrom(netip.AddrFrom4(b), bits.OnesCount32(uint32(mask))).Masked())
	}
	return routes, lines.Err()
}
