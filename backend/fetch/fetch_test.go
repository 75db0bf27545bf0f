package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/core/fault"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestPermit_refusesWhatIsNotPublic(t *testing.T) {
	c := New(Config{})
	for _, a := range []string{
		"127.0.0.1", "127.8.8.8", "::1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.0.1",
		"100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1",
		"::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fec0::1",
	} {
		if err := c.permit(netip.MustParseAddr(a)); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v", a, err)
		}
	}
	for _, a := range []string{"1.1.1.1", "151.101.2.132", "172.32.0.1", "2a04:4e42::644", "::ffff:1.1.1.1"} {
		if err := c.permit(netip.MustParseAddr(a)); err != nil {
			t.Errorf("%s: got %v", a, err)
		}
	}
}

func TestPermit_obeysTheAdministratorsList(t *testing.T) {
	c := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
	if err := c.permit(netip.MustParseAddr("::ffff:10.1.2.3")); err != nil {
		t.Error(err)
	}
	if err := c.permit(netip.MustParseAddr("10.2.0.1")); err == nil {
		t.Error("an address outside of the list was allowed")
	}
}

func TestCheck_refusesBeforeConnecting(t *testing.T) {
	c := New(Config{})
	for u, code := range map[string]string{
		"http://example.org/x":                          "url_scheme",
		"ftp://example.org/x":                           "url_scheme",
		"file:///etc/passwd":                            "url_scheme",
		"https:///x":                                    "url_host",
		"https://a:b@example.org/x":                     "url_password",
		"https://127.0.0.1/x":                           "url_address",
		"https://[::1]/x":                               "url_address",
		"https://169.254.169.254/latest":                "url_address",
		"https://[::ffff:127.0.0.1]/x":                  "url_address",
		"https://0.0.0.0/x":                             "url_address",
		"https://2130706433/x":                          "url_host",
		"https://0x7f000001/x":                          "url_host",
		"https://0x7f.1/x":                              "url_host",
		"https://127.1/x":                               "url_host",
		"https://0177.0.0.1/x":                          "url_host",
		"https://127.0.0.1./x":                          "url_host",
		"https://1.2.3.4.5/x":                           "url_host",
		"https://exa mple.org":                          "url_syntax",
		"https://e/" + strings.Repeat("x", maxURLBytes): "url_too_long",
	} {
		var f *fault.Error
		if err := c.Check(u); !errors.As(err, &f) || f.Code != code {
			t.Errorf("%.60s: got %v, want %s", u, err, code)
		}
	}
	for _, u := range []string{"https://cloud.debian.org/images/x.qcow2", "https://1.1.1.1/x", "https://7.example.org/x", "https://0xcafe.example/x", "https://a1/x"} {
		if err := c.Check(u); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestDownload_writesTheFileAndItsChecksum(t *testing.T) {
	content := strings.Repeat("disk image ", 100_000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x", time.Time{}, strings.NewReader(content))
	})
	var seen, total int64
	f := file(t)
	got, err := New(Config{PlainHTTP: true, Allow: loopback}).Download(t.Context(), s.URL, f, func(done, of int64) { seen, total = done, of })
	if err != nil {
		t.Fatal(err)
	}
	want := Result{Bytes: int64(len(content)), SHA256: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))), URL: s.URL}
	if got != want || seen != want.Bytes || total != want.Bytes || content != text(t, f) {
		t.Fatalf("got %+v (progress %d of %d), want %+v", got, seen, total, want)
	}
}

func TestDownload_refusesLoopbackUnlessAllowed(t *testing.T) {
	var asked atomic.Bool
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	named := strings.Replace(s.URL, "127.0.0.1", "images.example", 1)
	c := New(Config{PlainHTTP: true, Resolver: answers{{netip.MustParseAddr("127.0.0.1")}}.resolver()})
	for _, u := range []string{s.URL, named} {
		if _, err := c.Download(t.Context(), u, file(t), nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v", u, err)
		}
	}
	if asked.Load() {
		t.Error("the server was asked all the same")
	}
}

// The name is public when it is looked at and private when it is used: only the address of the connection counts.
func TestDownload_refusesANameThatChangesItsAddress(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			http.Redirect(w, r, "/again", http.StatusFound)
		}
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	allowed, inside := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	c := New(Config{PlainHTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: answers{{allowed}, {inside}}.resolver()})
	_, err := c.Download(t.Context(), "http://rebind.example:"+port+"/", file(t), nil)
	if !fault.Is(err, fault.Forbidden) || asked.Load() != 1 {
		t.Fatalf("got %v after %d requests", err, asked.Load())
	}
}

func TestDownload_judgesEveryRedirect(t *testing.T) {
	for name, c := range map[string]struct{ to, code string }{
		"to the metadata address": {"http://169.254.169.254/latest/meta-data/", "url_address"},
		"to a private address":    {"http://10.0.0.1/", "url_address"},
		"to a file":               {"file:///etc/passwd", "url_scheme"},
		"in a circle":             {"/", "url_redirects"},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, c.to, http.StatusFound) })
		_, err := New(Config{PlainHTTP: true, Allow: loopback}).Download(t.Context(), s.URL, file(t), nil)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
}

func TestDownload_refusesToLeaveTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	}))
	defer s.Close()
	c := New(Config{PlainHTTP: true, Allow: loopback, Transport: s.Client().Transport.(*http.Transport)})
	_, err := c.Download(t.Context(), s.URL, file(t), nil)
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != "url_redirect_http" {
		t.Fatalf("got %v", err)
	}
}

func TestDownload_goesOnWhereItWasCut(t *testing.T) {
	content := strings.Repeat("0123456789", 50_000)
	var ranges []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		w.Header().Set("ETag", `"v1"`)
		if len(ranges) == 1 {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write([]byte(content[:200_000]))
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "x", time.Time{}, strings.NewReader(content))
	})
	f := file(t)
	got, err := New(Config{PlainHTTP: true, Allow: loopback}).Download(t.Context(), s.URL, f, nil)
	if err != nil || text(t, f) != content || got.SHA256 != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) {
		t.Fatalf("got %+v, %v and %d bytes", got, err, len(text(t, f)))
	}
	if len(ranges) != 2 || !strings.HasPrefix(ranges[1], "bytes=") {
		t.Fatalf("the ranges asked for were %q", ranges)
	}
}

func TestDownload_beginsAgainWhenTheFileChangedMeanwhile(t *testing.T) {
	older, newer := strings.Repeat("old", 100_000), strings.Repeat("new", 100_000)
	asked := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(older)))
			_, _ = w.Write([]byte(older[:150_000]))
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("ETag", `"v2"`)
		http.ServeContent(w, r, "x", time.Time{}, strings.NewReader(newer))
	})
	f := file(t)
	if _, err := New(Config{PlainHTTP: true, Allow: loopback}).Download(t.Context(), s.URL, f, nil); err != nil || text(t, f) != newer {
		t.Fatalf("got %v and %.10q", err, text(t, f))
	}
}

func TestDownload_endsWhatIsTooLarge(t *testing.T) {
	for name, announce := range map[string]bool{"announced": true, "streamed": false} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if announce {
				w.Header().Set("Content-Length", "1000000")
			}
			for range 1000 {
				_, _ = w.Write(make([]byte, 1000))
				w.(http.Flusher).Flush()
			}
		})
		f := file(t)
		_, err := New(Config{PlainHTTP: true, Allow: loopback, MaxBytes: 10_000}).Download(t.Context(), s.URL, f, nil)
		if info, _ := f.Stat(); !fault.Is(err, fault.TooLarge) || info.Size() > 10_000 {
			t.Errorf("%s: got %v and %d bytes", name, err, info.Size())
		}
	}
}

func TestDownload_endsWhatTakesTooLong(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	_, err := New(Config{PlainHTTP: true, Allow: loopback, Timeout: 50 * time.Millisecond}).Download(t.Context(), s.URL, file(t), nil)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "longer than") {
		t.Fatalf("got %v", err)
	}
}

func TestDownload_tellsWhatTheServerAnswered(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	_, err := New(Config{PlainHTTP: true, Allow: loopback}).Download(t.Context(), s.URL, file(t), nil)
	if !strings.Contains(fault.Sentence(err), "404") {
		t.Fatalf("got %v", err)
	}
}

// answers is a resolver whose answer changes from call to call.
type answers [][]netip.Addr

func (a answers) resolver() Resolver { return &script{left: a} }

type script struct{ left answers }

func (s *script) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	next := s.left[0]
	if len(s.left) > 1 {
		s.left = s.left[1:]
	}
	return next, nil
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func file(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "download"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func text(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
