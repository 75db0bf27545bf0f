package server

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shake does a handshake with the server's configuration and gives the certificate that it shows.
func shake(t *testing.T, server *tls.Config, version uint16) (*x509.Certificate, error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		s := tls.Server(far, server)
		s.Handshake()          //nolint:errcheck // the client tells
		io.Copy(io.Discard, s) //nolint:errcheck // until the client has gone
		far.Close()
	}()
	c := tls.Client(near, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}) //nolint:gosec // the certificate is what is looked at
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	return c.ConnectionState().PeerCertificates[0], nil
}

func write(t *testing.T, dir string) {
	t.Helper()
	// Whole seconds apart whatever the file system keeps: the clock of the bubble stands still.
	cert, _, err := WriteSelfSigned(dir, []string{"cloud.example.org", "192.0.2.1"}, 365, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(cert, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestCertificate_isTakenAnewWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir)
		var log strings.Builder
		c, err := newCertificate(filepath.Join(dir, SelfSignedCert), filepath.Join(dir, SelfSignedKey), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		first, err := shake(t, c.config(), tls.VersionTLS13)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		write(t, dir)
		time.Sleep(2 * lookEvery)
		second, err := shake(t, c.config(), tls.VersionTLS13)
		if err != nil || second.Equal(first) {
			t.Errorf("the old certificate is shown still: %v", err)
		}

		time.Sleep(time.Minute)
		if err := os.WriteFile(filepath.Join(dir, SelfSignedCert), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(2 * lookEvery)
			if third, err := shake(t, c.config(), tls.VersionTLS13); err != nil || !third.Equal(second) {
				t.Errorf("with a broken file another certificate is shown: %v", err)
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("a broken file is told %d times:\n%s", n, log.String())
		}
	})
}

func TestCertificate_isServedUnderTLS12AndNothingOlder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	c, err := newCertificate(filepath.Join(dir, SelfSignedCert), filepath.Join(dir, SelfSignedKey), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if _, err := shake(t, c.config(), version); (err == nil) != want {
			t.Errorf("%s: got %v, want served: %v", tls.VersionName(version), err, want)
		}
	}
}

func TestWriteSelfSigned_makesAKeyForTheHostsThatNobodyElseReads(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	if fi, err := os.Stat(filepath.Join(dir, SelfSignedKey)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", fi.Mode(), err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, SelfSignedCert), filepath.Join(dir, SelfSignedKey))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	for _, host := range []string{"cloud.example.org", "192.0.2.1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, _, err := WriteSelfSigned(dir, []string{"x"}, 1, false, time.Now()); err == nil {
		t.Error("files that are there were replaced without being asked to")
	}
	for _, days := range []int{0, -1, MaxCertDays + 1} {
		if _, _, err := WriteSelfSigned(t.TempDir(), []string{"x"}, days, false, time.Now()); err == nil {
			t.Errorf("%d days were taken", days)
		}
	}
}
