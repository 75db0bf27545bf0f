package agent

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/core/node"
)

// leaseClock counts the node's lease on the node's clock.
//
// No VM is bound to the lease while the restart policy "elsewhere" is refused; the watchdog will read it from here.
type leaseClock struct {
	now   func() node.Instant
	mu    sync.Mutex
	lease node.Lease
}

// BootTime reads CLOCK_BOOTTIME: the time since the machine booted. It never steps, and it goes on while the machine sleeps, when Go's
// monotonic clock stands still.
func BootTime() node.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("agent: CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return node.Instant(t.Nano())
}

// AskLease notes the moment of a renewal that is about to be sent and gives its number.
func (a *Agent) AskLease() (seq int64) {
	l := &a.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lease, seq = l.lease.Ask(l.now())
	return seq
}

// LeaseLeft is how long the node's lease still lasts; 0: it ended, or there never was one.
func (a *Agent) LeaseLeft() time.Duration {
	l := &a.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lease.Left(l.now())
}

// Lease implements API. A lease is only ever prolonged.
func (a *Agent) Lease(_ context.Context, g Lease) (err error) {
	if g.Node != a.o.Node {
		return fault.New(fault.Forbidden, "lease_other_node", "the lease is for node %s, this is %s", g.Node, a.o.Node)
	}
	l := &a.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lease, err = l.lease.Grant(g.Seq, g.Duration); err == nil {
		a.home.confirmed()
	}
	return err
}
