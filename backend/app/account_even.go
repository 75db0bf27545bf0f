package app

import (
	"context"
	"time"
)

// answerStep is what the time of an answer is rounded up to where it would tell whether there is an account: the work for a known address
// and an unknown one differs by a few statements, which is little beside it.
const answerStep = 250 * time.Millisecond

// even waits until a whole number of steps has passed since began, or ctx ends. Real time, whatever clock the accounts have: it is the
// caller's stopwatch that is to be told nothing.
func even(ctx context.Context, began time.Time) {
	took := time.Since(began)
	t := time.NewTimer((took+answerStep-1)/answerStep*answerStep - took)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
