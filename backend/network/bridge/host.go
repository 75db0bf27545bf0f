package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Obstacles names the chains of the node's own firewall that drop what no rule of theirs lets pass: an accept of ours does not
// outweigh their drop, and changing them is their owner's affair, so all that can be done is to say it. Rules of iptables-legacy
// cannot be seen this way.
func Obstacles(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, nftTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nft", "-j", "list", "chains").Output()
	if err != nil {
		return nil, fmt.Errorf("nft: %w", err)
	}
	return parseObstacles(out)
}

func parseObstacles(chains []byte) ([]string, error) {
	var list struct {
		Nftables []struct {
			Chain struct{ Family, Table, Name, Hook, Policy string }
		}
	}
	if err := json.NewDecoder(bytes.NewReader(chains)).Decode(&list); err != nil {
		return nil, fmt.Errorf("nft: chains: %w", err)
	}
	var found []string
	for _, e := range list.Nftables {
		c := e.Chain
		if (c.Hook == "forward" || c.Hook == "input") && c.Policy == "drop" && (c.Family == "ip" || c.Family == "inet") && !strings.HasPrefix(c.Table, "novacron_") {
			found = append(found, fmt.Sprintf("%s %s %s", c.Family, c.Table, c.Name))
		}
	}
	slices.Sort(found)
	return found, nil
}

// noteOf is the sentence of Mode, with the obstacles that were there as the fabric began.
func noteOf(obstacles []string) string {
	note := "guests share a network with DHCP and DNS by VM name, reach the outside through NAT over IPv4, and are reached from outside through forwarded ports"
	if len(obstacles) > 0 {
		const most = 4 // enough to find the firewall that owns them
		note += fmt.Sprintf("; the firewall of this node drops by default (%s), so let it accept packets from and to the bridges nc*",
			strings.Join(obstacles[:min(len(obstacles), most)], ", "))
	}
	return note
}
