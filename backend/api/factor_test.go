package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"novacron/backend/app"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// enrolling checks that somebody without a second factor gets to nothing but turning one on and signing out.
func enrolling(t *testing.T, w *world, c *client.Client) {
	t.Helper()
	head := token(c)
	for _, path := range []string{"/api/v1/vms", "/api/v1/tenants", "/api/v1/events", "/api/v1/roles", "/api/v1/tokens", "/api/auth/sessions", "/api/v1/users"} {
		w.ask("GET", path, "", head...).wants(t, path, http.StatusForbidden, "second_factor_needed")
	}
	w.ask("POST", "/api/v1/vms", `{"name":"a","image":"tiny"}`, head...).wants(t, "a VM", http.StatusForbidden, "second_factor_needed")
	w.ask("POST", "/api/v1/tokens", `{"name":"a"}`, head...).wants(t, "an API token", http.StatusForbidden, "second_factor_needed")
	w.ask("POST", "/api/auth/change-email", fmt.Sprintf(`{"email":"a@example.org","password":%q}`, password), head...).wants(t, "another address", http.StatusForbidden, "second_factor_needed")
	w.ask("GET", "/api/auth/me", "", head...).wants(t, "who one is", http.StatusOK, "")
	s := w.ask("GET", "/api/auth/2fa/status", "", head...)
	if !strings.Contains(s.text, `"required":true`) || !strings.Contains(s.text, `"enabled":false`) {
		t.Errorf("status: got %s", s.text)
	}
}

func TestRequiredFactor_ofATenantLetsInToTheEnrolmentOnly(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.admin(), w.as("eve", auth.Developer)
	w.factor(grace) // so that the administrator is not shut out by the own rule
	made := w.ask("POST", "/api/v1/tokens", `{"name":"ci"}`, token(eve)...)
	made.wants(t, "a token from before", http.StatusCreated, "")
	var k wire.Token
	w.must(json.Unmarshal([]byte(made.text), &k))
	w.ask("PATCH", "/api/v1/tenants/default", `{"require_second_factor":true}`, token(eve)...).wants(t, "by a developer", http.StatusForbidden, "forbidden")
	a := w.ask("PATCH", "/api/v1/tenants/default", `{"require_second_factor":true}`, token(grace)...)
	if a.wants(t, "require it", http.StatusOK, ""); !strings.Contains(a.text, `"require_second_factor":true`) {
		t.Errorf("got %s", a.text)
	}
	enrolling(t, w, eve)
	w.ask("GET", "/api/v1/vms", "", "Authorization", "Bearer "+k.Secret).wants(t, "an API token of the account", http.StatusForbidden, "second_factor_needed")
	w.ask("GET", "/api/v1/vms", "", token(grace)...).wants(t, "who has one", http.StatusOK, "")
	in := w.ask("POST", "/api/auth/login", login("eve", password))
	if in.wants(t, "sign in", http.StatusOK, ""); !strings.Contains(in.text, `"second_factor_needed":true`) {
		t.Errorf("the sign-in does not say so: %s", in.text)
	}
	w.factor(eve)
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "from the next request on", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", "Authorization", "Bearer "+k.Secret).wants(t, "the API token then", http.StatusOK, "")
	w.ask("POST", "/api/auth/2fa/disable", fmt.Sprintf(`{"password":%q}`, password), token(eve)...).wants(t, "off", http.StatusNoContent, "")
	enrolling(t, w, eve)
	w.ask("POST", "/api/auth/logout", "", token(eve)...).wants(t, "sign out", http.StatusNoContent, "")
}

func TestRequiredFactor_ofTheInstallationHoldsForAdministratorsToo(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.accountDeps = func(d *app.AccountDeps) { d.RequireFactor = true }
	w.restart()
	grace := w.admin()
	enrolling(t, w, grace)
	secret, _ := w.factor(grace)
	w.ask("GET", "/api/v1/users", "", token(grace)...).wants(t, "with one", http.StatusOK, "")
	in := w.code(w.challenge("grace"), w.nextCode(secret))
	if in.wants(t, "sign in", http.StatusOK, ""); strings.Contains(in.text, "second_factor_needed") {
		t.Errorf("got %s", in.text)
	}
}

func TestChangeEmail_countsFromTheLinkInTheNewMailboxAndTellsTheOldOne(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	w.user("eve", auth.Developer)
	ask := func(email, password string) answer {
		return w.ask("POST", "/api/auth/change-email", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password), token(grace)...)
	}
	confirm := func(secret string) answer {
		return w.ask("POST", "/api/auth/confirm-email", fmt.Sprintf(`{"token":%q}`, secret))
	}
	ask("new@example.org", "wrong horse battery").wants(t, "a wrong password", http.StatusForbidden, "password_wrong")
	ask("nonsense", password).wants(t, "no address", http.StatusUnprocessableEntity, "email_invalid")
	ask("GRACE@example.org", password).wants(t, "the same", http.StatusConflict, "email_same")
	good := ask("new@example.org", password)
	good.wants(t, "ask", http.StatusAccepted, "")
	if taken := ask("eve@example.org", password); taken.text != good.text || taken.StatusCode != good.StatusCode {
		t.Errorf("the answers tell whether the address has an account:\n%s\n%s", good.text, taken.text)
	}
	if _, n := w.mail("taken", "eve@example.org"); n != 1 {
		t.Errorf("the owner of the taken address got %d mails", n)
	}
	old, _ := w.mail("new_email", "new@example.org")
	confirm(old).wants(t, "the older link", http.StatusUnauthorized, "token_used")
	ask("new@example.org", password).wants(t, "ask again", http.StatusAccepted, "")
	w.ask("POST", "/api/auth/forgot-password", `{"email":"grace@example.org"}`).wants(t, "forgot", http.StatusAccepted, "")
	reset, _ := w.mail("reset", "grace@example.org")
	secret, _ := w.mail("new_email", "new@example.org")
	if u := must(w.db.UserByLogin(ctx, "grace")); u.Email != "grace@example.org" {
		t.Errorf("the address changed before the link was opened: %s", u.Email)
	}
	w.ask("POST", "/api/auth/verify-email", fmt.Sprintf(`{"token":%q}`, secret)).wants(t, "for another purpose", http.StatusUnauthorized, "token_used")
	confirm(secret).wants(t, "the link", http.StatusNoContent, "")
	confirm(secret).wants(t, "again", http.StatusUnauthorized, "token_used")
	if u := must(w.db.UserByLogin(ctx, "grace")); u.Email != "new@example.org" || u.Unverified {
		t.Errorf("got %+v", u)
	}
	if _, n := w.mail("email_changed", "grace@example.org"); n != 1 {
		t.Errorf("the old address got %d mails", n)
	}
	w.ask("POST", "/api/auth/reset-password", fmt.Sprintf(`{"token":%q,"password":%q}`, reset, password)).wants(t, "a link that was sent to the old address", http.StatusUnauthorized, "token_used")
	log := w.ask("GET", "/api/v1/audit?action=user.change_email", "", token(grace)...)
	if !strings.Contains(log.text, "new@example.org") {
		t.Errorf("the change is not recorded: %s", log.text)
	}
}

func TestChangeEmail_endsWithTheChangeOfThePasswordAndRefusesWhatWasTakenMeanwhile(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	ask := func(email string) string {
		w.ask("POST", "/api/auth/change-email", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password), token(grace)...).wants(t, "ask", http.StatusAccepted, "")
		secret, _ := w.mail("new_email", email)
		return secret
	}
	first := ask("one@example.org")
	w.ask("POST", "/api/auth/change-password", fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, password, password), token(grace)...).wants(t, "password", http.StatusNoContent, "")
	w.ask("POST", "/api/auth/confirm-email", fmt.Sprintf(`{"token":%q}`, first)).wants(t, "a link from before", http.StatusUnauthorized, "token_used")
	second := ask("two@example.org")
	w.user("two", auth.Viewer)
	w.ask("POST", "/api/auth/confirm-email", fmt.Sprintf(`{"token":%q}`, second)).wants(t, "taken meanwhile", http.StatusConflict, "email_taken")
}

func TestResetFactor_isForAdministratorsWithTheirPasswordAndToldToTheOwner(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.admin(), w.as("eve", auth.Developer)
	w.factor(eve)
	reset := func(by []string, who, password string) answer {
		return w.ask("POST", "/api/v1/users/"+who+"/reset-second-factor", fmt.Sprintf(`{"password":%q}`, password), by...)
	}
	for _, role := range []auth.Role{auth.Viewer, auth.Developer, auth.Operator} {
		reset(token(w.as("a-"+string(role), role)), "eve", password).wants(t, "by a "+string(role), http.StatusForbidden, "forbidden")
	}
	w.role(grace, `{"name":"desk","actions":["account.read","audit.read"],"tenants":"all"}`, "a-operator")
	reset(token(w.as("a-operator", auth.Operator)), "eve", password).wants(t, "by who only reads accounts", http.StatusForbidden, "forbidden")
	reset(nil, "eve", password).wants(t, "by nobody", http.StatusUnauthorized, "")
	head := token(grace)
	reset(head, "eve", "wrong horse battery").wants(t, "with a wrong password", http.StatusForbidden, "password_wrong")
	reset(head, "nobody", password).wants(t, "of nobody", http.StatusNotFound, "")
	reset(head, "grace", password).wants(t, "of oneself", http.StatusConflict, "own_account")
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "until then", http.StatusOK, "")
	w.challenge("eve")

	reset(head, "eve", password).wants(t, "the reset", http.StatusNoContent, "")
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "the sessions of the owner", http.StatusUnauthorized, "")
	w.as("eve", auth.Developer) // with the password alone
	if _, n := w.mail("factor_reset", "eve@example.org"); n != 1 {
		t.Errorf("the owner got %d mails, want 1", n)
	}
	reset(head, "eve", password).wants(t, "again", http.StatusConflict, "second_factor_off")
	log := w.ask("GET", "/api/v1/audit?action=user.reset_factor", "", head...)
	if !strings.Contains(log.text, `"actor":"grace"`) || !strings.Contains(log.text, `"username":"eve"`) || !strings.Contains(log.text, `"total":1`) {
		t.Errorf("recorded is %s, want one entry of grace about eve", log.text)
	}
	w.factor(w.as("eve", auth.Developer)) // and it can be turned on anew
}
