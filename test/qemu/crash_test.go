package qemu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// The platform is killed again and again while its users go on. Each user keeps a book of what was acknowledged; in the end the machine equals
// the API, and the API has every acknowledged VM and snapshot, and none whose delete was acknowledged.
func TestKill_atRandomMomentsLosesNothingAndLeavesNothing(t *testing.T) {
	needRoot(t)
	// A short run throws the same dice each time, so that its outcome depends on the code alone as far as that goes; a long one new dice.
	kills, seed := 10, uint64(stepSeed)
	if longRun {
		kills, seed = 50, rand.Uint64()
	}
	w := up(t)
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))

	ctx, stop := context.WithCancel(t.Context())
	books := make([]*book, 4)
	var users sync.WaitGroup
	for i := range books {
		b := &book{w: w, name: fmt.Sprintf("user-%d", i), dice: rand.New(rand.NewPCG(seed, uint64(i+1)))}
		books[i] = b
		users.Go(func() { b.live(ctx) })
	}
	for range kills {
		// A kill between two writes of the platform is wanted, at whatever moment of it.
		pause := time.Duration(dice.IntN(3000)) * time.Millisecond
		if dice.IntN(5) == 0 {
			pause += leased // so that it also hits operations that another life began
		}
		<-time.After(pause)
		if guests := w.guests(); len(guests) > 0 && dice.IntN(3) == 0 {
			syscall.Kill(guests[dice.IntN(len(guests))].pid, syscall.SIGKILL)
		}
		w.restart(syscall.SIGKILL)
	}
	stop()
	users.Wait()
	w.equalsAPI()
	for _, b := range books {
		b.audit()
	}
	t.Logf("after %d kills: %s", kills, books)
	for _, v := range w.all() {
		guest{w, v.Name, "root"}.delete()
	}
	w.equalsAPI()
}

// leased is how long a dead platform's operations wait before they go on.
const leased = 15 * time.Second

// book is a user with one VM at a time and what the platform acknowledged to them.
type book struct {
	w    *world
	name string
	dice *rand.Rand

	machine   id.VM                   // acknowledged; empty: none, or its delete was asked for
	doubt     bool                    // the delete of machine was asked for and not answered: it may be under way
	snapshots map[string]id.Operation // acknowledged
	deleted   map[id.VM]id.Operation
	done      int
}

func (b *book) String() string { return fmt.Sprintf("%s did %d things", b.name, b.done) }

// live asks for one thing after the other until ctx ends. A refusal, or no answer, is nothing that the book has to remember.
func (b *book) live(ctx context.Context) {
	b.deleted, b.snapshots = map[id.VM]id.Operation{}, map[string]id.Operation{}
	for n := 0; ctx.Err() == nil; n++ {
		if b.act(ctx, n) {
			b.done++
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(b.dice.IntN(50)) * time.Millisecond):
		}
	}
}

// act does one thing and waits for it at most a second, so that the next often meets it under way.
func (b *book) act(ctx context.Context, n int) bool {
	if b.machine == "" {
		r := b.w.small(fmt.Sprintf("%s-%d", b.name, n))
		start := b.dice.IntN(2) == 0
		r.Start, r.MemoryMiB = &start, 96
		a, err := b.w.CreateVM(ctx, r, 0)
		if err == nil {
			b.machine, b.doubt, b.snapshots = a.ID, false, map[string]id.Operation{}
		}
		return err == nil
	}
	ref, second := string(b.machine), time.Second
	var err error
	switch b.dice.IntN(6) {
	case 0, 1:
		_, err = b.w.StartVM(ctx, ref, second)
	case 2:
		_, err = b.w.StopVM(ctx, ref, wire.StopVM{Force: true}, second)
	case 3, 4:
		name := fmt.Sprintf("s%d", n)
		var a wire.SnapshotAnswer
		if a, err = b.w.CreateSnapshot(ctx, ref, wire.CreateSnapshot{Name: name}, 0); err == nil {
			b.snapshots[name] = a.Operation.ID
		}
	case 5:
		var a wire.OperationAnswer
		if a, err = b.w.DeleteVM(ctx, ref, 0); err == nil && a.Operation != nil {
			b.deleted[b.machine], b.machine = a.Operation.ID, ""
		}
		b.doubt = b.doubt || err != nil
	}
	if b.doubt && fault.Is(err, fault.NotFound) {
		b.machine = ""
	}
	return err == nil
}

// audit holds the API against the book. Operations that failed have taken back what they did and say why; what they were to make is then
// not there.
func (b *book) audit() {
	t := b.w.t
	t.Helper()
	if b.machine != "" {
		v, err := b.w.VM(b.w.ctx(), string(b.machine))
		switch {
		case fault.Is(err, fault.NotFound) && b.doubt:
		case fault.Is(err, fault.NotFound):
			b.failed("vm/"+string(b.machine), "vm.create")
		case err != nil:
			t.Error(err)
		default:
			b.auditSnapshots(v)
		}
	}
	for v, o := range b.deleted {
		ended, err := b.w.Operation(b.w.ctx(), o)
		if err != nil {
			t.Errorf("%s: the acknowledged delete of %s: %v", b.name, v, err)
			continue
		}
		_, err = b.w.VM(b.w.ctx(), string(v))
		if ended.Succeeded() && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %s was deleted and is there: %v", b.name, v, err)
		}
		if !ended.Succeeded() && err != nil {
			t.Errorf("%s: the delete of %s is %s, but the VM: %v", b.name, v, ended.Status, err)
		}
	}
}

func (b *book) auditSnapshots(v wire.VM) {
	t := b.w.t
	t.Helper()
	list, err := b.w.Snapshots(b.w.ctx(), string(v.ID))
	if err != nil {
		t.Error(err)
		return
	}
	there := map[string]string{}
	for _, s := range list.Items {
		there[s.Name] = s.State
	}
	for name, o := range b.snapshots {
		ended, err := b.w.Operation(b.w.ctx(), o)
		if err != nil {
			t.Errorf("%s: the acknowledged snapshot %s of %s: %v", b.name, name, v.Name, err)
			continue
		}
		if ended.Succeeded() != (there[name] == "ready") {
			t.Errorf("%s: the operation of snapshot %s of %s is %s (%+v), the snapshot is %q", b.name, name, v.Name, ended.Status, ended.Error, there[name])
		}
	}
}

// failed holds that what was acknowledged and is not there has an operation that says why.
func (b *book) failed(subject, kind string) {
	b.w.t.Helper()
	ops, err := b.w.Operations(b.w.ctx(), client.ListOptions{Filter: map[string]string{"subject": subject, "kind": kind}})
	if err != nil {
		b.w.t.Error(err)
		return
	}
	for _, o := range ops.Items {
		if !o.Succeeded() && o.Error != nil {
			b.w.t.Logf("%s: %s of %s is %s: %s", b.name, kind, subject, o.Status, o.Error.Message)
			return
		}
	}
	all, err := b.w.Operations(b.w.ctx(), client.ListOptions{Filter: map[string]string{"subject": subject}})
	b.w.t.Errorf("%s: %s was acknowledged and is lost; its operations: %+v %v", b.name, subject, all.Items, err)
}
