package app

import (
	"cmp"
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// MaxWait is how long WaitOperation waits at most; more is capped.
const MaxWait = 300 * time.Second

// ListOperations gives a page of the operations that the caller may see, newest first.
func (a *App) ListOperations(ctx context.Context, c auth.Caller, r ListOperations) (wire.List[wire.Operation], error) {
	var none wire.List[wire.Operation]
	tenant, err := scope(c, auth.ReadOperation, "")
	if err != nil {
		return none, err
	}
	f := store.OperationFilter{Tenant: tenant, Subject: r.Subject, Kind: r.Kind, Open: r.Status == "open"}
	if !f.Open {
		f.Status = op.Status(r.Status)
	}
	page, err := a.db.ListOperations(ctx, f, r.page())
	if err != nil {
		return none, err
	}
	return mapped(page, operationView), nil
}

// Operation gives one operation.
func (a *App) Operation(ctx context.Context, c auth.Caller, o id.Operation) (wire.Operation, error) {
	r, err := a.findOperation(ctx, &a.db.Reader, c, o, auth.ReadOperation)
	if err != nil {
		return wire.Operation{}, err
	}
	return operationView(r), nil
}

func (a *App) findOperation(ctx context.Context, r *store.Reader, c auth.Caller, o id.Operation, action auth.Action) (op.Record, error) {
	if err := auth.May(c, action, c.Tenant); err != nil {
		return op.Record{}, err
	}
	rec, err := r.Operation(ctx, o)
	if err == nil {
		err = auth.May(c, action, rec.Tenant)
		if rec.Tenant == "" && !auth.SeesAll(c, action) {
			err = fault.New(fault.NotFound, "", "")
		}
	}
	if fault.Is(err, fault.NotFound) {
		return op.Record{}, fault.New(fault.NotFound, "operation_not_found", "there is no operation %.80q; ended ones are forgotten after a while", o)
	}
	return rec, err
}

// begunForGood are the operations whose steps cannot be taken back once they have begun: a cancel would only leave a half.
var begunForGood = map[string]string{
	"vm.delete":       "a delete that has begun goes on to its end",
	"snapshot.delete": "a delete that has begun goes on to its end",
	"snapshot.revert": "a revert that has begun goes on to its end; half a disk is of no use",
	"image.delete":    "a delete that has begun goes on to its end",
}

// CancelOperation asks for an operation to be undone.
func (a *App) CancelOperation(ctx context.Context, c auth.Caller, o id.Operation) (w wire.Operation, err error) {
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		r, err := a.findOperation(ctx, &t.Reader, c, o, auth.WriteOperation)
		if err != nil {
			return err
		}
		if why := begunForGood[r.Kind]; why != "" && r.Status != op.Queued && !r.Status.Ended() {
			return fault.New(fault.Conflict, "operation_not_cancellable", "%s", why)
		}
		if r, err = t.RequestCancel(ctx, o); err != nil {
			return err
		}
		w = operationView(r)
		return audit(t, c, "operation.cancel", r.Tenant, r.Subject, map[string]any{"operation": r.ID, "kind": r.Kind})
	})
	return w, err
}

// RetryOperation begins an operation that takes back what a stuck one left, after somebody removed what was in the way. It is refused
// once anything else was done to the subject: what the stuck one would take back is not as it left it.
func (a *App) RetryOperation(ctx context.Context, c auth.Caller, o id.Operation) (w wire.Operation, err error) {
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		stuck, err := a.findOperation(ctx, &t.Reader, c, o, auth.WriteOperation)
		if err != nil {
			return err
		}
		r, err := stuck.Retry()
		if err != nil {
			return err
		}
		r.Caller, r.Request, r.Created = c.String(), c.Request, a.now()
		if err := t.InsertOperation(ctx, r); err != nil {
			return err
		}
		if err := notOvertaken(ctx, t, stuck); err != nil {
			return err
		}
		w = operationView(*r)
		if err := audit(t, c, "operation.retry", r.Tenant, r.Subject, map[string]any{"operation": r.ID, "kind": r.Kind, "stuck": o}); err != nil {
			return err
		}
		if v, ok := vmOf(r.Subject); ok {
			return a.refresh(ctx, t, v)
		}
		return nil
	})
	return w, err
}

// notOvertaken refuses when something was done to the subject between the stuck operation and the last. The last is this transaction's own,
// which keeps others from the subject until it ends.
func notOvertaken(ctx context.Context, t *store.Tx, stuck op.Record) error {
	newest, err := t.ListOperations(ctx, store.OperationFilter{Subject: stuck.Subject}, store.Page{Limit: 2})
	if err != nil {
		return err
	}
	if before := newest.Items[len(newest.Items)-1]; before.ID != stuck.ID {
		return fault.New(fault.Conflict, "operation_overtaken", "operation %s (%s) has acted on %s since; what is left of this one has to be removed with the verbs of today",
			before.ID, before.Kind, cmp.Or(stuck.Name, stuck.Subject))
	}
	return nil
}

// WaitOperation returns the operation when it has ended, or as it is after wait (capped at MaxWait) or when ctx ends.
func (a *App) WaitOperation(ctx context.Context, c auth.Caller, o id.Operation, wait time.Duration) (wire.Operation, error) {
	ctx, cancel := context.WithTimeout(ctx, min(wait, MaxWait))
	defer cancel()
	hint, stop := a.follow.await("operation/" + string(o)) // taken before the look, so that the end is not missed
	defer stop()
	for {
		r, err := a.findOperation(context.WithoutCancel(ctx), &a.db.Reader, c, o, auth.ReadOperation)
		if err != nil || r.Status.Ended() || ctx.Err() != nil {
			return operationView(r), err
		}
		select {
		case <-hint:
		case <-time.After(lookAgain):
		case <-ctx.Done():
		}
	}
}
