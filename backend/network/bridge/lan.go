package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/network"
)

// lan is one network on this node with its services.
type lan struct {
	name    string
	device  string
	index   int // of the device that the services are bound to; another one means that somebody removed the bridge
	subnet  netip.Prefix
	gateway netip.Addr
	guests  atomic.Pointer[directory] // replaced whole by publish, read by DHCP and DNS
	dhcp    *dhcpServer
	dns     *dnsServer
}

// directory is who is on a network.
type directory struct {
	byMAC     map[string]guest // key: the six bytes
	byAddress map[netip.Addr]guest
	byName    map[name]netip.Addr
}

// name is a host name, lower case, of one tenant: guests are told names of their own tenant only.
type name struct {
	tenant id.Tenant
	label  string
}

// guest is one port on a network.
type guest struct {
	vm       id.VM
	tenant   id.Tenant
	hostname string
	mac      net.HardwareAddr
	address  netip.Addr
	dns      []netip.Addr // empty: the gateway
	mtu      int          // 0: not told
}

// ensureLANs makes the networks of the attachment where they are missing. ruled: that wrote the rules of everything attached anew.
func (f *Fabric) ensureLANs(ctx context.Context, m network.Attachment) (ruled bool, err error) {
	for _, p := range m.Ports {
		did, err := f.ensureLAN(ctx, p)
		if err != nil {
			return ruled, err
		}
		ruled = ruled || did
	}
	return ruled, nil
}

func (f *Fabric) ensureLAN(ctx context.Context, p vm.Port) (ruled bool, err error) {
	subnet, gateway, _, err := network.Plan(p)
	if err != nil {
		return false, err
	}
	l := f.lans[p.Bridge]
	isNew := l == nil
	if isNew {
		l = &lan{name: p.Bridge, device: bridgeName(f.o.Instance, p.Bridge), subnet: subnet, gateway: gateway}
		l.guests.Store(&directory{})
		if err := checkRoutes(l); err != nil {
			return false, err
		}
	}
	index, err := ensureBridge(l.device, f.lanAlias(p.Bridge), netip.PrefixFrom(gateway, subnet.Bits()), p.MTU)
	if err != nil {
		return false, fault.Wrap(err, fault.Internal, "network_bridge", "the node could not make network %s; the log of its agent has the cause", p.Bridge)
	}
	turnedOn, err := ensureForwarding()
	if err != nil {
		return false, fault.Wrap(err, fault.Unsupported, "network_forwarding", "the node does not forward packets, so guests would not reach the outside; set net.ipv4.ip_forward=1 on it")
	}
	if turnedOn {
		f.log.Warn("turned on net.ipv4.ip_forward, which was 0, so that guests reach the outside; it stays on", "network", p.Bridge)
	}
	if !isNew && l.index == index && l.dns != nil && l.dhcp.running() {
		return false, nil
	}
	f.lans[p.Bridge] = l
	l.index = index
	if err := f.applyAll(ctx); err != nil { // before the services: DNS is open to the outside without them
		return false, err
	}
	return true, f.serve(l)
}

// serve starts the services of a network anew.
func (f *Fabric) serve(l *lan) error {
	l.close()
	var err error
	if l.dhcp, err = startDHCP(f, l); err != nil {
		return fault.Wrap(err, fault.Internal, "network_dhcp", "the node could not serve DHCP in network %s; the log of its agent has the cause", l.name)
	}
	if l.dns, err = startDNS(f, l); err != nil {
		l.close()
		return fault.Wrap(err, fault.Conflict, "network_dns", "the node could not serve DNS on %s: another name server on this node may hold port 53 of every address; bind that one to addresses of its own", l.gateway)
	}
	return nil
}

func (l *lan) close() {
	if l.dhcp != nil {
		l.dhcp.close()
	}
	if l.dns != nil {
		l.dns.close()
	}
	l.dhcp, l.dns = nil, nil
}

// checkRoutes refuses a network that this machine reaches another way, unless the bridge is there already and that is the way.
func checkRoutes(l *lan) error {
	link, err := findLink(l.device)
	if err != nil || link != nil {
		return err
	}
	routes, err := network.Routes()
	if err != nil {
		return err
	}
	if r, taken := network.Taken(l.subnet, routes); taken {
		return fault.New(fault.Conflict, "subnet_taken", "network %s is %s, and this node reaches %s another way; give the network another subnet", l.name, l.subnet, r)
	}
	return nil
}

// dropUnusedLANs removes networks that no VM of this node is on.
func (f *Fabric) dropUnusedLANs(ctx context.Context) error {
	used := map[string]bool{}
	for _, r := range f.attached {
		for _, p := range r.Attachment.Ports {
			used[p.Bridge] = true
		}
	}
	dropped := false
	for name, l := range f.lans {
		if used[name] {
			continue
		}
		l.close()
		if err := removeLink(l.device); err != nil {
			return err
		}
		delete(f.lans, name)
		dropped = true
	}
	if !dropped && len(used) > 0 {
		return nil
	}
	if len(used) == 0 {
		// Also those of records that could not be read.
		stray, err := linksOf("novacron " + f.o.Instance + " network ")
		if err != nil {
			return err
		}
		for _, device := range stray {
			if err := removeLink(device); err != nil {
				return err
			}
		}
	}
	return f.applyAll(ctx)
}

// publish tells DHCP and DNS who is there.
func (f *Fabric) publish() {
	for _, l := range f.lans {
		l.guests.Store(f.directoryOf(l.name))
	}
}

// directoryOf lists the guests of a network. Names are unique within a tenant; should two VMs of one tenant have the same
// name all the same, the one with the smaller id is answered, in every life of the agent.
func (f *Fabric) directoryOf(network string) *directory {
	d := &directory{byMAC: map[string]guest{}, byAddress: map[netip.Addr]guest{}, byName: map[name]netip.Addr{}}
	for _, g := range f.guestsOn(network) {
		d.byMAC[string(g.mac)] = g
		d.byAddress[g.address] = g
		key := name{g.tenant, g.hostname}
		if _, taken := d.byName[key]; !taken {
			d.byName[key] = g.address
		}
	}
	return d
}

// guestsOn gives the ports on a network, ordered by VM and then as the VM lists them.
func (f *Fabric) guestsOn(network string) []guest {
	var all []guest
	for _, r := range f.attached {
		for _, p := range r.Attachment.Ports {
			if p.Bridge == network {
				all = append(all, guestOf(r.Attachment, p))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b guest) int { return strings.Compare(string(a.vm), string(b.vm)) })
	return all
}

// guestOf reads a port that Check let pass.
func guestOf(m network.Attachment, p vm.Port) guest {
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		panic("bridge: a port with a broken MAC was attached: " + err.Error())
	}
	g := guest{vm: m.VM, tenant: m.Tenant, hostname: strings.ToLower(m.Hostname), mac: mac, address: netip.MustParseAddr(p.Address), mtu: p.MTU}
	for _, s := range p.DNS {
		g.dns = append(g.dns, netip.MustParseAddr(s))
	}
	return g
}

func (f *Fabric) lanAlias(network string) string {
	return fmt.Sprintf("novacron %s network %s", f.o.Instance, network)
}

// equal compares records as they are stored.
func equal(a, b record) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
