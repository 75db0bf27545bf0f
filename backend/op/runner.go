package op

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Options of a Runner. The zero value is good.
type Options struct {
	Holder   string        // name of this runner in records; empty: a random one
	Workers  int           // operations that run at once, 1..1024; 0: 64
	Lease    time.Duration // how long a dead runner's operations wait for the next; 0: 15 s
	Renew    time.Duration // between two renewals; 0: a third of Lease
	Poll     time.Duration // how often to look for work without a hint; 0: 2 s
	Attempts int           // tries of a step that finds something unavailable; 0: 8, about a minute
	// UndoAttempts is the tries of an undo before its operation is stuck; 0: 12, about four minutes.
	UndoAttempts int
	Backoff      func(attempt int) time.Duration // before try attempt+1, attempt from 1; nil: 0.5 s doubled up to 30 s
	Now          func() time.Time                // nil: time.Now
	Log          *slog.Logger                    // nil: slog.Default
}

func (o Options) filled() Options {
	if o.Holder == "" {
		o.Holder = "runner-" + rand.Text()[:10]
	}
	o.Workers = min(cmpOr(o.Workers, 64), 1024)
	o.Lease = cmpOr(o.Lease, 15*time.Second)
	o.Renew = cmpOr(o.Renew, o.Lease/3)
	o.Poll = cmpOr(o.Poll, 2*time.Second)
	o.Attempts = cmpOr(o.Attempts, 8)
	o.UndoAttempts = cmpOr(o.UndoAttempts, 12)
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func cmpOr[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

func backoff(attempt int) time.Duration {
	return min(500*time.Millisecond<<min(attempt-1, 6), 30*time.Second)
}

// Runner runs operations: it claims those that are free, keeps their leases, and saves each step. Several runners, in one
// process or in many, share a Store; what a dead one held goes on elsewhere once its lease has ended.
type Runner struct {
	store Store
	defs  map[string]*Definition
	kinds []string
	o     Options

	wake   chan struct{} // holds one hint
	ctx    context.Context
	cancel context.CancelCauseFunc
	loops  sync.WaitGroup // the claim loop and all that runs
	start  sync.Once

	mu      sync.Mutex
	running map[id.Operation]*running
	ended   chan struct{} // closed and replaced whenever an operation leaves this runner
}

// New makes a runner of these definitions. It panics when two have one kind, since that is a bug.
func New(store Store, o Options, defs ...*Definition) *Runner {
	r := &Runner{
		store: store, defs: map[string]*Definition{}, o: o.filled(), wake: make(chan struct{}, 1),
		running: map[id.Operation]*running{}, ended: make(chan struct{}),
	}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	for _, d := range defs {
		if r.defs[d.kind] != nil {
			panic(fmt.Sprintf("op: %s is defined twice", d.kind))
		}
		r.defs[d.kind] = d
		r.kinds = append(r.kinds, d.kind)
	}
	return r
}

// Prepare makes the record of a new operation of the kind, to be inserted beside the change that asks for it. It panics on a
// kind that is not defined, or a state that cannot be encoded.
func (r *Runner) Prepare(kind, subject string, state any) *Record {
	d := r.defs[kind]
	if d == nil {
		panic("op: " + kind + " is not defined")
	}
	return d.Prepare(subject, state)
}

// Start begins to claim operations. It may be called once.
func (r *Runner) Start() {
	r.start.Do(func() { r.loops.Go(r.claimLoop) })
}

// Stop ends claiming, ends what runs between two steps or by ending its context, gives the leases up so that another runner goes on
// at once, and waits for all of it. A step that does not heed its context holds Stop up until ctx ends; its lease then runs out.
func (r *Runner) Stop(ctx context.Context) error {
	r.cancel(errStopping)
	done := make(chan struct{})
	go func() { r.loops.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("operations still run: %w", context.Cause(ctx))
	}
}

// Wake hints that there is work: a new operation, or one that became free. It never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Follow wakes and checks the runner as soon as the store tells of work and of cancels, until Stop. Each of the two gives a channel that
// is closed at the next hint.
func (r *Runner) Follow(work, cancels func() <-chan struct{}) {
	r.loops.Go(func() { r.follow(work, r.Wake) })
	r.loops.Go(func() { r.follow(cancels, r.Check) })
}

func (r *Runner) follow(hints func() <-chan struct{}, act func()) {
	for {
		next := hints() // before act, so that nothing is missed
		act()
		select {
		case <-next:
		case <-r.ctx.Done():
			return
		}
	}
}

// Check makes the runner look at once whether somebody asked to cancel what it runs. Without it the next renewal tells, which for a
// short operation is too late.
func (r *Runner) Check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.running {
		select {
		case x.check <- struct{}{}:
		default:
		}
	}
}

// claimLoop takes as many operations at once as there are free workers, and waits for a hint or the poll when there were fewer.
func (r *Runner) claimLoop() {
	poll := time.NewTimer(r.o.Poll)
	defer poll.Stop()
	slots := make(chan struct{}, r.o.Workers)
	for {
		free := takeAll(r.ctx, slots)
		if free == 0 {
			return
		}
		recs := r.claim(free)
		for range free - len(recs) {
			<-slots
		}
		for _, rec := range recs {
			r.loops.Go(func() {
				defer func() { <-slots; r.Wake() }()
				r.run(rec)
			})
		}
		if len(recs) == free {
			continue
		}
		// Servers that poll out of step take turns with what one of them cannot do.
		poll.Reset(r.o.Poll/2 + mathrand.N(r.o.Poll))
		select {
		case <-r.wake:
		case <-poll.C:
		case <-r.ctx.Done():
			return
		}
	}
}

// takeAll takes every free slot, once there is one, and says how many. 0: ctx ended.
func takeAll(ctx context.Context, slots chan struct{}) (n int) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; ; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
}

// claim takes operations, at most so many. A store that does not answer is asked again at the next poll.
func (r *Runner) claim(most int) []*Record {
	if r.ctx.Err() != nil {
		return nil
	}
	// Not ended by Stop: a claim whose answer got lost would keep its lease. run gives up what comes too late.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), r.o.Lease/2)
	defer cancel()
	recs, err := r.store.Claim(ctx, r.o.Holder, r.kinds, r.o.Now(), r.o.Lease, most)
	if err != nil {
		if r.ctx.Err() == nil {
			r.o.Log.Warn("cannot look for operations", "caller", r.o.Holder, "err", err)
		}
		return nil
	}
	return recs
}

// RunOne claims one operation and runs it in this goroutine until it ended or was given up, and says whether there was one.
// Tests and simulations use it in place of Start.
func (r *Runner) RunOne() bool {
	recs := r.claim(1)
	if len(recs) == 0 {
		return false
	}
	r.run(recs[0])
	return true
}

// Finder is what Wait needs of a Store beside running.
type Finder interface {
	// Operation reads an operation. fault.NotFound: there is none.
	Operation(ctx context.Context, o id.Operation) (Record, error)
}

// waitPoll is how often Wait looks for the end of an operation that may run on another server.
const waitPoll = 500 * time.Millisecond

// Wait returns the operation when it has ended, wherever it runs, or as it is when ctx ends, with ctx's cause.
func (r *Runner) Wait(ctx context.Context, o id.Operation) (Record, error) {
	find, ok := r.store.(Finder)
	if !ok {
		return Record{}, fault.New(fault.Internal, "op_no_finder", "this store cannot find operations")
	}
	var last Record
	for {
		r.mu.Lock()
		ended := r.ended
		r.mu.Unlock()
		rec, err := find.Operation(ctx, o)
		switch {
		case err == nil:
			last = rec
		case ctx.Err() == nil:
			return last, err
		}
		if last.Status.Ended() {
			return last, nil
		}
		select {
		case <-ended:
		case <-time.After(waitPoll):
		case <-ctx.Done():
			return last, context.Cause(ctx)
		}
	}
}

func (r *Runner) tellEnded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.ended)
	r.ended = make(chan struct{})
}
