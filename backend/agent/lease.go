package agent

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
)

// leaseClock holds the node's lease. It counts on CLOCK_BOOTTIME, because Go's monotonic clock stands still while the
// machine sleeps, and from the moment that the renewal was sent: the server counts from a later one, so the node always
// believes in a shorter lease than the server does.
//
// No VM is bound to the lease while the restart policy "elsewhere" is refused; the watchdog will read it from here.
type leaseClock struct {
	now  func() time.Duration
	mu   sync.Mutex
	seq  int64
	sent [leaseWindow]time.Duration // moment of renewal seq at seq % leaseWindow
	ends time.Duration
}

const (
	// leaseWindow is how many renewals may be under way. An answer to an older one is worth nothing.
	leaseWindow = 64
	// maxLease bounds what a server can grant.
	maxLease = time.Hour
)

// bootTime is the time since the machine booted, time asleep included.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("agent: CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}

// AskLease notes the moment of a renewal that is about to be sent and gives its number.
func (a *Agent) AskLease() (seq int64) {
	l := &a.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	l.sent[l.seq%leaseWindow] = l.now()
	return l.seq
}

// LeaseLeft is how long the node's lease still holds; 0: it ended, or there never was one.
func (a *Agent) LeaseLeft() time.Duration {
	l := &a.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.ends-l.now())
}

// Lease implements API. A lease is only ever prolonged.
func (a *Agent) Lease(_ context.Context, g Lease) error {
	if g.Node != a.o.Node {
		return fault.New(fault.Forbidden, "lease_other_node", "the lease is for node %s, this is %s", g.Node, a.o.Node)
	}
	if g.Duration <= 0 || g.Duration > maxLease {
		return fault.New(fault.Invalid, "lease_invalid", "a lease lasts up to %v, not %v", maxLease, g.Duration)
	}
	l := &a.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.Seq > l.seq || g.Seq <= l.seq-leaseWindow || g.Seq <= 0 {
		return fault.New(fault.Precondition, "lease_unasked", "the node has not asked for lease %d, or asked for it too long ago", g.Seq)
	}
	l.ends = max(l.ends, l.sent[g.Seq%leaseWindow]+g.Duration)
	return nil
}
