package node_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/node"
)

const second = time.Second

func at(d time.Duration) node.Instant { return node.Instant(time.Hour).Add(d) }

// script is what happens to an agent's lease, and what is left of it then.
type script struct {
	at    time.Duration
	ask   bool
	grant int64 // the renewal that is answered; 0: none
	of    time.Duration
	kind  fault.Kind // of the refusal; empty: none
	left  time.Duration
	holds bool
	why   string
}

func TestLease_countsFromTheMomentOfAsking(t *testing.T) {
	const full = node.LeaseDuration
	for name, steps := range map[string][]script{
		"one that was never granted": {
			{at: 0, ask: true},
			{at: second},
		},
		"an answer counts from its renewal": {
			{at: 0, ask: true},
			{at: second, grant: 1, of: full, left: 9 * second, holds: true},
			{at: 2 * second, ask: true, left: 8 * second, holds: true, why: "asking changes nothing"},
			{at: 3 * second, grant: 2, of: full, left: 9 * second, holds: true},
		},
		"it is held until two seconds before its end": {
			{at: 0, ask: true},
			{at: second, grant: 1, of: full, left: 9 * second, holds: true},
			{at: 8*second - 1, left: 2*second + 1, holds: true},
			{at: 8 * second, left: 2 * second},
			{at: 11 * second},
		},
		"an answer that comes too late to be of use": {
			{at: 0, ask: true},
			{at: 8 * second, grant: 1, of: full, left: 2 * second},
		},
		"an answer after its end holds anew": {
			{at: 0, ask: true},
			{at: second, grant: 1, of: full, left: 9 * second, holds: true},
			{at: 7 * second, ask: true, left: 3 * second, holds: true},
			{at: 12 * second},
			{at: 12 * second, grant: 2, of: full, left: 5 * second, holds: true},
		},
		"an older answer never shortens": {
			{at: 0, ask: true},
			{at: 2 * second, ask: true},
			{at: 3 * second, grant: 2, of: full, left: 9 * second, holds: true},
			{at: 3 * second, grant: 1, of: full, left: 9 * second, holds: true},
		},
		"a machine that slept for an hour": {
			{at: 0, ask: true},
			{at: second, grant: 1, of: full, left: 9 * second, holds: true},
			{at: 2 * second, ask: true, left: 8 * second, holds: true},
			{at: time.Hour, grant: 2, of: full, why: "the answer lay in the socket"},
		},
		"answers that mean nothing": {
			{at: 0, ask: true},
			{at: 0, grant: 2, of: full, kind: fault.Precondition, why: "not sent yet"},
			{at: 0, grant: -8, of: full, kind: fault.Precondition, why: "never sent"},
			{at: 0, grant: math.MinInt64, of: full, kind: fault.Precondition, why: "never sent"},
			{at: 0, grant: 1, of: -second, kind: fault.Invalid, why: "less than nothing"},
			{at: 0, grant: 1, of: 0, kind: fault.Invalid, why: "nothing"},
			{at: 0, grant: 1, of: 1000 * time.Hour, left: full, holds: true, why: "counts as ten seconds"},
			{at: second, grant: 1, of: full, left: 9 * second, holds: true, kind: fault.Precondition, why: "answered twice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var l node.Lease
			for i, s := range steps {
				if s.ask {
					l, _ = l.Ask(at(s.at))
				}
				var err error
				if s.grant != 0 {
					l, err = l.Grant(s.grant, s.of)
				}
				if s.kind == "" && err != nil || s.kind != "" && !fault.Is(err, s.kind) {
					t.Fatalf("step %d at %s (%s): %v, want %q", i, s.at, s.why, err, s.kind)
				}
				if left, holds := l.Left(at(s.at)), l.Holds(at(s.at)); left != s.left || holds != s.holds {
					t.Fatalf("step %d at %s (%s): %s left, held %v; want %s, %v", i, s.at, s.why, left, holds, s.left, s.holds)
				}
			}
		})
	}
}

func TestLease_forgetsWhatWasAskedTooLongAgo(t *testing.T) {
	var l node.Lease
	var first int64
	for i := range 100 {
		var seq int64
		l, seq = l.Ask(at(time.Duration(i) * second))
		if i == 0 {
			first = seq
		} else if seq != first+int64(i) {
			t.Fatalf("renewal %d has number %d", i, seq)
		}
	}
	if _, err := l.Grant(first, node.LeaseDuration); !fault.Is(err, fault.Precondition) {
		t.Errorf("an answer to the first of a hundred renewals: %v", err)
	}
	if l, err := l.Grant(first+99, node.LeaseDuration); err != nil || l.Left(at(99*second)) != node.LeaseDuration {
		t.Errorf("an answer to the last: %v", err)
	}
}

func TestWatch_countsFromWhatItSaw(t *testing.T) {
	var w node.Watch
	if w.Ended(at(1000 * second)) {
		t.Error("ended before anything was observed")
	}
	w = w.Observe(at(0), 7) // the server has just started: the record may be old or new
	w = w.Observe(at(5*second), 7)
	if w.Ended(at(11*second - 1)) {
		t.Error("ended before the lease and the margin were over")
	}
	if !w.Ended(at(11 * second)) {
		t.Error("not ended when the lease and the margin were over")
	}
	w = w.Observe(at(10*second), 8)
	if w.Ended(at(20 * second)) {
		t.Error("a renewal did not start the time again")
	}
	if ends, ok := w.Ends(); !ok || ends != at(21*second) {
		t.Errorf("ends at %v, %v", time.Duration(ends), ok)
	}
}

// packet is a renewal under way, or its answer.
type packet struct {
	arrivesMS, seq int64
	answer         bool
}

// A node and a server with clocks of their own that drift by up to one per cent, a network that delays and loses, and a server that
// restarts: whatever happens, when the server calls the lease ended, all that was bound to it is dead.
func TestLease_isFencedBeforeTheServerCallsItEnded(t *testing.T) {
	ended := 0
	for seed := range uint64(300) {
		ended += runLease(t, rand.New(rand.NewPCG(seed, 1)), seed)
	}
	if ended < 100 {
		t.Errorf("the server called only %d leases ended: the schedule tests nothing", ended)
	}
}

// runLease plays two minutes and gives how often a lease that was held before was called ended.
func runLease(t *testing.T, r *rand.Rand, seed uint64) (ended int) {
	clock := func(offset, rate int64) func(ms int64) node.Instant { // rate in thousandths
		return func(ms int64) node.Instant {
			return node.Instant(time.Duration(offset + ms*rate*int64(time.Microsecond)))
		}
	}
	nodeClock, serverClock := clock(0, 990+r.Int64N(21)), clock(1<<50, 990+r.Int64N(21))
	loss, delay := r.IntN(90), 1+r.Int64N(6000) // per cent, milliseconds
	var (
		lease    node.Lease
		asks     node.Instant // when it renews next
		watch    node.Watch
		wire     []packet
		recorded int64
		wasHeld  bool
	)
	for ms := int64(0); ms < 120_000; ms += 20 {
		var under []packet
		for _, p := range wire {
			switch {
			case p.arrivesMS > ms:
				under = append(under, p)
			case p.answer:
				lease, _ = lease.Grant(p.seq, node.LeaseDuration)
			default:
				recorded++
				if r.IntN(100) >= loss {
					under = append(under, packet{ms + r.Int64N(delay), p.seq, true})
				}
			}
		}
		wire = under
		now := nodeClock(ms)
		if now >= asks {
			var seq int64
			lease, seq = lease.Ask(now)
			asks = now.Add(node.RenewEvery)
			if r.IntN(100) >= loss {
				wire = append(wire, packet{ms + r.Int64N(delay), seq, false})
			}
		}
		if r.IntN(2000) == 0 {
			watch = node.Watch{} // the server restarts
		}
		watch = watch.Observe(serverClock(ms), recorded)
		wasHeld = wasHeld || lease.Holds(now)
		if !watch.Ended(serverClock(ms)) {
			continue
		}
		if left := lease.Left(now); left > 0 {
			t.Fatalf("seed %d: at %d ms the server calls the lease ended and %s of it are left to the node", seed, ms, left)
		}
		if wasHeld {
			ended, wasHeld = ended+1, false
		}
	}
	return ended
}
