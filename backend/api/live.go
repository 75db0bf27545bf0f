package api

import (
	"context"
	"sync"
	"time"

	"novacron/backend/core/auth"
)

// lives ends what was opened with a session soon after the session, whichever server ended it. Everybody with an open stream is looked
// at together, so that ten thousand streams cost some forty questions a round and not as many as there are streams.
type lives struct {
	check func(context.Context, []auth.Caller) ([]error, error)

	mu      sync.Mutex
	open    map[*life]bool
	running bool
}

// life is one stream's watch. Ended gets the reason once.
type life struct {
	of    *lives
	who   auth.Caller
	Ended chan error
}

// Bounds of the look.
const (
	livesEvery = 500 * time.Millisecond // so that, with the look itself, a session is over everywhere within a second
	livesTime  = 5 * time.Second        // for one look at all
)

func newLives(check func(context.Context, []auth.Caller) ([]error, error)) *lives {
	return &lives{check: check, open: map[*life]bool{}}
}

// watch begins to look after a caller. Call end when the stream is over.
func (l *lives) watch(c auth.Caller) *life {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &life{of: l, who: c, Ended: make(chan error, 1)}
	l.open[w] = true
	if !l.running {
		l.running = true
		go l.run() // ends with the last stream
	}
	return w
}

func (w *life) end() { w.of.mu.Lock(); defer w.of.mu.Unlock(); delete(w.of.open, w) }

// become goes on with the same account's next token.
func (w *life) become(c auth.Caller) { w.of.mu.Lock(); defer w.of.mu.Unlock(); w.who = c }

func (l *lives) run() {
	tick := time.NewTicker(livesEvery)
	defer tick.Stop()
	for range tick.C {
		streams, callers := l.all()
		if len(streams) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), livesTime)
		// Without an answer nobody is cut off: the engines' absence is for requests to tell.
		reasons, err := l.check(ctx, callers)
		cancel()
		for i, reason := range reasons {
			if err == nil && reason != nil {
				streams[i].tell(callers[i], reason)
			}
		}
	}
}

// all gives who is watched now. None: the round was the last one, and the next stream begins another.
func (l *lives) all() (streams []*life, callers []auth.Caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.open {
		streams, callers = append(streams, w), append(callers, w.who)
	}
	l.running = len(streams) > 0
	return streams, callers
}

// tell says why the caller may not go on, unless the stream has become another's meanwhile.
func (w *life) tell(asked auth.Caller, reason error) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.who.Session != asked.Session || w.who.Token != asked.Token || w.who.Request != asked.Request {
		return
	}
	select {
	case w.Ended <- reason:
	default: // it was told already
	}
}
