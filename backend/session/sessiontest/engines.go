package sessiontest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the pgx driver
	"github.com/redis/go-redis/v9"

	"novacron/backend/core/id"
	"novacron/backend/services"
)

// PostgresURL makes a schema on the PostgreSQL for tests, gives the URL that uses it, and drops it at the end of the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	server, err := services.Postgres()
	if err != nil {
		t.Fatalf("no PostgreSQL for tests: %v", err)
	}
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
		db.Close() //nolint:errcheck // one statement was run, and its error counts
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(services.PostgresEnv + " cannot be read") // the cause would print the password
	}
	q := u.Query()
	q.Set("search_path", name)
	if _, measured := t.(*testing.B); !measured {
		q.Set("synchronous_commit", "off") // as storetest does: no test cuts the power of PostgreSQL
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// claimScript takes the selected database for a test unless somebody else's data or another test is in it.
var claimScript = redis.NewScript(`
if redis.call('DBSIZE') > 0 and redis.call('EXISTS', 'novacron_test_database') == 0 then return 0 end
if redis.call('EXISTS', 'novacron_test_lease') == 1 then return 0 end
redis.call('FLUSHDB')
redis.call('SET', 'novacron_test_database', '1')
redis.call('SET', 'novacron_test_lease', '1', 'PX', ARGV[1])
return 1`)

const (
	redisDatabases = 16              // of a Redis as it is installed; number 0 is left to people
	claimLease     = 5 * time.Minute // a test that was killed keeps its database so long
	claimWait      = 2 * time.Minute // for other suites to give one back
)

// RedisURL claims an empty database on the Redis for tests and empties it at the end of the test.
func RedisURL(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs Redis")
	}
	server, err := services.Redis()
	if err != nil {
		t.Fatalf("no Redis for tests: %v", err)
	}
	for deadline := time.Now().Add(claimWait); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		for n := 1; n < redisDatabases; n++ {
			if claim(t, server, n) {
				u, _ := url.Parse(server)
				u.Path = fmt.Sprintf("/%d", n)
				return u.String()
			}
		}
	}
	t.Fatalf("none of the databases 1 to %d of the Redis for tests is free", redisDatabases-1)
	return ""
}

func claim(t testing.TB, server string, n int) bool {
	t.Helper()
	o, err := redis.ParseURL(server)
	if err != nil {
		t.Fatal(services.RedisEnv + " cannot be read") // the cause would print the password
	}
	o.DB = n
	db := redis.NewClient(o)
	got, err := claimScript.Run(context.Background(), db, nil, claimLease.Milliseconds()).Int()
	if err != nil {
		t.Fatalf("claim a database of the Redis for tests: %v", err)
	}
	if got == 0 {
		db.Close() //nolint:errcheck // nothing is under way
		return false
	}
	t.Cleanup(func() {
		if err := db.FlushDB(context.Background()).Err(); err != nil {
			t.Error(err)
		}
		db.Close() //nolint:errcheck // nothing is under way
	})
	return true
}
