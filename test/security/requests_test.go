package security

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"novacron/backend/agent/remote"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

func TestPagesOfOtherSites_reachNothing(t *testing.T) {
	w := start(t, nil)
	in := w.ask("POST", "/api/auth/login", wire.Login{Username: "root", Password: password}, "Origin", "http://localhost:0")
	login := w.ask("POST", "/api/auth/login", wire.Login{Username: "root", Password: password})
	cookie := strings.SplitN(login.Header.Get("Set-Cookie"), ";", 2)[0]
	for _, attribute := range []string{"HttpOnly", "SameSite=Strict", "Path=/api/auth"} {
		if !strings.Contains(login.Header.Get("Set-Cookie"), attribute) {
			t.Errorf("the cookie is not %s: %s", attribute, login.Header.Get("Set-Cookie"))
		}
	}
	if in.StatusCode == http.StatusOK && strings.Contains(in.text, "refresh_token\":\"") {
		t.Error("a browser got the refresh token where scripts can read it")
	}
	for _, origin := range []string{"https://evil.example", "null", "http://localhost.evil.example", "http://localhost:8092.evil.example", "http://evil.example/http://localhost:8092", "file://"} {
		for _, path := range []string{"/api/auth/login", "/api/auth/refresh", "/api/auth/register", "/auth/login"} {
			a := w.ask("POST", path, `{"username":"root","password":"correct horse battery","email":"x@example.org"}`, "Origin", origin, "Cookie", cookie)
			if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusUnprocessableEntity || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s from %s: got %d %s", path, origin, a.StatusCode, a.text)
			}
			if a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s may read the answer of %s", origin, path)
			}
		}
		for _, path := range []string{"/ws/events/v1", "/ws/console/web-1"} {
			_, err := w.socket(path, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}, "Cookie": {cookie}}})
			if err == nil || !strings.Contains(err.Error(), "403") {
				t.Errorf("%s from %s: got %v, want 403", path, origin, err)
			}
		}
	}
	// The cookie alone signs nobody in anywhere but at its own path.
	w.ask("GET", "/api/v1/vms", nil, "Cookie", cookie).wants(t, "the API with the cookie", http.StatusUnauthorized, "token_missing")
	w.ask("POST", "/api/auth/change-password", `{}`, "Cookie", cookie).wants(t, "the account with the cookie", http.StatusUnauthorized, "token_missing")
	// What a form of another site can send is no JSON.
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"} {
		w.as(w.admin, "POST", "/api/v1/tenants", `{"name":"x"}`, "Content-Type", kind).wants(t, kind, http.StatusUnsupportedMediaType, "")
	}
}

func TestRedirects_leadNowhereElse(t *testing.T) {
	w := start(t, nil)
	for _, port := range []string{"api", "console"} {
		base := "http://" + w.server.Addresses()[port]
		for _, path := range []string{"//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/%5cevil.example", "/auth/login?next=//evil.example", "/auth/login?next=https://evil.example", "/api/auth/login?redirect=https://evil.example",
			"/api//v1/vms", "/api/../../etc/passwd", "/api/v1/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/vms/%00", "/.%0d%0aLocation:%20https://evil.example"} {
			req, err := http.NewRequest("GET", base, nil)
			w.must(err)
			req.URL.Opaque = "//" + w.server.Addresses()[port] + path
			res, err := w.http.Do(req)
			w.must(err)
			raw, err := io.ReadAll(res.Body)
			w.must(err)
			res.Body.Close()
			if to := res.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\")) {
				t.Errorf("%s on the port %s leads to %s", path, port, to)
			}
			if res.StatusCode >= 500 || strings.Contains(string(raw), "root:x:") {
				t.Errorf("%s on the port %s: got %d %.200s", path, port, res.StatusCode, raw)
			}
		}
	}
}

// schema is as much of the description as is needed to fill in a request.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Enum       []any
	Properties map[string]schema
	Required   []string
	Items      *schema
}

type operation struct {
	Parameters []struct {
		Name, In string
		Schema   schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
}

type description struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

// fill makes a body in which every text is the given one; a schema's enumerations and numbers keep to it where they can.
func (d description) fill(s schema, text string, depth int) any {
	if s.Ref != "" {
		s = d.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	kind := fmt.Sprint(s.Type)
	switch {
	case depth > 5:
		return nil
	case strings.Contains(kind, "object"):
		out := map[string]any{}
		for name, p := range s.Properties {
			if name != "$schema" {
				out[name] = d.fill(p, text, depth+1)
			}
		}
		return out
	case strings.Contains(kind, "array"):
		return []any{d.fill(*s.Items, text, depth+1)}
	case strings.Contains(kind, "integer"), strings.Contains(kind, "number"):
		return 64
	case strings.Contains(kind, "boolean"):
		return false
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	return text
}

// injections are texts that mean something to some interpreter.
var injections = []string{
	"' or '1'='1", "'; drop table users; --", "\" or 1=1 --", "1) union select password_hash from users --", "\\' or 1=1#", "%' or name like '%", "$1", "${jndi:ldap://x}", "{{7*7}}", "$(id)", "`id`",
	"a\r\nBcc: all@example.org", "<script>alert(1)</script>", "../../../../etc/passwd", "\x00", "\u202eevil", "％00", strings.Repeat("a", 5000), "-1", "null", "NaN", "vm.*' or 1=1 --",
}

// Every text of every operation of the description, in paths, queries, headers and bodies.
func TestInjections_areTextAndNothingElse(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var d description
	w.ask("GET", "/api/openapi.json", nil).decode(t, &d)
	before := w.rows()
	sent := 0
	for path, methods := range d.Paths {
		for method, o := range methods {
			if strings.HasPrefix(path, "/api/auth/logout") || path == "/api/auth/sessions" || path == "/api/auth/register" || path == "/auth/register" {
				continue // they would end the session that asks, or make accounts as they should
			}
			for _, text := range injections {
				a, err := w.inject(d, strings.ToUpper(method), path, o, text)
				if err != nil {
					continue // not a request that can be written
				}
				sent++
				if a.StatusCode >= 500 || a.StatusCode == http.StatusUnauthorized && !strings.Contains(path, "/auth/") {
					t.Errorf("%s %s with %.30q: got %d %.200s", method, path, text, a.StatusCode, a.text)
				}
				if strings.Contains(a.text, "argon2id") || strings.Contains(a.text, "syntax error") {
					t.Errorf("%s %s with %.30q tells more than it should: %.200s", method, path, text, a.text)
				}
			}
		}
	}
	if after := w.rows(); after != before {
		t.Errorf("rows before %s, after %s", before, after)
	}
	t.Logf("%d requests", sent)
	w.signIn("root") // the account is as it was
	if log := w.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "syntax error") {
		t.Error("a text was taken for something else; see the log")
	}
}

// rows counts what an attack must not change. A tenant may have any text as its name.
func (w *world) rows() string {
	w.t.Helper()
	var out []string
	for _, kind := range []string{"users", "vms", "nodes", "networks"} {
		var list wire.List[json.RawMessage]
		w.as(w.admin, "GET", "/api/v1/"+kind, nil).decode(w.t, &list)
		out = append(out, fmt.Sprintf("%s %d", kind, list.Total))
	}
	return strings.Join(out, ", ")
}

func (w *world) inject(d description, method, path string, o operation, text string) (answer, error) {
	query := []string{}
	headers := bearer(w.admin)
	for _, p := range o.Parameters {
		switch p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", escape(text))
		case "query":
			if p.Name != "wait" {
				query = append(query, p.Name+"="+escape(text))
			}
		case "header":
			headers = append(headers, p.Name, strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return 'x'
				}
				return r
			}, text))
		}
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	var body any
	if c, ok := o.RequestBody.Content["application/json"]; ok {
		body = d.fill(c.Schema, text, 0)
	}
	return w.try(method, path, body, headers...)
}

// escape writes every byte of a text as %xx.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// Bodies that no handler should see, at every operation that takes one.
func TestBodies_thatAreNoRequestAreRefusedEverywhere(t *testing.T) {
	w := start(t, nil)
	var d description
	w.ask("GET", "/api/openapi.json", nil).decode(t, &d)
	before := w.rows()
	for path, methods := range d.Paths {
		for method, o := range methods {
			if _, ok := o.RequestBody.Content["application/json"]; !ok {
				continue
			}
			path := strings.NewReplacer("{id}", "nothing", "{snapshot}", "nothing").Replace(path)
			for name, body := range map[string]string{
				"2 MiB":          `{"name":"` + strings.Repeat("a", 2<<20) + `"}`,
				"nested lists":   strings.Repeat("[", 100_000),
				"nested objects": `{"name":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + "}",
				"half":           `{"name":"a`,
				"two objects":    `{}{}`,
				"a number":       "1e999999",
				"bytes":          "\xff\xfe\x00",
				"null":           "null",
			} {
				a := w.as(w.admin, strings.ToUpper(method), path, body)
				if a.StatusCode < 400 && path != "/api/auth/refresh" && !strings.HasSuffix(path, "2fa/setup") || a.StatusCode >= 500 {
					t.Errorf("%s at %s %s: got %d %.200s", name, method, path, a.StatusCode, a.text)
				}
			}
		}
	}
	if after := w.rows(); after != before {
		t.Errorf("rows before %s, after %s", before, after)
	}
	// Two values for one key: the last counts, as everywhere in Go, and what is checked is what is used.
	w.as(w.admin, "POST", "/api/v1/users", `{"username":"eve","email":"e@example.org","password":"correct horse battery","role":"viewer","role":"system"}`).wants(t, "a role behind a role", http.StatusUnprocessableEntity, "")
}

// Clients that send their requests slowly are cut off, and do not keep others waiting. It takes as long as the longest of them.
func TestSlowRequests_areCutOffAndKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	type slow struct {
		name, send string
		limit      time.Duration
	}
	var all []net.Conn
	kinds := []slow{
		{"half a header", "GET /api/health HTTP/1.1\r\nHost: x\r\nX-", 30 * time.Second},
		{"half a body", "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", time.Minute},
	}
	began := time.Now()
	for i := range 200 {
		c, err := net.Dial("tcp", w.server.Addresses()["api"])
		w.must(err)
		t.Cleanup(func() { c.Close() })
		_, err = io.WriteString(c, kinds[i%2].send)
		w.must(err)
		all = append(all, c)
	}
	asked := time.Now()
	if a := w.as(w.admin, "GET", "/api/v1/vms", nil); a.StatusCode != http.StatusOK || time.Since(asked) > 5*time.Second {
		t.Errorf("beside 200 slow clients: got %d after %s", a.StatusCode, time.Since(asked))
	}
	for i, c := range all[:2] {
		w.must(c.SetReadDeadline(began.Add(kinds[i].limit)))
		if _, err := bufio.NewReader(c).ReadString(0); err != io.EOF {
			t.Errorf("%s: not cut off within %s: %v", kinds[i].name, kinds[i].limit, err)
		}
	}
}

// An address that opens connections without end takes no place from others: not from another address, and not from itself once it lets go.
func TestConnections_ofOneAddressAreBoundedOnEveryPort(t *testing.T) {
	w := start(t, map[string]string{"limit-connections": "8"})
	for _, port := range []string{"api", "ws", "console"} {
		var held []net.Conn
		open := func(from string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := d.Dial("tcp", w.server.Addresses()[port])
			w.must(err)
			t.Cleanup(func() { c.Close() })
			w.must(c.SetDeadline(time.Now().Add(time.Minute)))
			_, err = io.WriteString(c, "GET /ws/none HTTP/1.1\r\nHost: x\r\n\r\n")
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			return c, err
		}
		for i := range 8 {
			c, err := open("127.0.0.2")
			if err != nil {
				t.Fatalf("%s: connection %d: %v", port, i+1, err)
			}
			held = append(held, c)
		}
		if _, err := open("127.0.0.2"); err == nil {
			t.Errorf("%s: a ninth connection was answered", port)
		}
		if _, err := open("127.0.0.3"); err != nil {
			t.Errorf("%s: another address: %v", port, err)
		}
		held[0].Close()
		wait(t, t.Context(), port+" answers after one has left", func() bool { _, err := open("127.0.0.2"); return err == nil })
	}
}

func TestJoins_ofOneAddressAreLimited(t *testing.T) {
	w := start(t, map[string]string{"limit-join": "3/1m"})
	var token wire.JoinToken
	w.as(w.admin, "POST", "/api/v1/nodes/join-tokens", `{}`).decode(t, &token)
	secret, ca, _ := strings.Cut(token.Token, ".")
	guess := strings.Repeat("a", len(secret)) + "." + ca
	for try := range 4 {
		_, err := remote.Join(t.Context(), nil, w.server.Addresses()["node"], guess, t.TempDir())
		if err == nil || fault.Is(err, fault.RateLimited) != (try == 3) {
			t.Errorf("try %d to join: got %v, want the fourth and no other to be one too many", try+1, err)
		}
	}
}

func TestHeaders_cannotBeInjectedIntoMailOrAnswers(t *testing.T) {
	w := start(t, nil)
	for _, address := range []string{"a@example.org\r\nBcc: all@example.org", "a@example.org\nX: y", "a@example.org%0d%0aBcc:x@y", "<a@example.org>", "a@example.org,b@example.org", "\"a b\"@example.org", "a@example.org\x00"} {
		for path, body := range map[string]any{
			"/api/auth/register":        wire.Register{Username: "eve", Email: address, Password: password},
			"/api/auth/forgot-password": wire.EmailOnly{Email: address},
		} {
			if a := w.ask("POST", path, body); a.StatusCode != http.StatusUnprocessableEntity && !strings.Contains(address, "%0d") {
				t.Errorf("%q at %s: got %d %s", address, path, a.StatusCode, a.text)
			}
		}
	}
	a := w.ask("GET", "/api/health", nil, "X-Request-Id", "a\tb; c")
	if strings.ContainsAny(a.Header.Get("X-Request-Id"), "\t;") {
		t.Errorf("the request id came back as %q", a.Header.Get("X-Request-Id"))
	}
}
