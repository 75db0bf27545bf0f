package rate_test

import (
	"net/netip"
	"testing"

	"novacron/backend/core/rate"
)

func TestKey_isTheNetworkThatOneCustomerHas(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2::7": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := rate.Key(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is counted under %s, want %s", address, got, want)
		}
	}
}
