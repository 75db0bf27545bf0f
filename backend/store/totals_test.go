package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

func TestSchema_sumsUpWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "novacron.db")
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 100)
	want, err := db.NodeUsage(t.Context())
	if err != nil || len(want) != 50 {
		t.Fatalf("%d nodes, %v", len(want), err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	older(t, path)
	db = storetest.Open(t, store.Options{Path: path})
	got, err := db.NodeUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n, totals := range want {
		if got[n] != totals {
			t.Errorf("node %s has %+v, want %+v", n, got[n], totals)
		}
	}
	tenants, err := db.ListTenants(t.Context(), store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	total, err := db.CountVMs(t.Context(), tenants.Items[0].ID)
	if want := (store.VMTotals{VMs: 100, CPUs: 100, MemoryMiB: 25600, DiskGiB: 100}); err != nil || total != want {
		t.Errorf("the tenant has %+v (%v), want %+v", total, err, want)
	}
}

// older takes the totals away, as it was before there were any, and brings them up to date again.
func older(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile("schema/0006_totals.sql")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // what was written is judged by who reads it
	if _, err := raw.Exec("drop table totals; create index vms_node_usage on vms (node); create index vms_tenant_usage on vms (tenant);" + string(text)); err != nil {
		t.Fatal(err)
	}
}
