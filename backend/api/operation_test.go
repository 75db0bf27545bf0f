package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

func TestRetryOperation_answersTheOneThatTakesBack(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	v := w.vm(c, "web-1")
	// Its steps are not those of this version, so that it is stuck, and its retries too.
	stuck := op.Record{ID: id.NewOperation(), Kind: "vm.start", Tenant: v.Tenant, Subject: "vm/" + string(v.ID), Caller: "grace", State: json.RawMessage("{}"), Names: []string{"one", "another"}}
	w.must(w.db.Tx(ctx, func(t *store.Tx) error { return t.InsertOperation(ctx, &stuck) }))
	if o, err := c.WaitOperation(ctx, stuck.ID, nil); err != nil || o.Status != "stuck" {
		t.Fatalf("the operation is %s, %v; want stuck", o.Status, err)
	}
	path := "/api/v1/operations/" + string(stuck.ID) + "/retry"
	a := w.ask("POST", path, "", token(c)...)
	a.wants(t, "a retry", http.StatusAccepted, "")
	var out wire.OperationAnswer
	w.must(json.Unmarshal([]byte(a.text), &out))
	if o := out.Operation; o == nil || o.ID == stuck.ID || o.Kind != "vm.start" || a.Header.Get("Location") != "/api/v1/operations/"+string(o.ID) {
		t.Fatalf("got %s at %q, want another operation of the kind and where it is", a.text, a.Header.Get("Location"))
	}
	if _, err := c.WaitOperation(ctx, out.Operation.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.ask("POST", path, "", token(c)...).wants(t, "a retry of one that was retried", http.StatusConflict, "operation_overtaken")
	if o, err := c.RetryOperation(ctx, out.Operation.ID); err != nil || o.ID == "" || o.ID == out.Operation.ID {
		t.Errorf("a retry of the last one: %+v, %v", o, err)
	}
	w.ask("POST", "/api/v1/operations/"+string(id.NewOperation())+"/retry", "", token(c)...).wants(t, "a retry of none", http.StatusNotFound, "operation_not_found")
}
