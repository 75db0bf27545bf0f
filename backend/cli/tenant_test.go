package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

func TestTenantSet_leavesWhatIsLeftOut(t *testing.T) {
	now := wire.Tenant{ID: id.NewTenant(), Name: "team-a", Version: 3, Quota: wire.Quota{VMs: 1, CPUs: 2, MemoryMiB: 3, DiskGiB: 4, Addresses: 5, Snapshots: 6}}
	var asked wire.UpdateTenant
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(now); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	t.Setenv("NOVACRON_URL", server.URL)
	t.Setenv("NOVACRON_TOKEN", "token")
	for _, c := range []struct {
		flag string
		want wire.Quota
	}{
		{"--name=team-b", now.Quota},
		{"--vms=10", wire.Quota{VMs: 10, CPUs: 2, MemoryMiB: 3, DiskGiB: 4, Addresses: 5, Snapshots: 6}},
		{"--addresses=0", wire.Quota{VMs: 1, CPUs: 2, MemoryMiB: 3, DiskGiB: 4, Snapshots: 6}},
	} {
		root := newRoot(&session{out: io.Discard, err: io.Discard, format: asTable})
		root.SetArgs([]string{"tenant", "set", "team-a", c.flag})
		if err := root.Execute(); err != nil {
			t.Fatalf("%s: %v", c.flag, err)
		}
		if asked.Quota == nil || *asked.Quota != c.want {
			t.Errorf("%s: asked for %+v, want %+v", c.flag, asked.Quota, c.want)
		}
	}
}
