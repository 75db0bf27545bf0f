package auth_test

import (
	"strings"
	"testing"

	"novacron/backend/core/auth"
)

func TestCheckUsername(t *testing.T) {
	for _, name := range []string{"a", "grace", "grace.hopper", "g-1", "Grace_H", "grüß", strings.Repeat("a", auth.MaxUsername)} {
		if err := auth.CheckUsername(name); err != nil {
			t.Errorf("%q: got %v", name, err)
		}
	}
	for _, name := range []string{"", ".a", "a-", "a b", "a@b", "a/b", "a\x00", "\xff", "usr-00000000000000000001", strings.Repeat("a", auth.MaxUsername+1), "<b>"} {
		if auth.CheckUsername(name) == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	for _, address := range []string{"a@b", "grace.hopper+x@example.org", "o'brien@example.org"} {
		if err := auth.CheckEmail(address); err != nil {
			t.Errorf("%q: got %v", address, err)
		}
	}
	for _, address := range []string{"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "a@.b", "a@b.", "<a@b>", "a,b@c", strings.Repeat("a", 250) + "@b.cc"} {
		if auth.CheckEmail(address) == nil {
			t.Errorf("%q was accepted", address)
		}
	}
}
