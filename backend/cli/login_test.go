package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
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

// Two commands that find the access token at its end show the refresh token once between them: shown twice, it would end the session.
func TestSavedSignIn_isRenewedByOneOfManyCommandsAtOnce(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("NOVACRON_TOKEN", "")
	t.Setenv("NOVACRON_URL", "")
	var refreshes atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := func(status int, v any) {
			w.WriteHeader(status)
			if err := json.NewEncoder(w).Encode(v); err != nil {
				t.Error(err)
			}
		}
		switch {
		case r.URL.Path == "/api/auth/refresh":
			var in wire.Refresh
			if json.NewDecoder(r.Body).Decode(&in) != nil || in.RefreshToken != "refresh-1" {
				t.Errorf("shown was %q", in.RefreshToken)
			}
			refreshes.Add(1)
			answer(http.StatusOK, wire.LoginAnswer{AccessToken: "access-2", RefreshToken: "refresh-2", ExpiresIn: 900})
		case r.Header.Get("Authorization") == "Bearer access-2":
			answer(http.StatusOK, wire.User{Username: "ana"})
		default:
			answer(http.StatusUnauthorized, wire.Problem{Code: "token_expired", Detail: "it has ended"})
		}
	}))
	defer server.Close()
	if err := (saved{URL: server.URL, User: "ana", Tokens: client.Tokens{Access: "access-1", Refresh: "refresh-1"}}).store(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 10 {
		c, err := (&session{}).connection() // each as a process of its own reads it
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer c.Close()
			if u, err := c.Me(t.Context()); err != nil || u.Username != "ana" {
				t.Errorf("got %+v, %v", u, err)
			}
		})
	}
	all.Wait()
	if n := refreshes.Load(); n != 1 {
		t.Errorf("the token was exchanged %d times, want once", n)
	}
	if last, err := loadSaved(); err != nil || last.Tokens.Refresh != "refresh-2" || last.Tokens.Access != "access-2" {
		t.Errorf("saved is %+v, %v", last.Tokens, err)
	}
}
