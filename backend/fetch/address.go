package fetch

import (
	"net/netip"

	"novacron/backend/core/fault"
)

// The addresses that are not public, beyond what netip knows by itself. Each stands for a way into the platform's own
// networks or for nobody.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // carriers' NAT, and some clouds' metadata
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and broadcast
	"::/96",           // IPv4-compatible
	"64:ff9b::/96",    // NAT64: an IPv4 address inside
	"64:ff9b:1::/48",  // NAT64 of the local network
	"100::/64",        // discard
	"2001::/23",       // Teredo and other assignments
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4: an IPv4 address inside
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fec0::/10",       // site-local of old
)

func prefixes(s ...string) (p []netip.Prefix) {
	for _, one := range s {
		p = append(p, netip.MustParsePrefix(one))
	}
	return p
}

// permit refuses an address that is not public, unless an administrator allows it. An IPv4 address inside an IPv6 one is
// judged as what it is.
func (c *Client) permit(a netip.Addr) error {
	a = a.WithZone("").Unmap()
	for _, p := range c.cfg.Allow {
		if p.Contains(a) {
			return nil
		}
	}
	if public(a) {
		return nil
	}
	return fault.New(fault.Forbidden, "url_address", "the address leads to %s, which is not a public one; upload the file, or let an administrator allow that network", a).On("url")
}

func public(a netip.Addr) bool {
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
