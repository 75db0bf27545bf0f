package hypervisor

import (
	"fmt"
	"slices"

	"novacron/backend/core/vm"
)

// Change is one step from the machine that a process runs to the one that is wanted.
type Change struct {
	Kind     ChangeKind
	Disk     Disk         // with the disk kinds: as wanted, or as it was for RemoveDisk
	NIC      NIC          // with the NIC kinds: likewise
	From, To int          // with SetCPUs and SetMemory, in vCPUs or MiB
	Drop     []vm.Forward // with SetForwards: those to end
	Add      []vm.Forward // with SetForwards: those to begin
	Sentence string       // with NextStart: what waits, and why
}

// ChangeKind is what a Change does.
type ChangeKind string

// The kinds of change. NextStart cannot be done to a running guest.
const (
	RemoveNIC   ChangeKind = "remove-nic"
	RemoveDisk  ChangeKind = "remove-disk"
	AddDisk     ChangeKind = "add-disk"
	LimitDisk   ChangeKind = "limit-disk"
	GrowDisk    ChangeKind = "grow-disk"
	AddNIC      ChangeKind = "add-nic"
	SetForwards ChangeKind = "set-forwards"
	SetCPUs     ChangeKind = "set-cpus"
	SetMemory   ChangeKind = "set-memory"
	NextStart   ChangeKind = "next-start"
)

// MemoryStepMiB is the granularity in which memory can be added to a running guest: Linux takes memory in blocks of 128 MiB.
const MemoryStepMiB = 128

// Diff gives the changes that lead from have to want, removals before additions, so that a device's place is free when its
// successor comes. It knows what every hypervisor can do; a driver may still answer a change with a sentence.
func Diff(have, want Config) []Change {
	var out []Change
	out = append(out, diffNICs(have.NICs, want.NICs)...)
	out = append(out, diffDisks(have.Disks, want.Disks)...)
	slices.SortStableFunc(out, func(a, b Change) int { return rank(a.Kind) - rank(b.Kind) })
	out = append(out, diffCPUs(have, want)...)
	out = append(out, diffMemory(have, want)...)
	return append(out, diffFixed(have, want)...)
}

func rank(k ChangeKind) int {
	switch k {
	case RemoveNIC, RemoveDisk:
		return 0
	case NextStart:
		return 2
	}
	return 1
}

func nextStart(format string, args ...any) Change {
	return Change{Kind: NextStart, Sentence: fmt.Sprintf(format, args...) + " takes effect at the next start"}
}

func diffDisks(have, want []Disk) []Change {
	var out []Change
	for i, old := range have {
		if slices.ContainsFunc(want, func(d Disk) bool { return d.ID == old.ID }) {
			continue
		}
		switch {
		case i == 0:
			out = append(out, nextStart("removing %s, which the guest runs from,", old.ID))
		case old.CDROM:
			out = append(out, nextStart("removing the CD-ROM drive %s", old.ID))
		default:
			out = append(out, Change{Kind: RemoveDisk, Disk: old})
		}
	}
	for _, d := range want {
		at := slices.IndexFunc(have, func(old Disk) bool { return d.ID == old.ID })
		switch {
		case at >= 0:
			out = append(out, diffDisk(have[at], d)...)
		case d.CDROM:
			out = append(out, nextStart("the CD-ROM drive %s", d.ID))
		default:
			out = append(out, Change{Kind: AddDisk, Disk: d})
		}
	}
	return out
}

func diffDisk(have, want Disk) []Change {
	var out []Change
	if have.File.Path != want.File.Path || have.CDROM != want.CDROM || have.File.ReadOnly != want.File.ReadOnly {
		out = append(out, nextStart("another file or kind of disk %s", want.ID))
	}
	if have.BootIndex != want.BootIndex {
		out = append(out, nextStart("the boot order of disk %s", want.ID))
	}
	if have.IOPS != want.IOPS || have.BytesPerS != want.BytesPerS {
		out = append(out, Change{Kind: LimitDisk, Disk: want})
	}
	if want.SizeBytes > have.SizeBytes && !want.CDROM {
		out = append(out, Change{Kind: GrowDisk, Disk: want})
	}
	return out
}

func diffNICs(have, want []NIC) []Change {
	var out []Change
	for _, old := range have {
		at := slices.IndexFunc(want, func(n NIC) bool { return n.ID == old.ID })
		if at < 0 || !sameCard(old, want[at]) {
			out = append(out, Change{Kind: RemoveNIC, NIC: old})
		}
	}
	for _, n := range want {
		at := slices.IndexFunc(have, func(old NIC) bool { return n.ID == old.ID })
		if at < 0 || !sameCard(have[at], n) {
			out = append(out, Change{Kind: AddNIC, NIC: n})
			continue
		}
		if n.User == nil {
			continue
		}
		drop, add := without(have[at].User.Forwards, n.User.Forwards), without(n.User.Forwards, have[at].User.Forwards)
		if len(drop)+len(add) > 0 {
			out = append(out, Change{Kind: SetForwards, NIC: n, Drop: drop, Add: add})
		}
	}
	return out
}

// sameCard reports whether the two differ at most in what changes without the guest's knowledge.
func sameCard(a, b NIC) bool {
	if a.MAC != b.MAC || a.Tap != b.Tap || a.MTU != b.MTU || (a.User == nil) != (b.User == nil) {
		return false
	}
	return a.User == nil || a.User.Subnet == b.User.Subnet && a.User.Gateway == b.User.Gateway &&
		a.User.DNS == b.User.DNS && a.User.Address == b.User.Address
}

func without(all, some []vm.Forward) []vm.Forward {
	var out []vm.Forward
	for _, f := range all {
		if !slices.Contains(some, f) {
			out = append(out, f)
		}
	}
	return out
}

func diffCPUs(have, want Config) []Change {
	switch {
	case want.CPUs == have.CPUs:
		return nil
	case want.CPUs > max(have.MaxCPUs, have.CPUs):
		return []Change{nextStart("%d vCPUs, more than the %d that this process was started with room for,", want.CPUs, max(have.MaxCPUs, have.CPUs))}
	}
	return []Change{{Kind: SetCPUs, From: have.CPUs, To: want.CPUs}}
}

func diffMemory(have, want Config) []Change {
	more := want.MemoryMiB - have.MemoryMiB
	switch {
	case more == 0:
		return nil
	case more < 0:
		return []Change{nextStart("less memory (%d instead of %d MiB), which cannot be taken from a running guest,", want.MemoryMiB, have.MemoryMiB)}
	case want.MemoryMiB > have.MaxMemoryMiB:
		return []Change{nextStart("%d MiB of memory, more than the %d MiB that this process was started with room for,", want.MemoryMiB, max(have.MaxMemoryMiB, have.MemoryMiB))}
	case more%MemoryStepMiB != 0:
		return []Change{nextStart("%d MiB more memory, which is not a multiple of %d MiB as a running guest needs it,", more, MemoryStepMiB)}
	}
	return []Change{{Kind: SetMemory, From: have.MemoryMiB, To: want.MemoryMiB}}
}

// diffFixed names what only a new process can change. An empty machine type, CPU model or accelerator means the driver's
// choice, so it is no difference.
func diffFixed(have, want Config) []Change {
	var out []Change
	for _, c := range []struct {
		differs bool
		what    string
	}{
		{have.Arch != want.Arch, "another processor architecture"},
		{want.MachineType != "" && have.MachineType != want.MachineType, "another machine type"},
		{want.CPUModel != "" && have.CPUModel != want.CPUModel, "another CPU model"},
		{want.Accel != "" && have.Accel != want.Accel, "another accelerator"},
		{have.Firmware != want.Firmware, "another firmware"},
		{have.Secure != want.Secure, "secure boot"},
		{have.Vars.Path != want.Vars.Path, "another file of UEFI variables"},
		{have.TPMDir != want.TPMDir, "the vTPM"},
		{have.Display != want.Display, "the display"},
		{have.Kernel.Path != want.Kernel.Path || have.Initrd.Path != want.Initrd.Path || have.Cmdline != want.Cmdline, "another kernel or command line"},
		{have.Seed.Path != want.Seed.Path, "another seed"},
		{have.UID != want.UID, "another user of the process"},
	} {
		if c.differs {
			out = append(out, nextStart("%s", c.what))
		}
	}
	return out
}

// Applied gives the machine as it is after the change was done to it.
func Applied(c Config, done Change) Config {
	switch done.Kind {
	case RemoveDisk:
		c.Disks = slices.DeleteFunc(slices.Clone(c.Disks), func(d Disk) bool { return d.ID == done.Disk.ID })
	case AddDisk:
		c.Disks = append(slices.Clone(c.Disks), done.Disk)
	case LimitDisk, GrowDisk:
		c.Disks = slices.Clone(c.Disks)
		for i := range c.Disks {
			switch d := &c.Disks[i]; {
			case d.ID != done.Disk.ID:
			case done.Kind == LimitDisk:
				d.IOPS, d.BytesPerS = done.Disk.IOPS, done.Disk.BytesPerS
			default:
				d.SizeBytes = done.Disk.SizeBytes
			}
		}
	case RemoveNIC:
		c.NICs = slices.DeleteFunc(slices.Clone(c.NICs), func(n NIC) bool { return n.ID == done.NIC.ID })
	case AddNIC:
		c.NICs = append(slices.Clone(c.NICs), done.NIC)
	case SetForwards:
		c.NICs = slices.Clone(c.NICs)
		for i := range c.NICs {
			if c.NICs[i].ID == done.NIC.ID {
				c.NICs[i].User = done.NIC.User
			}
		}
	case SetCPUs:
		c.CPUs = done.To
	case SetMemory:
		c.MemoryMiB = done.To
	}
	return c
}
