package network

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func prefixes(s ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range s {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

func TestFreeSubnet_takesTheFirstBlockThatIsNotRouted(t *testing.T) {
	for name, c := range map[string]struct {
		routes []netip.Prefix
		within string // empty: none
	}{
		"nothing is routed":                  {nil, "10.0.0.0/8"},
		"a default route means nothing":      {prefixes("0.0.0.0/0"), "10.0.0.0/8"},
		"nor the two halves of a VPN":        {prefixes("0.0.0.0/1", "128.0.0.0/1"), "10.0.0.0/8"},
		"a company has ten":                  {prefixes("10.0.0.0/8"), "172.16.0.0/12"},
		"a company has ten in halves":        {prefixes("10.0.0.0/9", "10.128.0.0/9"), "172.16.0.0/12"},
		"containers have the other":          {prefixes("10.0.0.0/8", "172.16.0.0/12"), "192.168.0.0/16"},
		"all that is private is taken":       {prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), ""},
		"a broken route is no route":         {[]netip.Prefix{{}}, "10.0.0.0/8"},
		"all but one of the last are routed": {slices.Concat(prefixes("10.0.0.0/8", "172.16.0.0/12"), allBut(77)), "192.168.77.0/24"},
	} {
		got := FreeSubnet("beef/default", c.routes)
		if c.within == "" {
			if got.IsValid() {
				t.Errorf("%s: got %s, want none", name, got)
			}
			continue
		}
		if !got.IsValid() || got.Bits() != 24 || !netip.MustParsePrefix(c.within).Contains(got.Addr()) {
			t.Errorf("%s: got %s, want a /24 of %s", name, got, c.within)
		}
	}
}

// allBut gives the /24 networks of 192.168.0.0/16 without one.
func allBut(n int) []netip.Prefix {
	var all []netip.Prefix
	for i := range 256 {
		if i != n {
			all = append(all, nth(private[2], uint64(i)))
		}
	}
	return all
}

// anyFree looks at every network there is; the zero Prefix: all are taken.
func anyFree(routes []netip.Prefix) netip.Prefix {
	for _, block := range private {
		for n := range uint64(1) << (subnetBits - block.Bits()) {
			if _, taken := Taken(nth(block, n), routes); !taken {
				return nth(block, n)
			}
		}
	}
	return netip.Prefix{}
}

func TestFreeSubnet_isStableAndOverlapsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.String().Draw(t, "seed")
		var routes []netip.Prefix
		for range rapid.IntRange(0, 20).Draw(t, "count") {
			a := netip.AddrFrom4([4]byte{rapid.SampledFrom([]byte{10, 172, 192}).Draw(t, "a"), rapid.Byte().Draw(t, "b"), rapid.Byte().Draw(t, "c"), 0})
			routes = append(routes, netip.PrefixFrom(a, rapid.IntRange(9, 32).Draw(t, "bits")).Masked())
		}
		got := FreeSubnet(seed, routes)
		if got != FreeSubnet(seed, routes) {
			t.Fatal("two answers to one question")
		}
		if !got.IsValid() {
			if free := anyFree(routes); free.IsValid() {
				t.Fatalf("nothing was found, though %s is free", free)
			}
			return
		}
		if route, taken := Taken(got, routes); taken {
			t.Fatalf("%s overlaps %s", got, route)
		}
	})
}

func TestFreeSubnet_spreadsInstances(t *testing.T) {
	seen := map[netip.Prefix]bool{}
	for _, seed := range []string{"0001/default", "0002/default", "0003/default", "beef/default", "beef/second"} {
		seen[FreeSubnet(seed, nil)] = true
	}
	if len(seen) != 5 {
		t.Errorf("five networks share %d subnets: %v", len(seen), seen)
	}
}

func TestParseRoutes_readsTheKernelsTable(t *testing.T) {
	got, err := parseRoutes(strings.NewReader("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
		"eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"))
	if err != nil || !slices.Equal(got, prefixes("0.0.0.0/0", "192.0.2.0/24")) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseRoutes(strings.NewReader("eth0 xyz 0 0 0 0 0 0 0\n")); err == nil {
		t.Error("a broken table was read")
	}
}

func TestBroadcast(t *testing.T) {
	for p, want := range map[string]string{"10.77.3.0/24": "10.77.3.255", "10.78.0.0/16": "10.78.255.255", "10.1.2.8/29": "10.1.2.15", "10.0.0.0/22": "10.0.3.255"} {
		if got := Broadcast(netip.MustParsePrefix(p)).String(); got != want {
			t.Errorf("%s: got %s, want %s", p, got, want)
		}
	}
}
