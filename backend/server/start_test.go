package server_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/server"
	"novacron/backend/services"
)

// refusal is the sentence with which a server on these settings refuses to start.
func refusal(t *testing.T, more map[string]string) string {
	t.Helper()
	flags := map[string]string{
		"data-dir": t.TempDir(), "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0",
	}
	for k, v := range more {
		flags[k] = v
	}
	settings, err := server.Load(flags, "")
	if err != nil {
		t.Fatal(err)
	}
	settings.AuthSecret = "a secret that is long enough for a test"
	s, err := server.New(t.Context(), server.Options{Settings: settings, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		s.Close()
		t.Fatal("it started")
	}
	return fault.Sentence(err)
}

// nobody is an address on which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	ports, err := services.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
}

func TestServer_refusesToStartWithoutItsEnginesAndNamesThem(t *testing.T) {
	gone := nobody(t)
	for _, c := range []struct {
		engine, setting string
		flags           map[string]string
	}{
		{"PostgreSQL", "NOVACRON_DATABASE_URL", map[string]string{"database-url": "postgres://nova:hush@" + gone + "/nova"}},
		{"Redis", "NOVACRON_REDIS_URL", map[string]string{"redis-url": "redis://:hush@" + gone + "/0"}},
	} {
		t.Run(c.engine, func(t *testing.T) {
			got := refusal(t, c.flags)
			for _, want := range []string{c.engine, gone, c.setting} {
				if !strings.Contains(got, want) {
					t.Errorf("%q does not name %s", got, want)
				}
			}
			if strings.Contains(got, "hush") {
				t.Errorf("%q shows the password", got)
			}
		})
	}
}

func TestServer_refusesADamagedFileAndSaysWhatIsLostWithIt(t *testing.T) {
	for file, want := range map[string]string{"novacron.db": "backup", "sessions.db": "remove it"} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, file)
			if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := refusal(t, map[string]string{"data-dir": dir}); !strings.Contains(got, path) || !strings.Contains(got, want) {
				t.Errorf("got %q, want the file and the way out", got)
			}
		})
	}
}

// TestServer_answersWhileAnotherProgramLocksItsFile: a change fails within about a second with the reason, a read goes on, and after the
// lock changes succeed again.
func TestServer_answersWhileAnotherProgramLocksItsFile(t *testing.T) {
	dir := t.TempDir()
	s, c := start(t, dir)
	defer s.Close()
	admin(t, s, c)
	token := c.Tokens().Access
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "novacron.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		began := time.Now()
		res, body := call(t, s, http.MethodPost, "/api/v1/vms", token, `{"name":"web-`+string(rune('a'+i))+`","memory_mib":64,"disk_gib":1}`)
		if took := time.Since(began); took > promptly {
			t.Errorf("the answer took %s", took)
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "database") {
			t.Errorf("got %d with Retry-After %q: %s", res.StatusCode, res.Header.Get("Retry-After"), body)
		}
	}
	if res, body := call(t, s, http.MethodGet, "/api/v1/vms", token, ""); res.StatusCode != http.StatusOK {
		t.Errorf("a read meanwhile: %d %s", res.StatusCode, body)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	until(t, "a create succeeds", func() bool {
		res, _ := call(t, s, http.MethodPost, "/api/v1/vms", token, `{"name":"after","memory_mib":64,"disk_gib":1}`)
		return res.StatusCode == http.StatusAccepted || res.StatusCode == http.StatusConflict
	})
}
