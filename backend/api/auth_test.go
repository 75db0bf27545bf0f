package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"novacron/backend/api"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/rate"
	"novacron/backend/core/wire"
)

func TestLogin(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("grace", auth.Administrator)
	login := func(path, name, pw string, headers ...string) answer {
		return w.ask("POST", path, fmt.Sprintf(`{"username":%q,"password":%q}`, name, pw), headers...)
	}
	for _, name := range []string{"grace", "GRACE", "grace@example.org"} {
		login("/api/auth/login", name, password).wants(t, "as "+name, http.StatusOK, "")
	}
	login("/auth/login", "grace", password).wants(t, "by the short name", http.StatusOK, "")
	wrong := login("/api/auth/login", "grace", "wrong horse battery")
	unknown := login("/api/auth/login", "nobody", password)
	wrong.wants(t, "a wrong password", http.StatusUnauthorized, "login_failed")
	unknown.wants(t, "an unknown name", http.StatusUnauthorized, "login_failed")
	if wrong.problem.Detail != unknown.problem.Detail {
		t.Errorf("the answers tell who has an account: %q, %q", wrong.problem.Detail, unknown.problem.Detail)
	}
	login("/api/auth/login", "grace", password, "Origin", "https://evil.example").wants(t, "from another origin", http.StatusForbidden, "origin_refused")
	w.ask("POST", "/api/auth/login", `{"username":"grace"}`).wants(t, "without a password", http.StatusUnprocessableEntity, "invalid")
	w.ask("POST", "/api/auth/login", `{`).wants(t, "half a body", http.StatusBadRequest, "invalid")
	if text := w.log.String(); strings.Contains(text, password) || strings.Contains(text, "wrong horse") {
		t.Error("a password stands in the log")
	}
}

func TestLogin_givesBrowsersTheRefreshTokenAsACookieOnly(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("grace", auth.Administrator)
	body := fmt.Sprintf(`{"username":"grace","password":%q}`, password)
	for name, headers := range map[string][]string{"with Origin": {"Origin", "http://localhost:8092"}, "with Cookie": {"Cookie", "a=b"}} {
		a := w.ask("POST", "/api/auth/login", body, headers...)
		a.wants(t, name, http.StatusOK, "")
		c := a.Cookies()
		if strings.Contains(a.text, "refresh_token") || len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/api/auth" {
			t.Errorf("%s: got %s and cookies %v", name, a.text, c)
		}
	}
	plain := w.ask("POST", "/api/auth/login", body)
	if !strings.Contains(plain.text, `"refresh_token":"ses-`) {
		t.Errorf("got %s, want a refresh token for a client without cookies", plain.text)
	}
}

func TestRefresh(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.ask("POST", "/api/auth/refresh", "").wants(t, "without a token", http.StatusNoContent, "")
	first := c.Tokens().Refresh
	a := w.ask("POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, first))
	a.wants(t, "with the token", http.StatusOK, "")
	cookie := a.Cookies()[0]
	page := []string{"Cookie", cookie.Name + "=" + cookie.Value, "Origin", "http://localhost:8092"}
	once := w.ask("POST", "/api/auth/refresh", "", page...)
	once.wants(t, "with the cookie", http.StatusOK, "")
	if again := w.ask("POST", "/api/auth/refresh", "", page...); again.StatusCode != http.StatusOK || len(again.Cookies()) != 1 || again.Cookies()[0].Value != once.Cookies()[0].Value {
		t.Errorf("another page of the browser at once: got %d with cookies %v, want %v", again.StatusCode, again.Cookies(), once.Cookies())
	}
	w.ask("POST", "/api/auth/refresh", "", "Cookie", cookie.Name+"=ses-00000000000000000000.garbage").wants(t, "with somebody's cookie", http.StatusUnauthorized, "signed_out")
}

// Who shows a token for the second time, or the one who did so for the first time, has it from the other.
func TestRefresh_withATokenThatWasUsedEndsTheSession(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	refresh := func(token string) answer {
		return w.ask("POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
	}
	first := c.Tokens().Refresh
	var in wire.LoginAnswer
	w.must(json.Unmarshal([]byte(refresh(first).text), &in))
	refresh(first).wants(t, "again, at once", http.StatusUnauthorized, "refresh_reused")
	refresh(in.RefreshToken).wants(t, "the one behind it", http.StatusUnauthorized, "signed_out")
	w.ask("GET", "/api/auth/me", "", "Authorization", "Bearer "+in.AccessToken).wants(t, "the access token", http.StatusUnauthorized, "signed_out")
}

func TestLogout_withdrawsTheTokenAndItsSession(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	head, refresh := token(c), c.Tokens().Refresh
	w.ask("GET", "/api/auth/me", "", head...).wants(t, "before", http.StatusOK, "")
	w.ask("POST", "/api/auth/logout", "", head...).wants(t, "logout", http.StatusNoContent, "")
	w.ask("GET", "/api/auth/me", "", head...).wants(t, "after", http.StatusUnauthorized, "signed_out")
	w.ask("POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, refresh)).wants(t, "refresh", http.StatusUnauthorized, "")
	w.restart()
	w.ask("GET", "/api/auth/me", "", head...).wants(t, "after a restart", http.StatusUnauthorized, "signed_out")
}

func TestTokens_thatAreNotOursAreRefusedEverywhere(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	good := w.admin().Tokens().Access
	parts := strings.Split(good, ".")
	for name, header := range map[string]string{
		"nothing": "", "another scheme": "Basic Z3JhY2U6eA==", "no token": "Bearer ", "text": "Bearer hello", "two tokens": "Bearer " + good + " " + good,
		"no signature": "Bearer " + parts[0] + "." + parts[1] + ".", "none": "Bearer eyJhbGciOiJub25lIn0." + parts[1] + ".", "cut off": "Bearer " + good[:len(good)-3],
		"very long": "Bearer " + strings.Repeat("a", 8000),
	} {
		headers := []string{}
		if header != "" {
			headers = append(headers, "Authorization", header)
		}
		for _, path := range []string{"/api/v1/vms", "/api/v1/nodes", "/api/auth/me"} {
			a := w.ask("GET", path, "", headers...)
			if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" || a.problem.RequestID == "" {
				t.Errorf("%s at %s: got %d %s", name, path, a.StatusCode, a.text)
			}
		}
	}
}

func TestRoles_areHeldToWhatTheyMay(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	viewer, member := w.as("vera", auth.Viewer), w.as("mona", auth.Developer)
	create := `{"name":"web-1","image":"tiny","memory_mib":64,"disk_gib":1}`
	w.ask("POST", "/api/v1/vms", create, token(viewer)...).wants(t, "a viewer creates", http.StatusForbidden, "forbidden")
	w.ask("POST", "/api/v1/vms?wait=20s", create, token(member)...).wants(t, "a member creates", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms/web-1", "", token(viewer)...).wants(t, "a viewer looks", http.StatusOK, "")
	w.ask("GET", "/api/v1/nodes", "", token(member)...).wants(t, "a member sees nodes", http.StatusForbidden, "forbidden")
	w.ask("POST", "/api/v1/users", `{"username":"eve","email":"e@x","password":"abcdefghijkl","role":"administrator"}`, token(member)...).wants(t, "a member makes administrators", http.StatusForbidden, "forbidden")
}

func TestLimits_countEveryRequestToLoginBeforeItIsRead(t *testing.T) {
	w := newWorld(t, api.Limits{Login: fivePerMinute}, nil)
	for i, ask := range []func() answer{
		func() answer { return w.ask("GET", "/api/auth/login", "") },
		func() answer { return w.ask("POST", "/api/auth/login", "garbage") },
		func() answer { return w.ask("POST", "/auth/login", "") },
		func() answer { return w.ask("DELETE", "/auth/login", "") },
		func() answer { return w.ask("POST", "/api/auth/login", `{"username":"x","password":"y"}`) },
	} {
		if a := ask(); a.StatusCode == http.StatusTooManyRequests {
			t.Fatalf("request %d of 5 was refused", i+1)
		}
	}
	a := w.ask("POST", "/api/auth/login", `{"username":"x","password":"y"}`)
	a.wants(t, "the sixth", http.StatusTooManyRequests, "rate_limited")
	if a.Header.Get("Retry-After") == "" || a.Header.Get("RateLimit-Limit") != "5" || a.Header.Get("RateLimit-Remaining") != "0" || a.Header.Get("RateLimit-Reset") == "" {
		t.Errorf("got headers %v", a.Header)
	}
	w.restart()
	w.ask("POST", "/auth/login", "").wants(t, "after a restart", http.StatusTooManyRequests, "rate_limited")
	w.ask("POST", "/api/auth/login", "", "X-Forwarded-For", "203.0.113.9").wants(t, "with a forged address", http.StatusTooManyRequests, "rate_limited")
	w.ask("GET", "/api/health", "").wants(t, "health does not count", http.StatusOK, "")
}

func TestLimits_countTheAPIPerUser(t *testing.T) {
	w := newWorld(t, api.Limits{API: rate.Limit{Events: 3, Window: time.Minute}}, nil)
	grace, ada := w.as("grace", auth.Administrator), w.as("ada", auth.Administrator)
	for range 3 {
		w.ask("GET", "/api/v1/vms", "", token(grace)...).wants(t, "within the limit", http.StatusOK, "")
	}
	w.ask("GET", "/api/v1/vms", "", token(grace)...).wants(t, "above it", http.StatusTooManyRequests, "rate_limited")
	w.ask("GET", "/api/v1/nothing", "", token(grace)...).wants(t, "where nothing is", http.StatusTooManyRequests, "rate_limited")
	w.ask("GET", "/api/v1/vms", "", token(ada)...).wants(t, "another user", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "").wants(t, "nobody", http.StatusUnauthorized, "token_missing")
}

func TestTrustedProxies_nameTheClient(t *testing.T) {
	w := newWorld(t, api.Limits{Login: rate.Limit{Events: 1, Window: time.Minute}}, func(d *api.Deps) {
		d.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	from := func(chain string) answer { return w.ask("POST", "/auth/login", "", "X-Forwarded-For", chain) }
	from("203.0.113.1").wants(t, "a first client", http.StatusBadRequest, "")
	from("203.0.113.1, 10.1.1.1").wants(t, "the same behind two proxies", http.StatusTooManyRequests, "")
	from("203.0.113.2").wants(t, "a second client", http.StatusBadRequest, "")
	from("203.0.113.3, 203.0.113.2").wants(t, "what an untrusted hop makes up", http.StatusTooManyRequests, "")
	from("2001:db8::1").wants(t, "a client of IPv6", http.StatusBadRequest, "")
	from("2001:db8::2").wants(t, "its neighbour in the same /64", http.StatusTooManyRequests, "")
}

func TestSetup_grantsTheFirstSignInOnce(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	link, err := w.api.SetupLink(ctx)
	w.must(err)
	if !strings.HasPrefix(link.URL, "http://localhost:8092/setup#") {
		t.Errorf("got %s", link.URL)
	}
	c, err := client.New(w.rest.URL, client.Tokens{})
	w.must(err)
	s := wire.Setup{Token: link.Token, Username: "grace", Email: "grace@example.org", Password: "short"}
	if _, err := c.Setup(ctx, s); !fault.Is(err, fault.Invalid) {
		t.Errorf("a bad password: got %v", err)
	}
	s.Password = password
	u, err := c.Setup(ctx, s)
	if err != nil || u.Role != auth.Administrator {
		t.Fatalf("the link after a bad try: got %+v, %v", u, err)
	}
	if me, err := c.Me(ctx); err != nil || me.ID != u.ID {
		t.Errorf("got %+v, %v", me, err)
	}
	s.Username, s.Email = "eve", "eve@example.org"
	if _, err := c.Setup(ctx, s); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the link again: got %v", err)
	}
}

// Each start prints a link until somebody has used one; the others may stand in a log, and are good for a day.
func TestSetup_refusesALinkOnceThereIsAnAdministrator(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	link, err := w.api.SetupLink(ctx)
	w.must(err)
	w.admin()
	c, err := client.New(w.rest.URL, client.Tokens{})
	w.must(err)
	_, err = c.Setup(ctx, wire.Setup{Token: link.Token, Username: "eve", Email: "eve@example.org", Password: password})
	if !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a link from before: got %v", err)
	}
	for _, name := range []string{"grace", "nobody"} {
		for _, email := range []string{"grace@example.org", "nobody@example.org"} {
			a := w.ask("POST", "/api/auth/setup", fmt.Sprintf(`{"token":"made up","username":%q,"email":%q,"password":%q}`, name, email, password))
			a.wants(t, "with "+name+" and "+email+", which must not tell who has an account", http.StatusUnauthorized, "setup_invalid")
		}
	}
}

func TestClient_refreshesAnExpiredTokenByItself(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	saved := make(chan client.Tokens, 1)
	tokens := c.Tokens()
	tokens.Access = expiredToken(t, w)
	again, err := client.New(w.rest.URL, tokens)
	w.must(err)
	again.Saved = func(t client.Tokens) { saved <- t }
	if _, err := again.Me(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-saved; got.Refresh == tokens.Refresh || got.Access == "" {
		t.Errorf("got %+v, want fresh tokens saved", got)
	}
}

func TestBadInput_getsOneSentenceAndChangesNothing(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	vm := func(fields string) string { return `{"name":"web-1","image":"tiny","memory_mib":64` + fields + `}` }
	for _, row := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"no body", "POST", "/api/v1/vms", "", 400},
		{"not JSON", "POST", "/api/v1/vms", "hello", 400},
		{"a list", "POST", "/api/v1/vms", "[]", 422},
		{"null", "POST", "/api/v1/vms", "null", 422},
		{"two objects", "POST", "/api/v1/vms", vm("") + vm(""), 400},
		{"no name", "POST", "/api/v1/vms", `{"image":"tiny","memory_mib":64}`, 422},
		{"an unknown field", "POST", "/api/v1/vms", vm(`,"banana":1`), 422},
		{"a name in capitals", "POST", "/api/v1/vms", `{"name":"Web","image":"tiny","memory_mib":64}`, 422},
		{"a name that is an id", "POST", "/api/v1/vms", `{"name":"vm-00000000000000000001","image":"tiny","memory_mib":64}`, 422},
		{"a long name", "POST", "/api/v1/vms", `{"name":"` + strings.Repeat("a", 64) + `","image":"tiny","memory_mib":64}`, 422},
		{"a name with a zero byte", "POST", "/api/v1/vms", `{"name":"a\u0000","image":"tiny","memory_mib":64}`, 422},
		{"too little memory", "POST", "/api/v1/vms", `{"name":"web-1","image":"tiny","memory_mib":15}`, 422},
		{"too much memory", "POST", "/api/v1/vms", `{"name":"web-1","image":"tiny","memory_mib":16777217}`, 422},
		{"memory as text", "POST", "/api/v1/vms", `{"name":"web-1","image":"tiny","memory_mib":"64"}`, 422},
		{"half a CPU", "POST", "/api/v1/vms", vm(`,"cpus":0.5`), 422},
		{"a negative CPU", "POST", "/api/v1/vms", vm(`,"cpus":-1`), 422},
		{"a number beyond numbers", "POST", "/api/v1/vms", vm(`,"cpus":1e400`), 400},
		{"a disk beyond disks", "POST", "/api/v1/vms", vm(`,"disk_gib":65537`), 422},
		{"no such image", "POST", "/api/v1/vms", `{"name":"web-1","image":"nothing","memory_mib":64}`, 422},
		{"no such network", "POST", "/api/v1/vms", vm(`,"networks":["nothing"]`), 422},
		{"no such node", "POST", "/api/v1/vms", vm(`,"node":"nothing"`), 422},
		{"a node without room", "POST", "/api/v1/vms", `{"name":"web-1","image":"tiny","memory_mib":16777216,"node":"thor"}`, 409},
		{"a key that is none", "POST", "/api/v1/vms", vm(`,"ssh_keys":["hello"]`), 422},
		{"deep nesting", "POST", "/api/v1/vms", strings.Repeat("[", 100_000), 400},
		{"a large body", "POST", "/api/v1/vms", `{"name":"` + strings.Repeat("a", 2<<20) + `"}`, 413},
		{"no such VM", "GET", "/api/v1/vms/nothing", "", 404},
		{"a path that climbs", "GET", "/api/v1/vms/..%2f..%2fetc%2fpasswd", "", 404},
		{"a name with quotes", "GET", "/api/v1/vms/%27%20or%201=1--", "", 404},
		{"a long reference", "GET", "/api/v1/vms/" + strings.Repeat("a", 200), "", 422},
		{"no such operation", "GET", "/api/v1/operations/op-00000000000000000001", "", 404},
		{"no such path", "GET", "/api/v1/nothing", "", 404},
		{"another method", "PUT", "/api/v1/vms", "{}", 405},
		{"a verb that is none", "POST", "/api/v1/vms/web-1/explode", "", 404},
		{"an event cursor of nobody's", "GET", "/api/v1/events?since=garbage", "", 422},
		{"topics that are none", "GET", "/api/v1/events?topics=%27", "", 422},
		{"a lifetime that is none", "POST", "/api/v1/nodes/join-tokens?lifetime=9999h", "", 422},
		{"a short password", "POST", "/api/v1/users", `{"username":"eve","email":"e@x.org","password":"short"}`, 422},
		{"an address that is none", "POST", "/api/v1/users", `{"username":"eve","email":"eee","password":"abcdefghijkl"}`, 422},
	} {
		a := w.ask(row.method, row.path, row.body, token(c)...)
		if a.StatusCode != row.status || a.problem.Detail == "" || a.problem.Code == "" || a.problem.RequestID == "" || a.problem.Status != row.status {
			t.Errorf("%s: got %d %s, want %d and a problem with detail, code and request id", row.name, a.StatusCode, a.text, row.status)
		}
	}
	w.ask("POST", "/api/v1/vms", "a: 1", append(token(c), "Content-Type", "application/yaml")...).wants(t, "another media type", http.StatusUnsupportedMediaType, "media_type")
	if list, err := c.VMs(ctx, client.ListOptions{}); err != nil || list.Total != 0 {
		t.Errorf("got %d VMs, %v; want none made by bad input", list.Total, err)
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, unlimited, func(d *api.Deps) { d.AllowedOrigins = []string{"https://console.example.org"} })
	a := w.ask("GET", "/api/health", "", "X-Request-Id", "abc-123")
	for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "X-Request-Id": "abc-123", "X-XSS-Protection": "1; mode=block",
		"Referrer-Policy": "no-referrer", "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"} {
		if got := a.Header.Get(header); got != want {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
	if a := w.ask("GET", "/api/health", "", "X-Request-Id", "a b\"c"); a.Header.Get("X-Request-Id") == "a b\"c" {
		t.Error("a request id with quotes was taken")
	}
	pre := []string{"Access-Control-Request-Method", "GET"}
	for origin, want := range map[string]string{"https://console.example.org": "https://console.example.org", "http://localhost:8092": "http://localhost:8092", "https://evil.example": "", "null": ""} {
		a := w.ask("OPTIONS", "/api/v1/vms", "", append(pre, "Origin", origin)...)
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s: got %q, want %q", origin, got, want)
		}
	}
	w.ask("HEAD", "/api/health", "").wants(t, "HEAD", http.StatusOK, "")
}

// Under TLS the cookie has a name that no page without TLS can plant, and none of another name is looked at.
func TestCookie_isSecureByItsNameUnderTLS(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("grace", auth.Viewer)
	for public, want := range map[string]string{"http://localhost:8092": "novacron_refresh", "https://cloud.example.org": "__Secure-novacron_refresh"} {
		w.change = func(d *api.Deps) { d.PublicURL = public }
		w.restart()
		signedIn := w.ask("POST", "/api/auth/login", login("grace", password), "Cookie", "x=y")
		if len(signedIn.Cookies()) != 1 {
			t.Fatalf("%s: got %d %s with cookies %v", public, signedIn.StatusCode, signedIn.text, signedIn.Cookies())
		}
		c := signedIn.Cookies()[0]
		if secure := strings.HasPrefix(public, "https"); c.Name != want || c.Secure != secure || c.Path != "/api/auth" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			t.Errorf("%s: got the cookie %+v", public, c)
		}
		planted := strings.TrimPrefix(want, "__Secure-")
		if planted == want {
			planted = "__Secure-" + want
		}
		w.ask("POST", "/api/auth/refresh", "", "Cookie", planted+"="+c.Value).wants(t, public+": under the other name", http.StatusNoContent, "")
		again := w.ask("POST", "/api/auth/refresh", "", "Cookie", c.Name+"="+c.Value)
		again.wants(t, public+": under its name", http.StatusOK, "")
		var in wire.LoginAnswer
		w.must(json.Unmarshal([]byte(again.text), &in))
		out := w.ask("POST", "/api/auth/logout", "", "Authorization", "Bearer "+in.AccessToken)
		if gone := out.Cookies(); len(gone) != 1 || gone[0].Name != want || gone[0].MaxAge >= 0 {
			t.Errorf("%s: signing out sets %v", public, gone)
		}
	}
}

func TestHeaders_tellOfSubdomainsWhereTheOperatorSaysSo(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	for what, c := range map[string]struct {
		subdomains bool
		url, want  string
	}{
		"under TLS":                 {false, "https://cloud.example.org/api/health", "max-age=31536000"},
		"under TLS, by the setting": {true, "https://cloud.example.org/api/health", "max-age=31536000; includeSubDomains"},
		"without TLS":               {true, "http://cloud.example.org/api/health", ""},
	} {
		w.change = func(d *api.Deps) { d.HSTSSubdomains = c.subdomains }
		w.restart()
		answer := httptest.NewRecorder()
		w.api.REST().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, c.url, nil))
		if got := answer.Header().Get("Strict-Transport-Security"); got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
}

func TestDescription_isServed(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	var spec struct {
		OpenAPI string `json:"openapi"`
	}
	a := w.ask("GET", "/api/openapi.json", "")
	if err := json.Unmarshal([]byte(a.text), &spec); err != nil || spec.OpenAPI != "3.1.0" {
		t.Errorf("got %v, %q", err, spec.OpenAPI)
	}
	docs := w.ask("GET", "/api/docs", "")
	if !strings.Contains(docs.text, "/api/v1/vms/{id}/start") || strings.Contains(docs.text, "<script") || strings.Contains(docs.text, "https://") {
		t.Error("the page does not stand for itself")
	}
	_, style, _ := strings.Cut(docs.text, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := docs.Header.Get("Content-Security-Policy")
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; style == "" || !strings.HasSuffix(policy, want) || strings.Contains(policy, "unsafe") {
		t.Errorf("its policy is %s, want %s", policy, want)
	}
	if keys := w.ask("GET", "/.well-known/jwks.json", ""); !strings.Contains(keys.text, `"RS256"`) {
		t.Errorf("got %s", keys.text)
	}
}

func TestMetrics_areForThisMachineAndForTheScrapeToken(t *testing.T) {
	w := newWorld(t, unlimited, func(d *api.Deps) {
		d.ScrapeToken = "scrape-me"
		d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up 1") })
	})
	w.ask("GET", "/metrics", "").wants(t, "on this machine", http.StatusOK, "")
	w.ask("GET", "/metrics", "", "X-Forwarded-For", "203.0.113.1").wants(t, "through a proxy", http.StatusUnauthorized, "scrape_token")
	w.ask("GET", "/metrics", "", "X-Forwarded-For", "203.0.113.1", "Authorization", "Bearer scrape-me").wants(t, "with the token", http.StatusOK, "")
	w.ask("GET", "/metrics", "", "X-Forwarded-For", "203.0.113.1", "Authorization", "Bearer scrape-you").wants(t, "with another token", http.StatusUnauthorized, "scrape_token")
}
