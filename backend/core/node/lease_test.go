package node_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"novacron/backend/core/node"
)

const second = time.Second

func at(d time.Duration) node.Instant { return node.Instant(time.Hour).Add(d) }

// script is what happens to an agent's lease and what must come of it.
type script struct {
	at       time.Duration
	answer   int64 // the renewal that is answered; 0: only time passes
	grant    time.Duration
	renew    int64 // the renewal that must be sent; 0: none
	held     bool
	fence    bool
	why      string
	endsFrom time.Duration // with held: when the renewal was sent that the lease counts from
}

func TestLease_countsFromSending(t *testing.T) {
	for name, steps := range map[string][]script{
		"renews at once, holds from the answer": {
			{at: 0, renew: 1, why: "the first"},
			{at: 100 * time.Millisecond, answer: 1, grant: 10 * second, held: true, endsFrom: 0, why: "counted from the sending"},
			{at: 2400 * time.Millisecond, held: true, endsFrom: 0, why: "too early for the next"},
			{at: 2500 * time.Millisecond, renew: 2, held: true, endsFrom: 0, why: "the next"},
			{at: 2600 * time.Millisecond, answer: 2, grant: 10 * second, held: true, endsFrom: 2500 * time.Millisecond, why: "extended"},
		},
		"an answer that took seven seconds leaves one second": {
			{at: 0, renew: 1},
			{at: 7 * second, answer: 1, grant: 10 * second, renew: 2, held: true, endsFrom: 0},
			{at: 7999 * time.Millisecond, held: true, endsFrom: 0},
			{at: 8 * second, fence: true, why: "two seconds before the end"},
			{at: 8100 * time.Millisecond, why: "only once"},
		},
		"an answer that comes too late to be of use": {
			{at: 0, renew: 1},
			{at: 8 * second, answer: 1, grant: 10 * second, renew: 2},
		},
		"an answer after the fence holds anew and takes nothing back": {
			{at: 0, renew: 1},
			{at: second, answer: 1, grant: 10 * second, held: true},
			{at: 7900 * time.Millisecond, renew: 2, held: true},
			{at: 8 * second, fence: true},
			{at: 8200 * time.Millisecond, answer: 2, grant: 10 * second, held: true, endsFrom: 7900 * time.Millisecond},
		},
		"an older answer never shortens": {
			{at: 0, renew: 1},
			{at: 2500 * time.Millisecond, renew: 2},
			{at: 2600 * time.Millisecond, answer: 2, grant: 10 * second, held: true, endsFrom: 2500 * time.Millisecond},
			{at: 2700 * time.Millisecond, answer: 1, grant: 10 * second, held: true, endsFrom: 2500 * time.Millisecond},
		},
		"answers that mean nothing": {
			{at: 0, renew: 1},
			{at: 1, answer: 2, grant: 10 * second, why: "not sent yet"},
			{at: 2, answer: -8, grant: 10 * second, why: "never sent"},
			{at: 3, answer: 1, grant: 0, why: "grants nothing"},
			{at: 4, answer: 1, grant: -second, why: "less than nothing"},
			{at: 5, answer: 1, grant: 1000 * time.Hour, held: true, endsFrom: 0, why: "counts as ten seconds"},
			{at: 6, answer: 1, grant: 10 * second, held: true, endsFrom: 0, why: "answered twice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var l node.Lease
			for i, s := range steps {
				var out node.Output
				l, out = l.Step(node.Input{At: at(s.at), Answered: s.answer != 0, Seq: s.answer, Duration: s.grant})
				if out.Renew != (s.renew != 0) || out.Seq != s.renew || out.Fence != s.fence || l.Held != s.held {
					t.Fatalf("step %d at %s (%s): %+v, held %v; want %+v", i, s.at, s.why, out, l.Held, s)
				}
				if want := at(s.endsFrom + node.LeaseDuration); s.held && l.Ends != want {
					t.Fatalf("step %d at %s (%s): ends at %s, want %s", i, s.at, s.why, time.Duration(l.Ends), time.Duration(want))
				}
				if out.Wake <= at(s.at) {
					t.Fatalf("step %d at %s: wakes at %s, which has passed", i, s.at, time.Duration(out.Wake))
				}
			}
		})
	}
}

func TestLease_oneThatIsRestoredAfterARestartIsFenced(t *testing.T) {
	l := node.Lease{Held: true, Ends: at(5 * second)}
	l, out := l.Step(node.Input{At: at(0)})
	if out.Fence || !out.Renew || out.Wake > at(3*second) {
		t.Fatalf("at the start: %+v", out)
	}
	if _, out = l.Step(node.Input{At: at(3 * second)}); !out.Fence {
		t.Errorf("two seconds before the end: %+v, want a fence", out)
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
				lease, _ = lease.Step(node.Input{At: nodeClock(ms), Answered: true, Seq: p.seq, Duration: node.LeaseDuration})
			default:
				recorded++
				if r.IntN(100) >= loss {
					under = append(under, packet{ms + r.Int64N(delay), p.seq, true})
				}
			}
		}
		wire = under
		var out node.Output
		lease, out = lease.Step(node.Input{At: nodeClock(ms)})
		if out.Renew && r.IntN(100) >= loss {
			wire = append(wire, packet{ms + r.Int64N(delay), out.Seq, false})
		}
		if r.IntN(2000) == 0 {
			watch = node.Watch{} // the server restarts
		}
		watch = watch.Observe(serverClock(ms), recorded)
		wasHeld = wasHeld || lease.Held
		if !watch.Ended(serverClock(ms)) {
			continue
		}
		if lease.Held {
			t.Fatalf("seed %d: at %d ms the server calls the lease ended and the node holds it until %s of its clock", seed, ms, time.Duration(lease.Ends))
		}
		if wasHeld {
			ended, wasHeld = ended+1, false
		}
	}
	return ended
}
