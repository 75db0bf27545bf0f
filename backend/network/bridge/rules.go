package bridge

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"novacron/backend/core/fault"
)

// nftTimeout bounds one run of nft; it takes milliseconds.
const nftTimeout = 10 * time.Second

// ruleset is both tables of an instance, replaced in one transaction: "table" declares, so that "delete table" never fails.
//
// bridge: a frame from a guest passes only with the MAC of its port, and as ARP or IPv4 with the address of its port, or as a DHCP
// request or an ARP probe of somebody who has no address yet. A tap is in the set of taps before it is made and until it is gone,
// and what is not known of one in the set is dropped: no tap is ever unguarded. A guest that answers DHCP is dropped, too. (Asking
// by bridge would be simpler; nft_meta_bridge is missing from the kernels of some clouds.)
//
// inet: guests of one network may talk to each other (seen here only where br_netfilter is loaded), and to the outside but not to
// other networks of this instance nor to link-local addresses, where clouds keep their nodes' credentials. From outside come
// answers only. Of the node itself they get DNS and ping on the gateway's address; DHCP is answered below these rules. The
// gateway's address is closed to the outside, so that its DNS is nobody else's resolver.
var ruleset = template.Must(template.New("rules").Parse(`table bridge {{.Table}}
delete table bridge {{.Table}}
table inet {{.Table}}
delete table inet {{.Table}}
{{- if .LANs}}
table bridge {{.Table}} {
	set taps { type ifname; {{with .Taps}}elements = { {{.}} }; {{end}}}
	set macs { type ifname . ether_addr; {{with .MACs}}elements = { {{.}} }; {{end}}}
	set ports { type ifname . ether_addr . ipv4_addr; {{with .Ports}}elements = { {{.}} }; {{end}}}
	chain prerouting {
		type filter hook prerouting priority -300; policy accept;
		iifname @taps jump guest
	}
	chain guest {
		iifname . ether saddr != @macs drop
		ether type arp iifname . arp saddr ether . arp saddr ip @ports accept
		ether type arp arp saddr ip 0.0.0.0 iifname . arp saddr ether @macs accept
		ether type ip udp sport 67 drop
		ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
		ether type ip iifname . ether saddr . ip saddr @ports accept
		drop
	}
}
table inet {{.Table}} {
	set bridges { type ifname; elements = { {{.Devices}} }; }
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname @bridges jump from_guest
		oifname @bridges jump to_guest
	}
	chain from_guest {
{{- range .LANs}}
		iifname "{{.Device}}" oifname "{{.Device}}" accept
		iifname "{{.Device}}" ip saddr != {{.Subnet}} drop
{{- end}}
		oifname @bridges drop
		ip daddr 169.254.0.0/16 drop
		meta nfproto ipv6 drop
		accept
	}
	chain to_guest {
		ct state established,related accept
		drop
	}
	chain input {
		type filter hook input priority filter; policy accept;
		iifname @bridges jump to_node
		iifname "lo" accept
		ip daddr { {{.Gateways}} } drop
	}
	chain to_node {
		ct state established,related accept
{{- range .LANs}}
		iifname "{{.Device}}" ip daddr {{.Gateway}} meta l4proto { tcp, udp } th dport 53 accept
		iifname "{{.Device}}" ip daddr {{.Gateway}} icmp type echo-request accept
{{- end}}
		drop
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
{{- range .LANs}}
		ip saddr {{.Subnet}} oifname != @bridges masquerade
{{- end}}
	}
}
{{- end}}
`))

// rules is what ruleset is filled with. Lists are joined and ordered, so that the same networks give the same text.
type rules struct {
	Table             string
	LANs              []lanRules
	Devices, Gateways string
	members
}

type lanRules struct{ Device, Subnet, Gateway string }

// members are those of the three sets that say what a guest may send.
type members struct{ Taps, MACs, Ports list }

// list is set members that print as nft reads them.
type list []string

func (l list) String() string { return strings.Join(l, ", ") }

// renderRules writes the whole ruleset of an instance; without networks, the one that leaves nothing.
func renderRules(instance string, lans []lanRules, m members) string {
	r := rules{Table: tableName(instance), LANs: lans, members: m}
	var devices, gateways []string
	for _, l := range lans {
		devices, gateways = append(devices, `"`+l.Device+`"`), append(gateways, l.Gateway)
	}
	slices.Sort(gateways)
	r.Devices, r.Gateways = strings.Join(devices, ", "), strings.Join(slices.Compact(gateways), ", ")
	var b bytes.Buffer
	if err := ruleset.Execute(&b, r); err != nil {
		panic("bridge: the rules do not render: " + err.Error()) // fields are fixed at compile time
	}
	return b.String()
}

// sampleRules uses every feature that the real ones do.
func sampleRules(instance string) string {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	return renderRules(instance, []lanRules{{"nc0", "10.0.0.0/24", "10.0.0.1"}}, members{
		Taps: list{tapElement("nct0")}, MACs: list{macElement("nct0", mac)}, Ports: list{portElement("nct0", mac, netip.MustParseAddr("10.0.0.2"))}})
}

func tableName(instance string) string { return "novacron_" + instance }

func tapElement(tap string) string { return strconv.Quote(tap) }

func macElement(tap string, mac net.HardwareAddr) string { return fmt.Sprintf("%q . %s", tap, mac) }

func portElement(tap string, mac net.HardwareAddr, address netip.Addr) string {
	return fmt.Sprintf("%q . %s . %s", tap, mac, address)
}

// membersOf gives the set members of a VM.
func membersOf(r record) members {
	var m members
	for _, tap := range r.Taps {
		m.Taps = append(m.Taps, tapElement(tap))
	}
	for _, p := range r.Attachment.Ports {
		g := guestOf(r.Attachment, p)
		m.MACs = append(m.MACs, macElement(tapName(p.ID), g.mac))
		m.Ports = append(m.Ports, portElement(tapName(p.ID), g.mac, g.address))
	}
	return m
}

// less gives what m has more than o.
func (m members) less(o members) members {
	return members{without(m.Taps, o.Taps), without(m.MACs, o.MACs), without(m.Ports, o.Ports)}
}

// applyAll makes the rules those of everything that is attached.
func (f *Fabric) applyAll(ctx context.Context) error {
	var lans []lanRules
	for _, l := range f.lans {
		lans = append(lans, lanRules{l.device, l.subnet.String(), l.gateway.String()})
	}
	slices.SortFunc(lans, func(a, b lanRules) int { return strings.Compare(a.Device, b.Device) })
	var all members
	for _, r := range f.attached {
		m := membersOf(r)
		all = members{append(all.Taps, m.Taps...), append(all.MACs, m.MACs...), append(all.Ports, m.Ports...)}
	}
	slices.Sort(all.Taps)
	slices.Sort(all.MACs)
	slices.Sort(all.Ports)
	return refused(applyRules(ctx, renderRules(f.o.Instance, lans, all)))
}

// change takes the members of one record out and puts those of another in, in one transaction. The whole ruleset is written only
// when that fails, which happens when somebody flushed the tables.
func (f *Fabric) change(ctx context.Context, from, to record) error {
	gone, stay := membersOf(from).less(membersOf(to)), membersOf(to)
	var script strings.Builder
	line := func(verb, set string, l list) {
		if len(l) > 0 {
			fmt.Fprintf(&script, "%s element bridge %s %s { %s }\n", verb, tableName(f.o.Instance), set, l)
		}
	}
	each := func(verb string, m members) {
		line(verb, "taps", m.Taps)
		line(verb, "macs", m.MACs)
		line(verb, "ports", m.Ports)
	}
	each("add", gone) // deleting what is not there would fail the transaction
	each("delete", gone)
	each("add", stay)
	if script.Len() == 0 || applyRules(ctx, script.String()) == nil {
		return nil
	}
	return f.applyAll(ctx)
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(err, fault.Internal, "network_rules", "the node could not set the rules that guard guests; the log of its agent has the cause")
}

// applyRules runs a script as one transaction of the kernel: all of it or nothing.
func applyRules(ctx context.Context, script string) error { return nft(ctx, script, "-f", "-") }

// checkRules asks the kernel whether it would take the script, and changes nothing.
func checkRules(ctx context.Context, script string) error { return nft(ctx, script, "-c", "-f", "-") }

// rulesStand reports whether both tables are there.
func rulesStand(ctx context.Context, instance string) bool {
	return nft(ctx, "", "list", "set", "bridge", tableName(instance), "taps") == nil &&
		nft(ctx, "", "list", "set", "inet", tableName(instance), "bridges") == nil
}

func nft(ctx context.Context, input string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, nftTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nft", args...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		const most = 500 // nft quotes the line and marks the place; the first message tells
		words := strings.Join(strings.Fields(stderr.String()), " ")
		return fmt.Errorf("nft: %w: %s", err, words[:min(len(words), most)])
	}
	return nil
}
