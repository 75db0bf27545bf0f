package placement

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"novacron/backend/core/node"
	"novacron/backend/core/vm"
)

// MaxScore bounds a verdict's score: 1000 for room and imageBonus.
const MaxScore = 1000 + imageBonus

// imageBonus is for a node that holds every image of the VM already: worth as much as five per cent of room, so that it decides
// between nodes that are about as empty, and never fills one that is much fuller.
const imageBonus = 50

// How near a refused node came, for the one sentence that is shown when none fits. Above anyRoom the number is the share of
// what is needed that the node has, in thousandths.
const (
	notReady    = 0
	cordoned    = 1
	otherArch   = 2
	lacksDevice = 3
	anyRoom     = 10
)

// judge filters and scores one node. The first filter that refuses gives the reason: what cannot change comes before what can.
func judge(r Request, n Node) Verdict {
	v := Verdict{Node: n.ID, Name: n.Name}
	refuse := func(closeness int64, format string, args ...any) Verdict {
		v.closeness, v.Reason = closeness, "node "+n.Name+" "+fmt.Sprintf(format, args...)
		return v
	}
	switch {
	case !n.State.Answers():
		return refuse(notReady, "%s", stateReason(n.State))
	case n.Cordoned:
		return refuse(cordoned, "is cordoned and takes no new VMs")
	case r.Arch != n.Arch:
		return refuse(otherArch, "is %s, %s needs %s", n.Arch, r.VM, r.Arch)
	case r.Firmware == vm.UEFI && !n.UEFI:
		return refuse(lacksDevice, "has no UEFI firmware installed, %s needs it", r.VM)
	case r.Secure && !n.Secure:
		return refuse(lacksDevice, "has no secure boot firmware installed, %s needs it", r.VM)
	case r.TPM && !n.TPM:
		return refuse(lacksDevice, "cannot emulate a TPM, %s needs one", r.VM)
	}
	total, used, need := n.Total.promised(n).floor(), n.Used.floor(), r.Need.floor()
	for _, d := range []struct {
		total, used, need int64
		short             func() string
	}{
		{total.MemoryMiB, used.MemoryMiB, need.MemoryMiB, func() string {
			return fmt.Sprintf("has %s free, %s needs %s", gib(free(total.MemoryMiB, used.MemoryMiB), math.Floor), r.VM, gib(need.MemoryMiB, math.Ceil))
		}},
		{total.DiskGiB, used.DiskGiB, need.DiskGiB, func() string {
			return fmt.Sprintf("has %d GiB of disk free, %s needs %d GiB", free(total.DiskGiB, used.DiskGiB), r.VM, need.DiskGiB)
		}},
		{total.CPUs, used.CPUs, need.CPUs, func() string {
			return fmt.Sprintf("has %d of %d vCPUs free, %s needs %d", free(total.CPUs, used.CPUs), total.CPUs, r.VM, need.CPUs)
		}},
	} {
		if have := free(d.total, d.used); have < d.need {
			return refuse(anyRoom+perMille(have, d.need), "%s", d.short())
		}
	}
	v.Fits = true
	v.Score = score(total, used, need, holds(n.Images, r.Images))
	v.Reason = fmt.Sprintf("%s memory, %d vCPUs and %d GiB of disk would stay free", gib(free(total.MemoryMiB, used.MemoryMiB)-need.MemoryMiB, math.Floor),
		free(total.CPUs, used.CPUs)-need.CPUs, free(total.DiskGiB, used.DiskGiB)-need.DiskGiB)
	return v
}

func stateReason(s node.State) string {
	switch s {
	case node.Joining:
		return "is joining and has not answered yet"
	case node.Lost:
		return "is lost and does not answer"
	case node.Dead:
		return "was confirmed dead"
	case node.Removed:
		return "was removed"
	}
	return "is not ready"
}

// score is high where much stays free, so that load spreads. Twice the scarcest resource and once each of the three, in
// thousandths of the node: a node that is nearly out of one thing is no good place, however much it has of the rest. More
// total never lowers it and more used never raises it; every number is clamped before it is multiplied.
func score(total, used, need Amount, hasImages bool) int {
	share := func(total, used, need int64) int64 {
		if total == 0 && used == 0 {
			return 1000 // none of it is needed either, else the node was refused
		}
		return perMille(free(total, used)-need, total)
	}
	m := share(total.MemoryMiB, used.MemoryMiB, need.MemoryMiB)
	c := share(total.CPUs, used.CPUs, need.CPUs)
	d := share(total.DiskGiB, used.DiskGiB, need.DiskGiB)
	s := int(2*min(m, c, d)+m+c+d) / 5
	if hasImages {
		s += imageBonus
	}
	return s
}

// promised gives what a node may promise: its total times its ratios.
func (a Amount) promised(n Node) Amount {
	cpus, disk := n.CPURatio, n.DiskRatio
	if cpus <= 0 {
		cpus = DefaultCPURatio
	}
	if disk <= 0 {
		disk = 1
	}
	a = a.floor()
	return Amount{CPUs: times(a.CPUs, cpus), MemoryMiB: a.MemoryMiB, DiskGiB: times(a.DiskGiB, disk)}
}

func (a Amount) floor() Amount {
	return Amount{CPUs: max(a.CPUs, 0), MemoryMiB: max(a.MemoryMiB, 0), DiskGiB: max(a.DiskGiB, 0)}
}

// free is total less used, never below zero: a node can be overfull after its operator took memory out.
func free(total, used int64) int64 { return max(total-used, 0) }

// times multiplies two numbers that are not negative; what does not fit is the greatest number.
func times(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}

// perMille gives part/whole in thousandths, 0..1000, for 0 <= part; no product overflows.
func perMille(part, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	if part >= whole {
		return 1000
	}
	hi, lo := bits.Mul64(uint64(max(part, 0)), 1000)
	q, _ := bits.Div64(hi, lo, uint64(whole)) // part < whole, so hi < whole and the quotient fits
	return int64(q)
}

func holds(have, want []string) bool {
	for _, w := range want {
		if _, ok := slices.BinarySearch(have, w); !ok {
			return false
		}
	}
	return len(want) > 0
}

// gib writes MiB as a person reads it: "3.5 GiB", "256 MiB". round is down for what is there and up for what is needed, so
// that a refusal never names two equal numbers.
func gib(mib int64, round func(float64) float64) string {
	if mib < 1024 {
		return strconv.FormatInt(mib, 10) + " MiB"
	}
	return strings.TrimSuffix(strconv.FormatFloat(round(float64(mib)/1024*10)/10, 'f', 1, 64), ".0") + " GiB"
}
