package vm

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"novacron/backend/core/fault"
)

func TestCheckTags_givesEachOnceInOrder(t *testing.T) {
	got, err := CheckTags([]string{"web", "team.a", "web", "a_b-1", strings.Repeat("x", MaxTagLength)})
	want := []string{"a_b-1", "team.a", "web", strings.Repeat("x", MaxTagLength)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
}

func TestCheckTags_refusesWhatIsNone(t *testing.T) {
	many := make([]string, MaxTags+1)
	for i := range many {
		many[i] = fmt.Sprint("t", i)
	}
	for _, tags := range [][]string{many, {""}, {"Web"}, {"a b"}, {"a,b"}, {"é"}, {"a%"}, {"a\x1f"}, {strings.Repeat("x", MaxTagLength+1)}} {
		if _, err := CheckTags(tags); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v, want a refusal", tags, err)
		}
	}
}

func TestCheckAddressSearch_tellsAWholeAddressFromItsBeginning(t *testing.T) {
	for _, c := range []struct {
		text, part string
		whole, ok  bool
	}{
		{"10.0.0.7", "10.0.0.7", true, true},
		{"10.0.", "10.0.", false, true},
		{"FE80:0::1", "fe80::1", true, true},
		{"fe80:", "fe80:", false, true},
		{"", "", false, false},
		{"web", "", false, false},
		{"10.0.0.%", "", false, false},
		{`10"`, "", false, false},
		{strings.Repeat("1", 40), "", false, false},
	} {
		part, whole, err := CheckAddressSearch(c.text)
		if part != c.part || whole != c.whole || (err == nil) != c.ok {
			t.Errorf("%q: got %q, %v and %v", c.text, part, whole, err)
		}
	}
}
