package auth_test

import (
	"strings"
	"testing"

	"novacron/backend/core/auth"
)

func TestCheckUsername(t *testing.T) {
	for _, name := range []string{"a", "grace", "grace.hopper", "g-1", "Grace_H", "grüß", "иван", "νίκος", "太郎さん", "민준", "محمد", "ngọc", strings.Repeat("a", auth.MaxUsername)} {
		if err := auth.CheckUsername(name); err != nil {
			t.Errorf("%q: got %v", name, err)
		}
	}
	for _, name := range []string{"", ".a", "a-", "a b", "a@b", "a/b", "a\x00", "\xff", "usr-00000000000000000001", strings.Repeat("a", auth.MaxUsername+1), "<b>", "\u0430lice" /* a Cyrillic a */, "\u13a0nna" /* Cherokee */, "\u0250nna" /* phonetic */, "a\u0661" /* an Arabic digit */} {
		if auth.CheckUsername(name) == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestSkeleton_isEqualForWhatLooksAlikeOnly(t *testing.T) {
	for _, alike := range [][2]string{{"paul", "PAUL"}, {"pape", "раре"}, {"alice", "aIice"}, {"alice", "a1ice"}, {"root", "r00t"}, {"ope", "оре"}, {"modern", "modem"}, {"a.b", "a_b"}, {"ada", "ａｄａ"}, {"νο", "vo"}} {
		if x, y := auth.Skeleton(alike[0]), auth.Skeleton(alike[1]); x != y {
			t.Errorf("%q is %q and %q is %q, want the same", alike[0], x, alike[1], y)
		}
	}
	for _, other := range [][2]string{{"paul", "paula"}, {"иван", "ivan"}, {"grüß", "gruss"}, {"ab", "a-b"}, {"ada", "adá"}} {
		if x := auth.Skeleton(other[0]); x == auth.Skeleton(other[1]) {
			t.Errorf("%q and %q are both %q", other[0], other[1], x)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	for _, address := range []string{"a@b", "grace.hopper+x@example.org", "o'brien@example.org"} {
		if err := auth.CheckEmail(address); err != nil {
			t.Errorf("%q: got %v", address, err)
		}
	}
	for _, address := range []string{"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "a@.b", "a@b.", "<a@b>", "a,b@c", "grüß@example.org", "ada@ex\u0430mple.org", strings.Repeat("a", 250) + "@b.cc"} {
		if auth.CheckEmail(address) == nil {
			t.Errorf("%q was accepted", address)
		}
	}
}
