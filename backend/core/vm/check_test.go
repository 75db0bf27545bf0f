package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

const (
	digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f you@host"
)

// whole is a spec that uses every field.
func whole() Spec {
	return Spec{
		Image: digest, CPUs: 2, MemoryMiB: 512, Arch: X86_64, Firmware: Direct, Cmdline: "console=ttyS0", Display: true,
		Disks: []Disk{{ID: id.NewVolume(), SizeGiB: 1, Image: digest}, {ID: id.NewVolume(), SizeGiB: 5, IOPS: 100, MiBPerS: 10}},
		NICs:  []NIC{{ID: id.NewNIC(), Network: id.NewNetwork(), MAC: "52:54:00:12:34:56", Address: "10.80.0.5"}},
		Forwards: []Forward{
			{Protocol: "tcp", HostPort: 2222, GuestPort: 22}, {Protocol: "udp", Listen: "0.0.0.0", HostPort: 2222, GuestPort: 53}},
		SSHKeys: []string{sshKey}, UserData: "#cloud-config\n", Autostart: Autostart{Enabled: true, Order: 3, DelayS: 5}, Restart: Stay,
	}
}

func TestCheck_acceptsAWholeSpec(t *testing.T) {
	if err := whole().Check(); err != nil {
		t.Fatal(err)
	}
}

func TestCheck_namesTheFieldAtFault(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(*Spec)
	}{
		{"cpus", func(s *Spec) { s.CPUs = 0 }},
		{"cpus", func(s *Spec) { s.CPUs = MaxCPUs + 1 }},
		{"memory_mib", func(s *Spec) { s.MemoryMiB = MinMemoryMiB - 1 }},
		{"memory_mib", func(s *Spec) { s.MemoryMiB = MaxMemoryMiB + 1 }},
		{"arch", func(s *Spec) { s.Arch = "riscv64" }},
		{"firmware", func(s *Spec) { s.Firmware = "coreboot" }},
		{"firmware", func(s *Spec) { s.Arch, s.Firmware, s.Cmdline = AArch64, BIOS, "" }},
		{"firmware", func(s *Spec) { s.Image = "" }},
		{"secure_boot", func(s *Spec) { s.Secure = true }},
		{"tpm", func(s *Spec) { s.TPM = true }},
		{"image", func(s *Spec) { s.Image = "sha256:00" }},
		{"cmdline", func(s *Spec) { s.Firmware = UEFI }},
		{"cmdline", func(s *Spec) { s.Cmdline = "a\nb" }},
		{"cmdline", func(s *Spec) { s.Cmdline = strings.Repeat("a", MaxCmdline+1) }},
		{"disks", func(s *Spec) { s.Disks = nil }},
		{"disks", func(s *Spec) { s.Disks = make([]Disk, MaxDisks+1) }},
		{"disks[0].cdrom", func(s *Spec) { s.Disks[0] = Disk{CDROM: true, Image: digest} }},
		{"disks[1].cdrom", func(s *Spec) { s.Disks[1] = Disk{CDROM: true} }},
		{"disks[1].cdrom", func(s *Spec) { s.Disks[1] = Disk{CDROM: true, Image: digest, SizeGiB: 1} }},
		{"disks[1].size_gib", func(s *Spec) { s.Disks[1].SizeGiB = 0 }},
		{"disks[1].size_gib", func(s *Spec) { s.Disks[1].SizeGiB = MaxDiskGiB + 1 }},
		{"disks[1].id", func(s *Spec) { s.Disks[1].ID = s.Disks[0].ID }},
		{"disks[1].id", func(s *Spec) { s.Disks[1].ID = "../../etc/passwd" }},
		{"disks[1].image", func(s *Spec) { s.Disks[1].Image = "debian" }},
		{"disks[1].from", func(s *Spec) { s.Disks[1].From = "vm-00000000000000000000" }},
		{"disks[0].from", func(s *Spec) { s.Disks[0].From = id.NewVolume() }},
		{"disks[1].linked", func(s *Spec) { s.Disks[1].Linked = true }},
		{"disks[1].iops", func(s *Spec) { s.Disks[1].IOPS = -1 }},
		{"disks[1].iops", func(s *Spec) { s.Disks[1].IOPS = MaxIOPS + 1 }},
		{"disks[1].mib_per_s", func(s *Spec) { s.Disks[1].MiBPerS = -1 }},
		{"nics", func(s *Spec) { s.NICs = make([]NIC, MaxNICs+1) }},
		{"nics[0].id", func(s *Spec) { s.NICs[0].ID = "eth0" }},
		{"nics[0].network", func(s *Spec) { s.NICs[0].Network = "default" }},
		{"nics[0].mac", func(s *Spec) { s.NICs[0].MAC = "01:00:5e:00:00:01" }},
		{"nics[0].mac", func(s *Spec) { s.NICs[0].MAC = "00:16:3e:00:00:01" }},
		{"nics[0].mac", func(s *Spec) { s.NICs[0].MAC = "52:54:00:12:34:5G" }},
		{"nics[0].mac", func(s *Spec) { s.NICs[0].MAC = "52-54-00-12-34-56" }},
		{"nics[1].mac", func(s *Spec) { s.NICs = append(s.NICs, s.NICs[0]) }},
		{"nics[0].address", func(s *Spec) { s.NICs[0].Address = "fe80::1" }},
		{"nics[0].address", func(s *Spec) { s.NICs[0].Address = "10.0.0.300" }},
		{"forwards", func(s *Spec) { s.Forwards = make([]Forward, MaxForwards+1) }},
		{"forwards", func(s *Spec) { s.NICs = nil }},
		{"forwards[0].protocol", func(s *Spec) { s.Forwards[0].Protocol = "sctp" }},
		{"forwards[0].listen", func(s *Spec) { s.Forwards[0].Listen = "localhost" }},
		{"forwards[0].host_port", func(s *Spec) { s.Forwards[0].HostPort = 80 }},
		{"forwards[0].host_port", func(s *Spec) { s.Forwards[0].HostPort = 65536 }},
		{"forwards[0].guest_port", func(s *Spec) { s.Forwards[0].GuestPort = 0 }},
		{"forwards[1].host_port", func(s *Spec) { s.Forwards[1] = s.Forwards[0] }},
		{"ssh_keys", func(s *Spec) { s.SSHKeys = make([]string, MaxSSHKeys+1) }},
		{"ssh_keys[0]", func(s *Spec) { s.SSHKeys[0] = "hello" }},
		{"ssh_keys[0]", func(s *Spec) { s.SSHKeys[0] += "\n" + sshKey }},
		{"ssh_keys[0]", func(s *Spec) { s.SSHKeys[0] = `command="rm" ` + sshKey }},
		{"ssh_keys[0]", func(s *Spec) { s.SSHKeys[0] = sshKey + strings.Repeat("x", MaxSSHKey) }},
		{"user_data", func(s *Spec) { s.UserData = strings.Repeat("x", MaxUserData+1) }},
		{"user_data", func(s *Spec) { s.UserData = "\xff" }},
		{"user_data", func(s *Spec) { s.UserData = "a\x00b" }},
		{"autostart.order", func(s *Spec) { s.Autostart.Order = -1 }},
		{"autostart.delay_s", func(s *Spec) { s.Autostart.DelayS = MaxDelayS + 1 }},
		{"restart", func(s *Spec) { s.Restart = Elsewhere }},
		{"restart", func(s *Spec) { s.Restart = "" }},
	} {
		s := whole()
		c.spoil(&s)
		f, ok := errors.AsType[*fault.Error](s.Check())
		if !ok {
			t.Errorf("%s: a spoiled spec was accepted", c.field)
			continue
		}
		if f.Field != c.field || (f.Kind != fault.Invalid && f.Kind != fault.Unsupported) || f.Message == "" {
			t.Errorf("got field %q, kind %s, %q; want field %q", f.Field, f.Kind, f.Message, c.field)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"web-1": true, "a": true, "0": true, strings.Repeat("a", 63): true, "node-1": true, "vm-1": true,
		"": false, "-a": false, "a-": false, "-": false, "Web": false, "a.b": false, "a_b": false, "ä": false, "a b": false,
		strings.Repeat("a", 64): false, string(id.NewVM()): false, string(id.NewNode()): false, "../x": false, "a\x00": false,
	} {
		err := CheckName(name)
		if (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want accepted %v", name, err, ok)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("CheckName(%q) is %s, want invalid", name, fault.KindOf(err))
		}
	}
}

func TestDecodeSpec_readsWhatItWrote(t *testing.T) {
	want := whole()
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSpec(raw)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestDecodeSpec_refuses(t *testing.T) {
	raw, _ := json.Marshal(whole())
	for name, in := range map[string]string{
		"an unknown field":  strings.Replace(string(raw), `"cpus"`, `"cores"`, 1),
		"trailing data":     string(raw) + "{}",
		"half an object":    string(raw[:len(raw)/2]),
		"nothing":           "",
		"another type":      `{"cpus":"two"}`,
		"a number too big":  `{"cpus":99999999999999999999}`,
		"too many bytes":    `"` + strings.Repeat("x", MaxSpecBytes) + `"`,
		"what is no object": "[]",
	} {
		if _, err := DecodeSpec([]byte(in)); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzSpec(f *testing.F) {
	raw, _ := json.Marshal(whole())
	f.Add(raw)
	f.Add([]byte(`{"cpus":1,"disks":[{"size_gib":1}]}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := DecodeSpec(raw)
		if err != nil {
			if k := fault.KindOf(err); k == fault.Internal {
				t.Fatalf("an input is told as a bug: %v", err)
			}
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := DecodeSpec(again); err != nil || fmt.Sprint(back) != fmt.Sprint(s) {
			t.Fatalf("an accepted spec is not accepted again: %v\n%s", err, again)
		}
		for _, n := range s.NICs {
			if len(n.MAC) != 0 && len(n.MAC) != len("52:54:00:12:34:56") {
				t.Fatalf("address %q was accepted", n.MAC)
			}
		}
	})
}

func TestResolve_carriesEverythingANodeNeeds(t *testing.T) {
	s := whole()
	o := Order{ID: id.NewVM(), Name: "web-1", Tenant: "ten", Epoch: 2, Generation: 7, Role: Run, Power: On, Boot: 3, GraceS: 30, UID: 70001,
		MachineType: "pc-q35-7.2", CPUModel: "max"}
	m, err := Resolve(s, o, map[id.Network]Network{s.NICs[0].Network: {Name: "default", Subnet: "10.80.0.0/16", Gateway: "10.80.0.1", MTU: 1500}})
	if err != nil {
		t.Fatal(err)
	}
	want := Machine{ID: o.ID, Name: "web-1", Tenant: "ten", Epoch: 2, Generation: 7, Role: Run, Power: On, Boot: 3, GraceS: 30, UID: 70001,
		MachineType: "pc-q35-7.2", CPUModel: "max", Arch: X86_64, Firmware: Direct, Display: true, CPUs: 2, MemoryMiB: 512,
		Kernel: &Kernel{Image: digest, Cmdline: "console=ttyS0"}, Disks: s.Disks, Forwards: s.Forwards,
		NICs: []Port{{NIC: s.NICs[0], Bridge: "default", Subnet: "10.80.0.0/16", Gateway: "10.80.0.1", MTU: 1500}},
		Seed: Seed{Hostname: "web-1", SSHKeys: s.SSHKeys, UserData: s.UserData}, Autostart: s.Autostart, Restart: Stay}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

func TestResolve_refusesAnUnknownNetwork(t *testing.T) {
	if _, err := Resolve(whole(), Order{Name: "web-1"}, nil); !fault.Is(err, fault.Internal) {
		t.Errorf("got %v", err)
	}
}
