package op

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"novacron/backend/core/id"
)

// renewRetry is the pause after a renewal that failed.
const renewRetry = time.Second

// renewLoop keeps the lease while the operation runs. It ends the operation's context when another runner took it over, and
// before the lease can have ended unrenewed.
func (x *running) renewLoop() {
	wait := x.r.o.Renew
	for {
		timer := time.NewTimer(min(wait, max(x.leaseLeft()-x.margin(), 0)))
		select {
		case <-timer.C:
		case <-x.check:
		case <-x.ctx.Done():
		}
		timer.Stop()
		if x.ctx.Err() != nil {
			return
		}
		wait = x.r.o.Renew
		if err := x.renew(); err != nil {
			if errors.Is(err, ErrFenced) {
				x.leave(ErrFenced)
				return
			}
			wait = min(renewRetry, x.r.o.Renew)
		}
		if x.leaseLeft() <= x.margin() {
			x.leave(errLeaseLost)
			return
		}
	}
}

// margin is how long before its lease ends an operation is left: a step needs time to heed its context.
func (x *running) margin() time.Duration { return x.r.o.Lease / 5 }

func (x *running) renew() error {
	ctx, cancel := context.WithTimeout(x.ctx, max(x.leaseLeft()-x.margin(), time.Millisecond))
	defer cancel()
	ends := x.r.o.Now().Add(x.r.o.Lease) // from before the call: the store may have waited
	canceled, err := x.r.store.Renew(ctx, x.id, x.fence, ends)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.leaseEnds = ends
	if canceled && !x.canceled {
		x.canceled = true
		if x.endStep != nil {
			x.endStep(errCanceled)
		}
	}
	return nil
}

func (x *running) leaseLeft() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.leaseEnds.Sub(x.r.o.Now())
}

// progressEvery is the least time between two reports of one step.
const progressEvery = time.Second

// handle is what a step holds of its operation. It is dead once the step has returned.
type handle struct {
	x     *running
	steps int
	undo  bool

	mu   sync.Mutex
	rec  Record // as the step began
	last time.Time
	dead bool
}

// ID is the operation's id.
func (h *handle) ID() id.Operation { return h.x.id }

// Fence is the operation's fence.
func (h *handle) Fence() int64 { return h.x.fence }

// Progress reports at most once per second, and nothing while undoing.
func (h *handle) Progress(done float64, sentence string) {
	if math.IsNaN(done) || h.undo {
		return
	}
	h.mu.Lock()
	now := h.x.r.o.Now()
	if h.dead || (!h.last.IsZero() && now.Sub(h.last) < progressEvery) {
		h.mu.Unlock()
		return
	}
	h.last = now
	rec := h.rec
	h.mu.Unlock()
	rec.Progress = (float64(rec.Step) + min(max(done, 0), 1)) / float64(h.steps)
	rec.Sentence = rec.Names[rec.Step]
	if sentence != "" {
		rec.Sentence = sentence
	}
	ctx, cancel := context.WithTimeout(h.x.ctx, progressEvery)
	defer cancel()
	_ = h.x.r.store.Progress(ctx, &rec) // lossy by contract
}

func (h *handle) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = true
}
