package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

// start runs the whole platform with a simulated node on ports that the kernel chooses.
func start(t *testing.T, dir string) (*server.Server, *client.Client) {
	t.Helper()
	return startLogged(t, dir, slog.New(slog.DiscardHandler))
}

func startLogged(t *testing.T, dir string, log *slog.Logger) (*server.Server, *client.Client) {
	t.Helper()
	settings, err := server.Load(map[string]string{
		"data-dir": dir, "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0", "limit-api": "off", "limit-login": "off",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Options{Settings: settings, Version: "test", Log: log, Local: true, Sim: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := client.New("http://"+s.Addresses()["api"], client.Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

const password = "a long enough passphrase"

func TestServer_setsUpOnceServesAndKeepsWhatItKnows(t *testing.T) {
	dir := t.TempDir()
	s, c := start(t, dir)
	link, err := s.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Setup(t.Context(), wire.Setup{Token: link.Token, Username: "ana", Email: "ana@example.org", Password: password}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetupLink(t.Context()); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second link for the first sign-in: %v", err)
	}
	a, err := c.CreateVM(t.Context(), wire.CreateVM{Name: "web-1", CPUs: 1, MemoryMiB: 64, DiskGiB: 1}, 30*time.Second)
	if err != nil || a.Operation == nil || !a.Operation.Succeeded() {
		t.Fatalf("create: %+v, %v", a.Operation, err)
	}
	servers, err := c.Servers(t.Context())
	if err != nil || len(servers.Items) != 1 {
		t.Fatalf("servers: %+v, %v", servers, err)
	}
	if only := servers.Items[0]; !only.Self || only.State != "alive" || only.Version != "test" || only.Nodes != 1 || only.Address != "" {
		t.Errorf("the only server is %+v", only)
	}
	ended, err := c.Operations(t.Context(), client.ListOptions{})
	if err != nil || len(ended.Items) == 0 || ended.Items[0].SubjectName != "web-1" {
		t.Errorf("operations: %+v, %v, want one that names web-1", ended.Items, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s, c = start(t, dir)
	defer s.Close()
	if _, err := c.Login(t.Context(), "ana", password); err != nil {
		t.Fatal(err)
	}
	if v, err := c.VM(t.Context(), "web-1"); err != nil || v.ID != a.ID {
		t.Errorf("after a restart: %v, %v", v.ID, err)
	}
}

func TestServer_refusesASecondOneOnTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	s, _ := start(t, dir)
	defer s.Close()
	settings, err := server.Load(map[string]string{"data-dir": dir, "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(t.Context(), server.Options{Settings: settings, Local: true, Sim: true}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestServer_answersItsAdministratorOnTheLocalSocket(t *testing.T) {
	dir := t.TempDir()
	s, _ := start(t, dir)
	defer s.Close()
	admin := client.NewAdmin(server.PathsFor(dir).AdminSocket())
	st, err := admin.Status(t.Context())
	if err != nil || st.PID != os.Getpid() {
		t.Fatalf("status %+v, %v", st, err)
	}
	if _, err := admin.CreateUser(t.Context(), wire.CreateUser{Username: "bob", Email: "bob@example.org", Password: password, Role: "administrator"}); err != nil {
		t.Fatal(err)
	}
	if err := admin.Down(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Wait(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("the order to end: %v, %v", err, ctx.Err())
	}
}

func TestServer_tellsAScraperOnLoopbackWhatItKnows(t *testing.T) {
	s, _ := start(t, t.TempDir())
	defer s.Close()
	res, err := http.Get("http://" + s.Addresses()["api"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"novacron_store_up 1", `novacron_nodes{state=`, "process_resident_memory_bytes", `novacron_build_info{version="test"} 1`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%d: %q is missing", res.StatusCode, want)
		}
	}
}

func TestServer_tellsAScraperElsewhereByTheTokenOfTheSettings(t *testing.T) {
	t.Setenv("NOVACRON_SCRAPE_TOKEN", "a token of the scraper's own")
	s, _ := start(t, t.TempDir())
	defer s.Close()
	for token, want := range map[string]int{"a token of the scraper's own": http.StatusOK, "another one": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Addresses()["api"]+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("with %q: got %d, want %d", token, res.StatusCode, want)
		}
	}
}
