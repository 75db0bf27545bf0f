package reconcile

import (
	"context"
	"errors"
)

// retain forgets what is older than it is kept, and mends stored statuses. One part that fails does not keep the others.
func (l *Loops) retain(ctx context.Context) error {
	errs := []error{l.o.App.Trim(ctx), l.o.App.ExpireUploads(ctx), l.o.App.Resettle(ctx)}
	if l.o.Prune != nil {
		errs = append(errs, l.o.Prune(ctx))
	}
	return errors.Join(errs...)
}
