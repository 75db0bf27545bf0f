// Package reconcile makes reality match what is recorded, for ever: it keeps leases and the nodes' states, follows what nodes
// report, tells nodes what they missed, clears away what belongs to nothing, and forgets old history. A reconciler has no input
// of its own: it reads the world, wakes on a hint and on a timer, and calls the verbs of app. It deliberately decides nothing
// that a user could ask for.
package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"novacron/backend/agent"
	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/store"
)

// Options is what the loops stand on. App and Store must be given.
type Options struct {
	App   *app.App
	Store *store.DB
	Prune func(ctx context.Context) error // removes ended sessions and tickets; may be nil
	Log   *slog.Logger                    // nil: slog.Default
	Now   func() time.Time                // wall clock; nil: time.Now
	// Instant reads a clock of this machine that never steps and goes on during suspend; nil: CLOCK_BOOTTIME.
	Instant func() node.Instant
	Times   Times
	// Server is this server as others on its database find it; without an address there are no others.
	Server store.Server
	// Fail is told, once, why this server must end: another process has its id. nil: it is logged.
	Fail func(error)
}

// Times is how often things happen. Zero fields take the default.
type Times struct {
	Batch  time.Duration // renewals that come within it are recorded together; default 100 ms
	Watch  time.Duration // between two looks at the leases; default 1 s
	Facts  time.Duration // between two questions to a node for its facts; default 5 s
	Sweep  time.Duration // between two looks for VMs whose node missed something; default 1 min
	Retain time.Duration // between two rounds of retention; default 10 min
	Retry  time.Duration // after an error; default 1 s
	Hold   time.Duration // between two words to other servers that this one lives; default 10 s
}

func (t Times) filled() Times {
	for _, d := range []struct {
		v         *time.Duration
		otherwise time.Duration
	}{
		{&t.Batch, 100 * time.Millisecond}, {&t.Watch, time.Second}, {&t.Facts, 5 * time.Second}, {&t.Sweep, time.Minute},
		{&t.Retain, 10 * time.Minute}, {&t.Retry, time.Second}, {&t.Hold, 10 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.otherwise
		}
	}
	return t
}

// Loops is all reconcilers of one server. Several servers may run them side by side: every change is guarded in the store.
type Loops struct {
	o      Options
	leases *leases
	holds  *holders // nil: there are no other servers

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	nodes  map[id.Node]context.CancelFunc // of the goroutines that follow a node
	strays map[id.VM]bool                 // told to operators already
}

// New makes the loops. Nothing runs before Start.
func New(o Options) (*Loops, error) {
	if o.App == nil || o.Store == nil {
		return nil, fault.New(fault.Invalid, "reconcile_options", "the reconcilers cannot be made without app and store")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Instant == nil {
		o.Instant = agent.BootTime
	}
	if o.Fail == nil {
		o.Fail = func(err error) { o.Log.Error("this server should end", "err", err) }
	}
	o.Times = o.Times.filled()
	l := &Loops{o: o, nodes: map[id.Node]context.CancelFunc{}, strays: map[id.VM]bool{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.leases = newLeases(l)
	if o.Server.Address != "" {
		l.holds = newHolders(l)
	}
	return l, nil
}

// Start begins the loops.
func (l *Loops) Start() {
	l.wg.Go(l.leases.record)
	if l.holds != nil {
		l.wg.Go(func() { l.holds.keep(l.ctx) })
	}
	l.every(l.o.Times.Watch, "watch the leases", l.leases.watch)
	l.every(l.o.Times.Retain, "forget old history", l.retain)
}

// Stop ends everything and waits for it, or for ctx.
func (l *Loops) Stop(ctx context.Context) error {
	l.cancel()
	done := make(chan struct{})
	go func() { l.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// every runs f now and then again after each pause. An error is logged when it is new, and f runs again.
func (l *Loops) every(pause time.Duration, what string, f func(ctx context.Context) error) {
	l.wg.Go(func() { l.repeat(l.ctx, pause, what, f) })
}

func (l *Loops) repeat(ctx context.Context, pause time.Duration, what string, f func(ctx context.Context) error) {
	last := ""
	for {
		said := ""
		if err := f(ctx); err != nil && ctx.Err() == nil {
			if said = err.Error(); said != last {
				l.o.Log.Warn(what, "err", err)
			}
		}
		last = said
		if !sleep(ctx, pause) {
			return
		}
	}
}

// sleep waits; false: ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Up begins to follow a node whose connection is there. A newer connection takes the place of an older one.
func (l *Loops) Up(n id.Node, api agent.API) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return
	}
	if stop := l.nodes[n]; stop != nil {
		stop()
	}
	ctx, cancel := context.WithCancel(l.ctx)
	l.nodes[n] = cancel
	if l.holds != nil {
		l.holds.up(n)
	}
	f := &follower{l: l, node: n, api: api, busy: map[id.VM]bool{}, slots: make(chan struct{}, maxTells)}
	l.wg.Go(func() { f.run(ctx) })
}

// Down ends following a node whose connection is lost.
func (l *Loops) Down(n id.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stop := l.nodes[n]; stop != nil {
		stop()
		delete(l.nodes, n)
	}
	if l.holds != nil {
		l.holds.down(n)
	}
}

// Holds gives the epoch of this server's claim of a node that is connected to it; 0: there is none (yet).
func (l *Loops) Holds(n id.Node) int64 {
	if l.holds == nil {
		return 0
	}
	return l.holds.epoch(n)
}

// Renew records a renewal of the node's lease and gives how long it holds, counted from when the node asked. fault.Forbidden:
// the node was removed.
func (l *Loops) Renew(ctx context.Context, n id.Node) (time.Duration, error) {
	return l.leases.renew(ctx, n)
}
