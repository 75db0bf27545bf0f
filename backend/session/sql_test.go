package session_test

import (
	"context"
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
		if _, err := s.Take(context.Background(), "user", rate.Limit{Events: 100, Window: time.Millisecond}); err != nil {
			b.Fatal(err)
		}
	}
}
