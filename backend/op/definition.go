package op

import (
	"context"
	"encoding/json"
	"fmt"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Prepare makes the record of a new operation of this kind on the subject ("vm/<id>"), to be inserted beside the change that asks
// for it. The caller adds who asks. It panics when state cannot be encoded or is not the definition's, since that is a bug.
func (d *Definition) Prepare(subject string, state any) *Record {
	raw, err := json.Marshal(state)
	if err == nil {
		err = d.check(raw)
	}
	if err != nil {
		panic(fmt.Sprintf("op: state of %s: %v", d.kind, err))
	}
	return &Record{ID: id.NewOperation(), Kind: d.kind, Subject: subject, State: raw, Status: Queued, Names: d.Steps()}
}

// Retry makes the record of a new operation that takes back what a stuck one left, from the step that could not be undone on; it ends
// canceled. The stuck one stays as it ended: what has ended stays ended. The caller adds who asks. fault.Conflict: r is not stuck.
func (r *Record) Retry() (*Record, error) {
	if r.Status != Stuck {
		return nil, fault.New(fault.Conflict, "operation_not_stuck", "the operation is %s, not stuck; there is nothing to retry", r.Status)
	}
	why := fault.New(fault.Canceled, codeCanceled, "this took back what operation %s had left", r.ID)
	return &Record{
		ID: id.NewOperation(), Kind: r.Kind, Tenant: r.Tenant, Subject: r.Subject, Name: r.Name, State: r.State, Status: Undoing, Step: r.Step,
		Names: r.Names, Progress: r.Progress, Sentence: "Undo: " + r.Names[r.Step], Error: problem(why), Cancel: true,
	}, nil
}

// Call is one call of a step, as Intercept sees it.
type Call struct {
	Kind string
	Step int
	Name string // the step's sentence
	Undo bool   // of its undo
	Run  Run
}

// Intercept gives a definition whose steps and undos are called through around, which calls next once, several times or not
// at all. An error of around counts as the step's, even when next succeeded. Tests inject failures with it.
func (d *Definition) Intercept(around func(ctx context.Context, c Call, next func(context.Context) error) error) *Definition {
	copied := &Definition{kind: d.kind, check: d.check}
	for i, s := range d.steps {
		s.do = intercepted(Call{Kind: d.kind, Step: i, Name: s.name}, s.do, around)
		if s.hasUndo {
			s.undo = intercepted(Call{Kind: d.kind, Step: i, Name: s.name, Undo: true}, s.undo, around)
		}
		copied.steps = append(copied.steps, s)
	}
	return copied
}

type erasedFunc = func(context.Context, Run, json.RawMessage) (json.RawMessage, error)

func intercepted(c Call, f erasedFunc, around func(context.Context, Call, func(context.Context) error) error) erasedFunc {
	return func(ctx context.Context, r Run, state json.RawMessage) (json.RawMessage, error) {
		c, result := c, state
		c.Run = r
		err := around(ctx, c, func(ctx context.Context) error {
			out, err := f(ctx, r, state) // always from the saved state, as after a crash
			if err == nil {
				result = out
			}
			return err
		})
		if err != nil {
			return state, err
		}
		return result, nil
	}
}
