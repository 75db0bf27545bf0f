package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/op"
)

// Operations is the op.Store of a database.
type Operations struct{ db *DB }

// Operations gives what op.Runner runs on.
func (db *DB) Operations() *Operations { return &Operations{db} }

var _ op.Store = (*Operations)(nil)

// Claim takes the oldest operations that may run; see op.Store. One transaction takes them all: under load one claim at a time would
// wait for its turn behind every request.
func (s *Operations) Claim(ctx context.Context, holder string, kinds []string, now time.Time, lease time.Duration, most int) ([]*op.Record, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	// Looked up outside of a writing transaction first: an idle runner must not write, and a busy one not wait for its turn.
	if free, err := s.anyFree(ctx, kinds, now); err != nil || !free {
		return nil, err
	}
	var got []op.Record
	err := s.db.Tx(ctx, func(t *Tx) (err error) {
		got, err = many(ctx, &t.Reader, scanOperation, "select "+operationColumns+" from operations o where "+claimable+
			" and o.kind in ("+places(3, len(kinds))+") order by o.created_at, o.id limit $2"+s.db.dialect.skipLocked,
			slices.Insert(claimArgs(kinds, now), 1, any(most))...)
		if err != nil {
			return err
		}
		for i := range got {
			if err := t.lease(ctx, &got[i], holder, now, lease); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	claimed := make([]*op.Record, len(got))
	for i := range got {
		claimed[i] = &got[i]
	}
	return claimed, nil
}

// lease gives an operation to the holder. That it begins is told; that another runner goes on with it is nobody's concern.
func (t *Tx) lease(ctx context.Context, o *op.Record, holder string, now time.Time, lease time.Duration) error {
	begins := o.Status == op.Queued
	if begins {
		o.Status = op.Running
	}
	o.Holder, o.LeaseEnds, o.Updated = holder, now.Add(lease), now
	o.Fence++
	_, err := t.exec(ctx, "update operations set holder = $2, fence = $3, lease_ends = $4, status = $5, updated_at = $6 where id = $1",
		o.ID, o.Holder, o.Fence, stamp(o.LeaseEnds), o.Status, stamp(now))
	if err != nil || !begins {
		return err
	}
	return t.emitOperation("operation.updated", o)
}

const claimable = "o.ended_at is null and o.not_before <= $1 and o.lease_ends <= $1"

func claimArgs(kinds []string, now time.Time) []any {
	args := []any{stamp(now)}
	for _, k := range kinds {
		args = append(args, k)
	}
	return args
}

func (s *Operations) anyFree(ctx context.Context, kinds []string, now time.Time) (bool, error) {
	return one(ctx, &s.db.Reader, nil, func(r row) (free bool, err error) { return free, r.Scan(&free) },
		"select exists (select 1 from operations o where "+claimable+" and o.kind in ("+places(2, len(kinds))+"))", claimArgs(kinds, now)...)
}

// Renew prolongs the lease; see op.Store.
func (s *Operations) Renew(ctx context.Context, o id.Operation, fence int64, ends time.Time) (cancel bool, err error) {
	err = s.db.Tx(ctx, func(t *Tx) (err error) {
		cancel, err = one(ctx, &t.Reader, op.ErrFenced, func(r row) (c bool, err error) { return c, r.Scan(&c) },
			"update operations set lease_ends = $3 where id = $1 and fence = $2 and ended_at is null and holder <> '' returning cancel",
			o, fence, stamp(ends))
		return err
	})
	return cancel, err
}

// Save stores the record with its event; see op.Store. A record without a holder gives its lease up; otherwise the lease
// stays as Renew left it.
func (s *Operations) Save(ctx context.Context, r *op.Record) error {
	return s.db.Tx(ctx, func(t *Tx) error { return t.saveOperation(ctx, r) })
}

func (t *Tx) saveOperation(ctx context.Context, r *op.Record) error {
	r.Updated = now()
	if r.NotBefore.IsZero() {
		r.NotBefore = r.Updated
	}
	kind, ended := "operation.updated", any(nil)
	if r.Status.Ended() {
		r.Ended, r.Holder = orNow(r.Ended), ""
		kind, ended = "operation.ended", stamp(r.Ended)
	}
	r.Sentence = clean(r.Sentence, maxSentence)
	lease := ""
	if r.Holder == "" {
		lease = ", lease_ends = created_at"
	}
	err := t.execOne(ctx, op.ErrFenced, `update operations set state = $3, status = $4, step = $5, names = $6, progress = $7,
		sentence = $8, problem = $9, attempts = $10, not_before = $11, holder = $12, updated_at = $13, ended_at = $14`+lease+
		` where id = $1 and fence = $2 and ended_at is null`,
		r.ID, r.Fence, string(r.State), r.Status, r.Step, encode(r.Names), r.Progress, r.Sentence, problemOf(r), r.Attempts,
		stamp(r.NotBefore), r.Holder, stamp(r.Updated), ended)
	if err != nil {
		return err
	}
	if r.Holder == "" && !r.Status.Ended() {
		t.hint("work")
	}
	if r.Status.Ended() && r.Status != op.Succeeded {
		// That it was asked for stands in the log as "ok".
		detail := map[string]any{"operation": r.ID}
		if r.Error != nil {
			detail["code"] = r.Error.Code
		}
		entry := AuditEntry{Tenant: r.Tenant, Actor: r.Caller, Action: r.Kind, Subject: r.Subject, Result: string(r.Status), Request: r.Request, Detail: json.RawMessage(encode(detail))}
		if err := t.Audit(entry); err != nil {
			return err
		}
	}
	return t.emitOperation(kind, r)
}

// problemOf is an operation's error as it is stored.
func problemOf(r *op.Record) string {
	if r.Error == nil {
		return ""
	}
	return encode(r.Error)
}

// Progress stores how far the operation is and tells the subscribers of WatchProgress; see op.Store.
func (s *Operations) Progress(ctx context.Context, r *op.Record) error {
	err := s.db.Tx(ctx, func(t *Tx) error {
		return t.execOne(ctx, op.ErrFenced, "update operations set progress = $3, sentence = $4 where id = $1 and fence = $2 and ended_at is null",
			r.ID, r.Fence, r.Progress, clean(r.Sentence, maxSentence))
	})
	if err == nil {
		s.db.progress.tell(r)
	}
	return err
}

// Operation reads an operation, for op.Runner.Wait.
func (s *Operations) Operation(ctx context.Context, o id.Operation) (op.Record, error) {
	return s.db.Operation(ctx, o)
}
