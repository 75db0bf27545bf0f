package auth

import (
	"slices"
	"testing"

	"novacron/backend/core/fault"
)

// Every role × every action × {own tenant, another tenant, the platform}.
func TestMay_ofEveryRoleAndAction(t *testing.T) {
	reads := []Action{ReadVM, ReadOperation, ReadImage, ReadNetwork, ReadEvent}
	writes := []Action{WriteVM, UseConsole, WriteOperation, WriteImage}
	for _, role := range []Role{"", Viewer, Member, Administrator, System, "invented"} {
		c := Caller{User: "usr-1", Tenant: "ten-own", Role: role}
		for _, a := range Actions {
			own, other := fault.KindOf(May(c, a, "ten-own")), fault.KindOf(May(c, a, "ten-other"))
			wantOwn, wantOther := fault.Forbidden, fault.NotFound
			switch {
			case role == "":
				wantOwn, wantOther = fault.Unauthenticated, fault.Unauthenticated
			case role == Administrator || role == System:
				wantOwn, wantOther = "", ""
			case role == Viewer && slices.Contains(reads, a), role == Member && (slices.Contains(reads, a) || slices.Contains(writes, a)):
				wantOwn = ""
			}
			if own != wantOwn || other != wantOther {
				t.Errorf("role %q, %s: own tenant %q, want %q; other tenant %q, want %q", role, a, own, wantOwn, other, wantOther)
			}
		}
	}
}

func TestMay_nobodyIsNobodyWhateverTheRoleSays(t *testing.T) {
	if err := May(Caller{Role: Member}, ReadVM, ""); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v", err)
	}
}

func TestRole_systemIsNeverGivenToAPerson(t *testing.T) {
	if System.Valid() || Role("").Valid() || !Administrator.Valid() || !Member.Valid() || !Viewer.Valid() {
		t.Error("only administrator, member and viewer can be given")
	}
}
