package storage

import (
	"context"
	"slices"
	"sync"
)

// Turns is a set of locks by name, so that calls about one thing take turns and calls about different things do not wait.
// The zero value is ready.
type Turns struct {
	mu   sync.Mutex
	held map[string]*turn
}

type turn struct {
	free    chan struct{} // holds one token while nobody has the lock
	waiting int           // holders and waiters; the last one removes the entry
}

// Lock waits for all names and gives the function that ends the turn. Names are taken in order, so two calls with the same
// names cannot block each other for ever.
func (k *Turns) Lock(ctx context.Context, names ...string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var undo []func()
	unlock = func() {
		for _, u := range slices.Backward(undo) {
			u()
		}
	}
	for _, n := range names {
		u, err := k.one(ctx, n)
		if err != nil {
			unlock()
			return nil, err
		}
		undo = append(undo, u)
	}
	return unlock, nil
}

func (k *Turns) one(ctx context.Context, name string) (unlock func(), err error) {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[string]*turn{}
	}
	t := k.held[name]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		k.held[name] = t
	}
	t.waiting++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(k.held, name)
		}
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
