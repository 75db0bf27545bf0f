package reconcile

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
)

// Bounds of following one node.
const (
	maxTells    = 16                   // VMs of one node that are told what they missed at once
	maxBatch    = 500                  // reports that are stored together
	gather      = 5 * time.Millisecond // how long a report waits for others
	tellTimeout = 2 * time.Minute
	factsOld    = 30 * time.Second // facts that hardly changed are stored this often
)

// follower is one connection of one node: its facts, its reports, and what it has to be told.
type follower struct {
	l    *Loops
	node id.Node
	api  agent.API

	mu    sync.Mutex
	busy  map[id.VM]bool // being told
	slots chan struct{}
	tells sync.WaitGroup

	facts   agent.Facts // as last stored
	factsAt time.Time
}

// asker is an agent in this process: its lease is renewed here. A remote one asks over its connection.
type asker interface{ AskLease() (seq int64) }

func (f *follower) run(ctx context.Context) {
	var parts sync.WaitGroup
	if a, ok := f.api.(asker); ok {
		parts.Go(func() {
			f.l.repeat(ctx, node.RenewEvery, "renew the lease of "+string(f.node), func(ctx context.Context) error { return f.renew(ctx, a) })
		})
	}
	parts.Go(func() { f.l.repeat(ctx, f.l.o.Times.Facts, "facts of "+string(f.node), f.askFacts) })
	parts.Go(func() { f.l.repeat(ctx, f.l.o.Times.Retry, "reports of "+string(f.node), f.follow) })
	parts.Go(func() { f.l.repeat(ctx, f.l.o.Times.Sweep, "sweep "+string(f.node), f.sweep) })
	parts.Wait()
	f.tells.Wait()
}

func (f *follower) renew(ctx context.Context, a asker) error {
	seq := a.AskLease() // the agent counts from here
	d, err := f.l.Renew(ctx, f.node)
	if err != nil {
		return err
	}
	return f.api.Lease(ctx, agent.Lease{Node: f.node, Seq: seq, Duration: d})
}

// askFacts stores what the node measured. What moves all the time is stored now and then only: a write per node and question
// would be most of what the database does.
func (f *follower) askFacts(ctx context.Context) error {
	facts, err := f.api.Facts(ctx)
	if err != nil {
		return err
	}
	if f.l.o.Now().Sub(f.factsAt) < factsOld && alike(f.facts, facts) {
		return nil
	}
	if err := f.l.o.App.NodeFacts(ctx, f.node, facts); err != nil {
		return err
	}
	f.facts, f.factsAt = facts, f.l.o.Now()
	return nil
}

// alike says that two facts differ by nothing that matters within half a minute.
func alike(a, b agent.Facts) bool {
	near := func(x, y, whole float64) bool { return math.Abs(x-y) <= whole/20 }
	return a.Hostname == b.Hostname && a.Version == b.Version && a.CPUs == b.CPUs && a.MemoryMiB == b.MemoryMiB && a.Accel == b.Accel &&
		len(a.Images) == len(b.Images) && len(a.Missing) == len(b.Missing) && a.BootID == b.BootID && a.StartedAt.Equal(b.StartedAt) && a.DiskTotal == b.DiskTotal &&
		near(float64(a.FreeMiB), float64(b.FreeMiB), float64(a.MemoryMiB)) && near(float64(a.DiskFree), float64(b.DiskFree), float64(a.DiskTotal))
}

// follow reads reports until the stream ends: first one of every VM, then each change.
func (f *follower) follow(ctx context.Context) error {
	missing, err := f.l.o.App.Expected(ctx, f.node)
	if err != nil {
		return err
	}
	reports, err := f.api.Reports(ctx)
	if err != nil {
		return err
	}
	for s := range reports {
		batch := collect(ctx, s, reports)
		for {
			err := f.take(ctx, batch, missing)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// The database is gone: the newest reports wait here and in the node, none is lost.
			f.l.o.Log.Warn("reports cannot be stored yet", "node", f.node, "err", err)
			if !sleep(ctx, f.l.o.Times.Retry) {
				return ctx.Err()
			}
		}
	}
	return ctx.Err()
}

// take stores reports and does what follows from them. missing is what the node has not named yet; behind the mark it is what
// the node has lost.
func (f *follower) take(ctx context.Context, batch []vm.Seen, missing map[id.VM]bool) error {
	o, err := f.l.o.App.Observe(ctx, f.node, batch)
	if err != nil {
		return err
	}
	f.tellAll(ctx, o.Behind)
	f.strays(ctx, o.Stray)
	for _, s := range batch {
		delete(missing, s.VM)
	}
	if len(missing) == 0 || !slices.ContainsFunc(batch, func(s vm.Seen) bool { return s.VM == "" }) {
		return nil
	}
	f.l.o.Log.Error("a node came back without VMs that it had; their disks may be lost", "node", f.node, "vms", len(missing))
	err = f.l.o.App.Missing(ctx, f.node, slices.Collect(maps.Keys(missing)))
	if err == nil {
		clear(missing)
	}
	return err
}

// collect takes what comes within a moment, so that a burst costs few transactions.
func collect(ctx context.Context, first vm.Seen, reports <-chan vm.Seen) []vm.Seen {
	batch := []vm.Seen{first}
	t := time.NewTimer(gather)
	defer t.Stop()
	for len(batch) < maxBatch {
		select {
		case s, ok := <-reports:
			if !ok {
				return batch
			}
			batch = append(batch, s)
		case <-t.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// sweep tells the node what it missed while it was away, and goes on with deletes that were left halfway.
func (f *follower) sweep(ctx context.Context) error {
	behind, gone, err := f.l.o.App.Behind(ctx, f.node)
	if err != nil {
		return err
	}
	f.tellAll(ctx, behind)
	for _, v := range gone {
		if err := f.l.o.App.FinishDelete(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// tellAll tells the node what is wanted of these VMs, some at a time.
func (f *follower) tellAll(ctx context.Context, vms []id.VM) {
	for _, v := range vms {
		if !f.begin(v) {
			continue
		}
		f.tells.Go(func() {
			defer f.end(v)
			select {
			case f.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			defer func() { <-f.slots }()
			call, cancel := context.WithTimeout(ctx, tellTimeout)
			defer cancel()
			if err := f.l.o.App.Tell(call, v); err != nil && ctx.Err() == nil && !fault.Is(err, fault.Precondition) {
				f.l.o.Log.Warn("tell a node what is wanted", "node", f.node, "vm", v, "err", err)
			}
		})
	}
}

func (f *follower) begin(v id.VM) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[v] {
		return false
	}
	f.busy[v] = true
	return true
}

func (f *follower) end(v id.VM) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, v)
}
