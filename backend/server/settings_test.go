package server

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// clean takes the variables of the machine that runs the test out of the way.
func clean(t *testing.T) {
	for _, r := range Rows() {
		if v, ok := os.LookupEnv(r.Env); ok {
			t.Setenv(r.Env, v) // put back at the end
			os.Unsetenv(r.Env)
		}
	}
	t.Setenv("NOVACRON_CONFIG", "")
}

func TestLoad_prefersFlagThenEnvironmentThenFileThenDefault(t *testing.T) {
	clean(t)
	file := filepath.Join(t.TempDir(), "novacron.toml")
	if err := os.WriteFile(file, []byte("api_addr = \"127.0.0.1:1\"\nws_addr = \"127.0.0.1:2\"\nconsole_addr = \"127.0.0.1:3\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOVACRON_API_ADDR", "127.0.0.1:11")
	t.Setenv("NOVACRON_WS_ADDR", "127.0.0.1:12")
	s, err := Load(map[string]string{"api-addr": "127.0.0.1:21"}, file)
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][2]string{
		"the flag":        {s.APIAddr, "127.0.0.1:21"},
		"the environment": {s.WSAddr, "127.0.0.1:12"},
		"the file":        {s.ConsoleAddr, "127.0.0.1:3"},
		"the default":     {s.NodeAddr, ":8093"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s does not win: got %s, want %s", what, got[0], got[1])
		}
	}
	if s.PublicURL != "http://localhost:3" {
		t.Errorf("the public URL is %s, want the console's port", s.PublicURL)
	}
}

func TestLoad_readsSecretsFromFiles(t *testing.T) {
	clean(t)
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://u:p@127.0.0.1/db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOVACRON_DATABASE_URL_FILE", file)
	s, err := Load(nil, "")
	if err != nil || s.DatabaseURL != "postgres://u:p@127.0.0.1/db" {
		t.Errorf("got %q, %v", s.DatabaseURL, err)
	}
}

func TestLoad_refusesWhatMakesNoSense(t *testing.T) {
	clean(t)
	for name, flags := range map[string]map[string]string{
		"address": {"api-addr": "8090"}, "public url": {"public-url": "cloud"}, "tls": {"tls-cert": "x"}, "database": {"database-url": "mysql://x"},
	} {
		if _, err := Load(flags, ""); err == nil {
			t.Errorf("%s: %v was taken", name, flags)
		}
	}
	if _, err := Load(map[string]string{"ws-addr": "8091", "listen": "0.0.0.0"}, ""); err == nil || !strings.Contains(err.Error(), "NOVACRON_WS_ADDR") {
		t.Errorf("of an address without a port: %v", err)
	}
	file := filepath.Join(t.TempDir(), "f.toml")
	if err := os.WriteFile(file, []byte("api_adr = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(nil, file); err == nil || !strings.Contains(err.Error(), "api_adr") {
		t.Errorf("a line that no setting reads was taken: %v", err)
	}
}

func TestListen_namesTheProcessAndTheSetting(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = listen(ln.Addr().String(), "NOVACRON_API_ADDR")
	if err == nil {
		t.Fatal("a taken port was opened")
	}
	for _, want := range []string{"taken by process", "NOVACRON_API_ADDR"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestPaths_areShortAndDifferPerDataFolder(t *testing.T) {
	a, b := PathsFor("/var/lib/novacron"), PathsFor("/"+strings.Repeat("long/", 400))
	if a.Run == b.Run || a.FirstUID() == b.FirstUID() {
		t.Errorf("two data folders share %s or uids from %d", a.Run, a.FirstUID())
	}
	if n := len(b.AdminSocket()); n > 100 {
		t.Errorf("a socket's path has %d bytes", n)
	}
}

func TestPaths_refuseASecondProcess(t *testing.T) {
	p := PathsFor(t.TempDir())
	release, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Lock(); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("got %v, want a refusal that names the process", err)
	}
	release()
	again, err := p.Lock()
	if err != nil {
		t.Fatalf("after the first let go: %v", err)
	}
	again()
}

func TestSealer_opensOnlyItsOwnSecretsForTheirPurpose(t *testing.T) {
	dir := t.TempDir()
	s, err := openSealer(t.Context(), Settings{DataDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.seal("ca", []byte("secret"))
	again, err := openSealer(t.Context(), Settings{DataDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.open("ca", sealed); err != nil || string(got) != "secret" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	if _, err := again.open("totp", sealed); err == nil {
		t.Error("a secret was opened for another purpose")
	}
	other, err := openSealer(t.Context(), Settings{DataDir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.open("ca", sealed); err == nil {
		t.Error("another installation's key opened the secret")
	}
	if _, err := s.open("ca", sealed[:3]); err == nil {
		t.Error("a cut secret was opened")
	}
}

func TestPaths_leaveNoRunFolderWithoutGuests(t *testing.T) {
	p := PathsFor(t.TempDir())
	release, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.AdminSocket(), nil, 0o600); err != nil { // as a server leaves it that is killed
		t.Fatal(err)
	}
	guest := filepath.Join(p.guests(), "vm-1")
	if err := os.MkdirAll(guest, 0o700); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := os.Stat(guest); err != nil {
		t.Errorf("the folder of a guest that runs on is gone: %v", err)
	}
	if err := os.Remove(guest); err != nil {
		t.Fatal(err)
	}
	if release, err = p.Take(); err != nil {
		t.Fatal(err)
	}
	release()
	if exists(p.Run) {
		t.Errorf("%s is left", p.Run)
	}
}

func TestEndGuests_removesTheRunFolderOfAKilledServer(t *testing.T) {
	dir := t.TempDir()
	p := PathsFor(dir)
	if err := p.makeRun(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.AdminSocket(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := EndGuests(t.Context(), Settings{DataDir: dir}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if exists(p.Run) {
		t.Errorf("%s is left", p.Run)
	}
}
