package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/store"
)

// A data folder that was copied gives two processes one server's id, and each would take the other's nodes for its own for ever. Who comes
// finds the row of the one that lives and does not start; where both come at once, the one whose row was written over ends.

// twinError is that another process has this server's id.
type twinError struct{ other store.Server }

func (e twinError) Error() string {
	return fmt.Sprintf("the server at %s, started %s, has the same id as this one, %s: the data folder of one is a copy of the other's; "+
		"stop one of the two, delete the file server-id in its data folder, and start it again",
		e.other.Address, e.other.Started.Local().Format(time.DateTime), e.other.ID)
}

// aloneAfter is how many silent Holds make sure that the process which wrote this server's row is gone: it would have spoken twice.
const aloneAfter = 3

// Alone returns when no other process has this server's id, or with one sentence on the one that has it. It goes before Start, and before a
// node in this process: that would be a copy too. A row of this server's own address is of an earlier life, since the port is taken by now,
// and so is one that says that it stopped. Any other is watched for a word of its process, by this machine's clock.
func (l *Loops) Alone(ctx context.Context) error {
	if l.holds == nil {
		return nil
	}
	before, err := l.another(ctx)
	if before == nil {
		return err
	}
	l.o.Log.Warn("this server's id was in use at another address; it starts when nobody has spoken from there for a while", "address", before.Address)
	deadline := time.Now().Add(aloneAfter * l.o.Times.Hold)
	for time.Now().Before(deadline) && sleep(ctx, l.o.Times.Hold/4) {
		now, err := l.another(ctx)
		if now == nil {
			return err
		}
		if !now.SameLife(*before) || !now.Seen.Equal(before.Seen) {
			return twinError{*now}
		}
	}
	return context.Cause(ctx)
}

// another is the row of this server's id when it may be that of another process; nil: it is not.
func (l *Loops) another(ctx context.Context) (*store.Server, error) {
	self := l.o.Server
	now, err := l.o.Store.Server(ctx, self.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil || now.Stopped || now.Address == self.Address || now.SameLife(self) {
		return nil, err
	}
	return &now, nil
}

// notReplaced gives a twinError when another process has written this server's row. What stands there of an earlier life, as after the
// database was put back to a copy of itself, is written over.
func (l *Loops) notReplaced(ctx context.Context, r *store.Reader) error {
	self := l.o.Server
	now, err := r.Server(ctx, self.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	case now.SameLife(self), now.Address == self.Address && now.Started.Before(self.Started):
		return nil
	}
	return twinError{now}
}

func isTwin(err error) bool { return errors.As(err, new(twinError)) }
