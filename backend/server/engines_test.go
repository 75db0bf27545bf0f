package server_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/server"
	"novacron/backend/services"
	"novacron/backend/session/sessiontest"
	"novacron/backend/store/storetest"
)

// beside starts a server without a node on the engines, as one of several.
func beside(t *testing.T, database, redis string, more map[string]string) *server.Server {
	t.Helper()
	flags := map[string]string{
		"data-dir": t.TempDir(), "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0",
		"database-url": database, "redis-url": redis, "limit-api": "off", "limit-login": "off",
	}
	for k, v := range more {
		flags[k] = v
	}
	settings, err := server.Load(flags, "")
	if err != nil {
		t.Fatal(err)
	}
	settings.AuthSecret = "one secret that both of the servers share"
	s, err := server.New(t.Context(), server.Options{Settings: settings, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// call sends a request and gives the answer with its body read.
func call(t *testing.T, s *server.Server, method, path, token, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.Addresses()["api"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(raw)
}

// served is call where every engine is there: one that a busy machine keeps from answering in time is asked again.
func served(t *testing.T, s *server.Server, method, path, token, body string) (res *http.Response, text string) {
	t.Helper()
	until(t, path+" is served", func() bool {
		res, text = call(t, s, method, path, token, body)
		return res.StatusCode != http.StatusServiceUnavailable
	})
	return res, text
}

func wantStatus(t *testing.T, what string, s *server.Server, path, token string, want int) {
	t.Helper()
	if res, body := served(t, s, http.MethodGet, path, token, ""); res.StatusCode != want {
		t.Errorf("%s: got %d %s, want %d", what, res.StatusCode, body, want)
	}
}

// promptly bounds what takes less than a second, with what a busy machine takes beside.
const promptly = 4 * time.Second

// within polls until the request is answered with the status.
func within(t *testing.T, limit time.Duration, what string, s *server.Server, path, token string, want int) {
	t.Helper()
	var got int
	for began := time.Now(); time.Since(began) < limit; time.Sleep(20 * time.Millisecond) {
		res, _ := call(t, s, http.MethodGet, path, token, "")
		if got = res.StatusCode; got == want {
			return
		}
	}
	t.Errorf("%s: after %s still %d, want %d", what, limit, got, want)
}

// signIn makes the first account and gives an access token of it.
func signIn(t *testing.T, s *server.Server) string {
	t.Helper()
	c, err := client.New("http://"+s.Addresses()["api"], client.Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	link, err := s.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the first account is made", func() bool {
		_, err = c.Setup(t.Context(), wire.Setup{Token: link.Token, Username: "ana", Email: "ana@example.org", Password: password})
		return !fault.Is(err, fault.Unavailable)
	})
	if err != nil {
		t.Fatal(err)
	}
	return again(t, s)
}

// again signs in once more.
func again(t *testing.T, s *server.Server) string {
	t.Helper()
	res, body := served(t, s, http.MethodPost, "/api/auth/login", "", `{"username":"ana","password":"`+password+`"}`)
	var a wire.LoginAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.AccessToken == "" {
		t.Fatalf("sign in: %d %s, %v", res.StatusCode, body, err)
	}
	return a.AccessToken
}

func TestServers_thatShareTheirEnginesAreOne(t *testing.T) {
	for name, redis := range map[string]func(testing.TB) string{
		"PostgreSQL and Redis": sessiontest.RedisURL,
		"PostgreSQL":           func(testing.TB) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			database, redis := storetest.PostgresURL(t), redis(t)
			limit := map[string]string{"limit-login": "5/1m"}
			a, b := beside(t, database, redis, nil), beside(t, database, redis, limit)
			token := signIn(t, a)
			wantStatus(t, "a token of the other server", b, "/api/auth/me", token, http.StatusOK)
			if _, x := served(t, a, http.MethodGet, "/.well-known/jwks.json", "", ""); x == "" {
				t.Error("no keys are published")
			} else if _, y := served(t, b, http.MethodGet, "/.well-known/jwks.json", "", ""); x != y {
				t.Errorf("the servers publish different keys:\n%s\n%s", x, y)
			}
			if res, body := served(t, a, http.MethodPost, "/api/auth/logout", token, ""); res.StatusCode != http.StatusNoContent {
				t.Fatalf("sign out: %d %s", res.StatusCode, body)
			}
			within(t, promptly, "a session that was ended on the other server", b, "/api/auth/me", token, http.StatusUnauthorized)

			third := beside(t, database, redis, limit)
			for i := range 6 {
				s, want := b, http.StatusUnauthorized
				if i%2 == 1 {
					s = third
				}
				if i == 5 {
					want = http.StatusTooManyRequests
				}
				res, body := call(t, s, http.MethodPost, "/api/auth/login", "", `{"username":"ana","password":"not this one, surely"}`)
				if res.StatusCode != want {
					t.Errorf("sign-in %d on one of two servers: got %d %s, want %d", i+1, res.StatusCode, body, want)
				}
			}
		})
	}
}

func TestServer_saysWhichEngineIsGoneAndComesBackByItself(t *testing.T) {
	postgres, database := services.Behind(t, storetest.PostgresURL(t))
	redis, sessions := services.Behind(t, sessiontest.RedisURL(t))
	s := beside(t, database, sessions, nil)
	token := signIn(t, s)
	for _, c := range []struct {
		name        string
		break_, end func()
		says        string
	}{
		{"Redis hangs", redis.Pause, redis.Resume, "Redis"},
		{"Redis is stopped", redis.Cut, redis.Mend, "Redis"},
		{"PostgreSQL is stopped", postgres.Cut, postgres.Mend, "PostgreSQL"},
		{"PostgreSQL hangs", postgres.Pause, postgres.Resume, "PostgreSQL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.break_()
			for range 3 {
				began := time.Now()
				res, body := call(t, s, http.MethodGet, "/api/v1/vms", token, "")
				if took := time.Since(began); took > promptly {
					t.Errorf("the answer took %s", took)
				}
				if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
					t.Errorf("got %d with Retry-After %q: %s", res.StatusCode, res.Header.Get("Retry-After"), body)
				}
			}
			if res, body := call(t, s, http.MethodGet, "/api/ready", "", ""); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, c.says) {
				t.Errorf("ready: got %d %s, want 503 that names %s", res.StatusCode, body, c.says)
			}
			wantStatus(t, "health, which is about the process", s, "/api/health", "", http.StatusOK)
			c.end()
			within(t, time.Minute, "after its return", s, "/api/v1/vms", token, http.StatusOK)
			within(t, time.Minute, "ready after its return", s, "/api/ready", "", http.StatusOK)
		})
	}
}
