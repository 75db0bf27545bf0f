// Package bridge is the fabric of a node whose agent is root: each network is a Linux bridge with the gateway's address, each port
// a persistent tap, and around them stand DHCP and DNS of the network, NAT to the outside, and rules that hold every guest to the
// MAC and the address that it was given. Names of devices follow from the instance and from ids, and a record per VM is written
// before the first device, so that a fabric which lost its memory finds and removes all that is its own.
//
// Taps belong to the VM's user and are opened by the driver by name (IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, one queue), so a guest that
// outlives the agent keeps its port. Guests have ARP and IPv4 and nothing else: IPv6 is dropped, router
// advertisements with it, until addresses for it are planned. Rules stand in two nftables tables named after the instance; nobody
// else's rules are read or changed, so a firewall of the host that drops forwarded packets must be told to let them pass.
//
// net.ipv4.ip_forward is turned on where it is off, which is logged, and is never turned off again: by then somebody else may
// rely on it.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	"novacron/backend/network"
	"novacron/backend/network/internal/ledger"
)

// rulesCheck is how often the fabric looks whether its rules still stand: a reload of the host's firewall may flush every table,
// and guests would be unguarded until somebody calls Ensure.
const rulesCheck = 15 * time.Second

// Options say where the fabric lives.
type Options struct {
	Dir       string       // for records, of this fabric alone; made with mode 0700 where missing
	Instance  string       // 4 to 8 lower-case hex digits: part of every name, so that instances do not meet
	Resolvers string       // file in the form of resolv.conf with the node's resolvers; empty: /etc/resolv.conf
	Log       *slog.Logger // nil: silent
}

// Fabric makes networks and ports in the network namespace of its process.
type Fabric struct {
	o       Options
	log     *slog.Logger
	note    string
	records ledger.Ledger
	stop    context.CancelFunc // ends the goroutines
	running sync.WaitGroup

	mu       sync.Mutex // held over whole changes: they are milliseconds, and devices of one network depend on each other
	attached map[id.VM]record
	lans     map[string]*lan // by network name
	proxies  map[id.VM][]*proxy
	ctx      context.Context // of the goroutines; ends with Close
	closed   bool
}

// record is what is kept of a VM on disk.
type record struct {
	Attachment network.Attachment `json:"attachment"`
	Taps       []string           `json:"taps"` // every device that may be there for it, also of ports being removed
}

var _ network.Fabric = (*Fabric)(nil)

var instanceForm = regexp.MustCompile(`^[0-9a-f]{4,8}$`)

// New checks that this machine can hold guests' networks, opens the records, and serves the guests that went on without an
// agent. fault.Unsupported: something is missing, the sentence says what. A network that cannot be served again now is logged
// and tried again by the next Ensure of one of its VMs.
func New(ctx context.Context, o Options) (*Fabric, error) {
	if !instanceForm.MatchString(o.Instance) {
		return nil, fault.New(fault.Invalid, "network_instance", "%q does not name an instance; use 4 to 8 lower-case hex digits", o.Instance)
	}
	if err := Usable(ctx, o.Instance); err != nil {
		return nil, err
	}
	records, err := ledger.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Resolvers == "" {
		o.Resolvers = "/etc/resolv.conf"
	}
	f := &Fabric{o: o, log: o.Log, records: records, attached: map[id.VM]record{}, lans: map[string]*lan{}, proxies: map[id.VM][]*proxy{}}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	standing, err := Obstacles(ctx)
	if err != nil {
		return nil, err
	}
	if f.note = noteOf(standing); len(standing) > 0 {
		f.log.Warn("the node's own firewall drops by default; guests may not reach their name server or the outside", "chains", standing)
	}
	f.ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := f.resume(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.running.Go(f.keepRules)
	return f, nil
}

// Usable says what is missing for this fabric on this machine, as fault.Unsupported with the way out; nil: nothing. It changes nothing.
func Usable(ctx context.Context, instance string) error {
	if os.Geteuid() != 0 {
		return fault.New(fault.Unsupported, "network_root", "bridged networking needs root; run the agent as root, or use user-mode networking")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return fault.Wrap(err, fault.Unsupported, "network_tun", "this machine has no /dev/net/tun; load the kernel module tun, or use user-mode networking")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		return fault.Wrap(err, fault.Unsupported, "network_nft", "the program nft is missing; install nftables, or use user-mode networking")
	}
	if err := checkRules(ctx, sampleRules(instance)); err != nil {
		return fault.Wrap(err, fault.Unsupported, "network_nft", "this kernel cannot hold the rules that guard guests; load the modules nf_tables, nft_masq and nft_ct, or use user-mode networking")
	}
	return nil
}

// resume serves what the records tell of.
func (f *Fabric) resume(ctx context.Context) error {
	vms, err := f.records.List()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, vm := range vms {
		var r record
		if _, err := f.records.Get(vm, &r); err != nil {
			// Kept in Attached, so that Ensure makes it anew or Release takes it away.
			f.log.Warn("a network record cannot be read", "vm", vm, "err", err)
			r = record{}
		}
		f.attached[vm] = r
	}
	for _, vm := range vms {
		if m := f.attached[vm].Attachment; m.VM == vm {
			if _, err := f.make(ctx, m); err != nil {
				f.log.Warn("a VM's network is not served again yet", "vm", vm, "err", err)
			}
		}
	}
	return nil
}

// Ensure makes the VM's ports.
func (f *Fabric) Ensure(ctx context.Context, m network.Attachment) ([]hypervisor.NIC, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "ensure"); err != nil {
		return nil, err
	}
	if err := f.checkFree(m); err != nil {
		return nil, err
	}
	return f.make(ctx, m)
}

// make brings devices, rules and services to m. The order is the promise: the record first, so that a crash leaves nothing
// unknown; the rules before the taps, so that no frame of the guest passes unguarded; forwards last, when there is a way.
func (f *Fabric) make(ctx context.Context, m network.Attachment) ([]hypervisor.NIC, error) {
	old := f.attached[m.VM]
	next := record{Attachment: m, Taps: taps(m)}
	both := record{Attachment: m, Taps: union(next.Taps, old.Taps)}
	if err := f.record(m.VM, both); err != nil {
		return nil, err
	}
	ruled, err := f.ensureLANs(ctx, m)
	if err != nil {
		return nil, err
	}
	if !ruled { // else they have this VM, whose record was there before
		if err := f.change(ctx, old, both); err != nil {
			return nil, err
		}
	}
	for _, p := range m.Ports {
		if err := ensureTap(tapName(p.ID), m.UID, p.MTU, f.lans[p.Bridge].device, f.vmAlias(m.VM)); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "network_tap", "the node could not make a port for the VM; the log of its agent has the cause")
		}
	}
	if err := f.dropTaps(ctx, both, next); err != nil {
		return nil, err
	}
	f.publish()
	if err := f.dropUnusedLANs(ctx); err != nil {
		return nil, err
	}
	if err := f.ensureProxies(m); err != nil {
		return nil, err
	}
	nics := make([]hypervisor.NIC, len(m.Ports))
	for i, p := range m.Ports {
		nics[i] = hypervisor.NIC{ID: p.ID, MAC: p.MAC, Tap: tapName(p.ID), MTU: p.MTU}
	}
	return nics, nil
}

// dropTaps removes the devices that a VM has no more, then their guard, then their names from its record.
func (f *Fabric) dropTaps(ctx context.Context, from, to record) error {
	gone := without(from.Taps, to.Taps)
	if len(gone) == 0 {
		return nil
	}
	for _, tap := range gone {
		if err := removeLink(tap); err != nil {
			return err
		}
	}
	if err := f.change(ctx, from, to); err != nil {
		return err
	}
	return f.record(to.Attachment.VM, to)
}

// record writes r where it differs from what is there.
func (f *Fabric) record(vm id.VM, r record) error {
	if old, there := f.attached[vm]; there && equal(old, r) {
		return nil
	}
	if err := f.records.Put(vm, r); err != nil {
		return fault.Wrap(err, fault.Internal, "network_record", "the node cannot write its network records; see to the disk of its data folder")
	}
	f.attached[vm] = r
	return nil
}

// checkFree refuses what belongs to another VM of the same network, and a network that is told in two ways.
func (f *Fabric) checkFree(m network.Attachment) error {
	for other, r := range f.attached {
		if other == m.VM {
			continue
		}
		for _, p := range m.Ports {
			for _, q := range r.Attachment.Ports {
				switch {
				case p.ID == q.ID:
					return fault.New(fault.Conflict, "nic_taken", "network interface %s belongs to another VM", p.ID)
				case p.Bridge != q.Bridge:
				case p.Subnet != q.Subnet || p.Gateway != q.Gateway:
					return fault.New(fault.Conflict, "network_differs", "network %s is %s on this node and was asked for as %s; stop its VMs here first", p.Bridge, q.Subnet, p.Subnet)
				case p.Address == q.Address:
					return fault.New(fault.Conflict, "address_taken", "%s in network %s belongs to another VM; choose another address", p.Address, p.Bridge)
				case strings.EqualFold(p.MAC, q.MAC):
					return fault.New(fault.Conflict, "mac_taken", "%s in network %s belongs to another VM; choose another MAC address", p.MAC, p.Bridge)
				}
			}
		}
	}
	return nil
}

// Release removes the VM's devices, rules, forwards and, behind all of them, its record. The last VM of a network takes the
// network with it.
func (f *Fabric) Release(ctx context.Context, vm id.VM) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "release"); err != nil {
		return err
	}
	r, there := f.attached[vm]
	if !there {
		return nil
	}
	f.closeProxies(vm)
	stray, err := linksOf(f.vmAlias(vm)) // a record that could not be read names no taps
	if err != nil {
		return err
	}
	for _, tap := range union(r.Taps, stray) {
		if err := removeLink(tap); err != nil {
			return err
		}
	}
	// From here on the VM counts as gone for rules and networks, but stays in the records until they are.
	f.attached[vm] = record{Attachment: network.Attachment{VM: vm}}
	f.publish()
	if err := f.change(ctx, r, record{}); err != nil {
		f.attached[vm] = r // so that the next try takes the rules back, too
		return err
	}
	if err := f.dropUnusedLANs(ctx); err != nil {
		return err
	}
	if err := f.records.Remove(vm); err != nil {
		return err
	}
	delete(f.attached, vm)
	return nil
}

// Reach gives the guest's own address: the node is on its network.
func (f *Fabric) Reach(ctx context.Context, vm id.VM, port int) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "reach"); err != nil {
		return "", err
	}
	r, there := f.attached[vm]
	if !there || len(r.Attachment.Ports) == 0 {
		return "", fault.New(fault.Unavailable, "not_attached", "the VM has no network on this node; start it, or give it a network interface")
	}
	if port < 1 || port > 65535 {
		return "", fault.New(fault.Invalid, "port", "the guest has no port %d; use 1 to 65535", port)
	}
	return fmt.Sprintf("%s:%d", r.Attachment.Ports[0].Address, port), nil
}

// Attached lists the VMs that have a record.
func (f *Fabric) Attached(ctx context.Context) ([]id.VM, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter(ctx, "list"); err != nil {
		return nil, err
	}
	return f.records.List()
}

// Mode is "bridge"; the note names what in the node's own firewall stands in the way.
func (f *Fabric) Mode() (mode, note string) {
	return "bridge", f.note
}

// Close ends DHCP, DNS and forwards of this process and waits for them. Devices, rules and records stay.
func (f *Fabric) Close() error {
	f.stop()
	f.mu.Lock()
	f.closed = true
	for vm := range f.proxies {
		f.closeProxies(vm)
	}
	for _, l := range f.lans {
		l.close()
	}
	f.mu.Unlock()
	f.running.Wait()
	return nil
}

func (f *Fabric) enter(ctx context.Context, call string) error {
	if f.closed {
		return fault.New(fault.Unavailable, "network_closed", "the network of this node is shutting down; try again")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("network %s: %w", call, err)
	}
	return nil
}

// keepRules puts the rules back when somebody flushed them.
func (f *Fabric) keepRules() {
	tick := time.NewTicker(rulesCheck)
	defer tick.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-tick.C:
		}
		f.mu.Lock()
		if !f.closed && len(f.lans) > 0 {
			f.checkRules()
		}
		f.mu.Unlock()
	}
}

func (f *Fabric) checkRules() {
	if rulesStand(f.ctx, f.o.Instance) || f.ctx.Err() != nil {
		return
	}
	if err := f.applyAll(f.ctx); err != nil {
		f.log.Error("the rules that guard guests are gone and cannot be put back", "err", err)
		return
	}
	f.log.Warn("the rules that guard guests were gone and are put back")
}

func (f *Fabric) vmAlias(vm id.VM) string { return "novacron " + f.o.Instance + " vm " + string(vm) }

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
