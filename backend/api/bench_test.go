package api_test

import (
	"fmt"
	"testing"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/store"
)

// BenchmarkListVMs reads a page of 1000 of 5000 VMs over HTTP; listing all of 25,000 takes 25 of them and shall take 250 ms.
func BenchmarkListVMs(b *testing.B) {
	w := newWorld(b, unlimited, nil)
	c := w.as("grace", auth.Administrator)
	me, err := c.Me(ctx)
	w.must(err)
	for batch := range 5 {
		w.must(w.db.Tx(ctx, func(t *store.Tx) error {
			for i := range 1000 {
				v := store.VM{ID: id.NewVM(), Tenant: me.Tenant, Name: fmt.Sprintf("vm-bench-%d-%04d", batch, i), Power: vm.Off, Status: vm.StateStopped,
					Spec: vm.Spec{CPUs: 1, MemoryMiB: 64}}
				if err := t.InsertVM(ctx, &v); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for b.Loop() {
		page, err := c.VMs(ctx, client.ListOptions{Limit: 1000})
		if err != nil || len(page.Items) != 1000 {
			b.Fatal(len(page.Items), err)
		}
	}
}
