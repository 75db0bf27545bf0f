package auth

import (
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Every reach of the own role × the own tenant, one that the role names, another one, none × member or not.
func TestMayAct_atHomeAsAMemberOrWhereTheOwnRoleReaches(t *testing.T) {
	named := Rights{Actions: []Action{ReadVM}, Reach: NamedTenants, Tenants: []id.Tenant{"ten-named"}}
	for _, c := range []struct {
		role   Role
		rights Rights
		reach  map[id.Tenant]bool
	}{
		{Viewer, Rights{}, nil}, {Developer, Rights{}, nil}, {Operator, Rights{}, nil},
		{Administrator, Rights{}, map[id.Tenant]bool{"ten-named": true, "ten-other": true}},
		{"own", Rights{Actions: []Action{ReadVM}, Reach: OwnTenant}, nil},
		{"all", Rights{Actions: []Action{ReadVM}, Reach: AllTenants}, map[id.Tenant]bool{"ten-named": true, "ten-other": true}},
		{"named", named, map[id.Tenant]bool{"ten-named": true}}, {"gone", Rights{}, nil},
	} {
		for _, tenant := range []id.Tenant{"ten-home", "ten-named", "ten-other", ""} {
			for _, member := range []bool{false, true} {
				err := MayAct(Caller{User: "usr-1", Tenant: tenant, Role: c.role, Rights: c.rights}, "ten-home", member)
				if want := tenant == "ten-home" || member || c.reach[tenant]; (err == nil) != want || err != nil && !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s in %q, member %v: got %v, want allowed %v", c.role, tenant, member, err, want)
				}
			}
		}
	}
}

func TestCheckMembership_refusesTheOwnTenantAndAdministrators(t *testing.T) {
	for _, c := range []struct {
		m    Membership
		want fault.Kind
	}{
		{Membership{Tenant: "ten-lab", Role: Developer}, ""}, {Membership{Tenant: "ten-lab", Role: "own"}, ""},
		{Membership{Tenant: "ten-home", Role: Developer}, fault.Conflict}, {Membership{Tenant: "ten-lab", Role: Administrator}, fault.Invalid},
	} {
		if got := fault.KindOf(CheckMembership(c.m, "ten-home")); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.m, got, c.want)
		}
	}
}

func TestSameRights_seesEveryDifferenceInWhatACallerMayDo(t *testing.T) {
	base := Caller{User: "usr-1", Tenant: "ten-1", Role: "own", Rights: Rights{Actions: []Action{ReadVM}, Reach: OwnTenant}, Scoped: true, Scope: []Action{ReadVM}}
	same := base
	same.Request, same.Address, same.Session, same.Name = "r2", "192.0.2.1", "ses-2", "renamed"
	if !SameRights(base, same) {
		t.Error("another request of the same account with the same rights is told apart")
	}
	for what, change := range map[string]func(*Caller){
		"account": func(c *Caller) { c.User = "usr-2" }, "tenant": func(c *Caller) { c.Tenant = "ten-2" }, "a choice": func(c *Caller) { c.Chosen = true },
		"role": func(c *Caller) { c.Role = Viewer }, "rights": func(c *Caller) { c.Rights.Actions = []Action{ReadVM, WriteVM} }, "reach": func(c *Caller) { c.Rights.Reach = AllTenants },
		"enrolling": func(c *Caller) { c.Enrolling = true }, "no scope": func(c *Caller) { c.Scoped = false }, "scope": func(c *Caller) { c.Scope = nil },
	} {
		other := base
		change(&other)
		if SameRights(base, other) {
			t.Errorf("another %s is not seen", what)
		}
	}
}
