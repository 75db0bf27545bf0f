package auth

import (
	"slices"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// table is what each role may, written out a second time: a right that is given or taken by accident differs from it.
var table = map[Action]string{ // v d o a: viewer, developer, operator, administrator
	ReadVM: "vdoa", ReadOperation: "vdoa", ReadImage: "vdoa", ReadNetwork: "vdoa", ReadEvent: "vdoa", ReadTenant: "vdoa",
	WriteVM: "doa", UseConsole: "doa", WriteOperation: "doa", WriteImage: "doa",
	ReadPlatform: "oa", WriteNode: "oa", PickNode: "oa",
	WritePlatform: "a", ReadAccount: "a", WriteAccount: "a", WriteTenant: "a", ReadAudit: "a",
}

// Every role × every action × {own tenant, another tenant, the platform} × {whole, scoped to it, scoped to another}.
func TestMay_ofEveryRoleActionTenantAndScope(t *testing.T) {
	letters := map[Role]rune{Viewer: 'v', Developer: 'd', Operator: 'o', Administrator: 'a'}
	for _, role := range []Role{"", Viewer, Developer, Operator, Administrator, System, "member", "invented"} {
		for _, a := range Actions {
			has := role == System || slices.Contains([]rune(table[a]), letters[role])
			for _, tenant := range []string{"ten-own", "ten-other", ""} {
				for _, scope := range [][]Action{nil, {a}, {"something.else"}, {}} {
					c := Caller{User: "usr-1", Tenant: "ten-own", Role: role, Scoped: scope != nil, Scope: scope}
					want := fault.Kind("")
					switch {
					case role == "":
						want = fault.Unauthenticated
					case tenant == "ten-other" && role != Administrator && role != System:
						want = fault.NotFound
					case !has || scope != nil && !slices.Contains(scope, a):
						want = fault.Forbidden
					}
					if got := fault.KindOf(May(c, a, "ten-own")); tenant == "ten-own" && got != want {
						t.Errorf("role %q, %s, own tenant, scope %v: got %q, want %q", role, a, scope, got, want)
					}
					if got := fault.KindOf(May(c, a, "ten-other")); tenant == "ten-other" && got != want {
						t.Errorf("role %q, %s, another tenant, scope %v: got %q, want %q", role, a, scope, got, want)
					}
					if got := fault.KindOf(May(c, a, "")); tenant == "" && got != want {
						t.Errorf("role %q, %s, platform, scope %v: got %q, want %q", role, a, scope, got, want)
					}
				}
			}
		}
	}
	if len(table) != len(Actions) {
		t.Errorf("the table has %d actions, there are %d", len(table), len(Actions))
	}
}

func TestMay_nobodyIsNobodyWhateverTheRoleSays(t *testing.T) {
	for _, role := range []Role{Developer, Administrator, System} {
		if err := May(Caller{Role: role}, ReadVM, ""); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: got %v", role, err)
		}
	}
}

func TestMay_nothingIsOpenToWhoMustTurnASecondFactorOn(t *testing.T) {
	for _, role := range Roles {
		for _, a := range Actions {
			c := Caller{User: "usr-1", Tenant: "ten-own", Role: role, Enrolling: true}
			for _, tenant := range []id.Tenant{"ten-own", ""} {
				if err := May(c, a, tenant); !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s, %s, tenant %q: got %v", role, a, tenant, err)
				}
			}
		}
	}
}

func TestRole_onlyTheBuiltInOnesAreGivenToAPerson(t *testing.T) {
	for role, want := range map[Role]bool{Administrator: true, Operator: true, Developer: true, Viewer: true, System: false, "": false, "member": false} {
		if role.Valid() != want {
			t.Errorf("%q: got %v, want %v", role, role.Valid(), want)
		}
	}
}
