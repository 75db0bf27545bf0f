package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"novacron/backend/server"
)

// secured starts a server whose certificate stands in dir.
func secured(t *testing.T, dir string) *server.Server {
	t.Helper()
	settings, err := server.Load(map[string]string{"data-dir": t.TempDir(), "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0",
		"tls-cert": dir + "/" + server.SelfSignedCert, "tls-key": dir + "/" + server.SelfSignedKey, "limit-api": "off"}, "")
	if err != nil {
		t.Fatal(err)
	}
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

// certify writes a new certificate and gives what a client that trusts it alone needs.
func certify(t *testing.T, dir string) *tls.Config {
	t.Helper()
	cert, key, err := server.WriteSelfSigned(dir, []string{"127.0.0.1"}, 30, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	return &tls.Config{RootCAs: roots}
}

func TestTLS_isSpokenOnEveryPortFrom12OnAndItsCertificateChangesWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	trust := certify(t, dir)
	s := secured(t, dir)
	client := func(c *tls.Config) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}, Timeout: time.Minute}
	}
	for _, port := range []string{"api", "ws", "console", "node"} {
		address := s.Addresses()[port]
		for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: port != "node", tls.VersionTLS13: true} {
			c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}) //nolint:gosec // the version is what is looked at
			if (err == nil) != want {
				t.Errorf("%s with %s: got %v, want an answer: %v", port, tls.VersionName(version), err, want)
			}
			if err == nil {
				c.Close()
			}
		}
		if res, err := http.Get("http://" + address + "/api/health"); err == nil {
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "HTTPS") {
				t.Errorf("%s without TLS: got %d %s", port, res.StatusCode, text)
			}
		}
	}
	for _, page := range []string{"/", "/api/health"} {
		res, err := client(trust).Get("https://" + s.Addresses()["console"] + page)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if h := res.Header.Get("Strict-Transport-Security"); res.StatusCode != http.StatusOK || !strings.HasPrefix(h, "max-age=") {
			t.Errorf("%s over TLS: got %d with Strict-Transport-Security %q", page, res.StatusCode, h)
		}
	}
	ws, _, err := websocket.Dial(t.Context(), fmt.Sprintf("wss://%s/ws/events/v1", s.Addresses()["ws"]), &websocket.DialOptions{HTTPClient: client(trust)})
	if err != nil {
		t.Fatal(err)
	}
	ws.CloseNow() //nolint:errcheck // that it opened is what counts

	next := certify(t, dir)
	for _, port := range []string{"api", "ws", "console"} {
		until(t, port+" shows the new certificate", func() bool {
			c, err := tls.Dial("tcp", s.Addresses()[port], next)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
	}
}
