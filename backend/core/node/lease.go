package node

import (
	"time"

	"novacron/backend/core/fault"
)

// The lease, in time of whoever counts it. Take their order as the proof: the agent has ended its fenced guests at most
// LeaseDuration after it sent its last answered renewal; the server recorded that renewal after it was sent, and waits
// LeaseDuration + ServerMargin from then. Both clocks may run wrong by ServerMargin/LeaseDuration (ten per cent), far more than
// any clock that works.
const (
	LeaseDuration = 10 * time.Second        // what one renewal grants
	RenewEvery    = 2500 * time.Millisecond // between two renewals, at most
	FenceTime     = 2 * time.Second         // kept at the end of the agent's lease to kill what is bound to it
	ServerMargin  = 1 * time.Second         // that the server waits longer than the node may
	maxPending    = 8                       // unanswered renewals that are remembered: two leases' worth
)

// Instant is a reading of a clock that never steps and goes on during suspend (CLOCK_BOOTTIME), in the counter's own
// machine; never negative. Only differences mean something.
type Instant time.Duration

// Sub gives how long after u t is.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Add gives the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Lease is the agent's side: until when it may do what is bound to the lease. The zero value holds nothing, so that what an agent
// cannot account for is over. Who sends renewals paces them, RenewEvery apart at most.
type Lease struct {
	ends    Instant
	seq     int64 // of the last renewal sent
	pending [maxPending]renewal
}

// renewal is one that was sent and is unanswered.
type renewal struct {
	seq int64 // 0: none
	at  Instant
}

// Ask notes that a renewal is about to be sent, and numbers it from 1 on.
func (l Lease) Ask(at Instant) (_ Lease, seq int64) {
	l.seq++
	l.pending[l.seq%maxPending] = renewal{l.seq, at}
	return l, l.seq
}

// Grant takes the server's answer to renewal seq. The lease lasts d from the moment that the renewal was sent, so a slow network only
// makes it shorter; no answer shortens it, and d beyond LeaseDuration counts as LeaseDuration. fault.Invalid: d is no time;
// fault.Precondition: the renewal was not sent, has been answered, or is too old to be remembered.
func (l Lease) Grant(seq int64, d time.Duration) (Lease, error) {
	if d <= 0 {
		return l, fault.New(fault.Invalid, "lease_invalid", "a lease lasts up to %v, not %v", LeaseDuration, d)
	}
	r := &l.pending[uint64(seq)%maxPending]
	if seq < 1 || r.seq != seq {
		return l, fault.New(fault.Precondition, "lease_unasked", "the node has not asked for lease %d, or asked for it too long ago", seq)
	}
	l.ends = max(l.ends, r.at.Add(min(d, LeaseDuration)))
	*r = renewal{}
	return l, nil
}

// Left is how long the lease lasts at an instant; 0: it has ended, or there never was one.
func (l Lease) Left(at Instant) time.Duration { return max(0, l.ends.Sub(at)) }

// Holds reports whether what is bound to the lease may run at an instant. When it is false, all of it is killed (SIGKILL, never ACPI):
// FenceTime is left then. A later answer makes it true again and brings nothing back; the server says anew what runs.
func (l Lease) Holds(at Instant) bool { return l.Left(at) > FenceTime }

// Watch is the server's side for one node: it counts from when it first saw the latest recorded renewal, on its own clock, so
// neither a restart of the server nor a renewal that another server recorded can make it early.
type Watch struct {
	seen  int64 // the renewal that was recorded last
	since Instant
	known bool
}

// Observe tells the watch what the store says at an instant: how many renewals of this node were recorded. A number that the
// watch has not seen, a first sight too, starts the time again.
func (w Watch) Observe(at Instant, recorded int64) Watch {
	if w.known && recorded == w.seen {
		return w
	}
	return Watch{seen: recorded, since: at, known: true}
}

// Ended reports whether the node's lease is over for certain: nothing bound to it runs any more. The caller writes Lost only
// where the store still holds the number that was observed, since another server may be recording a renewal just now.
func (w Watch) Ended(at Instant) bool {
	return w.known && at.Sub(w.since) >= LeaseDuration+ServerMargin
}

// Ends gives when Ended becomes true if nothing more is recorded; ok is false before the first Observe.
func (w Watch) Ends() (at Instant, ok bool) {
	return w.since.Add(LeaseDuration + ServerMargin), w.known
}
