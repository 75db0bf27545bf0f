package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/op"
	"novacron/backend/store"
)

// Run runs the suite. open gives a new, empty database that the test's cleanup closes.
func Run(t *testing.T, open func(t testing.TB) *store.DB) {
	for _, c := range []struct {
		name string
		f    func(t *testing.T, s *suite)
	}{
		{"VMs", testVMs}, {"VM lists", testVMLists}, {"filters of VM lists", testVMFilters}, {"reports of VMs", testSeen}, {"operations", testOperations},
		{"leases of operations", testOperationLeases}, {"events", testEvents}, {"hearing of events", testHearing}, {"events of concurrent writers", testEventOrder},
		{"transactions", testTransactions}, {"nodes", testNodes}, {"node leases", testNodeLeases}, {"servers", testServers}, {"networks", testNetworks},
		{"addresses rest", testAddressesRest}, {"concurrent addresses", testConcurrentAddresses}, {"images and uploads", testImages}, {"snapshots", testSnapshots},
		{"accounts", testAccounts}, {"audit", testAudit}, {"standing of an account", testStanding}, {"standing in a chosen tenant", testStandingElsewhere}, {"changes of standings", testStandings}, {"passkeys", testPasskeys}, {"identities", testIdentities}, {"mail", testMail}, {"one-use secrets", testSecrets}, {"invitations", testInvites}, {"ends of API tokens", testTokenEnds}, {"things used once", testOnce}, {"concurrent creates", testConcurrentCreates},
		{"hostile texts", testHostileTexts}, {"concurrent claims", testConcurrentClaims},
		{"claims of many", testClaimsOfMany}, {"totals", testTotals},
	} {
		t.Run(c.name, func(t *testing.T) { c.f(t, newSuite(t, open(t))) })
	}
}

// suite is a database with a tenant, and what every test says in one line.
type suite struct {
	t      *testing.T
	db     *store.DB
	ctx    context.Context
	tenant id.Tenant
}

func newSuite(t *testing.T, db *store.DB) *suite {
	s := &suite{t: t, db: db, ctx: t.Context(), tenant: id.NewTenant()}
	s.tx(func(x *store.Tx) error { return x.InsertTenant(s.ctx, &store.Tenant{ID: s.tenant, Name: "Acme"}) })
	return s
}

// tx runs f in a transaction that must succeed.
func (s *suite) tx(f func(x *store.Tx) error) {
	s.t.Helper()
	if err := s.db.Tx(s.ctx, f); err != nil {
		s.t.Fatalf("transaction: %v", err)
	}
}

// refused runs f in a transaction that must fail with the kind and code.
func (s *suite) refused(what string, kind fault.Kind, code string, f func(x *store.Tx) error) {
	s.t.Helper()
	wantFault(s.t, what, s.db.Tx(s.ctx, f), kind, code)
}

func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Fatalf("%s: got %v, want %s with code %q", what, err, kind, code)
	}
}

func (s *suite) insertVM(name string) store.VM {
	s.t.Helper()
	v := newVM(s.tenant, name)
	s.tx(func(x *store.Tx) error { return x.InsertVM(s.ctx, &v) })
	return v
}

func newVM(tenant id.Tenant, name string) store.VM {
	return store.VM{
		ID: id.NewVM(), Tenant: tenant, Name: name, Power: vm.On, Role: vm.None, Generation: 1, Status: vm.StateCreating,
		Spec: vm.Spec{Image: "sha256:aa", CPUs: 2, MemoryMiB: 512, Arch: vm.X86_64, Firmware: vm.BIOS, Disks: []vm.Disk{{ID: id.NewVolume(), SizeGiB: 3}}},
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return v
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s differs (-want +got):\n%s", what, d)
	}
}

// together runs f n times at once and gives the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errs
}

func count(errs []error, match func(error) bool) (n int) {
	for _, err := range errs {
		if match(err) {
			n++
		}
	}
	return n
}

func succeeded(err error) bool { return err == nil }

func hasKind(k fault.Kind) func(error) bool {
	return func(err error) bool { return fault.Is(err, k) }
}

func testVMs(t *testing.T, s *suite) {
	v := s.insertVM("Web-1")
	got := must[store.VM](t)(s.db.VM(s.ctx, v.ID))
	same(t, "the VM as read", got, v)
	same(t, "whether the node needs the image", []bool{must[bool](t)(s.db.NodeNeeds(s.ctx, v.Node, "sha256:aa")), must[bool](t)(s.db.NodeNeeds(s.ctx, v.Node, "sha256:%a")),
		must[bool](t)(s.db.NodeNeeds(s.ctx, id.NewNode(), "sha256:aa"))}, []bool{true, false, false})
	same(t, "the VM by its name in another case", must[store.VM](t)(s.db.VMByName(s.ctx, s.tenant, "wEB-1")).ID, v.ID)

	s.refused("a second name in another case", fault.Conflict, "vm_name_taken", func(x *store.Tx) error {
		w := newVM(s.tenant, "WEB-1")
		return x.InsertVM(s.ctx, &w)
	})
	s.refused("a VM of no tenant", fault.Conflict, "in_use", func(x *store.Tx) error {
		w := newVM(id.NewTenant(), "lost")
		return x.InsertVM(s.ctx, &w)
	})

	stale := got
	got.Name, got.Description, got.Generation, got.Tags = "web-one", "first", 2, []string{"a_b", "web"}
	s.tx(func(x *store.Tx) error { return x.UpdateVM(s.ctx, &got) })
	same(t, "tags after an edit", must[store.VM](t)(s.db.VM(s.ctx, v.ID)).Tags, got.Tags)
	same(t, "version after an edit", got.Version, int64(2))
	s.refused("an edit from an older version", fault.Precondition, "version_changed", func(x *store.Tx) error { return x.UpdateVM(s.ctx, &stale) })

	other := s.insertVM("web-2")
	other.Name = "WEB-ONE"
	s.refused("a rename to a taken name", fault.Conflict, "vm_name_taken", func(x *store.Tx) error { return x.UpdateVM(s.ctx, &other) })

	s.tx(func(x *store.Tx) error {
		changed := must[bool](t)(x.SetVMStatus(s.ctx, v.ID, vm.StateRunning, ""))
		again := must[bool](t)(x.SetVMStatus(s.ctx, v.ID, vm.StateRunning, ""))
		same(t, "whether the status changed", []bool{changed, again}, []bool{true, false})
		return nil
	})
	after := must[store.VM](t)(s.db.VM(s.ctx, v.ID))
	same(t, "status and version after a status", []any{after.Status, after.Version}, []any{vm.StateRunning, int64(2)})
	same(t, "totals", must[store.VMTotals](t)(s.db.CountVMs(s.ctx, s.tenant)), store.VMTotals{VMs: 2, CPUs: 4, MemoryMiB: 1024, DiskGiB: 6})

	for range 2 { // absent is success
		s.tx(func(x *store.Tx) error { return x.DeleteVM(s.ctx, v.ID) })
	}
	_, err := s.db.VM(s.ctx, v.ID)
	wantFault(t, "a deleted VM", err, fault.NotFound, "vm_not_found")
}

func testVMLists(t *testing.T, s *suite) {
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("vm-%02d", i)
		want = append(want, name)
		v := newVM(s.tenant, name)
		if i%2 == 0 {
			v.Node, v.Status = "node-a", vm.StateRunning
		}
		s.tx(func(x *store.Tx) error { return x.InsertVM(s.ctx, &v) })
	}
	same(t, "all names over pages", s.pages(store.VMFilter{}, "name", 7), want)
	for _, sort := range []string{"-name", "created_at", "-created_at", "status", "-node"} {
		got := s.pages(store.VMFilter{}, sort, 4)
		if unique := len(toSet(got)); len(got) != 25 || unique != 25 {
			t.Fatalf("sorted by %s: %d names, %d different, want 25", sort, len(got), unique)
		}
	}
	same(t, "VMs of a node", len(s.pages(store.VMFilter{Node: "node-a"}, "", 5)), 13)
	same(t, "running VMs", len(s.pages(store.VMFilter{Status: vm.StateRunning}, "", 5)), 13)
	same(t, "VMs with 1 in the name", len(s.pages(store.VMFilter{Name: "-1"}, "", 5)), 10)
	same(t, "a name that is a pattern", len(s.pages(store.VMFilter{Name: "%"}, "", 5)), 0)
	same(t, "VMs of another tenant", len(s.pages(store.VMFilter{Tenant: id.NewTenant()}, "", 5)), 0)

	_, err := s.db.ListVMs(s.ctx, store.VMFilter{}, store.Page{Sort: "spec"})
	wantFault(t, "an unknown order", err, fault.Invalid, "sort_unknown")
	page := must[store.List[store.VMSummary]](t)(s.db.ListVMs(s.ctx, store.VMFilter{}, store.Page{Limit: 3}))
	same(t, "total", page.Total, 25)
	_, err = s.db.ListVMs(s.ctx, store.VMFilter{}, store.Page{Sort: "-name", Cursor: page.Next})
	wantFault(t, "a cursor of another order", err, fault.Invalid, "cursor_invalid")
	_, err = s.db.ListVMs(s.ctx, store.VMFilter{}, store.Page{Cursor: "rubbish!"})
	wantFault(t, "a broken cursor", err, fault.Invalid, "cursor_invalid")
}

func testVMFilters(t *testing.T, s *suite) {
	w := s.insertNetwork("default", "10.7.0.0/24", "10.7.0.1")
	for i, tags := range [][]string{nil, {"web"}, {"db", "web-1"}, {"axb", "web"}, {"a_b", "db", "web"}} {
		v := newVM(s.tenant, fmt.Sprint("vm-", i))
		v.Tags, v.Node = tags, id.NewNode()
		s.tx(func(x *store.Tx) error { return x.InsertVM(s.ctx, &v) })
		must[store.Address](t)(s.allocate(w.ID, v.ID, fmt.Sprint("mac-", i))) // 10.7.0.2 and so on
		reported := v.Node
		if i == 3 {
			reported = id.NewNode() // which does not own it
		}
		s.tx(func(x *store.Tx) error {
			_, err := x.PutSeen(s.ctx, vm.Seen{VM: v.ID, Node: reported, Seq: 1, Addresses: []string{"192.168.0.1", fmt.Sprint("fd00::", i)}})
			return err
		})
	}
	listed := must[store.List[store.VMSummary]](t)(s.db.ListVMs(s.ctx, store.VMFilter{Tags: []string{"db", "web"}}, store.Page{}))
	same(t, "how many, and their tags", []any{listed.Total, listed.Items[0].Tags}, []any{1, []string{"a_b", "db", "web"}})
	for _, c := range []struct {
		what string
		f    store.VMFilter
		want []string
	}{
		{"a tag, and none that begins so", store.VMFilter{Tags: []string{"web"}}, []string{"vm-1", "vm-3", "vm-4"}},
		{"a tag with the sign for any character", store.VMFilter{Tags: []string{"a_b"}}, []string{"vm-4"}},
		{"the address of a NIC", store.VMFilter{Address: "10.7.0.4", Whole: true}, []string{"vm-2"}},
		{"the beginning of a NIC's address", store.VMFilter{Address: "10.7.0."}, []string{"vm-0", "vm-1", "vm-2", "vm-3", "vm-4"}},
		{"the middle of an address", store.VMFilter{Address: "7.0.4"}, nil},
		{"what its node reports, not another", store.VMFilter{Address: "fd00::3", Whole: true}, nil},
		{"a second address of a report", store.VMFilter{Address: "fd00::4", Whole: true}, []string{"vm-4"}},
		{"the beginning of a reported address", store.VMFilter{Address: "192.168."}, []string{"vm-0", "vm-1", "vm-2", "vm-4"}},
		{"a beginning that is meant as a whole", store.VMFilter{Address: "192.168.0", Whole: true}, nil},
		{"tag and address", store.VMFilter{Address: "10.7.0.5", Whole: true, Tags: []string{"axb"}}, []string{"vm-3"}},
	} {
		same(t, c.what, s.pages(c.f, "name", 2), c.want)
	}
}

func toSet(all []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range all {
		set[s] = true
	}
	return set
}

func (s *suite) pages(f store.VMFilter, sort string, limit int) (names []string) {
	s.t.Helper()
	p := store.Page{Limit: limit, Sort: sort}
	for {
		l, err := s.db.ListVMs(s.ctx, f, p)
		if err != nil {
			s.t.Fatalf("list: %v", err)
		}
		for _, v := range l.Items {
			names = append(names, v.Name)
		}
		if p.Cursor = l.Next; p.Cursor == "" {
			return names
		}
	}
}

func testSeen(t *testing.T, s *suite) {
	v := newVM(s.tenant, "web")
	v.Node = id.NewNode()
	s.tx(func(x *store.Tx) error { return x.InsertVM(s.ctx, &v) })
	put := func(epoch, seq int64, state vm.RunState) (newer bool) {
		s.tx(func(x *store.Tx) (err error) {
			newer, err = x.PutSeen(s.ctx, vm.Seen{VM: v.ID, Node: v.Node, Epoch: epoch, Generation: 3, Seq: seq, State: state, Addresses: []string{"10.0.0.7"}})
			return err
		})
		return newer
	}
	got := []bool{put(1, 5, vm.SeenStarting), put(1, 5, vm.SeenFailed), put(1, 4, vm.SeenFailed), put(2, 1, vm.SeenRunning), put(1, 9, vm.SeenFailed)}
	same(t, "which reports were newer", got, []bool{true, false, false, true, false})

	o := op.Record{ID: id.NewOperation(), Kind: "vm.stop", Tenant: s.tenant, Subject: "vm/" + string(v.ID), State: json.RawMessage("{}")}
	s.tx(func(x *store.Tx) error { return x.InsertOperation(s.ctx, &o) })
	view := must[store.VMView](t)(s.db.VMView(s.ctx, v.ID))
	same(t, "report in the view", []any{view.Seen.State, view.Seen.Epoch, view.Doing.Operation}, []any{vm.SeenRunning, int64(2), o.ID})
	views := must[[]store.VMView](t)(s.db.VMViews(s.ctx, []id.VM{v.ID, id.NewVM()}))
	same(t, "views of several, one of them gone", views, []store.VMView{view})
	listed := func(epoch, generation int64) []any {
		stored := must[store.VM](t)(s.db.VM(s.ctx, v.ID))
		stored.Epoch, stored.Generation = epoch, generation
		s.tx(func(x *store.Tx) error { return x.UpdateVM(s.ctx, &stored) })
		l := must[store.List[store.VMSummary]](t)(s.db.ListVMs(s.ctx, store.VMFilter{}, store.Page{})).Items[0]
		found := len(s.pages(store.VMFilter{Address: "10.0.0.7", Whole: true}, "", 0))
		return []any{l.SeenState, l.Addresses, l.Doing, l.Behind, found}
	}
	same(t, "report of the present epoch and generation in the list", listed(2, 3), []any{vm.SeenRunning, []string{"10.0.0.7"}, "vm.stop", false, 1})
	same(t, "report of an older generation in the list", listed(2, 4), []any{vm.SeenRunning, []string{"10.0.0.7"}, "vm.stop", true, 1})
	same(t, "report of an older epoch in the list", listed(3, 3), []any{vm.RunState(""), []string(nil), "vm.stop", true, 0})

	s.tx(func(x *store.Tx) error {
		newer := must[bool](t)(x.PutSeen(s.ctx, vm.Seen{VM: id.NewVM(), Node: v.Node, Seq: 1}))
		same(t, "a report of an unknown VM is stored", newer, false)
		return x.DeleteSeen(s.ctx, v.ID, v.Node)
	})
	same(t, "reports left", len(must[[]vm.Seen](t)(s.db.Seen(s.ctx, v.ID))), 0)
}

func testTransactions(t *testing.T, s *suite) {
	boom := errors.New("boom")
	v, committed := newVM(s.tenant, "never"), false
	err := s.db.Tx(s.ctx, func(x *store.Tx) error {
		x.AfterCommit(func() { committed = true })
		if err := x.InsertVM(s.ctx, &v); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want the function's own error", err)
	}
	_, err = s.db.VM(s.ctx, v.ID)
	wantFault(t, "a row of a transaction that failed", err, fault.NotFound, "vm_not_found")
	same(t, "AfterCommit of a transaction that failed ran", committed, false)

	func() {
		defer func() { _ = recover() }()
		_ = s.db.Tx(s.ctx, func(*store.Tx) error { panic("bug") })
	}()
	s.insertVM("after-a-panic") // the writer's turn was given back

	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := s.db.Tx(ended, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("a caller that has gone: got %v, want its own cancellation", err)
	}
	// Read, change, write from many sides loses no change.
	c := s.insertVM("counter")
	errs := together(20, func(int) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error {
			v, err := x.VM(s.ctx, c.ID)
			if err != nil {
				return err
			}
			v.Generation++
			return x.UpdateVM(s.ctx, &v)
		})
	})
	same(t, "transactions that succeeded", count(errs, succeeded), 20)
	same(t, "generation after 20 increments", must[store.VM](t)(s.db.VM(s.ctx, c.ID)).Generation, int64(21))
}

func testConcurrentCreates(t *testing.T, s *suite) {
	const n = 200
	errs := together(n, func(i int) error {
		v := newVM(s.tenant, "the-one")
		return s.db.Tx(s.ctx, func(x *store.Tx) error {
			if err := x.InsertVM(s.ctx, &v); err != nil {
				return err
			}
			return x.Emit("vm.created", s.tenant, "vm/"+string(v.ID), map[string]int{"i": i})
		})
	})
	same(t, "winners", count(errs, succeeded), 1)
	same(t, "refused with a conflict", count(errs, hasKind(fault.Conflict)), n-1)
	events, _, err := s.db.EventsSince(s.ctx, store.Cursor{}, store.EventFilter{}, 1000)
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events (%v), want the winner's one", len(events), err)
	}
}

// testHostileTexts stores what guests may say.
func testHostileTexts(t *testing.T, s *suite) {
	v := newVM(s.tenant, "web")
	v.Node, v.StatusReason = id.NewNode(), "a\x1fb"
	s.tx(func(x *store.Tx) error { return x.InsertVM(s.ctx, &v) })
	listed := must[store.List[store.VMSummary]](t)(s.db.ListVMs(s.ctx, store.VMFilter{}, store.Page{})).Items[0]
	same(t, "a reason with the character at which a list's rows are cut", listed.StatusReason, "a b")
	nasty := "a\x00b\xff'; drop table vms; --"
	s.tx(func(x *store.Tx) error {
		must[bool](t)(x.PutSeen(s.ctx, vm.Seen{VM: v.ID, Node: v.Node, Seq: 1, Reason: nasty, Hostname: nasty, Addresses: []string{nasty}}))
		must[bool](t)(x.SetVMStatus(s.ctx, v.ID, vm.StateError, nasty))
		return x.Emit("vm.state", s.tenant, "vm/"+string(v.ID), nasty)
	})
	same(t, "the reason", must[store.VM](t)(s.db.VM(s.ctx, v.ID)).StatusReason, "ab'; drop table vms; --")
	if _, err := s.db.VM(s.ctx, id.VM(nasty)); !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
		t.Fatalf("a hostile id: got %v, want not found or invalid", err)
	}
	l, err := s.db.ListVMs(s.ctx, store.VMFilter{Name: "a\x00"}, store.Page{})
	if l.Total != 0 || (err != nil && !fault.Is(err, fault.Invalid)) {
		t.Fatalf("a hostile filter: got %d VMs and %v, want none, or invalid", l.Total, err)
	}
}
