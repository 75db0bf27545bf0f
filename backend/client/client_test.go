package client

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// limits is a server that takes no more requests, but for those behind the first many.
func limits(t *testing.T, many int32) *Client {
	t.Helper()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= many {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			w.Write([]byte(`{"detail":"no more for now","code":"rate_limited","status":429}`)) //nolint:errcheck // the test sees
			return
		}
		w.Write([]byte(`{}`)) //nolint:errcheck // likewise
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL, Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClient_waitsForALimitWhenItIsToldTo(t *testing.T) {
	c := limits(t, 1)
	var waited time.Duration
	c.Limited = func(d time.Duration) { waited += d }
	if _, err := c.VM(t.Context(), "web-1"); err != nil || waited != time.Second {
		t.Errorf("got %v after %s, want an answer after the second that the server asked for", err, waited)
	}
}

func TestClient_tellsALimitWhenNobodyWaits(t *testing.T) {
	if _, err := limits(t, 1).VM(t.Context(), "web-1"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("got %v, want the refusal", err)
	}
}

// The second comes after the signing keys were changed because somebody may have read them.
func TestClient_renewsATokenThatEndedOrWhoseKeyWasWithdrawn(t *testing.T) {
	for _, code := range []string{"token_expired", "token_invalid"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/api/auth/refresh":
				io.WriteString(w, `{"access_token":"new","refresh_token":"next","expires_in":900}`) //nolint:errcheck // the test sees
			case r.Header.Get("Authorization") == "Bearer new":
				w.Header().Set("Upload-Offset", "7")
				io.WriteString(w, "{}") //nolint:errcheck // likewise
			default:
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprintf(w, `{"detail":"sign in again","code":%q,"status":401}`, code)
			}
		}))
		defer s.Close()
		for what, ask := range map[string]func(*Client) error{
			"GET":  func(c *Client) error { _, err := c.VM(t.Context(), "web-1"); return err },
			"HEAD": func(c *Client) error { _, err := c.uploadOffset(t.Context(), "img-1"); return err },
			"PATCH": func(c *Client) error {
				_, _, err := c.append(t.Context(), "img-1", 0, io.NewSectionReader(strings.NewReader("abc"), 0, 3))
				return err
			},
		} {
			c, err := New(s.URL, Tokens{Access: "old", Refresh: "once"})
			if err != nil {
				t.Fatal(err)
			}
			if err := ask(c); err != nil || c.Tokens().Access != "new" {
				t.Errorf("%s after %s: %v, with the token %s", what, code, err, c.Tokens().Access)
			}
		}
	}
}

func TestClient_saysWhatIsWrongWithAnAddressThatAnswers(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>not here</h1>", http.StatusNotFound) })
	plain, secure := httptest.NewServer(page), httptest.NewUnstartedServer(page)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of handshakes that fail
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	for address, want := range map[string]string{
		plain.URL:  "which is not how NovaCron answers; check the address",
		secure.URL: "is not trusted here (x509: certificate signed by unknown authority); set SSL_CERT_FILE",
		strings.Replace(plain.URL, "http:", "https:", 1):  "does not speak TLS; write the address with http://",
		strings.Replace(secure.URL, "https:", "http:", 1): "speaks TLS: write the address with https://",
	} {
		c, err := New(address, Tokens{Access: "token"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.VM(t.Context(), "web-1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want that it %s", address, err, want)
		}
	}
}

func TestWaitOperation_opensNoStreamForWhatEndsSoon(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		w.Write([]byte(`{"id":"op-1","status":"succeeded","ended_at":"2026-11-23T06:25:37Z"}`)) //nolint:errcheck // the test sees
	}))
	defer s.Close()
	c, err := New(s.URL, Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	o, err := c.WaitOperation(t.Context(), "op-1", func(o wire.Operation) { seen = append(seen, o.Status) })
	if err != nil || !o.Succeeded() || len(seen) != 1 {
		t.Errorf("got %+v, %v after %q", o, err, seen)
	}
	if want := []string{"/api/v1/operations/op-1?wait=1s"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}
