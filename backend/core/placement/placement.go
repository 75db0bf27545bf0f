// Package placement chooses the node for a VM. Choose is a pure function: it refuses nodes with one sentence each, scores the
// others, and takes the best; the same input always gives the same node, in whatever order the nodes come. The one idea is
// that a decision explains itself: it holds a verdict for every node. It deliberately reserves nothing; the caller counts what
// is placed in the same transaction as it records the choice.
package placement

import (
	"cmp"
	"slices"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
)

// DefaultCPURatio is how many vCPUs are promised per CPU of a node when nothing else is set: guests wait for each other when all
// are busy, which is slow and never wrong. Memory is never promised twice.
const DefaultCPURatio = 32

// Amount is what guests take of a node, or what it has to give. Negative numbers count as zero.
type Amount struct {
	CPUs      int64 // vCPUs, or CPUs of the node
	MemoryMiB int64
	DiskGiB   int64 // as provisioned, not as written so far
}

// Request is the VM that wants a place.
type Request struct {
	VM       string // its name, for sentences
	Need     Amount
	Arch     vm.Arch
	Firmware vm.Firmware
	Secure   bool     // UEFI with enrolled keys
	TPM      bool     // a vTPM
	Images   []string // digests that its disks start from; a node that holds them already is preferred
	Pin      string   // id or name of the only node that will do; empty: any
}

// Node is a candidate.
type Node struct {
	ID        id.Node
	Name      string
	State     node.State
	Cordoned  bool // takes no new VMs
	Arch      vm.Arch
	Total     Amount // what guests may have; the machine's own needs are taken off already
	Used      Amount // the sum of what is placed on it, running or not
	CPURatio  int64  // vCPUs per CPU; 0: DefaultCPURatio
	DiskRatio int64  // GiB promised per GiB, for disks that grow as they are written; 0: one
	UEFI      bool
	Secure    bool
	TPM       bool
	Images    []string // digests in its cache, sorted
}

// Decision says where the VM goes and why.
type Decision struct {
	Node     id.Node
	Name     string
	Verdicts []Verdict // every node: first those that fit, best first, then the refused by name
}

// Verdict is what was found of one node.
type Verdict struct {
	Node   id.Node
	Name   string
	Fits   bool
	Score  int    // 0..MaxScore, when it fits
	Reason string // why it was taken, passed over or refused; one sentence without a full stop

	closeness int64 // of a refusal: how near the node was, for the sentence when none fits
}

// Choose takes the node for the request. The decision's verdicts are filled in when it fails, too: fault.NotFound when the
// pin names no node, fault.Unavailable when no node could take any VM now, fault.Exhausted when none fits this one; the sentence is
// the reason of the node that came nearest.
func Choose(r Request, nodes []Node) (Decision, error) {
	d := Decision{Verdicts: make([]Verdict, 0, len(nodes))}
	for _, n := range nodes {
		if r.Pin == "" || r.Pin == string(n.ID) || r.Pin == n.Name {
			d.Verdicts = append(d.Verdicts, judge(r, n))
		}
	}
	slices.SortFunc(d.Verdicts, before)
	if len(d.Verdicts) == 0 || !d.Verdicts[0].Fits {
		return d, refusal(r, d.Verdicts)
	}
	best := &d.Verdicts[0]
	d.Node, d.Name = best.Node, best.Name
	best.Reason = "taken: " + best.Reason
	for i := 1; i < len(d.Verdicts) && d.Verdicts[i].Fits; i++ {
		d.Verdicts[i].Reason = "passed over: " + d.Verdicts[i].Reason
	}
	return d, nil
}

// before orders verdicts: fitting ones by falling score, ties by name and id, so that the input's order never matters.
func before(a, b Verdict) int {
	if a.Fits != b.Fits {
		if a.Fits {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node))
}

func refusal(r Request, refused []Verdict) error {
	if len(refused) == 0 {
		if r.Pin != "" {
			return fault.New(fault.NotFound, "node_not_found", "there is no node %q; pick another, or leave the node out", r.Pin).On("node")
		}
		return fault.New(fault.Unavailable, "no_nodes", "no node has joined yet; start an agent, or make a join command with novacron node token")
	}
	near := slices.MaxFunc(refused, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.closeness, b.closeness), cmp.Compare(b.Name, a.Name), cmp.Compare(b.Node, a.Node))
	})
	switch {
	case r.Pin != "":
		return fault.New(kindOf(near), "node_unfit", "%s; pick another node, or leave the node out", near.Reason).On("node")
	case len(refused) == 1:
		return fault.New(kindOf(near), "no_room", "%s; %s", near.Reason, wayOut(near))
	}
	return fault.New(kindOf(near), "no_room", "none of %d nodes can take %s: %s; %s", len(refused), r.VM, near.Reason, wayOut(near))
}

func kindOf(v Verdict) fault.Kind {
	if v.closeness <= notReady {
		return fault.Unavailable
	}
	return fault.Exhausted
}

func wayOut(v Verdict) string {
	switch {
	case v.closeness <= notReady:
		return "wait until a node answers, or add one"
	case v.closeness < anyRoom:
		return "add a node that can, or change the VM"
	}
	return "stop and delete a VM, ask for less, or add a node"
}
