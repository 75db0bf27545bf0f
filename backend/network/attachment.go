package network

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Limits of what one port may ask for.
const (
	MinMTU = 576  // every IPv4 host takes this much
	MaxMTU = 9216 // the usual jumbo frame

	// MinSubnetBits and MaxSubnetBits bound a network's size: a /8 is the largest private block, a /29 holds five guests.
	MinSubnetBits = 8
	MaxSubnetBits = 29

	// MaxDNS bounds the resolvers named to a guest: libc reads three, DHCP clients take a few more.
	MaxDNS = 8

	// MinHostPort is the smallest port of the node that a forward may take: those below are the node's own services'.
	MinHostPort = 1024
)

// Check refuses an attachment that no fabric could make, with one sentence and the field. It is called first in every
// Ensure, so that nothing is made for a machine that is wrong.
func (m Attachment) Check() error {
	if !id.Is(string(m.VM)) || !strings.HasPrefix(string(m.VM), "vm-") {
		return invalid("vm", "%q is not the id of a VM", clip(string(m.VM)))
	}
	if !IsLabel(m.Hostname) {
		return invalid("hostname", "%q cannot be a host name; use letters, digits and hyphens, at most %d of them", clip(m.Hostname), vm.MaxNameLength)
	}
	if m.UID < 0 {
		return invalid("uid", "user %d cannot own a network device; use 0 or more", m.UID)
	}
	if len(m.Ports) > vm.MaxNICs {
		return invalid("nics", "%d network interfaces are more than the %d that a VM may have", len(m.Ports), vm.MaxNICs)
	}
	for i, p := range m.Ports {
		if err := checkPort(p, fmt.Sprintf("nics[%d]", i)); err != nil {
			return err
		}
		for _, q := range m.Ports[:i] {
			if p.ID == q.ID || strings.EqualFold(p.MAC, q.MAC) || (p.Bridge == q.Bridge && p.Address == q.Address) {
				return invalid(fmt.Sprintf("nics[%d]", i), "two network interfaces share an id, a MAC address or an address (%s); give each its own", p.Address)
			}
		}
	}
	return m.checkForwards()
}

func (m Attachment) checkForwards() error {
	if len(m.Forwards) > vm.MaxForwards {
		return invalid("forwards", "%d port forwards are more than the %d that a VM may have", len(m.Forwards), vm.MaxForwards)
	}
	if len(m.Forwards) > 0 && len(m.Ports) == 0 {
		return invalid("forwards", "a port forward needs a network interface; add one or remove the forward")
	}
	seen := map[string]bool{}
	for i, f := range m.Forwards {
		field := fmt.Sprintf("forwards[%d]", i)
		if f.Protocol != "tcp" && f.Protocol != "udp" {
			return invalid(field+".protocol", "%q cannot be forwarded; use tcp or udp", clip(f.Protocol))
		}
		if f.HostPort < MinHostPort || f.HostPort > 65535 {
			return invalid(field+".host_port", "port %d of the node cannot be forwarded; use %d to 65535", f.HostPort, MinHostPort)
		}
		if f.GuestPort < 1 || f.GuestPort > 65535 {
			return invalid(field+".guest_port", "the guest has no port %d; use 1 to 65535", f.GuestPort)
		}
		listen, err := ListenAddress(f)
		if err != nil {
			return invalid(field+".listen", "%q is not an address of the node; leave it empty for 127.0.0.1", clip(f.Listen))
		}
		key := f.Protocol + " " + listen.String()
		if seen[key] {
			return invalid(field, "%s port %d of the node is forwarded twice; use another port", f.Protocol, f.HostPort)
		}
		seen[key] = true
	}
	return nil
}

// ListenAddress gives where the node listens for the forward: 127.0.0.1 when nothing else is said.
func ListenAddress(f vm.Forward) (netip.AddrPort, error) {
	listen := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if f.Listen != "" {
		a, err := netip.ParseAddr(f.Listen)
		if err != nil || a.Zone() != "" || a.IsMulticast() {
			return netip.AddrPort{}, fmt.Errorf("listen address %q: want an address of the node", clip(f.Listen))
		}
		listen = a.Unmap()
	}
	return netip.AddrPortFrom(listen, uint16(f.HostPort)), nil
}

func checkPort(p vm.Port, field string) error {
	if !id.Is(string(p.ID)) || !strings.HasPrefix(string(p.ID), "nic-") {
		return invalid(field+".id", "%q is not the id of a network interface", clip(string(p.ID)))
	}
	if !IsLabel(p.Bridge) {
		return invalid(field+".bridge", "%q is not the name of a network", clip(p.Bridge))
	}
	mac, err := net.ParseMAC(p.MAC)
	if err != nil || len(mac) != 6 || mac[0]&3 != 2 {
		return invalid(field+".mac", "%q is not a locally administered MAC address, such as 52:54:00:12:34:56", clip(p.MAC))
	}
	subnet, gateway, address, err := Plan(p)
	if err != nil {
		return invalid(field+".address", "%s", err)
	}
	if address == gateway || address == subnet.Addr() || address == Broadcast(subnet) {
		return invalid(field+".address", "%s is not free for guests in %s; use another address", address, subnet)
	}
	if p.MTU != 0 && (p.MTU < MinMTU || p.MTU > MaxMTU) {
		return invalid(field+".mtu", "an MTU of %d bytes is not possible; use %d to %d, or 0 for the default", p.MTU, MinMTU, MaxMTU)
	}
	if len(p.DNS) > MaxDNS {
		return invalid(field+".dns", "%d name servers are more than the %d that a guest can be told", len(p.DNS), MaxDNS)
	}
	for _, s := range p.DNS {
		if a, err := netip.ParseAddr(s); err != nil || !a.Is4() {
			return invalid(field+".dns", "%q is not the IPv4 address of a name server", clip(s))
		}
	}
	return nil
}

// Plan reads the addresses of a port. The error is a sentence.
func Plan(p vm.Port) (subnet netip.Prefix, gateway, address netip.Addr, err error) {
	subnet, err = netip.ParsePrefix(p.Subnet)
	if err != nil || !subnet.Addr().Is4() || subnet != subnet.Masked() {
		return subnet, gateway, address, fmt.Errorf("%q is not an IPv4 network such as 10.77.3.0/24", clip(p.Subnet))
	}
	if subnet.Bits() < MinSubnetBits || subnet.Bits() > MaxSubnetBits {
		return subnet, gateway, address, fmt.Errorf("%s is too large or too small for a network; use /%d to /%d", subnet, MinSubnetBits, MaxSubnetBits)
	}
	if gateway, err = netip.ParseAddr(p.Gateway); err != nil || !subnet.Contains(gateway) || gateway == subnet.Addr() || gateway == Broadcast(subnet) {
		return subnet, gateway, address, fmt.Errorf("the gateway %q is not an address of %s", clip(p.Gateway), subnet)
	}
	if address, err = netip.ParseAddr(p.Address); err != nil || !subnet.Contains(address) {
		return subnet, gateway, address, fmt.Errorf("%q is not an address of %s", clip(p.Address), subnet)
	}
	return subnet, gateway, address, nil
}

// Broadcast gives the last address of an IPv4 network.
func Broadcast(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}

// IsLabel reports whether s is one DNS label: letters, digits and inner hyphens, at most vm.MaxNameLength.
func IsLabel(s string) bool {
	if s == "" || len(s) > vm.MaxNameLength || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "network_attachment", format, args...).On(field)
}

// clip bounds a caller's words before they are quoted back.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
