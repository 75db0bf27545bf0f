package auth

import (
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Every action × whether the role has it × every reach × {own tenant, a named one, another, the platform} × token scope.
func TestMay_ofEveryOwnRole(t *testing.T) {
	tenants := []id.Tenant{"ten-own", "ten-named", "ten-other", ""}
	// within says which tenants a reach covers, written out a second time.
	within := map[Reach][]id.Tenant{OwnTenant: {"ten-own"}, AllTenants: {"ten-own", "ten-named", "ten-other"}, NamedTenants: {"ten-named"}, "": {"ten-own"}}
	for _, a := range Actions {
		for _, has := range []bool{true, false} {
			for reach, covered := range within {
				for _, tenant := range tenants {
					for _, scope := range [][]Action{nil, {a}, {}} {
						r := Rights{Actions: []Action{a}, Reach: reach, Tenants: []id.Tenant{"ten-named"}}
						if !has {
							r.Actions = []Action{"something.else"}
						}
						c := Caller{User: "usr-1", Tenant: "ten-own", Role: "auditor", Rights: r, Scoped: scope != nil, Scope: scope}
						want := fault.Kind("")
						switch {
						case tenant != "" && tenant != "ten-own" && !slices.Contains(covered, tenant):
							want = fault.NotFound
						case !has || tenant != "" && !slices.Contains(covered, tenant) || scope != nil && len(scope) == 0:
							want = fault.Forbidden
						}
						if got := fault.KindOf(May(c, a, tenant)); got != want {
							t.Errorf("%s, given %v, reach %q, tenant %q, scope %v: got %q, want %q", a, has, reach, tenant, scope, got, want)
						}
						if got, want := SeesAll(c, a), has && reach == AllTenants; got != want {
							t.Errorf("%s, given %v, reach %q: sees all %v, want %v", a, has, reach, got, want)
						}
					}
				}
			}
		}
	}
}

func TestMay_takesNoRightsFromACallerOfABuiltInRole(t *testing.T) {
	c := Caller{User: "usr-1", Tenant: "ten-own", Role: Viewer, Rights: Rights{Actions: Actions, Reach: AllTenants}}
	if err := May(c, WriteVM, "ten-own"); !fault.Is(err, fault.Forbidden) || SeesAll(c, ReadVM) {
		t.Errorf("got %v", err)
	}
	if err := May(Caller{User: "usr-1", Tenant: "ten-own", Role: "gone"}, ReadVM, "ten-own"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a role that is not there any more: got %v", err)
	}
}

func TestCheckRole(t *testing.T) {
	good := func() OwnRole {
		return OwnRole{Name: "auditor-2", Rights: Rights{Actions: []Action{ReadVM, ReadAudit}, Reach: OwnTenant}}
	}
	if err := CheckRole(good()); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change func(*OwnRole)
		code   string
	}{
		"no name":                     {func(r *OwnRole) { r.Name = "" }, "role_name_invalid"},
		"capitals":                    {func(r *OwnRole) { r.Name = "Auditor" }, "role_name_invalid"},
		"a digit in front":            {func(r *OwnRole) { r.Name = "2nd" }, "role_name_invalid"},
		"a dash at the end":           {func(r *OwnRole) { r.Name = "a-" }, "role_name_invalid"},
		"a look-alike of a built-in":  {func(r *OwnRole) { r.Name = "аdministrator" }, "role_name_invalid"},
		"too long":                    {func(r *OwnRole) { r.Name = Role(strings.Repeat("a", 33)) }, "role_name_invalid"},
		"a built-in name":             {func(r *OwnRole) { r.Name = Operator }, "role_built_in"},
		"the platform's name":         {func(r *OwnRole) { r.Name = System }, "role_built_in"},
		"a long description":          {func(r *OwnRole) { r.Description = strings.Repeat("a", 201) }, "role_description_invalid"},
		"no action":                   {func(r *OwnRole) { r.Rights.Actions = nil }, "actions_empty"},
		"an unknown action":           {func(r *OwnRole) { r.Rights.Actions = []Action{"vm.fly"} }, "action_unknown"},
		"an action twice":             {func(r *OwnRole) { r.Rights.Actions = []Action{ReadVM, ReadVM} }, "action_twice"},
		"what makes an administrator": {func(r *OwnRole) { r.Rights.Actions = []Action{ReadVM, WriteAccount} }, "action_reserved"},
		"files of the server":         {func(r *OwnRole) { r.Rights.Actions = []Action{WritePlatform} }, "action_reserved"},
		"an unknown reach":            {func(r *OwnRole) { r.Rights.Reach = "some" }, "tenants_invalid"},
		"named without tenants":       {func(r *OwnRole) { r.Rights.Reach = NamedTenants }, "tenant_ids_invalid"},
		"tenants without named":       {func(r *OwnRole) { r.Rights.Tenants = []id.Tenant{"ten-1"} }, "tenant_ids_invalid"},
	} {
		r := good()
		c.change(&r)
		if f, ok := CheckRole(r).(*fault.Error); !ok || f.Code != c.code {
			t.Errorf("%s: got %v, want %s", what, f, c.code)
		}
	}
}
