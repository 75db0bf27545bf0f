package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// TestOpen_sumsUpWhatAnOlderSchemaHas begins with a database that knows no totals.
func TestOpen_sumsUpWhatAnOlderSchemaHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "novacron.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // what was written is judged by who reads it
	const at = "'2026-11-22 10:00:00.000000'"
	run := func(statement string) {
		t.Helper()
		if _, err := raw.Exec(statement); err != nil {
			t.Fatalf("%v: %.100s", err, statement)
		}
	}
	run("create table schema_version (version bigint primary key, name text not null, applied_at timestamp not null)")
	for i, name := range before(t, "_totals.sql") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		run(string(text))
		run(fmt.Sprintf("insert into schema_version values (%d, '%s', %s)", i+1, name, at))
	}
	run("insert into tenants (id, name, name_folded, quota, version, created_at, updated_at) values ('ten-a', 'a', 'a', '', 1, " + at + ", " + at + ")")
	for i, node := range []string{"node-a", "node-a", ""} {
		run(fmt.Sprintf(`insert into vms (id, tenant, name, name_folded, description, spec, wanted_power, boot, force, grace_s, generation, epoch, node,
			role, uid, machine_type, cpu_model, status, status_reason, cpus, memory_mib, disk_gib, image, protected, version, created_at, updated_at)
			values ('vm-%d', 'ten-a', 'v%[1]d', 'v%[1]d', '', '{}', '', 0, false, 0, 0, 0, '%s', '', 0, '', '', 'stopped', '', %d, 64, 2, '', false, 1, %s, %[4]s)`,
			i, node, i+1, at))
	}
	run(`insert into snapshots (id, vm, tenant, name, name_folded, description, memory, state, state_reason, version, created_at, updated_at)
		values ('snap-a', 'vm-0', 'ten-a', 's', 's', '', false, 'ready', '', 1, ` + at + ", " + at + ")")

	db := storetest.Open(t, store.Options{Path: path})
	usage, err := db.NodeUsage(t.Context())
	if want := (store.VMTotals{VMs: 2, CPUs: 3, MemoryMiB: 128, DiskGiB: 4}); err != nil || len(usage) != 1 || usage["node-a"] != want {
		t.Errorf("the nodes have %+v (%v), want %+v on one", usage, err, want)
	}
	total, err := db.CountVMs(t.Context(), id.Tenant("ten-a"))
	if want := (store.VMTotals{VMs: 3, CPUs: 6, MemoryMiB: 192, DiskGiB: 6, Snapshots: 1}); err != nil || total != want {
		t.Errorf("the tenant has %+v (%v), want %+v", total, err, want)
	}
}

// before lists the schema files in front of the one whose name ends so.
func before(t *testing.T, end string) (names []string) {
	t.Helper()
	all, err := filepath.Glob("schema/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range all {
		if strings.HasSuffix(name, end) {
			return all[:i]
		}
	}
	t.Fatalf("no schema file is named *%s", end)
	return nil
}
