package placement_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/placement"
	"novacron/backend/core/vm"
)

// thor is a node with 64 GiB, 8 CPUs and 500 GiB of disk.
func thor(n int) placement.Node {
	return placement.Node{ID: id.Node(fmt.Sprintf("node-%020d", n)), Name: fmt.Sprintf("thor-%d", n), State: node.Alive, Arch: vm.X86_64,
		Total: placement.Amount{CPUs: 8, MemoryMiB: 64 << 10, DiskGiB: 500}, CPURatio: 4, UEFI: true, Secure: true, TPM: true}
}

// web is a VM with 8 GiB, 2 vCPUs and 20 GiB of disk.
func web() placement.Request {
	return placement.Request{VM: "web-1", Need: placement.Amount{CPUs: 2, MemoryMiB: 8 << 10, DiskGiB: 20}, Arch: vm.X86_64, Firmware: vm.BIOS}
}

func TestChoose_refusesWithTheReason(t *testing.T) {
	for _, c := range []struct {
		change func(*placement.Node, *placement.Request)
		kind   fault.Kind
		want   string
	}{
		{func(n *placement.Node, _ *placement.Request) { n.State = node.Joining }, fault.Unavailable, "node thor-2 is joining and has not answered yet"},
		{func(n *placement.Node, _ *placement.Request) { n.State = node.Lost }, fault.Unavailable, "node thor-2 is lost and does not answer"},
		{func(n *placement.Node, _ *placement.Request) { n.State = node.Dead }, fault.Unavailable, "node thor-2 was confirmed dead"},
		{func(n *placement.Node, _ *placement.Request) { n.State = node.Removed }, fault.Unavailable, "node thor-2 was removed"},
		{func(n *placement.Node, _ *placement.Request) { n.State = "" }, fault.Unavailable, "node thor-2 is not ready"},
		{func(n *placement.Node, _ *placement.Request) { n.Cordoned = true }, fault.Exhausted, "node thor-2 is cordoned and takes no new VMs"},
		{func(n *placement.Node, _ *placement.Request) { n.Arch = vm.AArch64 }, fault.Exhausted, "node thor-2 is aarch64, web-1 needs x86_64"},
		{func(n *placement.Node, r *placement.Request) { n.UEFI, r.Firmware = false, vm.UEFI }, fault.Exhausted, "node thor-2 has no UEFI firmware installed, web-1 needs it"},
		{func(n *placement.Node, r *placement.Request) { n.Secure, r.Secure = false, true }, fault.Exhausted, "node thor-2 has no secure boot firmware installed, web-1 needs it"},
		{func(n *placement.Node, r *placement.Request) { n.TPM, r.TPM = false, true }, fault.Exhausted, "node thor-2 cannot emulate a TPM, web-1 needs one"},
		{func(n *placement.Node, _ *placement.Request) { n.Used.MemoryMiB = 60<<10 + 512 }, fault.Exhausted, "node thor-2 has 3.5 GiB free, web-1 needs 8 GiB"},
		{func(n *placement.Node, _ *placement.Request) { n.Used.MemoryMiB = 56<<10 + 1 }, fault.Exhausted, "node thor-2 has 7.9 GiB free, web-1 needs 8 GiB"},
		{func(n *placement.Node, r *placement.Request) { n.Used.MemoryMiB = 56 << 10; r.Need.MemoryMiB++ }, fault.Exhausted, "node thor-2 has 8 GiB free, web-1 needs 8.1 GiB"},
		{func(n *placement.Node, _ *placement.Request) { n.Used.MemoryMiB = 64<<10 - 256 }, fault.Exhausted, "node thor-2 has 256 MiB free, web-1 needs 8 GiB"},
		{func(n *placement.Node, _ *placement.Request) { n.Used.MemoryMiB = 70 << 10 }, fault.Exhausted, "node thor-2 has 0 MiB free, web-1 needs 8 GiB"},
		{func(n *placement.Node, _ *placement.Request) { n.Used.DiskGiB = 481 }, fault.Exhausted, "node thor-2 has 19 GiB of disk free, web-1 needs 20 GiB"},
		{func(n *placement.Node, _ *placement.Request) { n.Used.CPUs = 31 }, fault.Exhausted, "node thor-2 has 1 of 32 vCPUs free, web-1 needs 2"},
	} {
		n, r := thor(2), web()
		c.change(&n, &r)
		d, err := placement.Choose(r, []placement.Node{n})
		if !fault.Is(err, c.kind) || !strings.HasPrefix(fault.Sentence(err), c.want+"; ") {
			t.Errorf("got %v of kind %s, want %q with a way out, of kind %s", err, fault.KindOf(err), c.want, c.kind)
		}
		if len(d.Verdicts) != 1 || d.Verdicts[0].Reason != c.want || d.Verdicts[0].Fits || d.Node != "" {
			t.Errorf("decided %+v, want refused with %q", d, c.want)
		}
	}
}

func TestChoose_namesTheNodeThatCameNearest(t *testing.T) {
	dead, arm, small, near := thor(1), thor(2), thor(3), thor(4)
	dead.State, arm.Arch, small.Total.MemoryMiB, near.Total.MemoryMiB = node.Dead, vm.AArch64, 1<<10, 7<<10
	_, err := placement.Choose(web(), []placement.Node{dead, small, near, arm})
	want := "none of 4 nodes can take web-1: node thor-4 has 7 GiB free, web-1 needs 8 GiB; stop and delete a VM, ask for less, or add a node"
	if !fault.Is(err, fault.Exhausted) || fault.Sentence(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestChoose_takesTheEmptierNode(t *testing.T) {
	full, empty := thor(1), thor(2)
	full.Used = placement.Amount{CPUs: 20, MemoryMiB: 40 << 10, DiskGiB: 100}
	d, err := placement.Choose(web(), []placement.Node{full, empty})
	if err != nil || d.Name != "thor-2" || d.Node != empty.ID {
		t.Fatalf("chose %+v, %v", d, err)
	}
	if got, want := d.Verdicts[0].Reason, "taken: 56 GiB memory, 30 vCPUs and 480 GiB of disk would stay free"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.HasPrefix(d.Verdicts[1].Reason, "passed over: ") {
		t.Errorf("the other's reason is %q", d.Verdicts[1].Reason)
	}
}

func TestChoose_doesNotFillTheScarceResourceForThePlentifulOne(t *testing.T) {
	wide, deep := thor(1), thor(2) // one has memory and no vCPUs to spare, the other some of both
	wide.Used = placement.Amount{CPUs: 29}
	deep.Used = placement.Amount{CPUs: 12, MemoryMiB: 24 << 10}
	if d, err := placement.Choose(web(), []placement.Node{wide, deep}); err != nil || d.Name != "thor-2" {
		t.Errorf("chose %+v, %v", d, err)
	}
}

func TestChoose_prefersTheNodeThatHoldsTheImageAmongEquals(t *testing.T) {
	a, b := thor(1), thor(2)
	b.Images = []string{"sha256:aa", "sha256:bb"}
	r := web()
	r.Images = []string{"sha256:bb"}
	if d, err := placement.Choose(r, []placement.Node{a, b}); err != nil || d.Name != "thor-2" {
		t.Errorf("chose %+v, %v", d, err)
	}
	b.Used.MemoryMiB = 32 << 10
	if d, err := placement.Choose(r, []placement.Node{a, b}); err != nil || d.Name != "thor-1" {
		t.Errorf("with the image's node half full chose %+v, %v", d, err)
	}
}

func TestChoose_obeysThePin(t *testing.T) {
	nodes := []placement.Node{thor(1), thor(2)}
	nodes[1].Used.MemoryMiB = 40 << 10
	for _, pin := range []string{nodes[1].Name, string(nodes[1].ID)} {
		r := web()
		r.Pin = pin
		if d, err := placement.Choose(r, nodes); err != nil || d.Node != nodes[1].ID || len(d.Verdicts) != 1 {
			t.Errorf("pin %q chose %+v, %v", pin, d, err)
		}
	}
	r := web()
	r.Pin = "thor-9"
	if _, err := placement.Choose(r, nodes); !fault.Is(err, fault.NotFound) {
		t.Errorf("a pin to no node: %v, want not found", err)
	}
	r.Pin = "thor-2"
	nodes[1].Cordoned = true
	if _, err := placement.Choose(r, nodes); !fault.Is(err, fault.Exhausted) || !strings.Contains(fault.Sentence(err), "pick another node") {
		t.Errorf("a pin to a cordoned node: %v", err)
	}
}

func TestChoose_withoutNodesSaysHowToAddOne(t *testing.T) {
	if _, err := placement.Choose(web(), nil); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Sentence(err), "novacron node token") {
		t.Errorf("got %v", err)
	}
}

func drawAmount(t *rapid.T, name string) placement.Amount {
	n := rapid.OneOf(rapid.Int64Range(0, 1<<20), rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 62}))
	return placement.Amount{CPUs: n.Draw(t, name+" cpus"), MemoryMiB: n.Draw(t, name+" memory"), DiskGiB: n.Draw(t, name+" disk")}
}

func drawNode(t *rapid.T, i int) placement.Node {
	n := thor(i)
	n.Total, n.Used = drawAmount(t, "total"), drawAmount(t, "used")
	n.CPURatio, n.DiskRatio = rapid.Int64Range(-1, 100).Draw(t, "cpu ratio"), rapid.Int64().Draw(t, "disk ratio")
	if rapid.Bool().Draw(t, "image") {
		n.Images = []string{"sha256:aa"}
	}
	return n
}

func drawRequest(t *rapid.T) placement.Request {
	r := web()
	r.Need, r.Images = drawAmount(t, "need"), []string{"sha256:aa"}
	return r
}

func verdict(t *rapid.T, r placement.Request, n placement.Node) placement.Verdict {
	d, err := placement.Choose(r, []placement.Node{n})
	if (err == nil) != d.Verdicts[0].Fits {
		t.Fatalf("verdict %+v and error %v disagree", d.Verdicts[0], err)
	}
	return d.Verdicts[0]
}

func TestScore_isBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := verdict(t, drawRequest(t), drawNode(t, 1))
		if v.Score < 0 || v.Score > placement.MaxScore {
			t.Fatalf("score %d of %+v", v.Score, v)
		}
	})
}

// More load never makes a node look better, and never makes one fit that did not; more room never makes one look worse. One
// resource at a time, so that no unit can stand for another.
func TestScore_isMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, n := drawRequest(t), drawNode(t, 1)
		before := verdict(t, r, n)
		grown := n
		more := rapid.Int64Range(1, math.MaxInt64).Draw(t, "more")
		add := func(v *int64) { *v = max(*v, *v+more) } // no wrap
		field := rapid.IntRange(0, 5).Draw(t, "field")
		add([]*int64{&grown.Used.CPUs, &grown.Used.MemoryMiB, &grown.Used.DiskGiB, &grown.Total.CPUs, &grown.Total.MemoryMiB, &grown.Total.DiskGiB}[field])
		after := verdict(t, r, grown)
		worse, better := after, before
		if field > 2 {
			worse, better = before, after
		}
		if worse.Fits && (!better.Fits || worse.Score > better.Score) {
			t.Fatalf("field %d and %d more: %+v became %+v", field, more, before, after)
		}
	})
}

func TestChoose_doesNotDependOnTheOrderOfNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		var nodes []placement.Node
		for i := range rapid.IntRange(0, 12).Draw(t, "count") {
			nodes = append(nodes, drawNode(t, i))
		}
		a, errA := placement.Choose(r, nodes)
		shuffled := rapid.Permutation(nodes).Draw(t, "shuffled")
		b, errB := placement.Choose(r, shuffled)
		if a.Node != b.Node || !slices.Equal(a.Verdicts, b.Verdicts) || fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Fatalf("%+v (%v) and %+v (%v)", a, errA, b, errB)
		}
	})
}

func TestChoose_neverPutsMoreOnANodeThanItHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := []placement.Node{thor(1), thor(2), thor(3)}
		for range rapid.IntRange(1, 60).Draw(t, "VMs") {
			r := web()
			r.Need = placement.Amount{CPUs: rapid.Int64Range(1, 16).Draw(t, "cpus"), MemoryMiB: rapid.Int64Range(16, 32<<10).Draw(t, "memory"), DiskGiB: rapid.Int64Range(0, 200).Draw(t, "disk")}
			d, err := placement.Choose(r, nodes)
			if err != nil {
				continue
			}
			for i := range nodes {
				if n := &nodes[i]; n.ID == d.Node {
					n.Used.CPUs += r.Need.CPUs
					n.Used.MemoryMiB += r.Need.MemoryMiB
					n.Used.DiskGiB += r.Need.DiskGiB
					if n.Used.CPUs > n.Total.CPUs*n.CPURatio || n.Used.MemoryMiB > n.Total.MemoryMiB || n.Used.DiskGiB > n.Total.DiskGiB {
						t.Fatalf("%s is overfull: %+v", n.Name, n.Used)
					}
				}
			}
		}
	})
}

func BenchmarkChoose_1000Nodes(b *testing.B) {
	nodes := make([]placement.Node, 1000)
	for i := range nodes {
		nodes[i] = thor(i)
		nodes[i].Used = placement.Amount{CPUs: int64(i % 33), MemoryMiB: int64(i%70) << 10, DiskGiB: int64(i % 510)}
	}
	r := web()
	for b.Loop() {
		if _, err := placement.Choose(r, nodes); err != nil {
			b.Fatal(err)
		}
	}
}
