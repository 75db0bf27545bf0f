// Package op runs durable operations: fixed lists of steps that someone asked for, each beside its undo. The state of an
// operation is one typed struct that is saved after each step, so that any server can go on after kill -9 of the one that ran
// it. Every step may run twice; an undo may meet a half-done step. A condition that must hold for ever is not an operation
// but a reconciler.
package op

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Run is what a step knows of the operation that it belongs to.
type Run interface {
	// ID is the operation's id.
	ID() id.Operation
	// Fence grows each time another runner takes the operation over. What a step writes to the store is guarded by it.
	Fence() int64
	// Progress tells users how far the step is, 0..1, with a sentence that may be empty. It is lossy and not saved at once.
	Progress(done float64, sentence string)
}

// Step is a sentence, what it does, and how it is undone. Only Do(...).Undo(...) and Do(...).NoUndo(...) make one.
type Step[S any] struct {
	name string
	do   func(context.Context, Run, *S) error
	undo func(context.Context, Run, *S) error
	why  string // why there is no undo
}

// Pending is a step whose undo has not been said; it fits nowhere until it is.
type Pending[S any] struct {
	name string
	do   func(context.Context, Run, *S) error
}

// Do begins a step. name is the sentence that users see while it runs, for example "Make the disks". f may run twice, gets
// the state that was saved after the step before, and its changes to the state are saved when it returns nil. An error of kind
// fault.Unavailable is retried with back-off; any other unwinds the operation.
func Do[S any](name string, f func(context.Context, Run, *S) error) Pending[S] {
	return Pending[S]{name: name, do: f}
}

// Undo closes the step with what takes it back. f may run twice, and may meet a step that ran halfway or not at all.
func (p Pending[S]) Undo(f func(context.Context, Run, *S) error) Step[S] {
	return Step[S]{name: p.name, do: p.do, undo: f}
}

// NoUndo closes a step that needs none, and says why.
func (p Pending[S]) NoUndo(why string) Step[S] {
	return Step[S]{name: p.name, do: p.do, why: why}
}

// Definition is an operation of one kind with the type of its state erased.
type Definition struct {
	kind  string
	steps []erased
	check func(json.RawMessage) error
}

type erased struct {
	name    string
	do      func(context.Context, Run, json.RawMessage) (json.RawMessage, error)
	undo    func(context.Context, Run, json.RawMessage) (json.RawMessage, error)
	hasUndo bool
	why     string
}

// Define names an operation ("vm.create") and its steps in order. It panics on an empty name, no steps, or a step
// without a name, since that is a bug.
func Define[S any](kind string, steps ...Step[S]) *Definition {
	if kind == "" || len(steps) == 0 {
		panic("op: an operation needs a kind and steps")
	}
	d := &Definition{kind: kind, check: func(raw json.RawMessage) error {
		var s S
		return json.Unmarshal(raw, &s)
	}}
	for _, s := range steps {
		if s.name == "" || s.do == nil || (s.undo == nil) == (s.why == "") {
			panic(fmt.Sprintf("op: a step of %s lacks its name, what it does, or its undo", kind))
		}
		d.steps = append(d.steps, erased{name: s.name, do: erase(s.do), undo: erase(s.undo), hasUndo: s.undo != nil, why: s.why})
	}
	return d
}

// Kind is the name of the operation.
func (d *Definition) Kind() string { return d.kind }

// Steps gives the sentences in order.
func (d *Definition) Steps() []string {
	names := make([]string, len(d.steps))
	for i, s := range d.steps {
		names[i] = s.name
	}
	return names
}

func erase[S any](f func(context.Context, Run, *S) error) func(context.Context, Run, json.RawMessage) (json.RawMessage, error) {
	if f == nil {
		return func(_ context.Context, _ Run, raw json.RawMessage) (json.RawMessage, error) { return raw, nil }
	}
	return func(ctx context.Context, r Run, raw json.RawMessage) (json.RawMessage, error) {
		var s S
		if err := json.Unmarshal(raw, &s); err != nil {
			return raw, fmt.Errorf("state of %s: %w", r.ID(), err)
		}
		if err := f(ctx, r, &s); err != nil {
			return raw, err
		}
		return json.Marshal(s)
	}
}

// Status is where an operation is.
type Status string

// The states. Stuck: its undo failed for good; an operator reads why in Error.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Undoing   Status = "undoing"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"   // undone, the world is as before
	Canceled  Status = "canceled" // undone because somebody cancelled it
	Stuck     Status = "stuck"
)

// Ended reports whether nothing more will happen.
func (s Status) Ended() bool {
	return s == Succeeded || s == Failed || s == Canceled || s == Stuck
}

// Record is an operation as it is stored.
type Record struct {
	ID        id.Operation
	Kind      string
	Tenant    id.Tenant
	Subject   string // what it acts on, "vm/<id>"; at most one unended operation per subject
	Name      string // of the subject when it began, for people; the subject may be gone since
	Caller    string // who asked
	Request   string // request id of who asked
	State     json.RawMessage
	Status    Status
	Step      int       // index of the step to run next, or to undo next
	Names     []string  // the steps' sentences, for readers that do not know the definition
	Progress  float64   // of the whole operation, 0..1
	Sentence  string    // what is happening now
	Error     *Problem  // why it failed, or what keeps it stuck
	Cancel    bool      // somebody asked to cancel
	Attempts  int       // tries of the present step
	NotBefore time.Time // back-off: not to be claimed earlier
	Holder    string    // the runner that has it
	Fence     int64
	LeaseEnds time.Time
	Created   time.Time
	Updated   time.Time
	Ended     time.Time // zero until it ended
}

// Problem is a failure that can be stored.
type Problem struct {
	Kind    fault.Kind `json:"kind"`
	Code    string     `json:"code,omitempty"`
	Message string     `json:"message"`
	Cause   string     `json:"-"` // for the log only
}

// Store is what the Runner needs of a database. Save and Renew change nothing and return ErrFenced when the record's fence
// is not the stored one. Save writes the operation's events in the same transaction.
type Store interface {
	// Claim takes the oldest operations that may run and whose lease is free or ended, at most so many, counts their fences up, and
	// leases them to holder until now+lease. None is no error. Kinds that this binary does not know are left alone.
	Claim(ctx context.Context, holder string, kinds []string, now time.Time, lease time.Duration, most int) ([]*Record, error)
	// Renew prolongs the lease and says whether somebody asked to cancel.
	Renew(ctx context.Context, op id.Operation, fence int64, ends time.Time) (cancel bool, err error)
	// Save stores the record. An ended record gives its lease up.
	Save(ctx context.Context, r *Record) error
	// Progress tells subscribers without history. It may be lost.
	Progress(ctx context.Context, r *Record) error
}

// ErrFenced: another runner has taken the operation over; stop at once and write nothing.
var ErrFenced = fault.New(fault.Conflict, "op_fenced", "another server has taken this operation over")
