package hypervisor

import (
	"strings"
	"testing"

	"novacron/backend/core/vm"
)

func machine(edit func(*Config)) Config {
	c := Config{
		Arch: vm.X86_64, CPUs: 1, MaxCPUs: 4, MemoryMiB: 256, MaxMemoryMiB: 1024, MachineType: "pc-q35-7.2", CPUModel: "Nehalem",
		Disks: []Disk{{ID: "vol-0", SizeBytes: 1 << 30}, {ID: "vol-1", SizeBytes: 1 << 30}, {ID: "vol-cd", CDROM: true}},
		NICs: []NIC{
			{ID: "nic-0", MAC: "52:54:00:00:00:01", Tap: "tap0"},
			{ID: "nic-1", MAC: "52:54:00:00:00:02", User: &UserNet{Subnet: "10.0.0.0/24", Forwards: []vm.Forward{{Protocol: "tcp", HostPort: 2222, GuestPort: 22}}}},
		},
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

func TestDiff(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		want string // kinds with what they act on
	}{
		"the same machine needs nothing":                    {nil, ""},
		"generation, boot and epoch are no change":          {func(c *Config) { c.Generation, c.Boot, c.Epoch = 7, 8, 9 }, ""},
		"the driver's own choices are no difference":        {func(c *Config) { c.MachineType, c.CPUModel, c.Accel = "", "", "" }, ""},
		"more vCPUs within the ceiling are added":           {func(c *Config) { c.CPUs = 4 }, "set-cpus"},
		"more vCPUs than the ceiling wait":                  {func(c *Config) { c.CPUs = 5 }, "next-start"},
		"memory in whole steps is added":                    {func(c *Config) { c.MemoryMiB = 512 }, "set-memory"},
		"memory in broken steps waits":                      {func(c *Config) { c.MemoryMiB = 300 }, "next-start"},
		"memory over the ceiling waits":                     {func(c *Config) { c.MemoryMiB = 2048 }, "next-start"},
		"less memory waits":                                 {func(c *Config) { c.MemoryMiB = 128 }, "next-start"},
		"a new disk is added":                               {func(c *Config) { c.Disks = append(c.Disks, Disk{ID: "vol-2"}) }, "add-disk vol-2"},
		"a new CD-ROM drive waits":                          {func(c *Config) { c.Disks = append(c.Disks, Disk{ID: "vol-2", CDROM: true}) }, "next-start"},
		"a data disk is removed":                            {func(c *Config) { c.Disks = append(c.Disks[:1:1], c.Disks[2]) }, "remove-disk vol-1"},
		"the boot disk stays until the next start":          {func(c *Config) { c.Disks = c.Disks[1:] }, "next-start"},
		"a replaced disk leaves before its successor comes": {func(c *Config) { c.Disks[1].ID = "vol-9" }, "remove-disk vol-1, add-disk vol-9"},
		"a limit is set":                                    {func(c *Config) { c.Disks[0].IOPS = 100 }, "limit-disk vol-0"},
		"a larger disk grows":                               {func(c *Config) { c.Disks[1].SizeBytes = 2 << 30 }, "grow-disk vol-1"},
		"a smaller disk is left alone":                      {func(c *Config) { c.Disks[1].SizeBytes = 1 }, ""},
		"another file of the same disk waits":               {func(c *Config) { c.Disks[1].File.Path = "/elsewhere" }, "next-start"},
		"a NIC with another MAC is replaced":                {func(c *Config) { c.NICs[0].MAC = "52:54:00:00:00:09" }, "remove-nic nic-0, add-nic nic-0"},
		"another host name of user networking is no change": {func(c *Config) { u := *c.NICs[1].User; u.Hostname = "x"; c.NICs[1].User = &u }, ""},
		"a forward changes without touching the card":       {func(c *Config) { c.NICs[1].User = &UserNet{Subnet: "10.0.0.0/24"} }, "set-forwards nic-1"},
		"another kernel waits":                              {func(c *Config) { c.Cmdline = "quiet" }, "next-start"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, change := range Diff(machine(nil), machine(c.edit)) {
				got = append(got, strings.TrimSpace(string(change.Kind)+" "+string(change.Disk.ID)+string(change.NIC.ID)))
				if (change.Kind == NextStart) != (change.Sentence != "") {
					t.Errorf("%s has the sentence %q", change.Kind, change.Sentence)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}
