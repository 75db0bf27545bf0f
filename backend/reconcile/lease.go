package reconcile

import (
	"context"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/store"
)

// leases records renewals, many with one statement, and turns their absence into the stored state of nodes.
type leases struct {
	l       *Loops
	waiting chan renewal
	watches map[id.Node]node.Watch // of watch's goroutine alone
}

// renewal is one node's wish and who waits for the answer.
type renewal struct {
	node id.Node
	done chan error // of capacity one
}

// maxWaiting bounds the renewals that wait to be recorded: each node has a few of them at most.
const maxWaiting = 1 << 14

func newLeases(l *Loops) *leases {
	return &leases{l: l, waiting: make(chan renewal, maxWaiting), watches: map[id.Node]node.Watch{}}
}

func (s *leases) renew(ctx context.Context, n id.Node) (time.Duration, error) {
	r := renewal{n, make(chan error, 1)}
	select {
	case s.waiting <- r:
	default:
		return 0, fault.New(fault.Unavailable, "leases_busy", "too many leases wait to be renewed; ask again").After(time.Second)
	}
	select {
	case err := <-r.done:
		return node.LeaseDuration, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-s.l.ctx.Done():
		return 0, fault.New(fault.Unavailable, "stopping", "this server is stopping; ask another one")
	}
}

// record writes what waits, at most once per Times.Batch.
func (s *leases) record() {
	for {
		var batch []renewal
		select {
		case r := <-s.waiting:
			batch = append(batch, r)
		case <-s.l.ctx.Done():
			return
		}
		for len(s.waiting) > 0 {
			batch = append(batch, <-s.waiting)
		}
		s.write(batch)
		if !sleep(s.l.ctx, s.l.o.Times.Batch) {
			return
		}
	}
}

// write records a batch before any of it is granted.
func (s *leases) write(batch []renewal) {
	ctx, cancel := context.WithTimeout(s.l.ctx, node.LeaseDuration/2)
	defer cancel()
	var list []id.Node
	for _, r := range batch {
		list = append(list, r.node)
	}
	slices.Sort(list) // two servers lock the rows in one order
	list = slices.Compact(list)
	var granted []store.Renewed
	err := s.l.o.Store.Tx(ctx, func(t *store.Tx) (err error) {
		granted, err = t.RenewLeases(ctx, list, s.l.o.Now(), node.LeaseDuration)
		return err
	})
	held := make(map[id.Node]bool, len(granted))
	for _, n := range granted {
		held[n.Node] = true
		if err == nil && n.State != node.Alive { // before it is told
			err = s.l.o.App.NodeEvent(ctx, n.Node, node.Renewed, "its lease is held")
		}
	}
	for _, r := range batch {
		switch {
		case err != nil:
			r.done <- err
		case !held[r.node]:
			r.done <- fault.New(fault.Forbidden, "node_removed", "this node was removed; join the machine again with a new token")
		default:
			r.done <- nil
		}
	}
}

// watch looks which leases have ended. The time is counted here, from when a renewal was first seen: neither the clock of
// another server nor a restart of this one can make it early.
func (s *leases) watch(ctx context.Context) error {
	before := s.l.o.Instant()
	nodes, err := s.l.o.Store.Nodes(ctx)
	if err != nil {
		return err
	}
	// A read may take long. A renewal counts from after it, at the latest when it was recorded; and nothing is said of a moment
	// later than before it, since renewals may have come that it does not show.
	after := s.l.o.Instant()
	for _, n := range nodes {
		w := s.watches[n.ID].Observe(after, n.LeaseSeq)
		s.watches[n.ID] = w
		if n.State != node.Alive || !w.Ended(before) {
			continue
		}
		lost, err := s.l.o.App.NodeExpired(ctx, n.ID, n.LeaseSeq, "it has not renewed its lease; its guests may run on")
		if err != nil {
			return err
		}
		if lost {
			s.l.o.Log.Warn("a node is lost", "node", n.ID)
		}
	}
	return nil
}
