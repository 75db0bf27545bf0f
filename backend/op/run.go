package op

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Why a running operation is left or turned back.
var (
	errStopping  = fault.New(fault.Unavailable, "stopping", "this server is stopping; the operation goes on when one runs")
	errLeaseLost = errors.New("the lease could not be renewed in time")
	errLeft      = errors.New("the operation was left")
	errCanceled  = fault.New(fault.Canceled, codeCanceled, "the operation was cancelled")
)

// codeCanceled tells an operation that somebody cancelled from one that failed.
const codeCanceled = "operation_canceled"

// running is one operation while this runner has it. Its record belongs to the goroutine that drives it.
type running struct {
	r     *Runner
	d     *Definition
	rec   *Record
	id    id.Operation
	fence int64
	check chan struct{} // look for a cancellation now

	ctx   context.Context // ended when the operation must be left at once
	leave context.CancelCauseFunc

	mu        sync.Mutex
	leaseEnds time.Time
	canceled  bool
	endStep   context.CancelCauseFunc // of the step that runs; nil between steps and while undoing
}

// run drives the operation until it ended, waits for a later try, or was left.
func (r *Runner) run(rec *Record) {
	x := &running{
		r: r, d: r.defs[rec.Kind], rec: rec, id: rec.ID, fence: rec.Fence, check: make(chan struct{}, 1),
		leaseEnds: rec.LeaseEnds, canceled: rec.Cancel,
	}
	x.ctx, x.leave = context.WithCancelCause(r.ctx)
	r.mu.Lock()
	r.running[x.id] = x
	r.mu.Unlock()
	var beat sync.WaitGroup
	beat.Go(x.renewLoop)
	defer func() { // also when the goroutine ends without returning
		x.leave(errLeft)
		beat.Wait()
		r.mu.Lock()
		delete(r.running, x.id)
		r.mu.Unlock()
		r.tellEnded()
	}()
	x.drive()
}

// drive runs one step or undo after the other.
func (x *running) drive() {
	if len(x.rec.Names) != len(x.d.steps) {
		x.stick(fault.New(fault.Unsupported, "operation_version", "the operation was begun by another version of NovaCron; finish it with that version"))
		return
	}
	for !x.rec.Status.Ended() {
		if x.ctx.Err() != nil {
			x.giveUp()
			return
		}
		next := x.doStep
		if x.rec.Status == Undoing {
			next = x.undoStep
		}
		if !next() {
			return
		}
	}
}

// doStep runs the present step. false: the operation is no longer this runner's, or waits.
func (x *running) doStep() bool {
	rec := x.rec
	if x.isCanceled() {
		return x.unwind(errCanceled) // also the present step: an earlier try of it may have run halfway
	}
	s := x.d.steps[rec.Step]
	state, err := x.call(s, s.do)
	switch {
	case err == nil:
		rec.State, rec.Attempts, rec.NotBefore = state, 0, time.Time{}
		rec.Step++
		rec.Progress, rec.Sentence = float64(rec.Step)/float64(len(x.d.steps)), ""
		if rec.Step == len(x.d.steps) {
			rec.Status = Succeeded
		} else {
			rec.Sentence = x.d.steps[rec.Step].name
		}
		return x.save()
	case x.ctx.Err() != nil:
		x.giveUp()
		return false
	case x.isCanceled():
		return x.unwind(errCanceled)
	case fault.Is(err, fault.Unavailable) && rec.Attempts+1 < x.r.o.Attempts:
		return x.later(s.name, err)
	}
	x.r.o.Log.Warn("operation turns back", "op", x.id, "kind", rec.Kind, "subject", rec.Subject, "caller", rec.Caller, "step", s.name, "err", err)
	return x.unwind(err)
}

// unwind begins to undo, from the step that failed halfway.
func (x *running) unwind(why error) bool {
	x.rec.Error = problem(why)
	x.rec.Status, x.rec.Attempts, x.rec.NotBefore = Undoing, 0, time.Time{}
	x.skipWithoutUndo()
	return x.save()
}

// skipWithoutUndo moves to the next step that has something to undo, or ends the operation behind the last.
func (x *running) skipWithoutUndo() {
	rec := x.rec
	for rec.Step >= 0 && !x.d.steps[rec.Step].hasUndo {
		rec.Step--
	}
	if rec.Step >= 0 {
		rec.Sentence = "Undo: " + x.d.steps[rec.Step].name
		return
	}
	rec.Step, rec.Sentence, rec.Status = 0, "", Failed
	if rec.Error != nil && rec.Error.Code == codeCanceled {
		rec.Status = Canceled
	}
}

// undoStep undoes the present step.
func (x *running) undoStep() bool {
	rec := x.rec
	s := x.d.steps[rec.Step]
	state, err := x.call(s, s.undo)
	switch {
	case err == nil:
		rec.State, rec.Attempts, rec.NotBefore = state, 0, time.Time{}
		rec.Step--
		x.skipWithoutUndo()
		return x.save()
	case x.ctx.Err() != nil:
		x.giveUp()
		return false
	case rec.Attempts+1 < x.r.o.UndoAttempts:
		return x.later("Undo: "+s.name, err)
	}
	return x.stick(fault.Wrap(err, fault.KindOf(err), "undo_failed", "cannot undo %q: %s", s.name, fault.Sentence(err)))
}

// stick leaves the operation to an operator.
func (x *running) stick(why error) bool {
	x.r.o.Log.Error("operation is stuck", "op", x.id, "kind", x.rec.Kind, "subject", x.rec.Subject, "caller", x.rec.Caller, "err", why)
	x.rec.Error, x.rec.Status, x.rec.Sentence = problem(why), Stuck, fault.Sentence(why)
	x.save()
	return false
}

// later gives the operation free for a further try after the back-off, so that waiting holds no worker.
func (x *running) later(what string, why error) bool {
	rec := x.rec
	rec.Attempts++
	wait := x.r.o.Backoff(rec.Attempts)
	x.r.o.Log.Info("operation waits", "op", x.id, "kind", rec.Kind, "step", what, "attempt", rec.Attempts, "wait", wait, "err", why)
	rec.NotBefore = x.r.o.Now().Add(wait)
	rec.Sentence = fmt.Sprintf("%s: %s; trying again", what, fault.Sentence(why))
	rec.Holder = ""
	if x.save() {
		// Another server may be able to do what this one cannot, such as reach a node that is connected to it: from the
		// second try on this one is not always the first to take the operation again.
		if rec.Attempts > 1 {
			wait += mathrand.N(x.r.o.Poll)
		}
		time.AfterFunc(wait, x.r.Wake)
	}
	return false
}

// giveUp leaves the operation as it was saved last. On an orderly stop the lease is freed, so that another runner goes on at once.
func (x *running) giveUp() {
	why := context.Cause(x.ctx)
	if !errors.Is(why, errStopping) {
		x.r.o.Log.Warn("operation left to another runner", "op", x.id, "kind", x.rec.Kind, "err", why)
		return
	}
	x.rec.Holder = ""
	x.save()
}

// saveRetry is the pause between two tries to save.
const saveRetry = 500 * time.Millisecond

// save stores the record, trying for as long as the lease lasts. false: it is no longer this runner's.
func (x *running) save() bool {
	ctx := context.WithoutCancel(x.ctx) // what a step did is saved also while stopping
	for {
		end, cancel := context.WithDeadline(ctx, time.Now().Add(x.leaseLeft()))
		err := x.r.store.Save(end, x.rec)
		cancel()
		if err == nil {
			return true
		}
		if errors.Is(err, ErrFenced) || x.ctx.Err() != nil || x.leaseLeft() <= saveRetry {
			x.r.o.Log.Warn("operation cannot be saved here", "op", x.id, "kind", x.rec.Kind, "err", err)
			return false
		}
		select {
		case <-time.After(saveRetry):
		case <-x.ctx.Done():
		}
	}
}

// call runs a step or an undo. A panic is a failure with its stack as cause.
func (x *running) call(s erased, f erasedFunc) (state json.RawMessage, err error) {
	ctx, end := context.WithCancelCause(x.ctx)
	h := &handle{x: x, rec: *x.rec, steps: len(x.d.steps), undo: x.rec.Status == Undoing}
	x.mu.Lock()
	if x.rec.Status != Undoing {
		x.endStep = end
		if x.canceled {
			end(errCanceled)
		}
	}
	x.mu.Unlock()
	defer func() {
		end(errLeft)
		h.close()
		x.mu.Lock()
		x.endStep = nil
		x.mu.Unlock()
		if p := recover(); p != nil {
			cause := fmt.Errorf("panic in %q: %v\n%s", s.name, p, debug.Stack())
			err = fault.Wrap(cause, fault.Internal, "step_panicked", "%q ended by a bug in NovaCron; the log of the server has the cause", s.name)
		}
	}()
	return f(ctx, h, append(json.RawMessage(nil), x.rec.State...))
}

func (x *running) isCanceled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.canceled
}

func problem(err error) *Problem {
	p := &Problem{Kind: fault.KindOf(err), Message: fault.Sentence(err), Cause: err.Error()}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		p.Code = f.Code
	}
	return p
}
