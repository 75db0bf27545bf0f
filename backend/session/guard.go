package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"novacron/backend/core/fault"
)

// callTimeout bounds every call on an engine, so that a request whose engine is gone is answered within a second.
const callTimeout = 800 * time.Millisecond

// retryAfter is told to callers of an engine that is gone.
const retryAfter = time.Second

// errSlow is the cause of a context that guard ended by itself.
var errSlow = errors.New("the engine did not answer in time")

// guard bounds calls and keeps them from queueing for an engine that hangs: after a call ran out of time, one call at a time
// goes on to try, and all others fail at once, until one succeeds. The zero guard is open.
type guard struct {
	timeout time.Duration // of a call; 0: callTimeout
	mu      sync.Mutex
	shut    bool
	probing bool
}

// call runs f within the time of a call. Faults of f and the caller's own cancellation pass; every other error becomes unavailable.
func (g *guard) call(ctx context.Context, what string, unavailable func(error) error, f func(context.Context) error) error {
	probe, ok := g.enter()
	if !ok {
		return unavailable(fmt.Errorf("%s: %w", what, errSlow))
	}
	bounded, cancel := context.WithTimeoutCause(ctx, cmp.Or(g.timeout, callTimeout), errSlow)
	defer cancel()
	err := f(bounded)
	slow := err != nil && errors.Is(context.Cause(bounded), errSlow)
	g.leave(probe, slow, ctx.Err() == nil)
	switch _, spoken := errors.AsType[*fault.Error](err); {
	case err == nil || spoken:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	return unavailable(fmt.Errorf("%s: %w", what, err))
}

func (g *guard) enter() (probe, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		return false, true
	}
	if g.probing {
		return false, false
	}
	g.probing = true
	return true, true
}

// leave ends a call. waited says that the caller stayed for the outcome: only then does a probe tell something.
func (g *guard) leave(probe, slow, waited bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	switch {
	case slow:
		g.shut = true
	case probe && waited:
		g.shut = false // it answered, whatever it said
	}
}
