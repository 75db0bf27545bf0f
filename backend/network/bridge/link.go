package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"novacron/backend/core/id"
	"novacron/backend/network"
)

// defaultNetwork has the plain name of its instance's bridge; the others add a hash of theirs.
const defaultNetwork = "default"

// bridgeName gives the device of a network: at most 15 characters, all that Linux allows.
func bridgeName(instance, name string) string {
	if name == defaultNetwork {
		return "nc" + instance
	}
	sum := sha256.Sum256([]byte(name))
	return "nc" + instance + "-" + hex.EncodeToString(sum[:2])
}

// tapName gives the device of a port: 60 of its id's random bits, so that no two instances meet either.
func tapName(nic id.NIC) string {
	const tail = 12
	return "nct" + string(nic[len(nic)-tail:])
}

func taps(m network.Attachment) []string {
	var names []string
	for _, p := range m.Ports {
		names = append(names, tapName(p.ID))
	}
	slices.Sort(names)
	return names
}

// ensureBridge makes the bridge with the gateway's address, or takes over the one that is there, and gives its index. The
// bridge's MAC is fixed: left to itself it would change with its ports, and every guest would lose its gateway for a while.
func ensureBridge(device, alias string, gateway netip.Prefix, mtu int) (index int, err error) {
	link, err := findLink(device)
	if err != nil {
		return 0, err
	}
	if link == nil {
		if err := addBridge(device, mtu); err != nil {
			return 0, err
		}
		if link, err = netlink.LinkByName(device); err != nil {
			return 0, fmt.Errorf("bridge %s: %w", device, err)
		}
	}
	// The MAC is given as the bridge is made, the alias only then: a crash may lie between.
	had := link.Attrs().Alias
	if link.Type() != "bridge" || link.Attrs().HardwareAddr.String() != bridgeMAC(device).String() || had != alias && had != "" {
		return 0, fmt.Errorf("device %s is there already and is not this network's bridge (alias %q, want %q)", device, had, alias)
	}
	if had == "" {
		if err := netlink.LinkSetAlias(link, alias); err != nil {
			return 0, fmt.Errorf("bridge %s: alias: %w", device, err)
		}
	}
	noIPv6(device)
	address := &netlink.Addr{IPNet: &net.IPNet{IP: gateway.Addr().AsSlice(), Mask: net.CIDRMask(gateway.Bits(), 32)}}
	if err := netlink.AddrReplace(link, address); err != nil {
		return 0, fmt.Errorf("bridge %s: address %s: %w", device, gateway, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return 0, fmt.Errorf("bridge %s: up: %w", device, err)
	}
	return link.Attrs().Index, nil
}

func addBridge(device string, mtu int) error {
	snooping := false // guests' multicast goes to all: a bridge without a querier would lose it after some minutes
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = device, bridgeMAC(device)
	if mtu != 0 {
		attrs.MTU = mtu
	}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}); err != nil {
		return fmt.Errorf("bridge %s: add: %w", device, err)
	}
	return nil
}

// bridgeMAC gives a locally administered address that follows from the name.
func bridgeMAC(device string) net.HardwareAddr {
	sum := sha256.Sum256([]byte(device))
	return net.HardwareAddr{0x02, 0x6e, sum[0], sum[1], sum[2], sum[3]}
}

// ensureTap makes the persistent tap of a port, or takes over the one that is there, and puts it under the bridge. Without an owner
// any user of the machine could open it, so the owner is set before the device is made to stay.
func ensureTap(name string, uid, mtu int, bridge, alias string) error {
	link, err := findLink(name)
	if err != nil {
		return err
	}
	if link == nil {
		if err := addTap(name, uid); err != nil {
			return err
		}
		if link, err = netlink.LinkByName(name); err != nil {
			return fmt.Errorf("tap %s: %w", name, err)
		}
	}
	if err := netlink.LinkSetAlias(link, alias); err != nil {
		return fmt.Errorf("tap %s: alias: %w", name, err)
	}
	noIPv6(name)
	if mtu != 0 && link.Attrs().MTU != mtu {
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			return fmt.Errorf("tap %s: mtu %d: %w", name, mtu, err)
		}
	}
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", bridge, err)
	}
	if link.Attrs().MasterIndex != master.Attrs().Index {
		if err := netlink.LinkSetMaster(link, master); err != nil {
			return fmt.Errorf("tap %s: under %s: %w", name, bridge, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("tap %s: up: %w", name, err)
	}
	return nil
}

func addTap(name string, uid int) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("tap %s: %w", name, err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("tap %s: %w", name, err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("tap %s: make: %w", name, err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOWNER, uid); err != nil {
		return fmt.Errorf("tap %s: owner %d: %w", name, uid, err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("tap %s: keep: %w", name, err)
	}
	return nil
}

// findLink gives nil when there is no such device.
func findLink(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", name, err)
	}
	return link, nil
}

// removeLink deletes a device; absent is success.
func removeLink(name string) error {
	link, err := findLink(name)
	if link == nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("device %s: remove: %w", name, err)
	}
	return nil
}

// linksOf gives the names of the devices whose alias begins so.
func linksOf(alias string) ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("devices: %w", err)
	}
	var names []string
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Alias, alias) {
			names = append(names, l.Attrs().Name)
		}
	}
	return names, nil
}

// noIPv6 keeps the node from taking an IPv6 address on a device where guests could talk to it. A kernel without IPv6 has
// no such file, and the input rules drop IPv6 from guests in any case, so a failure is no harm.
func noIPv6(device string) {
	_ = os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", device, "disable_ipv6"), []byte("1"), 0) //nolint:errcheck // second barrier only
}

// ensureForwarding turns on IPv4 forwarding of the node and reports whether it was off.
func ensureForwarding() (changed bool, err error) {
	const path = "/proc/sys/net/ipv4/ip_forward"
	was, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("IPv4 forwarding: %w", err)
	}
	if strings.TrimSpace(string(was)) == "1" {
		return false, nil
	}
	if err := os.WriteFile(path, []byte("1"), 0); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return false, fmt.Errorf("IPv4 forwarding is off and cannot be turned on here; set net.ipv4.ip_forward=1 on the node: %w", err)
		}
		return false, fmt.Errorf("IPv4 forwarding: %w", err)
	}
	return true, nil
}
