package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readEnv sets what a file of secrets says, the way systemd does.
func readEnv(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			out[k] = v
		}
	}
	return out
}

func TestWriteSecrets_makesWhatProductionTakes(t *testing.T) {
	clean(t)
	name := filepath.Join(t.TempDir(), SecretsFile)
	if err := WriteSecrets(name, false); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", fi.Mode(), err)
	}
	first := readEnv(t, name)
	for k, v := range first {
		t.Setenv(k, v)
	}
	s, err := Load(map[string]string{"env": "production", "database-url": "postgres://db:15432/novacron", "redis-url": "redis://cache:16379/0"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckSecrets(); err != nil {
		t.Error(err)
	}
	if want := "postgres://novacron:" + first["POSTGRES_PASSWORD"] + "@db:15432/novacron"; s.DatabaseURL != want {
		t.Errorf("the database: got %s, want %s", s.DatabaseURL, want)
	}
	if want := "redis://:" + first["REDIS_PASSWORD"] + "@cache:16379/0"; s.RedisURL != want {
		t.Errorf("Redis: got %s, want %s", s.RedisURL, want)
	}

	if err := WriteSecrets(name, false); err == nil {
		t.Error("the file was overwritten without being asked to")
	}
	if err := WriteSecrets(name, true); err != nil {
		t.Fatal(err)
	}
	second, kept := readEnv(t, name), readEnv(t, name+".old")
	for k := range first {
		if second[k] == first[k] || kept[k] != first[k] {
			t.Errorf("%s: after --force it is not new, or the old one is lost", k)
		}
	}
}

func TestCheckSecrets_namesTheSecretThatProductionRefuses(t *testing.T) {
	key := readSigningKey(t)
	good := strings.Repeat("7fd2c0b91e6a3584", 4)
	whole := func() Settings {
		return Settings{Env: production, AuthSecret: good, SigningKey: key, DatabaseURL: "postgres://u:" + good + "@h/d", RedisURL: "redis://:" + good + "@h", GrafanaPassword: good}
	}
	if err := whole().CheckSecrets(); err != nil {
		t.Fatalf("good secrets: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*Settings)
		wants  string
	}{
		{"no AUTH_SECRET", func(s *Settings) { s.AuthSecret = "" }, "AUTH_SECRET is missing"},
		{"a default", func(s *Settings) { s.AuthSecret = "changeme-changeme-changeme-changeme" }, "AUTH_SECRET is a known default"},
		{"an example", func(s *Settings) { s.AuthSecret = "your-super-secret-jwt-key-change-in-production" }, "AUTH_SECRET is a known default"},
		{"a short one", func(s *Settings) { s.AuthSecret = good[:31] }, "AUTH_SECRET is weak"},
		{"one character", func(s *Settings) { s.AuthSecret = strings.Repeat("x", 64) }, "AUTH_SECRET is weak"},
		{"digits in a row", func(s *Settings) { s.AuthSecret = "12345678901234567890123456789012" }, "AUTH_SECRET is a known default"},
		{"a database without a password", func(s *Settings) { s.DatabaseURL = "postgres://u@h/d" }, "POSTGRES_PASSWORD is missing"},
		{"the database's default", func(s *Settings) { s.DatabaseURL = "postgres://u:p0stgres@h/d" }, "POSTGRES_PASSWORD is a known default"},
		{"Redis without a password", func(s *Settings) { s.RedisURL = "redis://h" }, "REDIS_PASSWORD is missing"},
		{"Redis with a weak one", func(s *Settings) { s.RedisURL = "redis://:sesame42x@h" }, "REDIS_PASSWORD is weak"},
		{"a token for scrapers that is guessed", func(s *Settings) { s.ScrapeToken = "my-secret-token-123" }, "NOVACRON_SCRAPE_TOKEN is a known default"},
		{"a short secret of HS256", func(s *Settings) { s.HS256Secret = "short" }, "NOVACRON_HS256_SECRET"},
		{"Grafana's default", func(s *Settings) { s.GrafanaPassword = "admin" }, "GRAFANA_PASSWORD is a known default"},
		{"no signing key", func(s *Settings) { s.SigningKey = "" }, "NOVACRON_SIGNING_KEY is missing"},
		{"a text as signing key", func(s *Settings) { s.SigningKey = "c2VjcmV0" }, "NOVACRON_SIGNING_KEY"},
	} {
		s := whole()
		c.change(&s)
		err := s.CheckSecrets()
		if err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.wants)
		}
		s.Env = ""
		if err := s.CheckSecrets(); err != nil {
			t.Errorf("%s, not in production: %v", c.name, err)
		}
	}
}

func readSigningKey(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secrets")
	if err := WriteSecrets(name, false); err != nil {
		t.Fatal(err)
	}
	return readEnv(t, name)["NOVACRON_SIGNING_KEY"]
}

func TestExampleOfSecrets_namesEachAndHoldsNone(t *testing.T) {
	example := readEnv(t, filepath.Join("..", "..", SecretsFile+".example"))
	if len(example) != len(secretNames) {
		t.Errorf("it names %d secrets, there are %d", len(example), len(secretNames))
	}
	for _, name := range secretNames {
		if v, ok := example[name]; !ok || v != "" {
			t.Errorf("%s: named %v, with value %q", name, ok, v)
		}
	}
}
