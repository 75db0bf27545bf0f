package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// later lets the accounts' clock run ahead of the machine's.
func later(w *world) *atomic.Int64 {
	w.t.Helper()
	var ahead atomic.Int64
	w.accountDeps = func(d *app.AccountDeps) {
		d.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}
	w.restart()
	return &ahead
}

func TestProof_isAskedOfAnOldSessionBeforeWhatCannotBeTakenBack(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	ahead := later(w)
	grace := w.admin()
	w.user("ada", auth.Viewer)
	w.user("eve", auth.Viewer)
	w.user("gone", auth.Administrator)
	head := token(grace)
	w.ask("PATCH", "/api/v1/users/gone", `{"disabled":true}`, head...).wants(t, "close an administrator", http.StatusOK, "")
	made := w.ask("POST", "/api/v1/tenants", `{"name":"lab"}`, head...)
	made.wants(t, "a tenant", http.StatusCreated, "")
	var k wire.Token
	w.must(json.Unmarshal([]byte(w.ask("POST", "/api/v1/tokens", `{"name":"all"}`, head...).text), &k))

	asks := []struct{ method, path, body string }{
		{"DELETE", "/api/v1/users/ada", ""},
		{"PATCH", "/api/v1/users/eve", `{"role":"administrator"}`},
		{"POST", "/api/v1/users", `{"username":"kim","email":"kim@example.org","password":"` + password + `"}`},
		{"POST", "/api/v1/invites", `{"email":"lee@example.org","role":"administrator"}`},
		{"POST", "/api/v1/tokens", `{"name":"more"}`},
		{"POST", "/api/v1/tokens", `{"name":"tenants","scopes":["tenant.write"]}`},
		{"DELETE", "/api/v1/tenants/lab", ""},
		{"PATCH", "/api/v1/users/gone", `{"disabled":false}`},
		{"POST", "/api/auth/2fa/setup", ""},
	}
	ahead.Store(int64(11 * time.Minute))
	for _, a := range asks {
		w.ask(a.method, a.path, a.body, head...).wants(t, a.method+" "+a.path, http.StatusForbidden, "proof_needed")
	}
	for _, a := range []struct {
		method, path, body string
		status             int
	}{
		{"PATCH", "/api/v1/users/eve", `{"role":"operator"}`, http.StatusOK},
		{"POST", "/api/v1/tokens", `{"name":"reads","scopes":["vm.read"]}`, http.StatusCreated},
		{"POST", "/api/v1/invites", `{"email":"kim@example.org"}`, http.StatusCreated},
	} {
		w.ask(a.method, a.path, a.body, head...).wants(t, a.method+" "+a.path+" "+a.body, a.status, "")
	}

	w.ask("POST", "/api/auth/prove", `{"password":"not the password at all"}`, head...).wants(t, "a wrong password", http.StatusForbidden, "password_wrong")
	w.ask("POST", "/api/auth/prove", `{"password":"`+password+`"}`, "Authorization", "Bearer "+k.Secret).wants(t, "an API token", http.StatusForbidden, "sign_in_needed")
	w.ask(asks[0].method, asks[0].path, "", head...).wants(t, "after proof in vain", http.StatusForbidden, "proof_needed")
	other := w.admin() // another session of the same account, as old
	w.ask("POST", "/api/auth/prove", `{"password":"`+password+`"}`, token(other)...).wants(t, "the other session", http.StatusOK, "")
	w.ask(asks[0].method, asks[0].path, "", head...).wants(t, "after the proof of another session", http.StatusForbidden, "proof_needed")
	w.must(grace.Prove(ctx, password))
	for _, a := range asks {
		got := w.ask(a.method, a.path, a.body, token(grace)...)
		if got.StatusCode >= 300 {
			t.Errorf("%s %s after the proof: %d %s", a.method, a.path, got.StatusCode, got.text)
		}
	}
	ahead.Store(int64(22 * time.Minute))
	w.ask("DELETE", "/api/v1/users/eve", "", token(grace)...).wants(t, "once the proof has ended", http.StatusForbidden, "proof_needed")
	w.ask("DELETE", "/api/v1/users/eve", "", "Authorization", "Bearer "+k.Secret).wants(t, "an API token that was made with proof", http.StatusNoContent, "")
	if log := w.ask("GET", "/api/v1/audit?action=auth.prove", "", token(grace)...); strings.Count(log.text, `"auth.prove"`) != 2 {
		t.Errorf("the audit log says %s", log.text)
	}
}

// A proof is a new authentication: the session goes on with another refresh token, and only with that.
func TestProof_changesTheRefreshTokenOfItsOwnSession(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, ada := w.admin(), w.as("ada", auth.Viewer)
	before, others := grace.Tokens(), ada.Tokens()
	body := fmt.Sprintf(`{"password":%q,"refresh_token":%q}`, password, others.Refresh)
	a := w.ask("POST", "/api/auth/prove", body, token(grace)...)
	if a.wants(t, "with a token of another session", http.StatusOK, ""); strings.Contains(a.text, "refresh_token") {
		t.Errorf("it was exchanged: %s", a.text)
	}
	w.must(grace.Prove(ctx, password))
	if after := grace.Tokens(); after.Refresh == before.Refresh || after.Access == before.Access {
		t.Error("the tokens are the same as before")
	}
	for name, tokens := range map[string]client.Tokens{"the new one": grace.Tokens(), "the other session's": others} {
		w.ask("POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, tokens.Refresh)).wants(t, name, http.StatusOK, "")
	}
}

// The command line asks where somebody is there to answer, and repeats what it was told to do.
func TestClient_asksForThePasswordAndGoesOn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	ahead := later(w)
	grace := w.admin()
	w.user("ada", auth.Viewer)
	ahead.Store(int64(11 * time.Minute))
	asked := 0
	grace.Password = func() (string, error) { asked++; return password, nil }
	w.must(grace.DeleteUser(ctx, "ada"))
	if asked != 1 {
		t.Errorf("the password was asked for %d times, want once", asked)
	}
}
