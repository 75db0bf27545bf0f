package rate

import "net/netip"

// Key is what an address is counted under. A customer of IPv6 has a whole /64, and 2^64 addresses are no limit.
func Key(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
