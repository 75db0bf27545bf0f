package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"novacron/backend/core/id"
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
	server := os.Getenv("NOVACRON_TEST_DATABASE_URL")
	if server == "" {
		t.Skip("needs PostgreSQL: NOVACRON_TEST_DATABASE_URL is not set")
	}
	sessiontest.Run(t, func(t *testing.T) sessiontest.Open {
		dsn := schemaOf(t, server)
		return func(t *testing.T, now func() time.Time) session.Store {
			db, err := sql.Open("pgx", dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			s, err := session.New(context.Background(), db, now)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// schemaOf makes a schema for one test and gives the URL that uses it.
func schemaOf(t *testing.T, server string) string {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ReplaceAll(string(id.NewSession()), "-", "_")
	if _, err := db.Exec(fmt.Sprintf(`create schema %q`, name)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec(fmt.Sprintf(`drop schema %q cascade`, name)); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
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
