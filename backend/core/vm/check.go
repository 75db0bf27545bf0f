package vm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Further limits of a Spec. MaxSpecBytes is far above what the other limits allow; it bounds the decoder.
const (
	MaxSpecBytes  = 1 << 20
	MaxSSHKey     = 16 << 10 // bytes of one key; a 16384-bit RSA key takes 3 KiB
	MaxIOPS       = 10_000_000
	MaxMiBPerS    = 1_000_000
	MaxOrder      = 10_000
	MaxDelayS     = 3600
	MaxGraceS     = 3600
	MaxCmdline    = 2048 // bytes of a kernel command line on x86
	minHostPort   = 1024 // lower ports belong to the node's own services
	maxPort       = 65535
	shownOfAName  = 80 // bytes of a wrong value that a sentence repeats
	digestPrefix  = "sha256:"
	digestHexLen  = 64
	locallyAdmin  = 0x02
	multicastFlag = 0x01
)

// DecodeSpec reads a Spec from JSON of a user or a file: unknown fields, trailing data and anything out of bounds are
// refused. What the store holds is read without this, so that an older server can read what a newer one wrote.
func DecodeSpec(raw []byte) (Spec, error) {
	var s Spec
	if len(raw) > MaxSpecBytes {
		return s, fault.New(fault.TooLarge, "spec_too_large", "the specification of a VM may have %d bytes, this has %d", MaxSpecBytes, len(raw))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Spec{}, fault.Wrap(err, fault.Invalid, "spec_malformed", "this is not the specification of a VM: %.200s", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Spec{}, fault.New(fault.Invalid, "spec_malformed", "there is more behind the specification of the VM; send one JSON object")
	}
	if err := s.Check(); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// CheckName refuses what cannot be the name of a VM: it is the guest's host name and its DNS name, so it is a DNS label, and
// it does not look like an id, so that a path element is one or the other.
func CheckName(name string) error {
	bad := func(why string) error {
		return invalid("name", "%s: a name is up to %d lower-case letters, digits and hyphens, with a letter or digit at both ends",
			why, MaxNameLength)
	}
	switch {
	case name == "":
		return bad("a VM needs a name")
	case len(name) > MaxNameLength:
		return bad(fmt.Sprintf("the name has %d characters", len(name)))
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || !label(name):
		return bad(fmt.Sprintf("%q is not a name", short(name)))
	case id.Is(name):
		return invalid("name", "%s has the form of an id; pick a name that nobody can take for one", name)
	}
	return nil
}

func label(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name[0] != '-' && name[len(name)-1] != '-'
}

// IsDigest reports whether s names an image's content: "sha256:" and 64 lower-case hexadecimal digits.
func IsDigest(s string) bool {
	rest, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(rest) != digestHexLen || strings.ToLower(rest) != rest {
		return false
	}
	_, err := hex.DecodeString(rest)
	return err == nil
}

// Check refuses a Spec that no node could make true, with the first field at fault and what is allowed there.
func (s Spec) Check() error {
	for _, check := range []func() error{s.checkSize, s.checkStart, s.checkDisks, s.checkNICs, s.checkForwards, s.checkSeed, s.checkPolicy} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) checkSize() error {
	if s.CPUs < 1 || s.CPUs > MaxCPUs {
		return invalid("cpus", "a VM has 1 to %d CPUs, not %d", MaxCPUs, s.CPUs)
	}
	if s.MemoryMiB < MinMemoryMiB || s.MemoryMiB > MaxMemoryMiB {
		return invalid("memory_mib", "a VM has %d to %d MiB of memory, not %d", MinMemoryMiB, MaxMemoryMiB, s.MemoryMiB)
	}
	return nil
}

func (s Spec) checkStart() error {
	switch {
	case s.Arch != X86_64 && s.Arch != AArch64:
		return invalid("arch", "the architecture is %s or %s, not %q", X86_64, AArch64, short(string(s.Arch)))
	case s.Firmware != BIOS && s.Firmware != UEFI && s.Firmware != Direct:
		return invalid("firmware", "the firmware is %s, %s or %s, not %q", BIOS, UEFI, Direct, short(string(s.Firmware)))
	case s.Arch == AArch64 && s.Firmware == BIOS:
		return invalid("firmware", "%s guests have no BIOS; use uefi", AArch64)
	case s.Secure && s.Firmware != UEFI:
		return invalid("secure_boot", "secure boot needs the firmware uefi, this VM has %s", s.Firmware)
	// QEMU leaves 160 KiB below the initrd's end for the ACPI tables; a TPM's event log makes them longer, and the initrd
	// overwrites them: the guest comes up without ACPI, interrupts and PCI Express.
	case s.TPM && s.Firmware == Direct:
		return invalid("tpm", "a vTPM needs the firmware uefi or bios, this VM has %s", s.Firmware)
	case s.Image != "" && !IsDigest(s.Image):
		return invalid("image", "%q is not the digest of an image", short(s.Image))
	case s.Firmware == Direct && s.Image == "":
		return invalid("firmware", "a direct start takes kernel and initrd from an image; name an image or use uefi")
	case s.Cmdline != "" && s.Firmware != Direct:
		return invalid("cmdline", "only a direct start has a kernel command line")
	case len(s.Cmdline) > MaxCmdline || strings.ContainsAny(s.Cmdline, "\x00\n\r") || !utf8.ValidString(s.Cmdline):
		return invalid("cmdline", "a kernel command line is one line of up to %d bytes", MaxCmdline)
	}
	return nil
}

func (s Spec) checkDisks() error {
	if len(s.Disks) < 1 || len(s.Disks) > MaxDisks {
		return invalid("disks", "a VM has 1 to %d disks, not %d", MaxDisks, len(s.Disks))
	}
	if s.Disks[0].CDROM {
		return invalid("disks[0].cdrom", "the first disk is the one to install on; put the CD-ROM behind it and set boot_from")
	}
	seen := map[id.Volume]bool{}
	for i, d := range s.Disks {
		field := func(name string) string { return fmt.Sprintf("disks[%d].%s", i, name) }
		if err := d.check(field); err != nil {
			return err
		}
		if d.ID != "" && seen[d.ID] {
			return invalid(field("id"), "the disk %s is there twice", d.ID)
		}
		seen[d.ID] = true
	}
	return nil
}

func (d Disk) check(field func(string) string) error {
	switch {
	case d.ID != "" && !formed(string(d.ID), "vol-"):
		return invalid(field("id"), "%q is not the id of a disk", short(string(d.ID)))
	case d.From != "" && !formed(string(d.From), "vol-"):
		return invalid(field("from"), "%q is not the id of a disk", short(string(d.From)))
	case d.Image != "" && !IsDigest(d.Image):
		return invalid(field("image"), "%q is not the digest of an image", short(d.Image))
	case d.Image != "" && d.From != "":
		return invalid(field("from"), "a disk starts from an image or from another disk, not from both")
	case d.Linked && d.From == "":
		return invalid(field("linked"), "a linked disk needs the disk that it is linked to")
	case d.CDROM && (d.Image == "" || d.From != "" || d.SizeGiB != 0):
		return invalid(field("cdrom"), "a CD-ROM is an image and has no size of its own")
	case !d.CDROM && (d.SizeGiB < 1 || d.SizeGiB > MaxDiskGiB):
		return invalid(field("size_gib"), "a disk has 1 to %d GiB, not %d", MaxDiskGiB, d.SizeGiB)
	case d.IOPS < 0 || d.IOPS > MaxIOPS:
		return invalid(field("iops"), "the limit is 0 (none) to %d operations per second, not %d", MaxIOPS, d.IOPS)
	case d.MiBPerS < 0 || d.MiBPerS > MaxMiBPerS:
		return invalid(field("mib_per_s"), "the limit is 0 (none) to %d MiB per second, not %d", MaxMiBPerS, d.MiBPerS)
	}
	return nil
}

func (s Spec) checkNICs() error {
	if len(s.NICs) > MaxNICs {
		return invalid("nics", "a VM has up to %d network interfaces, not %d", MaxNICs, len(s.NICs))
	}
	seen := map[string]bool{}
	for i, n := range s.NICs {
		field := func(name string) string { return fmt.Sprintf("nics[%d].%s", i, name) }
		if err := n.check(field); err != nil {
			return err
		}
		for _, unique := range []string{string(n.ID), n.MAC} {
			if unique != "" && seen[unique] {
				return invalid(field("mac"), "%s is there twice", unique)
			}
			seen[unique] = true
		}
	}
	return nil
}

func (n NIC) check(field func(string) string) error {
	if n.ID != "" && !formed(string(n.ID), "nic-") {
		return invalid(field("id"), "%q is not the id of a network interface", short(string(n.ID)))
	}
	if n.Network != "" && !formed(string(n.Network), "net-") {
		return invalid(field("network"), "%q is not the id of a network", short(string(n.Network)))
	}
	if n.MAC != "" {
		mac, err := net.ParseMAC(n.MAC)
		if err != nil || len(mac) != 6 || mac.String() != n.MAC || mac[0]&locallyAdmin == 0 || mac[0]&multicastFlag != 0 {
			return invalid(field("mac"), "%q is not a locally administered address such as 52:54:00:12:34:56", short(n.MAC))
		}
	}
	if n.Address != "" {
		if a, err := netip.ParseAddr(n.Address); err != nil || !a.Is4() {
			return invalid(field("address"), "%q is not an IPv4 address", short(n.Address))
		}
	}
	return nil
}

func (s Spec) checkForwards() error {
	if len(s.Forwards) > MaxForwards {
		return invalid("forwards", "a VM has up to %d forwarded ports, not %d", MaxForwards, len(s.Forwards))
	}
	if len(s.Forwards) > 0 && len(s.NICs) == 0 {
		return invalid("forwards", "a forwarded port needs a network interface to go to")
	}
	seen := map[string]bool{}
	for i, f := range s.Forwards {
		field := func(name string) string { return fmt.Sprintf("forwards[%d].%s", i, name) }
		if err := f.check(field); err != nil {
			return err
		}
		key := fmt.Sprintf("%s/%d", f.Protocol, f.HostPort)
		if seen[key] {
			return invalid(field("host_port"), "port %s of the node is forwarded twice", key)
		}
		seen[key] = true
	}
	return nil
}

func (f Forward) check(field func(string) string) error {
	if f.Protocol != "tcp" && f.Protocol != "udp" {
		return invalid(field("protocol"), "the protocol is tcp or udp, not %q", short(f.Protocol))
	}
	if f.Listen != "" {
		if a, err := netip.ParseAddr(f.Listen); err != nil || a.Zone() != "" || a.IsMulticast() {
			return invalid(field("listen"), "%q is not an address of a node", short(f.Listen))
		}
	}
	if f.HostPort < minHostPort || f.HostPort > maxPort {
		return invalid(field("host_port"), "the node's port is %d to %d, not %d", minHostPort, maxPort, f.HostPort)
	}
	if f.GuestPort < 1 || f.GuestPort > maxPort {
		return invalid(field("guest_port"), "the guest's port is 1 to %d, not %d", maxPort, f.GuestPort)
	}
	return nil
}

func (s Spec) checkSeed() error {
	if len(s.SSHKeys) > MaxSSHKeys {
		return invalid("ssh_keys", "a VM takes up to %d keys, not %d", MaxSSHKeys, len(s.SSHKeys))
	}
	for i, k := range s.SSHKeys {
		if err := checkKey(k); err != "" {
			return invalid(fmt.Sprintf("ssh_keys[%d]", i), "%s; paste one line of a .pub file, such as ssh-ed25519 AAAA… you@host", err)
		}
	}
	switch {
	case len(s.UserData) > MaxUserData:
		return invalid("user_data", "cloud-init data has up to %d bytes, this has %d", MaxUserData, len(s.UserData))
	case !utf8.ValidString(s.UserData) || strings.ContainsRune(s.UserData, 0):
		return invalid("user_data", "cloud-init data is text in UTF-8 without zero bytes")
	}
	return nil
}

func checkKey(k string) string {
	if len(k) > MaxSSHKey {
		return fmt.Sprintf("the key has %d bytes, %d are allowed", len(k), MaxSSHKey)
	}
	if strings.ContainsAny(k, "\n\r\x00") || !utf8.ValidString(k) {
		return "a key is one line"
	}
	_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(k))
	if err != nil {
		return "this is not an OpenSSH public key"
	}
	if len(options) > 0 {
		return "a key has no options here"
	}
	return ""
}

func (s Spec) checkPolicy() error {
	switch {
	case s.Autostart.Order < 0 || s.Autostart.Order > MaxOrder:
		return invalid("autostart.order", "the order is 0 to %d, not %d", MaxOrder, s.Autostart.Order)
	case s.Autostart.DelayS < 0 || s.Autostart.DelayS > MaxDelayS:
		return invalid("autostart.delay_s", "the delay is 0 to %d seconds, not %d", MaxDelayS, s.Autostart.DelayS)
	case s.Restart == Elsewhere:
		return fault.New(fault.Unsupported, "restart_elsewhere", "this version cannot restart a VM on another node safely; use %s", Stay).On("restart")
	case s.Restart != Stay:
		return invalid("restart", "the restart policy is %s, not %q", Stay, short(string(s.Restart)))
	}
	return nil
}

func formed(s, prefix string) bool { return strings.HasPrefix(s, prefix) && id.Is(s) }

// short keeps a sentence readable whatever somebody sent.
func short(s string) string {
	if len(s) <= shownOfAName {
		return s
	}
	return strings.ToValidUTF8(s[:shownOfAName], "") + "…"
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "", format, args...).On(field)
}
