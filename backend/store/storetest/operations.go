package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/op"
	"novacron/backend/store"
)

func (s *suite) operation(subject string) op.Record {
	s.t.Helper()
	o := op.Record{
		ID: id.NewOperation(), Kind: "vm.start", Tenant: s.tenant, Subject: subject, Name: "web-1", Caller: "ada", Request: "req-1",
		State: json.RawMessage(`{"a":1}`), Names: []string{"One", "Two"},
	}
	s.tx(func(x *store.Tx) error { return x.InsertOperation(s.ctx, &o) })
	return o
}

// claim takes one operation for a minute, nil when none is free.
func (s *suite) claim(holder string, kinds []string, now time.Time) *op.Record {
	s.t.Helper()
	got := must[[]*op.Record](s.t)(s.db.Operations().Claim(s.ctx, holder, kinds, now, time.Minute, 1))
	if len(got) == 0 {
		return nil
	}
	return got[0]
}

func testOperations(t *testing.T, s *suite) {
	first := s.operation("vm/1")
	same(t, "the operation as read", must[op.Record](t)(s.db.Operation(s.ctx, first.ID)), first)
	same(t, "what acts on the subject", must[op.Record](t)(s.db.OperationOn(s.ctx, "vm/1")).ID, first.ID)
	s.refused("a second operation on a busy subject", fault.Conflict, "busy", func(x *store.Tx) error {
		return x.InsertOperation(s.ctx, &op.Record{ID: id.NewOperation(), Kind: "vm.stop", Subject: "vm/1", State: json.RawMessage("{}")})
	})
	ops := s.db.Operations()
	got := s.claim("a", []string{"vm.start"}, time.Now())
	got.Status, got.Step, got.State = op.Failed, 1, json.RawMessage(`{"a":2}`)
	got.Error = &op.Problem{Kind: fault.Exhausted, Code: "no_room", Message: "no node has room"}
	if err := ops.Save(s.ctx, got); err != nil {
		t.Fatalf("save: %v", err)
	}
	saved := must[op.Record](t)(s.db.Operation(s.ctx, first.ID))
	same(t, "what was saved", []any{saved.Status, saved.Step, string(saved.State), saved.Error, saved.Holder, saved.Ended.IsZero()},
		[]any{op.Failed, 1, `{"a":2}`, got.Error, "", false})
	if err := ops.Save(s.ctx, got); !errors.Is(err, op.ErrFenced) {
		t.Fatalf("saving an ended operation: got %v, want fenced", err)
	}
	s.refused("cancelling an ended operation", fault.Conflict, "operation_ended", func(x *store.Tx) error {
		_, err := x.RequestCancel(s.ctx, first.ID)
		return err
	})
	second := s.operation("vm/1") // the subject is free again
	l := must[store.List[op.Record]](t)(s.db.ListOperations(s.ctx, store.OperationFilter{Subject: "vm/1"}, store.Page{}))
	same(t, "operations of the subject, the newest first", []id.Operation{l.Items[0].ID, l.Items[1].ID}, []id.Operation{second.ID, first.ID})
	l = must[store.List[op.Record]](t)(s.db.ListOperations(s.ctx, store.OperationFilter{Open: true, Tenant: s.tenant, Kind: "vm.start"}, store.Page{}))
	same(t, "open operations", l.Total, 1)
	events, _ := s.since(store.Cursor{}, store.EventFilter{Subject: "operation/" + string(first.ID)}, 10)
	same(t, "events of the operation", kinds(events), []string{"operation.created", "operation.updated", "operation.ended"})
	s.tx(func(x *store.Tx) error {
		same(t, "operations trimmed, none", must[int](t)(x.TrimOperations(s.ctx, time.Now().Add(time.Hour), 0)), 0)
		same(t, "operations trimmed", must[int](t)(x.TrimOperations(s.ctx, time.Now().Add(time.Hour), 10)), 1)
		return nil
	})
}

func testOperationLeases(t *testing.T, s *suite) {
	o, ops, now := s.operation("vm/1"), s.db.Operations(), time.Now().Add(time.Second)
	kinds := []string{"vm.start"}
	if none := s.claim("a", []string{"vm.other"}, now); none != nil {
		t.Fatalf("claimed an operation of a kind that the runner does not know: %v", none.ID)
	}
	a := s.claim("a", kinds, now)
	same(t, "the claimed one", []any{a.ID, a.Fence, a.Status, a.Holder}, []any{o.ID, int64(1), op.Running, "a"})
	if none := s.claim("b", kinds, now.Add(59*time.Second)); none != nil {
		t.Fatal("claimed under another's lease")
	}
	same(t, "cancel asked", must[bool](t)(ops.Renew(s.ctx, o.ID, a.Fence, now.Add(2*time.Minute))), false)
	if none := s.claim("b", kinds, now.Add(61*time.Second)); none != nil {
		t.Fatal("claimed under a renewed lease")
	}
	s.tx(func(x *store.Tx) error { _, err := x.RequestCancel(s.ctx, o.ID); return err })
	same(t, "cancel asked", must[bool](t)(ops.Renew(s.ctx, o.ID, a.Fence, now.Add(2*time.Minute))), true)

	b := s.claim("b", kinds, now.Add(3*time.Minute))
	same(t, "the one taken over", []any{b.ID, b.Fence, b.Cancel}, []any{o.ID, int64(2), true})
	_, renewed := ops.Renew(s.ctx, o.ID, a.Fence, now.Add(time.Hour))
	guarded := s.db.Tx(s.ctx, func(x *store.Tx) error { return x.Guard(s.ctx, o.ID, a.Fence) })
	for what, err := range map[string]error{"save": ops.Save(s.ctx, a), "renew": renewed, "progress": ops.Progress(s.ctx, a), "guard": guarded} {
		if !errors.Is(err, op.ErrFenced) {
			t.Fatalf("%s of the one who lost the lease: got %v, want fenced", what, err)
		}
	}
	s.tx(func(x *store.Tx) error { return x.Guard(s.ctx, o.ID, b.Fence) })

	reports, stop := s.db.WatchProgress()
	defer stop()
	b.Progress, b.Sentence = 0.5, "half"
	if err := ops.Progress(s.ctx, b); err != nil {
		t.Fatalf("progress: %v", err)
	}
	same(t, "progress told", (<-reports).Sentence, "half")
	same(t, "progress stored", must[op.Record](t)(s.db.Operation(s.ctx, o.ID)).Progress, 0.5)

	b.Holder, b.NotBefore = "", now.Add(10*time.Minute)
	if err := ops.Save(s.ctx, b); err != nil {
		t.Fatalf("save: %v", err)
	}
	if none := s.claim("c", kinds, now.Add(9*time.Minute)); none != nil {
		t.Fatal("claimed before its back-off was over")
	}
	c := s.claim("c", kinds, now.Add(11*time.Minute))
	same(t, "the one that was given free", c.Fence, int64(3))
	c.Status, c.Error = op.Stuck, &op.Problem{Message: "cannot undo"}
	if err := ops.Save(s.ctx, c); err != nil {
		t.Fatalf("save: %v", err)
	}
	retry := must[*op.Record](t)(c.Retry())
	s.tx(func(x *store.Tx) error { return x.InsertOperation(s.ctx, retry) })
	again := s.claim("d", kinds, time.Now().Add(time.Hour))
	same(t, "the one that goes on with it", []any{again.ID, again.Status, again.Step, again.Error.Message}, []any{retry.ID, op.Undoing, c.Step, retry.Error.Message})
}

// testClaimsOfMany: one claim takes the oldest, as many as were asked for, each under a fence of its own.
func testClaimsOfMany(t *testing.T, s *suite) {
	var made []id.Operation
	for i := range 5 {
		made = append(made, s.operation(fmt.Sprintf("vm/%d", i)).ID)
	}
	ops, kinds, now := s.db.Operations(), []string{"vm.start"}, time.Now().Add(time.Second)
	if one := s.claim("a", kinds, now); one.ID != made[0] {
		t.Fatalf("the first claim took %s, want the oldest", one.ID)
	}
	var got []id.Operation
	for _, r := range must[[]*op.Record](t)(ops.Claim(s.ctx, "b", kinds, now, time.Minute, 3)) {
		got = append(got, r.ID)
		same(t, "the claimed one", []any{r.Fence, r.Status, r.Holder, r.LeaseEnds.Sub(now).Round(time.Second)}, []any{int64(1), op.Running, "b", time.Minute})
	}
	same(t, "three of those left", got, made[1:4])
	same(t, "what is left", len(must[[]*op.Record](t)(ops.Claim(s.ctx, "c", kinds, now, time.Minute, 100))), 1)
	events, _ := s.since(store.Cursor{}, store.EventFilter{Topics: []string{"operation.updated"}}, 10)
	same(t, "operations told to have begun", len(events), 5)
}

// testConcurrentClaims: many runners that claim at once get every operation exactly once.
func testConcurrentClaims(t *testing.T, s *suite) {
	const n = 40
	for i := range n {
		s.operation(fmt.Sprintf("vm/%d", i))
	}
	ops, now := s.db.Operations(), time.Now().Add(time.Second)
	var claimed [n * 2]atomic.Pointer[op.Record]
	var next atomic.Int64
	errs := together(8, func(i int) error {
		for misses := 0; misses < 5; {
			got, err := ops.Claim(s.ctx, fmt.Sprint("runner-", i), []string{"vm.start"}, now, time.Hour, 1+i%3)
			if err != nil {
				return err
			}
			if len(got) == 0 {
				misses++
			}
			for _, r := range got {
				claimed[next.Add(1)-1].Store(r)
			}
		}
		return nil
	})
	same(t, "runners that met no error", count(errs, succeeded), 8)
	ids := map[id.Operation]bool{}
	for i := range next.Load() {
		r := claimed[i].Load()
		same(t, "fence of a claimed operation", r.Fence, int64(1))
		ids[r.ID] = true
	}
	same(t, "claims and different operations", []int{int(next.Load()), len(ids)}, []int{n, n})
}
