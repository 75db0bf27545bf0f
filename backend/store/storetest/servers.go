package storetest

import (
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

func testServers(t *testing.T, s *suite) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	a, b := id.NewServer(), id.NewServer()
	save := func(srv id.Server, address string, seen time.Time) {
		s.tx(func(x *store.Tx) error {
			return x.SaveServer(s.ctx, store.Server{ID: srv, Name: "thor", Address: address, Version: "v1", Started: at, Seen: seen})
		})
	}
	n, other := s.insertNode("thor-1").ID, s.insertNode("thor-2").ID
	claim := func(srv id.Server, gentle bool, nodes ...id.Node) (held []store.Held) {
		s.tx(func(x *store.Tx) (err error) {
			held, err = x.ClaimNodes(s.ctx, srv, nodes, gentle)
			return err
		})
		return held
	}
	holder := func() store.Held { return must[store.Held](t)(s.db.Holder(s.ctx, n)) }
	nobody := func(situation string) {
		t.Helper()
		if h, err := s.db.Holder(s.ctx, n); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %+v, %v, want that nobody holds the node", situation, h, err)
		}
	}
	nobody("before any claim")
	save(a, "a:8093", at)
	save(b, "b:1", at.Add(time.Hour))
	save(b, "b:8093", at.Add(time.Hour))
	same(t, "claims of nodes that are there", len(claim(a, false, n, other, id.NewNode())), 2)
	first := holder()
	same(t, "the first holder", first, store.Held{Node: n, Server: a, Address: "a:8093", Epoch: 1})
	same(t, "how many each holds", must[map[id.Server]int](t)(s.db.HeldCounts(s.ctx)), map[id.Server]int{a: 2})
	same(t, "gentle claims of what another holds", len(claim(b, true, n)), 0)
	claim(b, false, n)
	second := holder()
	same(t, "the holder after a newer claim", second, store.Held{Node: n, Server: b, Address: "b:8093", Epoch: 2})
	s.tx(func(x *store.Tx) error { return x.ReleaseNode(s.ctx, first) })
	same(t, "the holder after a stale release", holder(), second)
	s.tx(func(x *store.Tx) error { return x.ReleaseNode(s.ctx, second) })
	nobody("after a release")
	same(t, "a gentle claim of what nobody holds", claim(a, true, n)[0].Epoch, int64(3))
	s.tx(func(x *store.Tx) error { return x.TrimServers(s.ctx, at.Add(time.Minute)) })
	nobody("with its server forgotten")
	same(t, "servers left", must[[]store.Server](t)(s.db.Servers(s.ctx)), []store.Server{{ID: b, Name: "thor", Address: "b:8093", Version: "v1", Started: at, Seen: at.Add(time.Hour)}})
	one := must[store.Server](t)(s.db.Server(s.ctx, b))
	same(t, "one of them is the same life whatever it said last", one.SameLife(store.Server{ID: b, Started: at}), true)
	same(t, "and another after a restart", one.SameLife(store.Server{ID: b, Started: at.Add(time.Microsecond)}), false)
	if _, err := s.db.Server(s.ctx, a); !fault.Is(err, fault.NotFound) {
		t.Errorf("a server that was forgotten: %v, want that it is not found", err)
	}
	same(t, "a gentle claim of what a forgotten server held", claim(b, true, n)[0].Epoch, int64(4))
	s.tx(func(x *store.Tx) error { return x.ReleaseServer(s.ctx, b) })
	nobody("after the server let go of everything")
	s.tx(func(x *store.Tx) error { return x.DeleteNode(s.ctx, n) })
}
