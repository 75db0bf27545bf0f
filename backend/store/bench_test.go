package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/op"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// BenchmarkListVMs25000 reads all of 25,000 VMs with their reports, nodes and operations, in pages of 1000.
func BenchmarkListVMs25000(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		db := storetest.SQLite(b)
		fill(b, db, 25_000)
		benchList(b, db)
	})
	b.Run("postgres", func(b *testing.B) {
		u := storetest.PostgresURL(b)
		db := storetest.Open(b, store.Options{URL: u})
		fill(b, db, 25_000)
		storetest.Admin(b, u, "analyze") // autovacuum does so within a minute
		benchList(b, db)
	})
}

func benchList(b *testing.B, db *store.DB) {
	for b.Loop() {
		if n := listAll(b, db); n != 25_000 {
			b.Fatalf("listed %d VMs, want 25000", n)
		}
	}
}

func listAll(t testing.TB, db *store.DB) (n int) {
	p := store.Page{Limit: store.MaxLimit}
	for {
		l, err := db.ListVMs(context.Background(), store.VMFilter{}, p)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		n += len(l.Items)
		if p.Cursor = l.Next; p.Cursor == "" {
			return n
		}
	}
}

// fill makes n VMs over 50 nodes, each reported, one of ten with an operation under way.
func fill(t testing.TB, db *store.DB, n int) {
	ctx, tenant := context.Background(), id.NewTenant()
	nodes := make([]id.Node, 50)
	tx := func(f func(x *store.Tx) error) {
		if err := db.Tx(ctx, f); err != nil {
			t.Fatalf("fill: %v", err)
		}
	}
	tx(func(x *store.Tx) error {
		for i := range nodes {
			nodes[i] = id.NewNode()
			if err := x.InsertNode(ctx, &store.Node{ID: nodes[i], Name: fmt.Sprintf("node-%03d", i), State: node.Alive}); err != nil {
				return err
			}
		}
		return x.InsertTenant(ctx, &store.Tenant{ID: tenant, Name: "Acme"})
	})
	for from := 0; from < n; from += 1000 {
		tx(func(x *store.Tx) error {
			for i := from; i < min(from+1000, n); i++ {
				if err := fillOne(ctx, x, tenant, nodes[i%len(nodes)], i); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func fillOne(ctx context.Context, x *store.Tx, tenant id.Tenant, on id.Node, i int) error {
	v := store.VM{
		ID: id.NewVM(), Tenant: tenant, Name: fmt.Sprintf("vm-%05d", i), Power: vm.On, Role: vm.Run, Node: on, Epoch: 1,
		Generation: 1, Status: vm.StateRunning, Created: time.Now().Add(time.Duration(i) * time.Millisecond),
		Spec: vm.Spec{Image: "sha256:aa", CPUs: 1, MemoryMiB: 256, Disks: []vm.Disk{{ID: id.NewVolume(), SizeGiB: 1}}, NICs: []vm.NIC{{ID: id.NewNIC()}}},
	}
	if err := x.InsertVM(ctx, &v); err != nil {
		return err
	}
	_, err := x.PutSeen(ctx, vm.Seen{VM: v.ID, Node: on, Epoch: 1, Generation: 1, Seq: 1, State: vm.SeenRunning, Addresses: []string{fmt.Sprintf("10.0.%d.%d", i/250, i%250)}})
	if err != nil || i%10 != 0 {
		return err
	}
	return x.InsertOperation(ctx, &op.Record{ID: id.NewOperation(), Kind: "vm.start", Tenant: tenant, Subject: "vm/" + string(v.ID), State: json.RawMessage("{}")})
}
