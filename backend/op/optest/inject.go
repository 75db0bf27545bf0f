package optest

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"novacron/backend/core/fault"
	"novacron/backend/op"
)

// injector counts the points of a run and disturbs it at two of them at most.
type injector struct {
	fail  int  // fail at this one of the points where a step can fail; 0: nowhere
	crash int  // crash at this one of all points behind the failure; 0: nowhere
	twice bool // call every step and undo twice
	quiet bool // disturb no more; set while nothing runs

	mu        sync.Mutex
	failures  int // points met where a step can fail
	crashes   int // points met where a crash may come
	failed    bool
	where     string // of the failure
	crashed   bool
	crashedAt string
	undoing   bool
}

// around wraps every call of a step.
func (in *injector) around(ctx context.Context, c op.Call, next func(context.Context) error) error {
	what := fmt.Sprintf("%q", c.Name)
	if c.Undo {
		what = "the undo of " + what
	}
	in.mu.Lock()
	in.undoing = c.Undo
	in.mu.Unlock()
	if err := in.point("before " + what); err != nil {
		return err
	}
	if in.twice && !in.quiet {
		if err := next(ctx); err != nil {
			return err
		}
	}
	if err := next(ctx); err != nil {
		return err
	}
	return in.point("after " + what)
}

// inside is the point function of the world's own parts.
func (in *injector) inside(where string) error { return in.point("at " + where) }

// point is where a step may fail and a runner may crash. While undoing nothing fails any more.
func (in *injector) point(where string) error {
	in.crashPoint(where)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.undoing || in.failed || in.quiet {
		return nil
	}
	in.failures++
	if in.failures != in.fail {
		return nil
	}
	in.failed, in.where = true, where
	return fault.New(fault.Internal, "injected", "a test made this fail")
}

// crashPoint ends the goroutine when its turn has come.
func (in *injector) crashPoint(where string) {
	in.mu.Lock()
	counts := !in.quiet && !in.crashed && (in.fail == 0 || in.failed)
	if counts {
		in.crashes++
	}
	if !counts || in.crashes != in.crash {
		in.mu.Unlock()
		return
	}
	in.crashed, in.crashedAt = true, where
	in.mu.Unlock()
	runtime.Goexit()
}

// tapped is a store with points before and after each save.
type tapped struct {
	Store
	in *injector
}

// Save saves between two points.
func (s *tapped) Save(ctx context.Context, r *op.Record) error {
	what := fmt.Sprintf("saving %s, step %d", r.Status, r.Step)
	s.in.crashPoint("before " + what)
	err := s.Store.Save(ctx, r)
	s.in.crashPoint("after " + what)
	return err
}
