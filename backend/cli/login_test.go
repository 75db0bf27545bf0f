package cli

import (
	"strings"
	"testing"

	"novacron/backend/client"
	"novacron/backend/core/fault"
)

func TestSavedSignIn_isForTheServerThatGaveItOnly(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("NOVACRON_TOKEN", "")
	if err := (saved{URL: "http://a.example.org:8090", User: "ana", Tokens: client.Tokens{Access: "secret"}}).store(); err != nil {
		t.Fatal(err)
	}
	s := &session{}
	for url, same := range map[string]bool{"": true, "http://a.example.org:8090": true, "http://a.example.org:8090/": true, "http://b.example.org:8090": false} {
		t.Setenv("NOVACRON_URL", url)
		_, err := s.connection()
		if same && err != nil {
			t.Errorf("%q: %v", url, err)
		}
		if !same && (!fault.Is(err, fault.Unauthenticated) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: got %v, want that nobody is signed in there", url, err)
		}
	}
}
