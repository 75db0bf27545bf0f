package store

import (
	"context"
	"errors"
	"sync"

	"novacron/backend/core/fault"
)

// gate keeps callers from waiting for a database that does not answer: after a call ran out of time, one call at a time goes
// on to try, and all others fail at once, until one succeeds.
type gate struct {
	mu      sync.Mutex
	shut    bool
	probing bool
}

// enter lets a call pass, or refuses it. leave must be called with its context and error once it is done.
func (g *gate) enter() (leave func(ctx context.Context, err error), refused error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	probe := g.shut
	if probe && g.probing {
		return nil, fault.New(fault.Unavailable, "database_unavailable",
			"the database does not answer; try again in a moment").After(retryAfter)
	}
	g.probing = g.probing || probe
	return func(ctx context.Context, err error) { g.leave(ctx, err, probe) }, nil
}

func (g *gate) leave(ctx context.Context, err error, probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errTimeout):
		g.shut = true
	case probe && ctx.Err() == nil: // the caller waited for the answer
		g.shut = false // whatever it said
	}
}
