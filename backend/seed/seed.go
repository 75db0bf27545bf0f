// Package seed makes the NoCloud seed of a VM: an ISO 9660 volume labelled "cidata" with meta-data, user-data and
// network-config, the same bytes for the same data. It also checks the two things that users put in there, user-data and ssh
// keys, before anything accepts them.
//
// A guest without cloud-init, as the tiny image, mounts the same volume and reads meta-data line by line. These lines keep
// their form: "local-hostname: NAME", "instance-id: ID", and behind the line "public-keys:" one line per key,
// two blanks, a dash, a blank, and the key in double quotes. Keys hold no quote or backslash (CheckSSHKey sees to that), so
// cutting at the quotes is enough.
package seed

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/storage/durable"
)

// Label is the volume's label, by which cloud-init finds it.
const Label = "cidata"

// Default is the user-data of a VM whose user gave none. Generating locales and all kinds of host keys takes minutes under
// software emulation and helps nobody.
const Default = `#cloud-config
locale: false
ssh_genkeytypes: [ed25519]
ssh_deletekeys: false
`

// Data is what a seed says.
type Data struct {
	InstanceID string // cloud-init runs its first-boot work once per value: the VM's id
	Hostname   string
	SSHKeys    []string
	UserData   string // empty: Default
	NICs       []NIC
}

// NIC is a network interface that the guest finds by its hardware address and configures by DHCP.
type NIC struct {
	MAC string
	MTU int // 0: not set
}

// For takes the seed's data out of a machine.
func For(m vm.Machine) Data {
	d := Data{InstanceID: string(m.ID), Hostname: m.Seed.Hostname, SSHKeys: m.Seed.SSHKeys, UserData: m.Seed.UserData}
	for _, n := range m.NICs {
		d.NICs = append(d.NICs, NIC{MAC: n.MAC, MTU: n.MTU})
	}
	return d
}

// Write makes the seed at path, mode 0600, whole or not at all.
func Write(path string, d Data) error {
	b, err := Build(d)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, b, 0o600); err != nil {
		if durable.IsFull(err) {
			return fault.Wrap(err, fault.Exhausted, "disk_full", "the disk of this node is full, so the seed of %s could not be written; delete something", d.Hostname)
		}
		return fmt.Errorf("write the seed: %w", err)
	}
	return nil
}

// Build makes the bytes of the seed's ISO. Data of an unsound form is refused: what is written here is read as YAML.
func Build(d Data) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	user := d.UserData
	if user == "" {
		user = Default
	}
	return volume(Label, []file{
		{"meta-data", "METADATA", []byte(metaData(d))},
		{"network-config", "NETCONF", []byte(networkConfig(d))},
		{"user-data", "USERDATA", []byte(user)},
	}), nil
}

var (
	hostname   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	instanceID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

func (d Data) check() error {
	switch {
	case !hostname.MatchString(d.Hostname):
		return fault.New(fault.Invalid, "seed_hostname", "%q is not a host name: up to 63 lower-case letters, digits and inner dashes are", d.Hostname)
	case !instanceID.MatchString(d.InstanceID):
		return fault.New(fault.Invalid, "seed_instance", "%q cannot name an instance", d.InstanceID)
	case len(d.SSHKeys) > vm.MaxSSHKeys:
		return fault.New(fault.Invalid, "seed_keys", "a VM takes at most %d ssh keys, not %d", vm.MaxSSHKeys, len(d.SSHKeys))
	case len(d.NICs) > vm.MaxNICs:
		return fault.New(fault.Invalid, "seed_nics", "a VM has at most %d network interfaces, not %d", vm.MaxNICs, len(d.NICs))
	}
	for _, k := range d.SSHKeys {
		if err := CheckSSHKey(k); err != nil {
			return err
		}
	}
	for _, n := range d.NICs {
		if mac, err := net.ParseMAC(n.MAC); err != nil || len(mac) != 6 {
			return fault.New(fault.Invalid, "seed_mac", "%q is not a hardware address", n.MAC)
		}
		if n.MTU != 0 && (n.MTU < 576 || n.MTU > 65535) {
			return fault.New(fault.Invalid, "seed_mtu", "%d bytes are no MTU: 576 to 65535 are", n.MTU)
		}
	}
	return CheckUserData(d.UserData)
}

// metaData is YAML and at the same time the line format of the package comment. Change both readers or neither.
func metaData(d Data) string {
	var b strings.Builder
	fmt.Fprintf(&b, "instance-id: %s\nlocal-hostname: %s\n", d.InstanceID, d.Hostname)
	if len(d.SSHKeys) == 0 {
		return b.String()
	}
	b.WriteString("public-keys:\n")
	for _, k := range d.SSHKeys {
		fmt.Fprintf(&b, "  - \"%s\"\n", strings.TrimSpace(k))
	}
	return b.String()
}

// Metrics of the routes that come by DHCP: the first interface keeps netplan's own, and each further one stands behind. Two interfaces on
// one network would else share its route, and what answers for one address would leave by the other interface, where a guest is held to
// its address and nobody lets it pass.
const (
	firstMetric = 100
	nextMetric  = 100
)

// networkConfig is version 2. Addresses come by DHCP, whose server knows each by its hardware address.
func networkConfig(d Data) string {
	var b strings.Builder
	b.WriteString("version: 2\n")
	if len(d.NICs) == 0 {
		b.WriteString("ethernets: {}\n")
		return b.String()
	}
	b.WriteString("ethernets:\n")
	for i, n := range d.NICs {
		mac, _ := net.ParseMAC(n.MAC) // check parsed it
		fmt.Fprintf(&b, "  nic%d:\n    match:\n      macaddress: \"%s\"\n    dhcp4: true\n", i, mac)
		// The system identifier would give two clones one lease.
		b.WriteString("    dhcp-identifier: mac\n")
		if i > 0 {
			fmt.Fprintf(&b, "    dhcp4-overrides:\n      route-metric: %d\n", firstMetric+i*nextMetric)
		}
		if n.MTU != 0 {
			fmt.Fprintf(&b, "    mtu: %d\n", n.MTU)
		}
	}
	return b.String()
}
