package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// provide starts an OpenID provider and lets the server use it.
func (w *world) provide(groups string) *mockoidc.MockOIDC {
	w.t.Helper()
	m, err := mockoidc.Run()
	w.must(err)
	w.t.Cleanup(func() {
		if err := m.Shutdown(); err != nil {
			w.t.Error(err)
		}
	})
	w.accountDeps = func(d *app.AccountDeps) {
		all, err := app.ParseGroups(groups)
		w.must(err)
		d.OIDC = &app.OIDC{Issuer: m.Issuer(), ClientID: m.ClientID, ClientSecret: m.ClientSecret, Groups: all}
	}
	w.restart()
	return m
}

func person(name string, groups ...string) *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: "sub-" + name, PreferredUsername: name, Email: name + "@provider.example", EmailVerified: true, Groups: groups}
}

// visit begins a sign-in and lets the provider sign the user in. It gives what the provider sends the browser back with, and the
// browser's cookie.
func (w *world) visit(m *mockoidc.MockOIDC, u mockoidc.User) (back url.Values, cookie string) {
	w.t.Helper()
	a := w.ask("GET", "/api/auth/oidc/login", "")
	a.wants(w.t, "to the provider", http.StatusFound, "")
	for _, c := range a.Cookies() {
		if c.Name == "novacron_oidc" && c.HttpOnly && c.SameSite == http.SameSiteLaxMode {
			cookie = c.Name + "=" + c.Value
		}
	}
	return w.through(m, a.Header.Get("Location"), u), cookie
}

// through lets the provider sign the user in and gives what it sends the browser back with.
func (w *world) through(m *mockoidc.MockOIDC, address string, u mockoidc.User) url.Values {
	w.t.Helper()
	to, err := url.Parse(address)
	w.must(err)
	q := to.Query()
	if !strings.HasPrefix(to.String(), m.Issuer()) || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		w.t.Errorf("the browser is sent to %s", to)
	}
	m.QueueUser(u)
	r, err := http.NewRequest("GET", to.String(), nil)
	w.must(err)
	res, err := http.DefaultTransport.RoundTrip(r)
	w.must(err)
	res.Body.Close()
	callback, err := url.Parse(res.Header.Get("Location"))
	w.must(err)
	if callback.Scheme+"://"+callback.Host+callback.Path != "http://localhost:8092/api/auth/oidc/callback" {
		w.t.Errorf("the provider sends the browser to %s", callback)
	}
	return callback.Query()
}

func (w *world) back(q url.Values, cookie string) answer {
	w.t.Helper()
	return w.ask("GET", "/api/auth/oidc/callback?"+q.Encode(), "", "Cookie", cookie)
}

// refreshed is the account that a browser is signed in to after the callback.
func (w *world) refreshed(a answer) wire.User {
	w.t.Helper()
	a.wants(w.t, "back", http.StatusFound, "")
	if to := a.Header.Get("Location"); to != "http://localhost:8092/" {
		w.t.Errorf("the browser ends at %s", to)
	}
	for _, c := range a.Cookies() {
		if c.Name == "novacron_refresh" {
			var out wire.LoginAnswer
			w.must(json.Unmarshal([]byte(w.ask("POST", "/api/auth/refresh", "", "Cookie", c.Name+"="+c.Value).text), &out))
			return *out.User
		}
	}
	w.t.Fatal("there is no refresh cookie")
	return wire.User{}
}

func TestOIDC_makesAnAccountThatFollowsItsGroups(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	w.ask("POST", "/api/v1/tenants", `{"name":"team-a"}`, token(grace)...).wants(t, "a tenant", http.StatusCreated, "")
	m := w.provide("admins=administrator, cloud=developer@team-a")
	grace = w.admin()
	q, cookie := w.visit(m, person("ada", "staff", "cloud"))
	ada := w.refreshed(w.back(q, cookie))
	if ada.Username != "ada" || ada.Role != auth.Developer || !ada.Verified {
		t.Errorf("got %+v", ada)
	}
	q, cookie = w.visit(m, person("ada", "admins", "cloud"))
	if again := w.refreshed(w.back(q, cookie)); again.ID != ada.ID || again.Role != auth.Administrator || again.Tenant == ada.Tenant {
		t.Errorf("after the groups changed: got %+v, want the same account as an administrator", again)
	}
	q, cookie = w.visit(m, person("ada", "staff"))
	w.back(q, cookie).wants(t, "without a group that counts", http.StatusForbidden, "oidc_no_role")
	q, cookie = w.visit(m, person("grace", "cloud"))
	if other := w.refreshed(w.back(q, cookie)); other.Username == "grace" || other.Role != auth.Developer {
		t.Errorf("a name that is taken here: got %+v", other)
	}
	w.ask("POST", "/api/auth/login", login("ada", "")).wants(t, "no password", http.StatusUnprocessableEntity, "")
	w.ask("POST", "/api/auth/login", login("ada", password)).wants(t, "a password", http.StatusUnauthorized, "login_failed")
	log := w.ask("GET", "/api/v1/audit?action=user.*", "", token(grace)...)
	if !strings.Contains(log.text, m.Issuer()) || !strings.Contains(log.text, "OpenID groups") {
		t.Errorf("not recorded: %s", log.text)
	}
	if methods := w.ask("GET", "/api/auth/methods", ""); !strings.Contains(methods.text, `"oidc":true`) {
		t.Errorf("got %s", methods.text)
	}
}

func TestOIDC_hostileAnswersLetNobodyIn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("eve", auth.Developer)
	m := w.provide("*=viewer")
	refused := func(what string, a answer, status int, code string) {
		t.Helper()
		a.wants(t, what, status, code)
		for _, c := range a.Cookies() {
			if c.Name == "novacron_refresh" && c.Value != "" {
				t.Errorf("%s: got a session", what)
			}
		}
	}
	q, cookie := w.visit(m, person("ada"))
	refused("another browser", w.back(q, "novacron_oidc=AAAAAAAAAAAAAAAAAAAAAAAAAA"), http.StatusUnauthorized, "oidc_state")
	refused("the state again", w.back(q, cookie), http.StatusUnauthorized, "oidc_state")
	q, cookie = w.visit(m, person("ada"))
	w.refreshed(w.back(q, cookie))
	refused("a replayed answer", w.back(q, cookie), http.StatusUnauthorized, "oidc_state")
	first, _ := w.visit(m, person("ada"))
	second, cookie := w.visit(m, person("ada"))
	second.Set("code", first.Get("code"))
	refused("the code of another sign-in (PKCE)", w.back(second, cookie), http.StatusUnauthorized, "oidc_refused")
	q, cookie = w.visit(m, person("ada"))
	q.Set("code", "invented")
	refused("an invented code", w.back(q, cookie), http.StatusUnauthorized, "oidc_refused")
	refused("a refusal of the provider", w.ask("GET", "/api/auth/oidc/callback?error=access_denied&state=x", ""), http.StatusUnauthorized, "oidc_refused")
	u := person("bob")
	u.EmailVerified = false
	q, cookie = w.visit(m, u)
	refused("an address that nobody vouches for", w.back(q, cookie), http.StatusForbidden, "oidc_email")
	u = person("bob")
	u.Email = "eve@example.org"
	q, cookie = w.visit(m, u)
	refused("somebody's address", w.back(q, cookie), http.StatusConflict, "email_taken")

	q, cookie = w.visit(m, person("ada"))
	begun, err := m.SessionStore.GetSessionByID(q.Get("code"))
	w.must(err)
	begun.OIDCNonce = "of another sign-in"
	refused("a token of another sign-in", w.back(q, cookie), http.StatusUnauthorized, "oidc_refused")
	q, cookie = w.visit(m, person("ada"))
	m.FastForward(-24 * time.Hour)
	refused("a token that has ended", w.back(q, cookie), http.StatusUnauthorized, "oidc_refused")
}

func TestOIDC_bringsAPersonBackToTheSignInWithTheCodeOfTheRefusal(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	back := func(what string, a answer, code string) {
		t.Helper()
		a.wants(t, what, http.StatusFound, "")
		if to, want := a.Header.Get("Location"), "http://localhost:8092/auth/login?refused="+code; to != want {
			t.Errorf("%s: the browser ends at %s, want %s", what, to, want)
		}
	}
	page := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}
	back("no provider is set", w.ask("GET", "/api/auth/oidc/login", "", page...), "oidc_off")
	m := w.provide("admins=administrator")
	back("the provider refuses", w.ask("GET", "/api/auth/oidc/callback?error=%3Cscript%3E&state=x", "", page...), "oidc_refused")
	back("another browser", w.ask("GET", "/api/auth/oidc/callback?code=a&state=b", "", page...), "oidc_state")
	q, cookie := w.visit(m, person("ada", "staff"))
	back("no group that counts", w.ask("GET", "/api/auth/oidc/callback?"+q.Encode(), "", append(page, "Cookie", cookie)...), "oidc_no_role")
}

func TestOIDC_linksAnAccountForItsOwnerOnlyAndUnlinksIt(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.admin()
	m := w.provide("staff=viewer")
	eve := w.as("eve", auth.Developer)
	pass, wrong := `{"password":"`+password+`"}`, `{"password":"wrong horse battery"}`
	w.ask("POST", "/api/auth/oidc/link", wrong, token(eve)...).wants(t, "with a wrong password", http.StatusForbidden, "password_wrong")
	w.ask("POST", "/api/auth/oidc/link", pass).wants(t, "without a sign-in", http.StatusUnauthorized, "")
	link := func() (url.Values, string) {
		a := w.ask("POST", "/api/auth/oidc/link", pass, token(eve)...)
		a.wants(t, "link", http.StatusOK, "")
		var to wire.OIDCBegun
		w.must(json.Unmarshal([]byte(a.text), &to))
		return w.through(m, to.URL, person("grace", "staff")), "novacron_oidc=" + a.Cookies()[0].Value
	}
	q, _ := link()
	w.back(q, "novacron_oidc=AAAAAAAAAAAAAAAAAAAAAAAAAA").wants(t, "in another browser", http.StatusUnauthorized, "oidc_state")
	q, cookie := link()
	a := w.back(q, cookie)
	if a.wants(t, "back", http.StatusFound, ""); a.Header.Get("Location") != "http://localhost:8092/settings/security" {
		t.Errorf("the browser ends at %s", a.Header.Get("Location"))
	}
	w.back(q, cookie).wants(t, "the answer again", http.StatusUnauthorized, "oidc_state")
	if _, n := w.mail("linked", "eve@example.org"); n != 1 {
		t.Error("the owner was not told")
	}
	w.ask("POST", "/api/auth/oidc/link", pass, token(eve)...).wants(t, "a second link", http.StatusConflict, "identity_linked")
	q, cookie = w.visit(m, person("grace", "staff"))
	if u := w.refreshed(w.back(q, cookie)); u.Username != "eve" || u.Role != auth.Developer {
		t.Errorf("signed in as %s (%s), want eve with the role that she has here", u.Username, u.Role)
	}
	q, cookie = w.visit(m, person("grace"))
	w.back(q, cookie).wants(t, "without a group that counts", http.StatusForbidden, "oidc_no_role")

	w.ask("POST", "/api/auth/oidc/unlink", wrong, token(eve)...).wants(t, "unlink with a wrong password", http.StatusForbidden, "password_wrong")
	w.ask("POST", "/api/auth/oidc/unlink", pass, token(eve)...).wants(t, "unlink", http.StatusNoContent, "")
	w.ask("GET", "/api/auth/oidc/link", "", token(eve)...).wants(t, "is it linked", http.StatusOK, "")
	q, cookie = w.visit(m, person("grace", "staff"))
	if u := w.refreshed(w.back(q, cookie)); u.Username == "eve" {
		t.Error("the identity still opens the account")
	}
	q, cookie = link()
	w.must(eve.Logout(ctx))
	w.back(q, cookie).wants(t, "after signing out", http.StatusUnauthorized, "oidc_state")
}

func TestOIDC_asksForTheSecondFactorOfTheAccount(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	m := w.provide("*=viewer")
	q, cookie := w.visit(m, person("ada"))
	ada := w.refreshed(w.back(q, cookie))
	w.must(w.db.Tx(ctx, func(x *store.Tx) error {
		return x.PutFactor(ctx, store.Factor{User: ada.ID, Sealed: []byte("x"), Enabled: true})
	}))
	q, cookie = w.visit(m, person("ada"))
	a := w.back(q, cookie)
	a.wants(t, "back", http.StatusFound, "")
	if to := a.Header.Get("Location"); !strings.HasPrefix(to, "http://localhost:8092/auth/login#challenge_token=") || !strings.HasSuffix(to, "methods=totp+backup_code") {
		t.Errorf("the browser ends at %s, want the page that asks for the code", to)
	}
	for _, c := range a.Cookies() {
		if c.Name == "novacron_refresh" {
			t.Error("the browser is signed in without the code")
		}
	}
}

// authenticated is a person of whom the provider says how they signed in there.
type authenticated struct {
	*mockoidc.MockUser
	how map[string]any // claims
}

// Claims implements mockoidc.User.
func (a authenticated) Claims(scopes []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	own, err := a.MockUser.Claims(scopes, base)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	all := jwt.MapClaims{}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	maps.Copy(all, a.how)
	return all, nil
}

func TestOIDC_doesNotAskForASecondFactorThatTheProviderAskedFor(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	m := w.provide("*=viewer")
	given := w.accountDeps
	w.accountDeps = func(d *app.AccountDeps) { given(d); d.OIDC.Factors = []string{"mfa", "urn:example:gold"} }
	w.restart()
	q, cookie := w.visit(m, person("ada"))
	ada := w.refreshed(w.back(q, cookie))
	w.must(w.db.Tx(ctx, func(x *store.Tx) error {
		return x.PutFactor(ctx, store.Factor{User: ada.ID, Sealed: []byte("x"), Enabled: true})
	}))
	for _, c := range []struct {
		what  string
		how   map[string]any
		asked bool
	}{
		{"nothing", nil, true},
		{"a password", map[string]any{"amr": []string{"pwd"}, "acr": "1"}, true},
		{"another spelling", map[string]any{"amr": []string{"MFA", "mfa "}}, true},
		{"what is no text", map[string]any{"amr": 7, "acr": map[string]any{"mfa": true}}, true},
		{"empty texts", map[string]any{"amr": []string{""}, "acr": ""}, true},
		{"several factors", map[string]any{"amr": []string{"pwd", "mfa"}}, false},
		{"several factors as a text", map[string]any{"amr": "mfa"}, false},
		{"a class", map[string]any{"acr": "urn:example:gold"}, false},
	} {
		q, cookie := w.visit(m, authenticated{person("ada"), c.how})
		a := w.back(q, cookie)
		a.wants(t, c.what, http.StatusFound, "")
		if asked := strings.Contains(a.Header.Get("Location"), "challenge_token="); asked != c.asked {
			t.Errorf("the provider says %s: asked for the own second factor: %v, want %v", c.what, asked, c.asked)
		}
	}
}

func TestOIDC_accountsWithoutAPasswordProveThemselvesByANewSignIn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	m := w.provide("*=viewer")
	q, cookie := w.visit(m, person("ada"))
	ada := w.refreshed(w.back(q, cookie))
	sessions, err := w.sessions.Of(ctx, ada.ID)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("got %+v, %v, want one session", sessions, err)
	}
	c := auth.Caller{User: ada.ID, Name: ada.Username, Tenant: ada.Tenant, Role: ada.Role, Session: sessions[0].ID}
	change := wire.ChangeEmail{Email: "new@example.org", Password: "whatever"}
	w.must(w.accounts.ChangeEmail(ctx, c, change))
	given := w.accountDeps
	w.accountDeps = func(d *app.AccountDeps) {
		given(d)
		d.Now = func() time.Time { return time.Now().Add(11 * time.Minute) }
	}
	w.restart()
	if err := w.accounts.ChangeEmail(ctx, c, change); !fault.Is(err, fault.Forbidden) || !strings.Contains(fault.Sentence(err), "no password") {
		t.Errorf("eleven minutes after the sign-in: got %v, want a refusal that says what to do", err)
	}
	if err := w.accounts.ForgotPassword(ctx, ada.Email); err != nil {
		t.Error(err)
	}
	if secret, _ := w.mail("reset", ada.Email); secret != "" {
		t.Error("a mail gives the account a password")
	}
}

func TestPasskey_thatIsTheOnlyWayInStays(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	m := w.provide("*=viewer")
	q, cookie := w.visit(m, person("ada"))
	ada := w.refreshed(w.back(q, cookie)) // has no password
	sessions := must(w.sessions.Of(ctx, ada.ID))
	c := auth.Caller{User: ada.ID, Name: ada.Username, Tenant: ada.Tenant, Role: ada.Role, Session: sessions[0].ID}
	keep := func(name string) {
		w.must(w.db.Tx(ctx, func(t *store.Tx) error {
			return t.InsertPasskey(ctx, &store.Passkey{ID: name, User: ada.ID, Name: name, Credential: json.RawMessage("{}")})
		}))
	}
	keep("phone")
	provided := w.accountDeps
	w.accountDeps = func(*app.AccountDeps) {} // the provider is given up
	w.restart()
	refused := func(what, passkey string) {
		t.Helper()
		if err := w.accounts.RemovePasskey(ctx, c, passkey, ""); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Sentence(err), "only way in") {
			t.Errorf("%s: got %v, want a refusal that says why", what, err)
		}
	}
	refused("the only one", "phone")
	keep("laptop")
	w.must(w.accounts.RemovePasskey(ctx, c, "phone", ""))
	refused("what is left of two", "laptop")
	w.accountDeps = provided
	w.restart()
	w.must(w.accounts.RemovePasskey(ctx, c, "laptop", "")) // the provider is a way in again
}

func TestOIDC_saysThatTheProviderIsGone(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.ask("GET", "/api/auth/oidc/login", "").wants(t, "none is set", http.StatusNotFound, "oidc_off")
	w.accountDeps = func(d *app.AccountDeps) {
		d.OIDC = &app.OIDC{Issuer: "http://127.0.0.1:1", ClientID: "novacron", Groups: []app.Group{{Name: "*", Role: auth.Viewer}}}
	}
	w.restart()
	a := w.ask("GET", "/api/auth/oidc/login", "")
	if a.wants(t, "it does not answer", http.StatusServiceUnavailable, "oidc_unreachable"); a.Header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	w.admin() // signs in with a password
}

func TestParseGroups(t *testing.T) {
	got, err := app.ParseGroups("admins=administrator,nothing,*=viewer")
	if err == nil {
		t.Errorf("a group without a role was taken: %+v", got)
	}
	got, err = app.ParseGroups("admins=administrator, a=b=developer@team-a ,*=viewer,")
	want := []app.Group{{Name: "admins", Role: auth.Administrator}, {Name: "a=b", Role: auth.Developer, Tenant: "team-a"}, {Name: "*", Role: auth.Viewer}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"admins", "=viewer", "admins="} {
		if got, err := app.ParseGroups(bad); err == nil {
			t.Errorf("%q was taken as %+v", bad, got)
		}
	}
}
