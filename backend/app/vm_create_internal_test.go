package app

import (
	"testing"

	"novacron/backend/store"
)

func TestNameFor_tellsNoNameOfAnotherTenant(t *testing.T) {
	theirs, mine, public := store.Image{Tenant: "b", Name: "secret-plan", Digest: "sha256:aa"}, store.Image{Tenant: "a", Name: "web", Digest: "sha256:aa"}, store.Image{Name: "debian", Digest: "sha256:aa"}
	for want, same := range map[string][]store.Image{"web": {theirs, mine}, "debian": {theirs, public}, "sha256:aa": {theirs}} {
		if got := nameFor("a", same); got != want {
			t.Errorf("of %v it is called %q, want %q", same, got, want)
		}
	}
}
