package store

import (
	"cmp"
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/op"
)

// Limits of an operation's row.
const (
	maxOperationState = 1 << 20 // bytes of JSON
	maxSentence       = 1024    // bytes
)

const operationColumns = `o.id, o.kind, o.tenant, o.subject, o.subject_name, o.caller, o.request, o.state, o.status, o.step, o.names, o.progress,
	o.sentence, o.problem, o.cancel, o.attempts, o.not_before, o.holder, o.fence, o.lease_ends, o.created_at, o.updated_at, o.ended_at`

func scanOperation(r row) (o op.Record, err error) {
	var state []byte
	err = r.Scan(&o.ID, &o.Kind, &o.Tenant, &o.Subject, &o.Name, &o.Caller, &o.Request, &state, &o.Status, &o.Step, decoded{&o.Names},
		&o.Progress, &o.Sentence, decoded{&o.Error}, &o.Cancel, &o.Attempts, stamped{&o.NotBefore}, &o.Holder, &o.Fence,
		stamped{&o.LeaseEnds}, stamped{&o.Created}, stamped{&o.Updated}, stamped{&o.Ended})
	o.State = state
	return o, err
}

// Operation reads an operation. fault.NotFound: there is none.
func (r *Reader) Operation(ctx context.Context, o id.Operation) (op.Record, error) {
	return one(ctx, r, notFound("operation", "operation", o), scanOperation,
		"select "+operationColumns+" from operations o where o.id = $1"+r.lock, o)
}

// OperationOn reads the unended operation that acts on the subject. fault.NotFound: nothing does.
func (r *Reader) OperationOn(ctx context.Context, subject string) (op.Record, error) {
	return one(ctx, r, fault.New(fault.NotFound, "operation_not_found", "nothing is being done to %s", subject), scanOperation,
		"select "+operationColumns+" from operations o where o.subject = $1 and o.ended_at is null"+r.lock, subject)
}

// OperationFilter narrows a list of operations. Zero fields do not.
type OperationFilter struct {
	Tenant  id.Tenant
	Subject string
	Kind    string
	Status  op.Status
	Open    bool // unended ones only
}

var operationListing = listing[op.Record]{
	columns: operationColumns, table: "operations o", key: "o.id", order: "-created_at",
	sorts: map[string]sorting[op.Record]{
		"created_at": {"o.created_at", func(o op.Record) string { return o.Created.Format(timeFormat) }},
	},
	scan:  scanOperation,
	keyOf: func(o op.Record) string { return string(o.ID) },
}

// ListOperations gives a page of operations, the newest first unless told otherwise; they sort by created_at.
func (r *Reader) ListOperations(ctx context.Context, f OperationFilter, p Page) (List[op.Record], error) {
	var where filter
	where.text("o.tenant", string(f.Tenant))
	where.text("o.subject", f.Subject)
	where.text("o.kind", f.Kind)
	where.text("o.status", string(f.Status))
	if f.Open {
		where.where = append(where.where, "o.ended_at is null")
	}
	return list(ctx, r, operationListing, where, p)
}

// InsertOperation adds an operation beside the change that asks for it, queued unless it has a status; the runner is woken at the commit.
// fault.Conflict with code busy: another unended operation acts on the subject.
func (t *Tx) InsertOperation(ctx context.Context, o *op.Record) error {
	if len(o.State) > maxOperationState {
		return fault.New(fault.TooLarge, "operation_too_large", "the request needs more than %d bytes to be kept; make it smaller", maxOperationState)
	}
	o.Status, o.Created = cmp.Or(o.Status, op.Queued), orNow(o.Created)
	o.Updated, o.NotBefore, o.LeaseEnds = o.Created, o.Created, o.Created
	n, err := t.exec(ctx, `insert into operations (id, kind, tenant, subject, subject_name, caller, request, state, status, step, names, progress,
		sentence, problem, cancel, attempts, not_before, holder, fence, lease_ends, created_at, updated_at)
		values (`+places(1, 22)+`) on conflict do nothing`,
		o.ID, o.Kind, o.Tenant, o.Subject, o.Name, o.Caller, o.Request, string(o.State), o.Status, o.Step, encode(o.Names), o.Progress,
		o.Sentence, problemOf(o), o.Cancel, o.Attempts, stamp(o.NotBefore), "", o.Fence, stamp(o.LeaseEnds), stamp(o.Created), stamp(o.Updated))
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "busy", "another operation acts on %s at present; wait until it ends, or cancel it", o.Subject)
	}
	t.hint("work")
	return t.emitOperation("operation.created", o)
}

// RequestCancel asks for an operation to be undone; the runner hears of it at once. fault.Conflict: it has ended.
func (t *Tx) RequestCancel(ctx context.Context, o id.Operation) (op.Record, error) {
	r, err := t.Operation(ctx, o)
	if err != nil {
		return r, err
	}
	if r.Status.Ended() {
		return r, fault.New(fault.Conflict, "operation_ended", "the operation has ended already (%s); there is nothing to cancel", r.Status)
	}
	if r.Cancel {
		return r, nil
	}
	// A waiting operation must not sit its back-off out before it hears of this.
	r.Cancel, r.NotBefore, r.Updated = true, r.Created, now()
	_, err = t.exec(ctx, "update operations set cancel = $2, not_before = created_at, updated_at = $3 where id = $1", o, true, stamp(r.Updated))
	if err != nil {
		return r, err
	}
	t.hint("work") // it may wait for its next try
	t.hint("cancel")
	return r, t.emitOperation("operation.updated", &r)
}

// Guard lets a step's transaction go on only while its runner still has the operation, and keeps others from taking it over
// until the transaction ends. op.ErrFenced: it was taken over; write nothing.
func (t *Tx) Guard(ctx context.Context, o id.Operation, fence int64) error {
	r, err := t.Operation(ctx, o)
	if err != nil {
		return err
	}
	if r.Fence != fence || r.Status.Ended() {
		return op.ErrFenced
	}
	return nil
}

// TrimOperations removes at most so many operations that ended before the time, and says how many.
func (t *Tx) TrimOperations(ctx context.Context, before time.Time, most int) (int, error) {
	return t.trim(ctx, "operations", "id", "ended_at < $1", most, stamp(before))
}

// OperationEvent is the data of operation.created, operation.updated and operation.ended.
type OperationEvent struct {
	ID       id.Operation `json:"id"`
	Kind     string       `json:"kind"`
	Subject  string       `json:"subject"`
	Name     string       `json:"subject_name"` // of the subject, as in the operation
	Status   op.Status    `json:"status"`
	Step     int          `json:"step"`
	Steps    []string     `json:"steps"`
	Progress float64      `json:"progress"`
	Sentence string       `json:"sentence"`
	Cancel   bool         `json:"cancel"`
	Error    *op.Problem  `json:"error,omitempty"`
}

func (t *Tx) emitOperation(kind string, o *op.Record) error {
	return t.Emit(kind, o.Tenant, "operation/"+string(o.ID), OperationEvent{
		ID: o.ID, Kind: o.Kind, Subject: o.Subject, Name: o.Name, Status: o.Status, Step: o.Step, Steps: o.Names, Progress: o.Progress,
		Sentence: o.Sentence, Cancel: o.Cancel, Error: o.Error,
	})
}
