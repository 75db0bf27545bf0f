package node

import "time"

// The lease, in time of whoever counts it. Take their order as the proof: the agent has ended its fenced guests at most
// LeaseDuration after it sent its last answered renewal; the server recorded that renewal after it was sent, and waits
// LeaseDuration + ServerMargin from then. Both clocks may run wrong by ServerMargin/LeaseDuration (ten per cent), far more than
// any clock that works.
const (
	LeaseDuration = 10 * time.Second // what one renewal grants
	RenewEvery    = 2500 * time.Millisecond
	FenceTime     = 2 * time.Second // kept at the end of the agent's lease to kill what is bound to it
	ServerMargin  = 1 * time.Second // that the server waits longer than the node may
	maxPending    = 8               // unanswered renewals that are remembered: two leases' worth
)

// Instant is a reading of a clock that never steps and goes on during suspend (CLOCK_BOOTTIME), in the counter's own
// machine. Only differences mean something.
type Instant time.Duration

// Sub gives how long after u t is.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Add gives the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Lease is the agent's side: what it may still do. The zero value holds nothing. An agent that restarts within one boot of its
// machine goes on from the Held and Ends that it journaled, so that guests which it adopts stay bound.
type Lease struct {
	Held bool
	Ends Instant // while Held: when all that is bound to the lease must be dead

	seq     int64 // of the last renewal sent
	sent    Instant
	pending [maxPending]renewal // sent and unanswered; a ring by seq
}

type renewal struct {
	seq int64
	at  Instant
}

// Input is something that the agent's lease hears of. Tick is all of it but the time; an answer has Seq and Duration.
type Input struct {
	At       Instant
	Answered bool
	Seq      int64         // with Answered: the renewal that the server answered
	Duration time.Duration // with Answered: what it granted
}

// Output is what the agent does next.
type Output struct {
	Renew bool    // send a renewal with Seq now
	Seq   int64   // with Renew
	Fence bool    // the lease is over: kill at once (SIGKILL) all that is bound to it
	Wake  Instant // call Step again at this instant at the latest
}

// Step moves the agent's lease. The duration is counted from the moment that the answered renewal was sent, so a slow network
// only makes the lease shorter. Answers to renewals that were not sent, are too old to be remembered, or grant nothing change
// nothing; a grant beyond LeaseDuration counts as LeaseDuration. Fence comes exactly once per lost lease, FenceTime before
// Ends, and no later answer takes it back: what was killed stays dead until the server says so anew.
func (l Lease) Step(in Input) (Lease, Output) {
	if in.Answered {
		l = l.answered(in)
	}
	var out Output
	if l.Held && in.At >= l.Ends.Add(-FenceTime) {
		l.Held, out.Fence = false, true
	}
	if l.seq == 0 || in.At.Sub(l.sent) >= RenewEvery {
		l.seq++
		l.sent = in.At
		l.pending[l.seq%maxPending] = renewal{l.seq, in.At}
		out.Renew, out.Seq = true, l.seq
	}
	out.Wake = l.sent.Add(RenewEvery)
	if l.Held {
		out.Wake = min(out.Wake, l.Ends.Add(-FenceTime))
	}
	return l, out
}

func (l Lease) answered(in Input) Lease {
	if in.Seq < 1 {
		return l
	}
	r := &l.pending[in.Seq%maxPending]
	if r.seq != in.Seq || in.Duration <= 0 {
		return l
	}
	ends := r.at.Add(min(in.Duration, LeaseDuration))
	*r = renewal{}
	if in.At >= ends.Add(-FenceTime) {
		return l // answered too late to be of use
	}
	if !l.Held || ends > l.Ends {
		l.Held, l.Ends = true, ends
	}
	return l
}

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
