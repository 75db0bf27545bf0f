package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/store"
)

func (s *suite) insertNode(name string) store.Node {
	s.t.Helper()
	n := store.Node{ID: id.NewNode(), Name: name, State: node.Joining, Labels: map[string]string{"rack": "1"}, Facts: json.RawMessage(`{"cpus":4}`)}
	s.tx(func(x *store.Tx) error { return x.InsertNode(s.ctx, &n) })
	return n
}

func testNodes(t *testing.T, s *suite) {
	n := s.insertNode("thor-1")
	same(t, "the node as read", must[store.Node](t)(s.db.Node(s.ctx, n.ID)), n)
	same(t, "the node by its name", must[store.Node](t)(s.db.NodeByName(s.ctx, "THOR-1")), n)
	s.refused("a second node of this name", fault.Conflict, "node_name_taken", func(x *store.Tx) error {
		return x.InsertNode(s.ctx, &store.Node{ID: id.NewNode(), Name: "Thor-1"})
	})
	other := s.insertNode("thor-2")
	other.Name = "thor-1"
	s.refused("a rename to a taken name", fault.Conflict, "node_name_taken", func(x *store.Tx) error { return x.UpdateNode(s.ctx, &other) })
	s.tx(func(x *store.Tx) error {
		changed := must[bool](t)(x.SetNodeState(s.ctx, n.ID, node.Joining, node.Alive, ""))
		again := must[bool](t)(x.SetNodeState(s.ctx, n.ID, node.Joining, node.Alive, ""))
		same(t, "whether the state changed", []bool{changed, again}, []bool{true, false})
		n.Cordoned = true
		return x.UpdateNode(s.ctx, &n)
	})
	stale := n
	stale.Version = 1
	s.refused("an edit from an older version", fault.Precondition, "version_changed", func(x *store.Tx) error { return x.UpdateNode(s.ctx, &stale) })
	s.tx(func(x *store.Tx) error { return x.SetNodeFacts(s.ctx, n.ID, json.RawMessage(`{"cpus":8}`)) })
	s.tx(func(x *store.Tx) error { return x.SetNodePlace(s.ctx, n.ID, "here") })
	got := must[store.Node](t)(s.db.Node(s.ctx, n.ID))
	same(t, "after changes", []any{string(got.Facts), got.Cordoned, got.State, got.Place}, []any{`{"cpus":8}`, true, node.Alive, "here"})
	same(t, "alive nodes", must[store.List[store.Node]](t)(s.db.ListNodes(s.ctx, store.NodeFilter{State: node.Alive}, store.Page{})).Total, 1)

	v := newVM(s.tenant, "web")
	v.Node = n.ID
	s.tx(func(x *store.Tx) error { return x.InsertVM(s.ctx, &v) })
	same(t, "VMs on the node", len(must[[]store.VM](t)(s.db.VMsOnNode(s.ctx, n.ID))), 1)
	s.refused("removing a node with VMs", fault.Conflict, "node_in_use", func(x *store.Tx) error { return x.DeleteNode(s.ctx, n.ID) })
	s.tx(func(x *store.Tx) error { return x.DeleteNode(s.ctx, other.ID) })
	same(t, "nodes left", len(must[[]store.Node](t)(s.db.Nodes(s.ctx))), 1)
}

func testNodeLeases(t *testing.T, s *suite) {
	var asked []id.Node
	for i := range 20 {
		asked = append(asked, s.insertNode(fmt.Sprint("n-", i)).ID)
	}
	gone := s.insertNode("gone")
	s.tx(func(x *store.Tx) error {
		_, err := x.SetNodeState(s.ctx, gone.ID, node.Joining, node.Removed, "")
		return err
	})
	asked = append(asked, gone.ID, id.NewNode())
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var granted []store.Renewed
	s.tx(func(x *store.Tx) (err error) {
		granted, err = x.RenewLeases(s.ctx, asked, at, 10*time.Second)
		return err
	})
	same(t, "nodes whose lease was granted", len(granted), 20)
	same(t, "the state that a renewal met", granted[0].State, node.Joining)
	got := must[store.Node](t)(s.db.Node(s.ctx, asked[7]))
	same(t, "the lease", []any{got.LeaseSeq, got.LeaseGranted, got.LeaseEnds, got.LastSeen}, []any{int64(1), at, at.Add(10 * time.Second), at})
	s.tx(func(x *store.Tx) error {
		_, err := x.RenewLeases(s.ctx, asked[7:8], at, 10*time.Second)
		return err
	})
	same(t, "renewals that were counted", must[store.Node](t)(s.db.Node(s.ctx, asked[7])).LeaseSeq, int64(2))
	s.tx(func(x *store.Tx) error {
		none, err := x.RenewLeases(s.ctx, nil, at, time.Second)
		same(t, "granted to nobody", len(none), 0)
		return err
	})
}

func (s *suite) insertNetwork(name, subnet, gateway string) store.Network {
	s.t.Helper()
	w := store.Network{ID: id.NewNetwork(), Name: name, Bridge: name, Subnet: subnet, Gateway: gateway, DNS: []string{gateway}, MTU: 1500}
	s.tx(func(x *store.Tx) error { return x.InsertNetwork(s.ctx, &w) })
	return w
}

func (s *suite) allocate(w id.Network, v id.VM, mac string) (a store.Address, err error) {
	nic := id.NewNIC()
	err = s.db.Tx(s.ctx, func(x *store.Tx) (err error) {
		a, err = x.AllocateAddress(s.ctx, w, nic, v, mac)
		return err
	})
	return a, err
}

func testNetworks(t *testing.T, s *suite) {
	w := s.insertNetwork("default", "10.7.0.0/29", "10.7.0.2") // .1, .3 to .6 for guests
	same(t, "the network as read", must[store.Network](t)(s.db.NetworkByName(s.ctx, s.tenant, "DEFAULT")), w)
	own := store.Network{ID: id.NewNetwork(), Tenant: s.tenant, Name: "default", Subnet: "10.8.0.0/24"}
	s.tx(func(x *store.Tx) error { return x.InsertNetwork(s.ctx, &own) })
	same(t, "the tenant's own network goes first", must[store.Network](t)(s.db.NetworkByName(s.ctx, s.tenant, "default")).ID, own.ID)
	same(t, "networks of the tenant", must[store.List[store.Network]](t)(s.db.ListNetworks(s.ctx, s.tenant, store.Page{})).Total, 2)
	same(t, "networks of another", must[store.List[store.Network]](t)(s.db.ListNetworks(s.ctx, id.NewTenant(), store.Page{})).Total, 1)
	s.refused("a second network of this name", fault.Conflict, "network_name_taken", func(x *store.Tx) error {
		return x.InsertNetwork(s.ctx, &store.Network{ID: id.NewNetwork(), Name: "Default"})
	})

	a, b := s.insertVM("a"), s.insertVM("b")
	var got []string
	for i := range 5 {
		owner := a.ID
		if i == 1 {
			owner = b.ID
		}
		addr, err := s.allocate(w.ID, owner, fmt.Sprint("mac-", i))
		if err != nil {
			t.Fatalf("allocate: %v", err)
		}
		got = append(got, addr.Address)
	}
	same(t, "addresses, the lowest first, without the gateway's", got, []string{"10.7.0.1", "10.7.0.3", "10.7.0.4", "10.7.0.5", "10.7.0.6"})
	_, err := s.allocate(w.ID, a.ID, "mac-9")
	wantFault(t, "an address of a full network", err, fault.Exhausted, "network_full")
	s.tx(func(x *store.Tx) error { return x.DeleteVM(s.ctx, b.ID) })
	again := must[store.Address](t)(s.allocate(w.ID, a.ID, "mac-1"))
	same(t, "the address that became free", again.Address, "10.7.0.3")
	_, err = s.allocate(own.ID, a.ID, "mac-1")
	wantFault(t, "a MAC that is in use", err, fault.Conflict, "mac_taken")
	s.tx(func(x *store.Tx) error {
		same(t, "asking again for the same NIC", must[store.Address](t)(x.AllocateAddress(s.ctx, w.ID, again.NIC, a.ID, "mac-1")), again)
		return x.ReleaseAddress(s.ctx, again.NIC)
	})
	same(t, "addresses of the VM", len(must[[]store.Address](t)(s.db.Addresses(s.ctx, a.ID))), 4)
}

func testAddressesRest(t *testing.T, s *suite) {
	w := s.insertNetwork("wide", "10.9.0.0/24", "10.9.0.2")
	v := s.insertVM("web")
	next := func(mac string) store.Address { return must[store.Address](t)(s.allocate(w.ID, v.ID, mac)) }
	first := next("mac-1")
	same(t, "in order, without the gateway's", []string{first.Address, next("mac-2").Address}, []string{"10.9.0.1", "10.9.0.3"})
	s.tx(func(x *store.Tx) error { return x.ReleaseAddress(s.ctx, first.NIC) })
	same(t, "while there are others, not the one that became free", next("mac-3").Address, "10.9.0.4")
	s.tx(func(x *store.Tx) error { return x.ReleaseAddresses(s.ctx, v.ID) })
	same(t, "of a network that is empty again", next("mac-4").Address, "10.9.0.1")
}

func testConcurrentAddresses(t *testing.T, s *suite) {
	const n = 60
	w := s.insertNetwork("default", "10.7.0.0/24", "10.7.0.1")
	v := s.insertVM("web")
	vms := make([]store.VM, n)
	for i := range vms {
		vms[i] = s.insertVM(fmt.Sprint("vm-", i))
	}
	addresses, uids := make([]string, n), make([]int, n)
	errs := together(n, func(i int) error {
		a, err := s.allocate(w.ID, v.ID, fmt.Sprint("mac-", i))
		if err != nil {
			return err
		}
		addresses[i] = a.Address
		return s.db.Tx(s.ctx, func(x *store.Tx) (err error) {
			uids[i], err = x.AllocateUID(s.ctx, vms[i].ID, 1000, 1000+n-1)
			return err
		})
	})
	for _, err := range errs {
		if err != nil {
			t.Fatalf("allocate: %v", err)
		}
	}
	slices.Sort(uids)
	same(t, "different addresses", len(toSet(addresses)), n)
	same(t, "user ids without a gap", []int{uids[0], uids[n-1], len(slices.Compact(uids))}, []int{1000, 1000 + n - 1, n})
	if _, err := s.db.VM(s.ctx, v.ID); err != nil {
		t.Fatalf("read: %v", err)
	}
	s.refused("a user id of a full range", fault.Exhausted, "uids_used_up", func(x *store.Tx) error {
		_, err := x.AllocateUID(s.ctx, v.ID, 1000, 1000+n-1)
		return err
	})
	s.tx(func(x *store.Tx) error {
		have := must[int](t)(x.AllocateUID(s.ctx, vms[3].ID, 1000, 1000+n-1))
		if err := x.ReleaseUID(s.ctx, vms[3].ID); err != nil {
			return err
		}
		same(t, "the user id that became free", must[int](t)(x.AllocateUID(s.ctx, v.ID, 1000, 1000+n-1)), have)
		return nil
	})
}

func testImages(t *testing.T, s *suite) {
	i := store.Image{ID: id.NewImage(), Name: "tiny", Arch: vm.X86_64, Firmware: vm.Direct, State: store.ImagePending, Source: "built here", Checksum: "sha256:bb"}
	s.tx(func(x *store.Tx) error { return x.InsertImage(s.ctx, &i) })
	same(t, "the image by its name", must[store.Image](t)(s.db.ImageByName(s.ctx, s.tenant, "TINY")), i)
	s.refused("a second public image of this name", fault.Conflict, "image_name_taken", func(x *store.Tx) error {
		return x.InsertImage(s.ctx, &store.Image{ID: id.NewImage(), Name: "Tiny"})
	})
	i.State, i.Digest = store.ImageReady, "sha256:aa"
	s.tx(func(x *store.Tx) error { return x.UpdateImage(s.ctx, &i) })
	same(t, "the image by its content", must[[]store.Image](t)(s.db.ImagesByDigest(s.ctx, "sha256:aa")), []store.Image{i})
	same(t, "ready images that the tenant may use", must[store.List[store.Image]](t)(s.db.ListImages(s.ctx, store.ImageFilter{Tenant: s.tenant, State: store.ImageReady, Arch: vm.X86_64, Name: "in"}, store.Page{})).Total, 1)
	s.insertVM("web")

	u := store.Upload{ID: id.NewUpload(), Image: i.ID, Tenant: s.tenant, Bytes: 100, Staging: "x", Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)}
	s.tx(func(x *store.Tx) error { return x.InsertUpload(s.ctx, &u) })
	same(t, "the upload as read", must[store.Upload](t)(s.db.UploadOf(s.ctx, i.ID)), u)
	u.Server = id.NewServer()
	s.tx(func(x *store.Tx) error { return x.PlaceUpload(s.ctx, u.ID, u.Server) })
	s.refused("a piece on a server that the upload left", fault.Conflict, "upload_offset", func(x *store.Tx) error { return x.AdvanceUpload(s.ctx, u.ID, "", 0, 60, u.Expires) })
	s.tx(func(x *store.Tx) error { return x.AdvanceUpload(s.ctx, u.ID, u.Server, 0, 60, u.Expires) })
	s.refused("another place for an upload that has begun", fault.Conflict, "upload_offset", func(x *store.Tx) error { return x.PlaceUpload(s.ctx, u.ID, id.NewServer()) })
	s.refused("the same piece again", fault.Conflict, "upload_offset", func(x *store.Tx) error { return x.AdvanceUpload(s.ctx, u.ID, u.Server, 0, 60, u.Expires) })
	same(t, "offset", must[store.Upload](t)(s.db.Upload(s.ctx, u.ID)).Offset, int64(60))
	same(t, "expired uploads", len(must[[]store.Upload](t)(s.db.ExpiredUploads(s.ctx, u.Expires.Add(time.Second)))), 1)
	s.tx(func(x *store.Tx) error { return x.DeleteImage(s.ctx, i.ID) })
	_, err := s.db.Upload(s.ctx, u.ID)
	wantFault(t, "the upload of a deleted image", err, fault.NotFound, "upload_not_found")
}

func testSnapshots(t *testing.T, s *suite) {
	v := s.insertVM("web")
	p := store.Snapshot{ID: id.NewSnapshot(), VM: v.ID, Tenant: s.tenant, Name: "before", Memory: true, State: store.SnapshotCreating}
	s.tx(func(x *store.Tx) error { return x.InsertSnapshot(s.ctx, &p) })
	s.refused("a second snapshot of this name", fault.Conflict, "snapshot_name_taken", func(x *store.Tx) error {
		return x.InsertSnapshot(s.ctx, &store.Snapshot{ID: id.NewSnapshot(), VM: v.ID, Name: "Before"})
	})
	p.State = store.SnapshotReady
	s.tx(func(x *store.Tx) error { return x.UpdateSnapshot(s.ctx, &p) })
	same(t, "the snapshot by its name", must[store.Snapshot](t)(s.db.SnapshotByName(s.ctx, v.ID, "BEFORE")), p)
	same(t, "snapshots", must[store.List[store.Snapshot]](t)(s.db.ListSnapshots(s.ctx, v.ID, store.Page{})).Items, []store.Snapshot{p})
	s.refused("deleting a VM with snapshots", fault.Conflict, "in_use", func(x *store.Tx) error { return x.DeleteVM(s.ctx, v.ID) })
	s.tx(func(x *store.Tx) error { return x.DeleteSnapshot(s.ctx, p.ID) })
	s.tx(func(x *store.Tx) error { return x.DeleteVM(s.ctx, v.ID) })
	same(t, "snapshots left", must[int](t)(s.db.CountSnapshots(s.ctx, v.ID)), 0)
}

func testAccounts(t *testing.T, s *suite) {
	u := store.User{ID: id.NewUser(), Tenant: s.tenant, Username: "Ada", Email: "ada@example.org", PasswordHash: "h", Role: auth.Administrator}
	s.tx(func(x *store.Tx) error { return x.InsertUser(s.ctx, &u) })
	for _, login := range []string{"ada", "ADA", "Ada@Example.ORG"} {
		same(t, "the account by "+login, must[store.User](t)(s.db.UserByLogin(s.ctx, login)), u)
	}
	eve := store.User{ID: id.NewUser(), Tenant: s.tenant, Username: "ADA", Email: "eve@example.org", Role: auth.Viewer}
	s.refused("a taken name", fault.Conflict, "username_taken", func(x *store.Tx) error { return x.InsertUser(s.ctx, &eve) })
	eve.Username, eve.Email = "eve", "ADA@example.org"
	s.refused("a taken address", fault.Conflict, "email_taken", func(x *store.Tx) error { return x.InsertUser(s.ctx, &eve) })
	eve.Email = "eve@example.org"
	s.tx(func(x *store.Tx) error { return x.InsertUser(s.ctx, &eve) })
	eve.Username = "ada"
	s.refused("a rename to a taken name", fault.Conflict, "username_taken", func(x *store.Tx) error { return x.UpdateUser(s.ctx, &eve) })
	same(t, "administrators", must[int](t)(s.db.CountUsers(s.ctx, auth.Administrator)), 1)
	same(t, "accounts", must[int](t)(s.db.CountUsers(s.ctx, "")), 2)
	same(t, "accounts with d in the name", must[store.List[store.User]](t)(s.db.ListUsers(s.ctx, store.UserFilter{Tenant: s.tenant, Name: "D"}, store.Page{})).Total, 1)
	s.refused("a second tenant of this name", fault.Conflict, "tenant_name_taken", func(x *store.Tx) error {
		return x.InsertTenant(s.ctx, &store.Tenant{ID: id.NewTenant(), Name: "ACME"})
	})
	s.refused("removing a tenant with users", fault.Conflict, "in_use", func(x *store.Tx) error { return x.DeleteTenant(s.ctx, s.tenant) })

	s.tx(func(x *store.Tx) error { return x.DeleteUser(s.ctx, u.ID) })
}
