package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

type onceKey struct{}

// WithOnce says that what the context's verb does belongs to the Idempotency-Key that Once took for the request. The verb
// writes a provisional answer in its own transaction, so that a server that dies between the verb and Keep leaves a key whose work
// is known to be done.
func WithOnce(ctx context.Context, key, hash string) context.Context {
	return context.WithValue(ctx, onceKey{}, [2]string{key, hash})
}

// change runs f in a transaction that writes the verb's effect.
func change[T interface{ reply() any }](ctx context.Context, a *App, c auth.Caller, f func(t *store.Tx) (T, error)) (result T, err error) {
	once, _ := ctx.Value(onceKey{}).([2]string)
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if result, err = f(t); err != nil || once[0] == "" {
			return err
		}
		body, err := json.Marshal(result.reply())
		if err != nil {
			return fmt.Errorf("keep the answer: %w", err)
		}
		k := claim(c, once[0], once[1], a.now().Add(replyLifetime))
		k.Status, k.Header, k.Body = http.StatusAccepted, map[string]string{"Content-Type": "application/json"}, body
		if at := location(result.reply()); at != "" {
			k.Header["Location"] = at
		}
		// The claim's short life ends and the answer's long one begins.
		if err := t.AbandonIdempotent(ctx, k); err != nil {
			return err
		}
		if _, _, err := t.BeginIdempotent(ctx, k); err != nil {
			return err
		}
		return t.FinishIdempotent(ctx, k)
	})
	return result, err
}

// location is where the answer of a verb says that its operation is.
func location(reply any) string {
	var o *wire.Operation
	switch r := reply.(type) {
	case wire.VMAnswer:
		o = r.Operation
	case wire.SnapshotAnswer:
		o = r.Operation
	case wire.ImageAnswer:
		o = r.Operation
	}
	if o == nil {
		return ""
	}
	return "/api/v1/operations/" + string(o.ID)
}

// begin adds an operation on the subject of that name beside the change that asks for it. detail is what the audit log tells of it: "before" and
// "after" where there is such, never a secret.
func (a *App) begin(ctx context.Context, t *store.Tx, c auth.Caller, tenant id.Tenant, kind, subject, name string, state any, detail map[string]any) (op.Record, error) {
	d := a.defs[kind]
	if d == nil {
		return op.Record{}, fmt.Errorf("operation %s is not defined", kind)
	}
	r := d.Prepare(subject, state)
	r.Tenant, r.Name, r.Caller, r.Request, r.Created = tenant, name, c.String(), c.Request, a.now()
	told := map[string]any{"operation": r.ID}
	maps.Copy(told, detail)
	if err := audit(t, c, kind, tenant, subject, told); err != nil {
		return op.Record{}, err
	}
	return *r, t.InsertOperation(ctx, r)
}

func subjectOf(v id.VM) string { return "vm/" + string(v) }

// doing reads the kind of an operation as what it does to a VM.
func doing(kind string) vm.Doing {
	switch kind {
	case "snapshot.create":
		return vm.Snapshotting
	case "snapshot.revert":
		return vm.Reverting
	case "snapshot.delete":
		return vm.Pruning
	}
	return vm.Doing(strings.TrimPrefix(kind, "vm."))
}

// findVM reads a VM by id or by its name in the caller's tenant and checks that the caller may do the action to it. In a
// transaction the row stays locked. What another tenant owns is not there.
func findVM(ctx context.Context, r *store.Reader, c auth.Caller, ref string, action auth.Action) (store.VM, error) {
	if err := auth.May(c, action, c.Tenant); err != nil {
		return store.VM{}, err
	}
	var v store.VM
	var err error
	if isVM(ref) {
		v, err = r.VM(ctx, id.VM(ref))
	} else {
		v, err = r.VMByName(ctx, c.Tenant, ref)
	}
	if err == nil {
		err = auth.May(c, action, v.Tenant)
	}
	if fault.Is(err, fault.NotFound) {
		return store.VM{}, fault.New(fault.NotFound, "vm_not_found", "there is no VM %.80q; list the VMs to see their names", ref)
	}
	return v, err
}

func isVM(ref string) bool { return strings.HasPrefix(ref, "vm-") && id.Is(ref) }

// allow refuses a verb that is not possible now with the sentence that everybody else shows too.
func (a *App) allow(ctx context.Context, t *store.Tx, v store.VM, verb vm.Verb) (store.VMView, error) {
	view, err := t.VMView(ctx, v.ID)
	if err != nil {
		return view, err
	}
	c, err := condition(ctx, &t.Reader, view)
	if err != nil {
		return view, err
	}
	if d := vm.Decide(verb, c); !d.Allowed {
		return view, fault.New(fault.Conflict, "vm_"+string(verb)+"_refused", "%s: %s", v.Name, d.Why)
	}
	return view, nil
}
