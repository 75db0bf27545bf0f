package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

func TestVerifyAudit_findsWhatWasDoneBehindItsBack(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		broken    int64
	}{
		"nothing":             {"select 1", 0},
		"a changed actor":     {"update audit set actor = 'eve' where seq = 2", 2},
		"a changed time":      {"update audit set time = '2001-01-01 00:00:00.000000' where seq = 3", 3},
		"a removed entry":     {"delete from audit where seq = 2", 2},
		"a removed last one":  {"delete from audit where seq = 4", 4},
		"swapped entries":     {"update audit set subject = case seq when 1 then 'vm/2' else 'vm/1' end where seq in (1, 2)", 1},
		"an added entry":      {"insert into audit select 5, time, tenant, user_id, actor, action, subject, address, result, request, detail, hash from audit where seq = 4", 5},
		"a shortened head":    {"update audit_head set last = 3", 3},
		"a head of its own":   {"update audit_head set hash = 'x'", 4},
		"an emptied log":      {"delete from audit", 1},
		"a changed hash only": {"update audit set hash = 'x' where seq = 1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			db := storetest.Open(t, store.Options{Path: path})
			for i := range 4 {
				err := db.Tx(t.Context(), func(x *store.Tx) error {
					return x.Audit(store.AuditEntry{Actor: "ada", Action: "vm.create", Subject: "vm/" + string(rune('1'+i)), Result: "ok"})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			raw, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			if _, err := raw.ExecContext(t.Context(), c.statement); err != nil {
				t.Fatal(err)
			}
			got, err := db.VerifyAudit(t.Context())
			if err != nil || got.Broken != c.broken {
				t.Errorf("got %+v, %v, want it broken at %d", got, err, c.broken)
			}
		})
	}
}
