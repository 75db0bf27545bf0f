package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"novacron/backend/app"
	"novacron/backend/app/apptest"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// governed is a platform with quotas on a database of the test's own.
func governed(t *testing.T, db *store.DB) (*world, auth.Caller) {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), db: db, nodes: &apptest.Nodes{}}
	var err error
	w.app, err = app.New(app.Deps{Store: db, Nodes: w.nodes, Quota: app.TenantQuota})
	w.must(err)
	w.must(w.app.Prepare(w.ctx, ""))
	w.image("tiny", digest)
	return w, auth.Platform("test")
}

// owner is a developer of the tenant.
func owner(tenant id.Tenant) auth.Caller {
	return auth.Caller{User: id.NewUser(), Name: "dev", Tenant: tenant, Role: auth.Developer}
}

func testQuotaRace(t *testing.T, db *store.DB) {
	w, admin := governed(t, db)
	tenant, err := w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: "acme", Quota: wire.Quota{VMs: 10}})
	w.must(err)
	const n = 1000
	errs := make([]error, n)
	var all sync.WaitGroup
	slots := make(chan struct{}, 100) // more at once is only a longer queue
	for i := range n {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for { // a busy database says so and asks to come again
				_, errs[i] = w.app.CreateVM(w.ctx, owner(tenant.ID), tiny(fmt.Sprint("web-", i)))
				if !fault.Is(errs[i], fault.Unavailable) {
					return
				}
			}
		})
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case !fault.Is(err, fault.Exhausted):
			t.Fatalf("got %v, want the quota's refusal", err)
		}
	}
	used, err := db.CountVMs(w.ctx, tenant.ID)
	w.must(err)
	if made != 10 || used.VMs != 10 {
		t.Errorf("%d creates succeeded and %d VMs are there, want exactly 10", made, used.VMs)
	}
}

func TestQuota_holdsUnderAThousandCreatesOnSQLite(t *testing.T) {
	testQuotaRace(t, storetest.SQLite(t))
}

func TestQuota_holdsUnderAThousandCreatesOnPostgres(t *testing.T) {
	testQuotaRace(t, storetest.Postgres(t))
}

func TestQuota_boundsEveryResource(t *testing.T) {
	w, admin := governed(t, storetest.SQLite(t))
	for noun, q := range map[string]wire.Quota{"addresses": {Addresses: 1}, "vCPUs": {CPUs: 1}, "memory": {MemoryMiB: 100}, "disk": {DiskGiB: 1}, "VMs": {VMs: 1}} {
		tenant, err := w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: noun, Quota: q})
		w.must(err)
		c, spec := owner(tenant.ID), tiny("first")
		spec.DiskGiB = 1
		_, err = w.app.CreateVM(w.ctx, c, spec)
		w.must(err)
		spec.Name = "second"
		_, err = w.app.CreateVM(w.ctx, c, spec)
		if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), noun) {
			t.Errorf("%s: got %v, want a refusal that names it", noun, err)
		}
	}
}

func TestTenants_seeNothingOfEachOther(t *testing.T) {
	w, admin := governed(t, storetest.SQLite(t))
	a, err := w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: "acme"})
	w.must(err)
	b, err := w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: "bolt"})
	w.must(err)
	ada, bob := owner(a.ID), owner(b.ID)
	made, err := w.app.CreateVM(w.ctx, ada, tiny("web"))
	w.must(err)
	_, err = w.app.CreateVM(w.ctx, bob, tiny("web")) // the name is not taken for others
	w.must(err)

	for what, err := range map[string]error{
		"the VM":         second(w.app.VM(w.ctx, bob, string(made.VM.ID))),
		"the operation":  second(w.app.Operation(w.ctx, bob, made.Operation.ID)),
		"the tenant":     second(w.app.Tenant(w.ctx, bob, string(a.ID))),
		"its name":       second(w.app.Tenant(w.ctx, bob, "acme")),
		"a filter":       second(w.app.ListVMs(w.ctx, bob, app.ListVMs{Tenant: a.ID})),
		"deleting":       second(w.app.DeleteVM(w.ctx, bob, string(made.VM.ID), 0)),
		"what is absent": second(w.app.VM(w.ctx, bob, string(id.NewVM()))),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s of another tenant: got %v, want that it is not there", what, err)
		}
	}
	vms, err := w.app.ListVMs(w.ctx, bob, app.ListVMs{})
	w.must(err)
	ops, err := w.app.ListOperations(w.ctx, bob, app.ListOperations{})
	w.must(err)
	tenants, err := w.app.ListTenants(w.ctx, bob, app.ListRequest{})
	w.must(err)
	if vms.Total != 1 || ops.Total != 1 || tenants.Total != 1 || tenants.Items[0].Used.VMs != 1 {
		t.Errorf("got %d VMs, %d operations, %d tenants, want one of each", vms.Total, ops.Total, tenants.Total)
	}
	events, err := w.app.Events(w.ctx, bob, app.ReadEvents{})
	w.must(err)
	for _, e := range events.Events {
		if e.Tenant != b.ID {
			t.Errorf("bolt sees %s of %s", e.Type, e.Tenant)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDeleteTenant_refusesWhatIsNotEmpty(t *testing.T) {
	w, admin := governed(t, storetest.SQLite(t))
	a, err := w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: "acme"})
	w.must(err)
	_, err = w.app.CreateVM(w.ctx, owner(a.ID), tiny("web"))
	w.must(err)
	if err := w.app.DeleteTenant(w.ctx, admin, "acme"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "1 VMs") {
		t.Errorf("got %v, want a refusal that says what is left", err)
	}
	kind(t, w.app.DeleteTenant(w.ctx, admin, app.FirstTenant), fault.Conflict)
	kind(t, w.app.DeleteTenant(w.ctx, owner(a.ID), "acme"), fault.Forbidden)
	_, err = w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: "empty"})
	w.must(err)
	w.must(w.app.DeleteTenant(w.ctx, admin, "EMPTY"))
	_, err = w.app.Tenant(w.ctx, admin, "empty")
	kind(t, err, fault.NotFound)
}

func TestAudit_isWrittenWithTheChangeAndOnlyThen(t *testing.T) {
	w, admin := governed(t, storetest.SQLite(t))
	a, err := w.app.CreateTenant(w.ctx, admin, wire.CreateTenant{Name: "acme", Quota: wire.Quota{VMs: 1}})
	w.must(err)
	c := owner(a.ID)
	c.Address, c.Request = "203.0.113.7", "req-1"
	_, err = w.app.CreateVM(w.ctx, c, tiny("web"))
	w.must(err)
	_, err = w.app.CreateVM(w.ctx, c, tiny("more"))
	kind(t, err, fault.Exhausted)
	page, err := w.app.Audit(w.ctx, admin, app.ListAudit{User: c.User})
	w.must(err)
	if len(page.Items) != 1 {
		t.Fatalf("got %d entries, want the one of the create that was done", len(page.Items))
	}
	e := page.Items[0]
	if e.Action != "vm.create" || e.Address != c.Address || e.RequestID != c.Request || e.Tenant != a.ID || e.Result != "ok" || !strings.HasPrefix(e.Subject, "vm/") {
		t.Errorf("got %+v", e)
	}
	_, err = w.app.Audit(w.ctx, c, app.ListAudit{})
	kind(t, err, fault.Forbidden)
	check, err := w.app.VerifyAudit(w.ctx, admin)
	if err != nil || !check.Intact || check.Entries != 2 {
		t.Errorf("got %+v, %v, want a whole chain of 2", check, err)
	}
}
