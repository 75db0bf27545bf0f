package storetest

import (
	"fmt"
	"testing"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// testInvites: an invitation is listed while somebody can use it, and is used or withdrawn once.
func testInvites(t *testing.T, s *suite) {
	at := time.Now().UTC().Truncate(time.Second)
	role := auth.OwnRole{Name: "auditor", Rights: auth.Rights{Actions: []auth.Action{auth.ReadVM}, Reach: auth.OwnTenant}}
	s.tx(func(x *store.Tx) error { return x.InsertRole(s.ctx, &role) })
	invite := func(n int, role auth.Role) store.Invite {
		i := store.Invite{ID: id.NewInvite(), Hash: fmt.Sprintf("h%d", n), Email: fmt.Sprintf("a%d@example.org", n), Role: role, Tenant: s.tenant, By: "grace",
			Created: at.Add(time.Duration(n) * time.Second), Expires: at.Add(time.Hour + time.Duration(n)*time.Second)}
		s.tx(func(x *store.Tx) error { return x.InsertInvite(s.ctx, &i) })
		i.TenantName = "Acme"
		return i
	}
	first, second, third := invite(1, auth.Viewer), invite(2, "auditor"), invite(3, auth.Viewer)
	pending := func(at time.Time) []store.Invite {
		t.Helper()
		return must[store.List[store.Invite]](t)(s.db.ListInvites(s.ctx, at, store.Page{})).Items
	}
	same(t, "the pending ones, newest first", pending(at), []store.Invite{third, second, first})
	same(t, "those that have not ended", pending(first.Expires), []store.Invite{third, second})
	page := must[store.List[store.Invite]](t)(s.db.ListInvites(s.ctx, at, store.Page{Limit: 2}))
	rest := must[store.List[store.Invite]](t)(s.db.ListInvites(s.ctx, at, store.Page{Limit: 2, Cursor: page.Next}))
	same(t, "the second page", []any{rest.Items, rest.Total}, []any{[]store.Invite{first}, 3})

	s.refused("an invitation to a role that is none", fault.Invalid, "role_invalid", func(x *store.Tx) error {
		return x.InsertInvite(s.ctx, &store.Invite{ID: id.NewInvite(), Hash: "x", Role: "ghost", Tenant: s.tenant})
	})
	s.refused("deleting a role that somebody is invited to", fault.Conflict, "role_in_use", func(x *store.Tx) error { return x.DeleteRole(s.ctx, "auditor") })

	take := func(at time.Time) func(int) error {
		return func(int) error {
			return s.db.Tx(s.ctx, func(x *store.Tx) error { _, err := x.TakeInvite(s.ctx, first.Hash, at); return err })
		}
	}
	withdraw := func(i store.Invite) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error { _, err := x.WithdrawInvite(s.ctx, i.ID, at); return err })
	}
	wantFault(t, "using one that has ended", take(first.Expires)(0), fault.Unauthenticated, "token_used")
	same(t, "who of 20 used it", count(together(20, take(at)), succeeded), 1)
	wantFault(t, "withdrawing one that was used", withdraw(first), fault.NotFound, "invite_not_found")
	same(t, "who of 20 withdrew it", count(together(20, func(int) error { return withdraw(second) }), succeeded), 1)
	s.tx(func(x *store.Tx) error { return x.DeleteRole(s.ctx, "auditor") })
	same(t, "what is left", pending(at), []store.Invite{third})

	lab := store.Tenant{ID: id.NewTenant(), Name: "lab"}
	s.tx(func(x *store.Tx) error {
		if err := x.InsertTenant(s.ctx, &lab); err != nil {
			return err
		}
		return x.InsertInvite(s.ctx, &store.Invite{ID: id.NewInvite(), Hash: "lab", Role: auth.Viewer, Tenant: lab.ID, Created: at, Expires: third.Expires})
	})
	s.tx(func(x *store.Tx) error { return x.DeleteTenant(s.ctx, lab.ID) })
	same(t, "without those into a tenant that is gone", pending(at), []store.Invite{third})
	s.tx(func(x *store.Tx) error {
		same(t, "trimmed once they have ended", must[int](t)(x.TrimAccounts(s.ctx, third.Expires, at, 10)), 1)
		return nil
	})
}
