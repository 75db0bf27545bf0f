package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/store"
)

// holders keeps the rows true by which other servers find the nodes that are connected here. The order of claims is the database's:
// each counts the node's epoch up, and the newest counts. A server that died leaves its rows behind; they are refused by whoever
// answers in its place, and replaced when the node comes to another server.
type holders struct {
	l    *Loops
	wake chan struct{} // of capacity one

	mu     sync.Mutex
	epochs map[id.Node]int64 // of the nodes connected here; 0: still to be claimed
	gone   []store.Held      // to be released
}

// serverKept is how long a server that does not say that it lives is remembered. Nothing but the length of the list depends on it,
// so clocks need not agree well.
const serverKept = 2 * time.Minute

func newHolders(l *Loops) *holders {
	return &holders{l: l, wake: make(chan struct{}, 1), epochs: map[id.Node]int64{}}
}

func (h *holders) up(n id.Node) {
	h.mu.Lock()
	h.drop(n)
	h.epochs[n] = 0
	h.mu.Unlock()
	h.hint()
}

func (h *holders) down(n id.Node) {
	h.mu.Lock()
	h.drop(n)
	h.mu.Unlock()
	h.hint()
}

// drop notes that a claim is to be released. The caller holds mu.
func (h *holders) drop(n id.Node) {
	if e := h.epochs[n]; e != 0 {
		h.gone = append(h.gone, store.Held{Node: n, Server: h.l.o.Server.ID, Epoch: e})
	}
	delete(h.epochs, n)
}

func (h *holders) hint() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// epoch of this server's claim of the node; 0: there is none.
func (h *holders) epoch(n id.Node) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.epochs[n]
}

// keep says now and then that this server lives, and claims and releases as nodes come and go. It ends where another process has this
// server's id.
func (h *holders) keep(ctx context.Context) {
	if err := h.work(ctx); err != nil {
		h.l.o.Fail(err)
		return
	}
	h.leave()
}

// work returns nil when ctx ends, or a twinError.
func (h *holders) work(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	h.l.repeat(ctx, h.l.o.Times.Retry, "forget what an earlier life of this server held", func(ctx context.Context) error {
		if err := h.live(ctx, true); err != nil {
			return err
		}
		err = h.follow(ctx)
		stop()
		return nil
	})
	return err
}

func (h *holders) follow(ctx context.Context) error {
	tick := time.NewTicker(h.l.o.Times.Hold)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-tick.C:
			err = h.live(ctx, false)
		case <-h.wake:
			err = h.settle(ctx)
		case <-ctx.Done():
			return nil
		}
		if isTwin(err) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			h.l.o.Log.Warn("tell the other servers what is connected here", "err", err)
			sleep(ctx, h.l.o.Times.Retry)
			h.hint()
		}
	}
}

// live says that this server lives. A claim of another server that came late, for a connection that had ended, may have taken a node
// from here and let it go: it is claimed again.
func (h *holders) live(ctx context.Context, first bool) error {
	self := h.l.o.Server
	self.Seen = h.l.o.Now()
	nodes := h.nodes(func(epoch int64) bool { return epoch != 0 })
	var claimed []store.Held
	err := h.l.o.Store.Tx(ctx, func(t *store.Tx) (err error) {
		if first {
			err = t.ReleaseServer(ctx, self.ID)
		} else {
			err = h.l.notReplaced(ctx, &t.Reader)
		}
		if err != nil {
			return err
		}
		if err := t.SaveServer(ctx, self); err != nil {
			return err
		}
		if err := t.TrimServers(ctx, self.Seen.Add(-serverKept)); err != nil {
			return err
		}
		claimed, err = t.ClaimNodes(ctx, self.ID, nodes, true)
		return err
	})
	if err == nil {
		h.took(claimed, 0)
	}
	return err
}

// settle claims the nodes that came and releases those that went.
func (h *holders) settle(ctx context.Context) error {
	nodes := h.nodes(func(epoch int64) bool { return epoch == 0 })
	h.mu.Lock()
	gone := h.gone
	h.mu.Unlock()
	var claimed []store.Held
	err := h.l.o.Store.Tx(ctx, func(t *store.Tx) (err error) {
		for _, g := range gone {
			if err := t.ReleaseNode(ctx, g); err != nil {
				return err
			}
		}
		claimed, err = t.ClaimNodes(ctx, h.l.o.Server.ID, nodes, false)
		return err
	})
	if err == nil {
		h.took(claimed, len(gone))
	}
	return err
}

// nodes lists those connected here whose epoch is one that is asked for, in the order in which all servers lock them.
func (h *holders) nodes(which func(epoch int64) bool) []id.Node {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []id.Node
	for n, e := range h.epochs {
		if which(e) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// took notes what was claimed and released. A node that went in the meantime is released in the next round.
func (h *holders) took(claimed []store.Held, released int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = h.gone[released:]
	for _, c := range claimed {
		if _, here := h.epochs[c.Node]; here {
			h.epochs[c.Node] = c.Epoch
		} else {
			h.gone = append(h.gone, c)
		}
	}
	if len(h.gone) > 0 {
		h.hint()
	}
}

// leaveTimeout bounds the last word of a server that stops.
const leaveTimeout = time.Second

// leave lets go of everything, so that others do not ask a server that has stopped.
func (h *holders) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	self := h.l.o.Server
	self.Seen, self.Stopped = h.l.o.Now(), true
	err := h.l.o.Store.Tx(ctx, func(t *store.Tx) error {
		if err := h.l.notReplaced(ctx, &t.Reader); err != nil {
			return err
		}
		return errors.Join(t.ReleaseServer(ctx, self.ID), t.SaveServer(ctx, self))
	})
	if err != nil && !isTwin(err) {
		h.l.o.Log.Warn("tell the other servers that this one stops", "err", err)
	}
}
