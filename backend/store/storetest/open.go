// Package storetest is the one suite of the store. It runs on SQLite and on a real PostgreSQL, each test in a database of its
// own. Its openers serve the tests of other packages too.
package storetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the pgx driver

	"novacron/backend/services"
	"novacron/backend/store"
)

// SQLite opens a new database in a temporary folder.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "novacron.db")
	PutSQLite(t, path)
	return Open(t, store.Options{Path: path})
}

// PutSQLite writes a new, empty database to the path, for whoever opens it. It is a copy of one that is made once: to make the schema
// is most of what a new database costs.
func PutSQLite(t testing.TB, path string) {
	t.Helper()
	raw, err := emptySQLite()
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
}

var emptySQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "novacron-storetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "novacron.db")
	db, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil { // what the journal holds comes into the file
		return nil, err
	}
	return os.ReadFile(path)
})

// Postgres opens a new database on the PostgreSQL for tests.
func Postgres(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, store.Options{URL: PostgresURL(t)})
}

// PostgresCopies opens new databases that are copies of one: to make the schema is most of what a new database costs.
func PostgresCopies(t testing.TB) func(t testing.TB) *store.DB {
	t.Helper()
	u, name := database(t, "")
	db, err := store.Open(context.Background(), store.Options{URL: u})
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatalf("close the database: %v", err)
	}
	return func(t testing.TB) *store.DB {
		t.Helper()
		u, _ := database(t, name)
		return Open(t, store.Options{URL: u})
	}
}

// Open opens a database and closes it at the end of the test.
func Open(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// PostgresURL makes a database on the PostgreSQL that NOVACRON_TEST_DATABASE_URL names, or else on the one that
// scripts/services.sh starts, and drops it at the end of the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	u, _ := database(t, "")
	return u
}

// database makes one, empty or a copy of the template, to which nobody may be connected.
func database(t testing.TB, template string) (address, name string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	server, err := services.Postgres()
	if err != nil {
		t.Fatalf("no PostgreSQL for tests: %v", err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(services.PostgresEnv + " cannot be read") // the cause would print the password
	}
	name = "novacron_test_" + strings.ToLower(rand.Text()[:16])
	Admin(t, server, "create database "+name+" template "+cmp.Or(template, "template1"))
	t.Cleanup(func() { Admin(t, server, "drop database if exists "+name+" with (force)") })
	u.Path = "/" + name
	if _, measured := t.(*testing.B); !measured {
		// No test cuts the power of PostgreSQL, so none has to wait for the disk that other suites use at the same time.
		q := u.Query()
		q.Set("synchronous_commit", "off")
		u.RawQuery = q.Encode()
	}
	return u.String(), name
}

// Admin runs a statement on the server for tests, outside of any transaction.
func Admin(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("open PostgreSQL: %v", err)
	}
	defer db.Close() //nolint:errcheck // one statement was run, and its error counts
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
