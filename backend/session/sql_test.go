package session_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"novacron/backend/core/rate"
	"novacron/backend/session"
	"novacron/backend/session/sessiontest"
)

func TestSQL_onSQLite(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Open {
		path := filepath.Join(t.TempDir(), "se ssion?#%.db")
		return func(t *testing.T, now func() time.Time) session.Store {
			s, err := session.OpenFile(context.Background(), path, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}

func TestOpenFile_keepsTheFileFromOtherUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := session.OpenFile(context.Background(), path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, fi, err)
		}
	}
}

func TestSQL_onPostgreSQL(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Open {
		url := sessiontest.PostgresURL(t)
		return func(t *testing.T, now func() time.Time) session.Store {
			s, err := session.OpenPostgres(context.Background(), url, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}

// BenchmarkTake is what a rate limit adds to each request.
func BenchmarkTake(b *testing.B) {
	s, err := session.OpenFile(context.Background(), filepath.Join(b.TempDir(), "s.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if _, err := s.Take(context.Background(), "user", rate.Limit{Events: 100, Window: time.Millisecond}, 1); err != nil {
			b.Fatal(err)
		}
	}
}
