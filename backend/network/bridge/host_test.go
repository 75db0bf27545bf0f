package bridge

import (
	"flag"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseObstacles_findsForeignChainsThatDrop(t *testing.T) {
	got, err := parseObstacles([]byte(`{"nftables": [{"metainfo": {"version": "1.0.6"}},
		{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
		{"chain": {"family": "ip6", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
		{"chain": {"family": "inet", "table": "ufw", "name": "in", "hook": "input", "policy": "drop"}},
		{"chain": {"family": "inet", "table": "ufw", "name": "out", "hook": "output", "policy": "drop"}},
		{"chain": {"family": "inet", "table": "open", "name": "fwd", "hook": "forward", "policy": "accept"}},
		{"chain": {"family": "inet", "table": "novacron_beef", "name": "forward", "hook": "forward", "policy": "drop"}},
		{"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}}]}`))
	if want := []string{"inet ufw in", "ip filter FORWARD"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if note := noteOf(got); !strings.Contains(note, "ip filter FORWARD") || !strings.Contains(note, "accept") {
		t.Errorf("the note is %q", note)
	}
	if note := noteOf(nil); strings.Contains(note, "firewall") {
		t.Errorf("without obstacles the note is %q", note)
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// testdata/rules.nft is the review of the rules: two networks, one guest with a port on each.
func TestRenderRules_areThoseOfTheGoldenFile(t *testing.T) {
	mac, other := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}, net.HardwareAddr{0x52, 0x54, 0, 0, 0, 2}
	got := renderRules("beef", []lanRules{{"ncbeef", "10.77.3.0/24", "10.77.3.1"}, {"ncbeef-16b5", "10.77.4.0/24", "10.77.4.1"}}, members{
		Taps:  list{tapElement("nctaaaaaaaaaaaa"), tapElement("nctbbbbbbbbbbbb")},
		MACs:  list{macElement("nctaaaaaaaaaaaa", mac), macElement("nctbbbbbbbbbbbb", other)},
		Ports: list{portElement("nctaaaaaaaaaaaa", mac, netip.MustParseAddr("10.77.3.9")), portElement("nctbbbbbbbbbbbb", other, netip.MustParseAddr("10.77.4.9"))},
	})
	golden := filepath.Join("testdata", "rules.nft")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the rules are\n%s\nwant\n%s", got, want)
	}
}

func TestRenderRules_withoutNetworksLeaveNothing(t *testing.T) {
	if got := renderRules("beef", nil, members{}); strings.Contains(got, "chain") || strings.Count(got, "delete table") != 2 {
		t.Errorf("got\n%s\nwant both tables deleted and nothing made", got)
	}
}
