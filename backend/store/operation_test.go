package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/op"
	"novacron/backend/op/optest"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// birth is the state of an operation that uses the store as the verbs do: a row with its name and address, made in the
// request's transaction and in guarded ones, and something outside of the store.
type birth struct {
	VM  id.VM
	NIC id.NIC
}

type nursery struct {
	db      *store.DB
	tenant  id.Tenant
	network id.Network
	point   func(string) error
	mu      sync.Mutex
	disks   map[id.VM]bool
}

func (n *nursery) definition() *op.Definition {
	return op.Define("test.create",
		op.Do("Take an address", func(ctx context.Context, r op.Run, s *birth) error {
			return n.guarded(ctx, r, func(x *store.Tx) error {
				_, err := x.AllocateAddress(ctx, n.network, s.NIC, s.VM, "mac")
				return err
			})
		}).Undo(func(ctx context.Context, r op.Run, s *birth) error {
			return n.guarded(ctx, r, func(x *store.Tx) error { return x.DeleteVM(ctx, s.VM) })
		}),
		op.Do("Make the disk", func(_ context.Context, _ op.Run, s *birth) error { return n.disk(s.VM, true) }).
			Undo(func(_ context.Context, _ op.Run, s *birth) error { return n.disk(s.VM, false) }),
		op.Do("Show it", func(ctx context.Context, r op.Run, s *birth) error {
			return n.guarded(ctx, r, func(x *store.Tx) error {
				_, err := x.SetVMStatus(ctx, s.VM, vm.StateStopped, "")
				return err
			})
		}).NoUndo("the row goes with the first step"),
	)
}

func (n *nursery) guarded(ctx context.Context, r op.Run, f func(x *store.Tx) error) error {
	return n.db.Tx(ctx, func(x *store.Tx) error {
		if err := x.Guard(ctx, r.ID(), r.Fence()); err != nil {
			return err
		}
		if err := f(x); err != nil {
			return err
		}
		return n.point("before a commit")
	})
}

func (n *nursery) disk(v id.VM, there bool) error {
	n.mu.Lock()
	n.disks[v] = there
	n.mu.Unlock()
	return n.point("after the disk")
}

func (n *nursery) look() string {
	var b strings.Builder
	l, err := n.db.ListVMs(context.Background(), store.VMFilter{Tenant: n.tenant}, store.Page{})
	fmt.Fprintln(&b, "VMs", l.Total, err)
	for _, v := range l.Items {
		a, err := n.db.Addresses(context.Background(), v.ID)
		fmt.Fprintln(&b, v.ID, v.Status, a, err)
	}
	for v, there := range n.disks {
		if there {
			fmt.Fprintln(&b, "disk", v)
		}
	}
	return b.String()
}

// begin is the request's transaction.
func (n *nursery) begin(t *testing.T, d *op.Definition) id.Operation {
	v := store.VM{ID: id.NewVM(), Tenant: n.tenant, Name: "web", Status: vm.StateCreating}
	rec := d.Prepare("vm/"+string(v.ID), birth{VM: v.ID, NIC: id.NewNIC()})
	if err := n.db.Tx(context.Background(), func(x *store.Tx) error {
		if err := x.InsertVM(context.Background(), &v); err != nil {
			return err
		}
		return x.InsertOperation(context.Background(), rec)
	}); err != nil {
		t.Fatalf("begin: %v", err)
	}
	return rec.ID
}

// testOperationsOn runs the generated tests on one database, with a tenant and network for each world.
func testOperationsOn(t *testing.T, db *store.DB) {
	world := func(t *testing.T, point func(string) error) optest.World {
		n := &nursery{db: db, tenant: id.NewTenant(), network: id.NewNetwork(), point: point, disks: map[id.VM]bool{}}
		if err := db.Tx(context.Background(), func(x *store.Tx) error {
			if _, err := x.TrimOperations(context.Background(), farFuture, 1000); err != nil {
				return err
			}
			if err := clearVMs(x); err != nil {
				return err
			}
			w := store.Network{ID: n.network, Tenant: n.tenant, Name: "net", Subnet: "10.0.0.0/24", Gateway: "10.0.0.1"}
			if err := x.InsertTenant(context.Background(), &store.Tenant{ID: n.tenant, Name: string(n.tenant)}); err != nil {
				return err
			}
			return x.InsertNetwork(context.Background(), &w)
		}); err != nil {
			t.Fatalf("world: %v", err)
		}
		d := n.definition()
		return optest.World{Store: db.Operations(), Definition: d, Look: n.look, Begin: func() id.Operation { return n.begin(t, d) }}
	}
	// One after the other: the worlds share a database, and each begins by clearing it.
	t.Run("unwinds from every failure", func(t *testing.T) { optest.Unwinds(t, world) })
	t.Run("goes on after every crash", func(t *testing.T) { optest.Crashes(t, world) })
	t.Run("takes every step twice", func(t *testing.T) { optest.Twice(t, world) })
}

var farFuture = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

// clearVMs removes the VMs of earlier worlds, whose MAC address the next one wants.
func clearVMs(x *store.Tx) error {
	l, err := x.ListVMs(context.Background(), store.VMFilter{}, store.Page{})
	for _, v := range l.Items {
		if err := x.DeleteVM(context.Background(), v.ID); err != nil {
			return err
		}
	}
	return err
}

func TestSQLite_runsOperations(t *testing.T)   { testOperationsOn(t, storetest.SQLite(t)) }
func TestPostgres_runsOperations(t *testing.T) { testOperationsOn(t, storetest.Postgres(t)) }

func TestSQLite_anOperationEndsWhileOthersWait(t *testing.T) {
	db := storetest.SQLite(t)
	d := op.Define("test", op.Do("A", func(context.Context, op.Run, *birth) error {
		return fault.New(fault.Exhausted, "no_room", "no node has room")
	}).NoUndo("changes nothing"))
	r := op.New(db.Operations(), op.Options{}, d)
	r.Start()
	defer func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	rec := d.Prepare("vm/1", birth{})
	if err := db.Tx(t.Context(), func(x *store.Tx) error {
		x.AfterCommit(r.Wake)
		return x.InsertOperation(t.Context(), rec)
	}); err != nil {
		t.Fatal(err)
	}
	got, err := r.Wait(t.Context(), rec.ID)
	if err != nil || got.Status != op.Failed || got.Error.Code != "no_room" {
		t.Fatalf("got %s %+v %v, want failed with no_room", got.Status, got.Error, err)
	}
}
