package frontend

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var site1 = fstest.MapFS{
	"index.html":             {Data: []byte("<page>")},
	"index.html.br":          {Data: []byte("page-br")},
	"theme-init.js":          {Data: []byte("theme")},
	"assets/app-12345678.js": {Data: []byte("script")}, "assets/app-12345678.js.br": {Data: []byte("script-br")},
	"assets/app-12345678.js.gz": {Data: []byte("script-gz")},
	".gitkeep":                  {},
}

func get(t *testing.T, h http.Handler, method, target, encoding string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func TestHandler_sendsTheFormThatTheBrowserTakes(t *testing.T) {
	h := handler(site1)
	for _, c := range []struct{ accept, body, coding string }{
		{"", "script", ""}, {"gzip, deflate, br", "script-br", "br"}, {"gzip", "script-gz", "gzip"}, {"br;q=0, gzip;q=0.5", "script-gz", "gzip"}, {"identity", "script", ""},
	} {
		res, body := get(t, h, "GET", "/assets/app-12345678.js", c.accept)
		if body != c.body || res.Header.Get("Content-Encoding") != c.coding || res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: got %q as %q, want %q as %q", c.accept, body, res.Header.Get("Content-Encoding"), c.body, c.coding)
		}
		if kind := res.Header.Get("Content-Type"); kind != "text/javascript; charset=utf-8" {
			t.Errorf("Content-Type: got %q", kind)
		}
	}
}

func TestHandler_keepsHashedFilesForEverAndThePageNot(t *testing.T) {
	h := handler(site1)
	for target, want := range map[string]string{
		"/assets/app-12345678.js": "public, max-age=31536000, immutable", "/": "no-cache", "/vms": "no-cache", "/theme-init.js": "no-cache",
	} {
		if res, _ := get(t, h, "GET", target, ""); res.Header.Get("Cache-Control") != want {
			t.Errorf("%s: got %q, want %q", target, res.Header.Get("Cache-Control"), want)
		}
	}
}

func TestHandler_showsThePageAtEveryPlaceOfTheConsole(t *testing.T) {
	h := handler(site1)
	for _, target := range []string{"/", "/index.html", "/auth/login", "/auth/register", "/vms/vm-1/console", "/setup", "/vms?name=a.b"} {
		if res, body := get(t, h, "GET", target, ""); res.StatusCode != http.StatusOK || body != "<page>" {
			t.Errorf("%s: got %d %q", target, res.StatusCode, body)
		}
	}
}

func TestHandler_answers404ForAFileThatIsMissing(t *testing.T) {
	h := handler(site1)
	for _, target := range []string{"/assets/old-87654321.js", "/assets/", "/assets", "/favicon.ico", "/assets/app-12345678.js.br", "/../embed.go", "/.gitkeep"} {
		res, body := get(t, h, "GET", target, "br")
		if res.StatusCode != http.StatusNotFound || strings.Contains(body, "<page>") {
			t.Errorf("%s: got %d %q, want 404", target, res.StatusCode, body)
		}
	}
}

func TestHandler_forbidsInlineScriptsFramesAndOtherHosts(t *testing.T) {
	res, _ := get(t, handler(site1), "GET", "/", "")
	csp := res.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("policy lacks %s: %s", part, csp)
		}
	}
	for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "X-XSS-Protection": "1; mode=block", "Referrer-Policy": "no-referrer"} {
		if got := res.Header.Get(header); got != want {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("policy allows something unsafe: %s", csp)
	}
}

func TestHandler_refusesToChangeAnything(t *testing.T) {
	res, _ := get(t, handler(site1), "POST", "/auth/login", "")
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
	if res, body := get(t, handler(site1), "HEAD", "/", ""); res.StatusCode != http.StatusOK || body != "" || res.Header.Get("Content-Length") != "6" {
		t.Errorf("HEAD: got %d %q, length %s", res.StatusCode, body, res.Header.Get("Content-Length"))
	}
}

func TestHandler_saysWhenTheBuildHasNoConsole(t *testing.T) {
	h := handler(fstest.MapFS{".gitkeep": {}})
	for _, target := range []string{"/", "/auth/login", "/assets/x.js"} {
		res, body := get(t, h, "GET", target, "br")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, "This build has no web console; use the command line") || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: got %d %q", target, res.StatusCode, body)
		}
	}
}
