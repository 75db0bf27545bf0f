// Package seed makes the NoCloud seed of a VM: an ISO 9660 volume labelled "cidata" with meta-data, user-data and
// network-config, the same bytes for the same data. It also checks the two things that users put in there, user-data and ssh
// keys, before anything accepts them.
//
// A guest without cloud-init (the tiny image) mounts the same volume and reads meta-data by lines: "local-hostname: NAME",
// then "public-keys:" with one line `  - "KEY"` per key. The layout is fixed for that reader; see metaData.
package seed

import (
	"errors"

	"novacron/backend/core/vm"
)

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

// Build makes the bytes of the seed's ISO.
func Build(d Data) ([]byte, error) { return nil, errSoon }

// Write makes the seed at path, mode 0600, whole or not at all.
func Write(path string, d Data) error { return errSoon }

// CheckUserData refuses user-data that cloud-init could not read or that is built to exhaust its reader.
func CheckUserData(s string) error { return nil }

// CheckSSHKey refuses what is not exactly one public key in the form of an authorized_keys line without options.
func CheckSSHKey(line string) error { return nil }

var errSoon = errors.New("being built")
