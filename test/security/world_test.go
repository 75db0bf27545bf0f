// Package security attacks a whole server from outside, over HTTP and WebSocket: what each role and tenant may do, hostile tokens and
// requests, races for what is good once. The server is the one that people run, with a simulated node. The package
// deliberately looks into no table but to show that an attack left nothing behind.
package security

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

const password = "correct horse battery"

// world is a running server.
type world struct {
	t      testing.TB
	server *server.Server
	dir    string
	log    *journal
	http   *http.Client
	admin  string // access token of the first administrator
}

// journal keeps what a server logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}
func (j *journal) String() string { j.mu.Lock(); defer j.mu.Unlock(); return j.text.String() }

// open starts a server with a simulated node, or without one. settings go before the tests' own: free ports, no rate limits.
func open(t testing.TB, dir string, local bool, settings map[string]string) *world {
	t.Helper()
	flags := map[string]string{"data-dir": dir, "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0",
		"limit-api": "off", "limit-login": "off", "limit-register": "off"}
	for k, v := range settings {
		flags[k] = v
	}
	loaded, err := server.Load(flags, "")
	if err != nil {
		t.Fatal(err)
	}
	loaded.AuthSecret = "one secret that the servers of a test share"
	w := &world{t: t, dir: dir, log: &journal{}, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	w.server, err = server.New(t.Context(), server.Options{Settings: loaded, Version: "test", Log: slog.New(slog.NewTextHandler(w.log, nil)), Local: local, Sim: local})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts a server on a folder of its own and makes the first administrator, root.
func start(t testing.TB, settings map[string]string) *world {
	t.Helper()
	w := open(t, t.TempDir(), true, settings)
	t.Cleanup(w.close)
	w.setUp()
	return w
}

func (w *world) close() {
	w.http.CloseIdleConnections()
	if err := w.server.Close(); err != nil {
		w.t.Errorf("close the server: %v", err)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// setUp makes the first administrator with the one-time link.
func (w *world) setUp() {
	w.t.Helper()
	link, err := w.server.SetupLink(w.t.Context())
	w.must(err)
	var out wire.LoginAnswer
	w.ask("POST", "/api/auth/setup", wire.Setup{Token: link.Token, Username: "root", Email: "root@example.org", Password: password}).decode(w.t, &out)
	w.admin = out.AccessToken
}

func (w *world) url() string { return "http://" + w.server.Addresses()["api"] }

// answer is what came back.
type answer struct {
	*http.Response
	text    string
	problem wire.Problem
}

// decode reads the answer of a request that was granted.
func (a answer) decode(t testing.TB, v any) {
	t.Helper()
	if a.StatusCode >= 300 {
		t.Fatalf("%s %s: got %d %s", a.Request.Method, a.Request.URL, a.StatusCode, a.text)
	}
	if err := json.Unmarshal([]byte(a.text), v); err != nil {
		t.Fatalf("%s %s: %v in %s", a.Request.Method, a.Request.URL, err, a.text)
	}
}

// wants fails unless the answer has the status and, where one is given, the code.
func (a answer) wants(t testing.TB, what string, status int, code string) {
	t.Helper()
	if a.StatusCode != status || code != "" && a.problem.Code != code {
		t.Errorf("%s: got %d %s, want %d %s", what, a.StatusCode, a.text, status, code)
	}
}

// ask sends a request. body is text as it is, or something to encode. headers are pairs. An engine that a busy machine keeps from
// answering in time, which the server says within a second, is asked again.
func (w *world) ask(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		a, err := w.try(method, path, body, headers...)
		w.must(err)
		if a.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return a
		}
	}
}

func (w *world) try(method, path string, body any, headers ...string) (a answer, err error) {
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return a, err
		}
		text = string(raw)
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(w.t.Context()), method, w.url()+path, strings.NewReader(text))
	if err != nil {
		return a, err
	}
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	if a.Response, err = w.http.Do(r); err != nil {
		return a, err
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(a.Body)
	if a.text = string(raw); strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") && a.text != "" {
		err = json.Unmarshal(raw, &a.problem)
	}
	return a, err
}

// bearer is the header of a token.
func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// as sends a request with a token.
func (w *world) as(token, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.ask(method, path, body, append(headers, bearer(token)...)...)
}

// signIn gives an access token of an account.
func (w *world) signIn(name string) string {
	w.t.Helper()
	var out wire.LoginAnswer
	w.ask("POST", "/api/auth/login", wire.Login{Username: name, Password: password}).decode(w.t, &out)
	return out.AccessToken
}

// tenant makes a tenant.
func (w *world) tenant(name string, q wire.Quota) wire.Tenant {
	w.t.Helper()
	var out wire.Tenant
	w.as(w.admin, "POST", "/api/v1/tenants", wire.CreateTenant{Name: name, Quota: q}).decode(w.t, &out)
	return out
}

// user makes an account and signs it in.
func (w *world) user(name string, role auth.Role, tenant string) string {
	w.t.Helper()
	var out wire.User
	w.as(w.admin, "POST", "/api/v1/users", wire.CreateUser{Username: name, Email: name + "@example.org", Password: password, Role: role, Tenant: tenant}).decode(w.t, &out)
	return w.signIn(name)
}

// vm makes a VM that runs.
func (w *world) vm(token, name string) wire.VM {
	w.t.Helper()
	var out wire.VMAnswer
	w.as(token, "POST", "/api/v1/vms?wait=120s", wire.CreateVM{Name: name, CPUs: 1, MemoryMiB: 64, DiskGiB: 1}).decode(w.t, &out)
	return out.VM
}
