package store_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

const writerPath = "NOVACRON_TEST_WRITER"

// TestMain is the writer that TestSQLite_keepsWhatItAcknowledged kills, when it is asked to be.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		if err := writeForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForEver commits two settings and an event per transaction from two goroutines and prints each number that was
// acknowledged, until it is killed.
func writeForEver(path string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range 2 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				err := db.Tx(ctx, func(x *store.Tx) error {
					for _, half := range []string{"a-", "b-"} {
						if err := x.SetSetting(ctx, half+key, []byte(key)); err != nil {
							return err
						}
					}
					return x.Emit("test", "", key, nil)
				})
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(key)
			}
		}()
	}
	return <-failed
}

func TestSQLite_keepsWhatItAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "novacron.db")
	acked := map[string]bool{}
	for round := range 5 {
		killWriter(t, path, 20+round*37, acked)
		checkAcked(t, path, acked)
	}
}

// killWriter runs a writer, kills it once it has acknowledged n transactions, and adds all that it acknowledged.
func killWriter(t *testing.T, path string, n int, acked map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), writerPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, got := bufio.NewScanner(out), 0
	for lines.Scan() {
		acked[lines.Text()] = true
		if got++; got == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if got < n {
		t.Fatalf("the writer ended by itself after %d transactions", got)
	}
}

func checkAcked(t *testing.T, path string, acked map[string]bool) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		t.Fatalf("open after a kill: %v", err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	committed := map[string]bool{}
	for at := (store.Cursor{}); ; {
		events, next, err := db.EventsSince(ctx, at, store.EventFilter{}, store.MaxLimit)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		for _, e := range events {
			committed[e.Subject] = true
		}
		if at = next; len(events) == 0 {
			break
		}
	}
	for key := range acked {
		if !committed[key] {
			t.Fatalf("transaction %s was acknowledged and is gone", key)
		}
	}
	for key := range committed {
		for _, half := range []string{"a-", "b-"} {
			if _, err := db.Setting(ctx, half+key); err != nil {
				t.Fatalf("transaction %s is there in part: %v", key, err)
			}
		}
	}
}

func emitOne(ctx context.Context, db *store.DB) error {
	return db.Tx(ctx, func(x *store.Tx) error { return x.Emit("test", "", "x", nil) })
}

// promptly bounds calls that take about a second together, with what a busy machine takes beside.
const promptly = 5 * time.Second

func TestSQLite_failsFastWhileLockedAndRecovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "novacron.db")
	db := storetest.Open(t, store.Options{Path: path})
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // nothing of it is kept
	held, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	start := time.Now()
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() { errs <- emitOne(t.Context(), db) }()
	}
	for range cap(errs) {
		if err := <-errs; !fault.Is(err, fault.Unavailable) {
			t.Fatalf("a call while the file is locked: got %v, want unavailable", err)
		}
	}
	if took := time.Since(start); took > promptly {
		t.Fatalf("20 calls while the file is locked took %v together, want about a second", took)
	}
	if _, err := db.Head(t.Context()); err != nil {
		t.Fatalf("a read while another writes: %v", err)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := emitOne(t.Context(), db); err != nil {
		t.Fatalf("after the lock: %v", err)
	}
}

func TestSQLite_opensAPathOfAnyCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c%20#d&e'é.db")
	if err := emitOne(t.Context(), storetest.Open(t, store.Options{Path: path})); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: got %v %v, want mode 0600", info, err)
	}
}

func TestOpen_refusesANewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "novacron.db")
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // nothing of it is kept
	if _, err := raw.Exec("insert into schema_version values (999, 'future', '2030-01-01 00:00:00.000000')"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{Path: path}); !fault.Is(err, fault.Unsupported) {
		t.Fatalf("got %v, want unsupported", err)
	}
}

func TestPostgres_serversThatStartAtOnceMakeOneSchema(t *testing.T) {
	u := storetest.PostgresURL(t)
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			db, err := store.Open(context.Background(), store.Options{URL: u, MaxConns: 2})
			if err == nil {
				err = db.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("open: %v", err)
		}
	}
}

func TestPostgres_recoversFromTerminatedConnections(t *testing.T) {
	u := storetest.PostgresURL(t)
	db := storetest.Open(t, store.Options{URL: u})
	name := u[strings.LastIndex(u, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	for range 10 {
		storetest.Admin(t, strings.Replace(u, name, "postgres", 1), "select pg_terminate_backend(pid) from pg_stat_activity where datname = '"+name+"'")
		if err := emitOne(t.Context(), db); err != nil {
			t.Fatalf("a call after all connections were ended: %v", err)
		}
	}
	woken := db.Watch()
	if err := emitOne(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	<-woken
}

// TestPostgres_isGoneAndComesBack takes the database's name away, which refuses new connections, and ends those that are there.
func TestPostgres_isGoneAndComesBack(t *testing.T) {
	u := storetest.PostgresURL(t)
	db := storetest.Open(t, store.Options{URL: u})
	name := u[strings.LastIndex(u, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	server := strings.Replace(u, name, "postgres", 1)
	storetest.Admin(t, server, "alter database "+name+" allow_connections false")
	storetest.Admin(t, server, "select pg_terminate_backend(pid) from pg_stat_activity where datname = '"+name+"'")
	start := time.Now()
	if err := emitOne(t.Context(), db); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("a call while the database is gone: got %v, want unavailable", err)
	}
	if _, err := db.Head(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("a read while the database is gone: got %v, want unavailable", err)
	}
	if took := time.Since(start); took > promptly {
		t.Fatalf("two calls while the database is gone took %v, want about a second at most", took)
	}
	storetest.Admin(t, server, "alter database "+name+" allow_connections true")
	if err := emitOne(t.Context(), db); err != nil {
		t.Fatalf("after the database came back: %v", err)
	}
}

// TestPostgres_wakesOtherServers: what one server commits wakes the watchers of another.
func TestPostgres_tellsOtherServersOfChangedStandings(t *testing.T) {
	u := storetest.PostgresURL(t)
	a, b := storetest.Open(t, store.Options{URL: u}), storetest.Open(t, store.Options{URL: u})
	// b may not hear yet, so the change is repeated until it does.
	for before, deadline := b.StandingVersion(), time.Now().Add(20*time.Second); b.StandingVersion() == before; {
		if time.Now().After(deadline) {
			t.Fatal("the other server was not told within 20 s")
		}
		n := store.Tenant{ID: id.NewTenant(), Name: rand.Text()}
		if err := a.Tx(t.Context(), func(x *store.Tx) error { return x.InsertTenant(t.Context(), &n) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPostgres_wakesOtherServers(t *testing.T) {
	u := storetest.PostgresURL(t)
	a, b := storetest.Open(t, store.Options{URL: u}), storetest.Open(t, store.Options{URL: u})
	var at store.Cursor
	for i := range 3 {
		if err := a.Tx(t.Context(), func(x *store.Tx) error {
			return x.Emit("test", id.Tenant("t"), strconv.Itoa(i), nil)
		}); err != nil {
			t.Fatal(err)
		}
		for {
			woken := b.Watch()
			events, next, err := b.EventsSince(t.Context(), at, store.EventFilter{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			if at = next; len(events) > 0 {
				break
			}
			select {
			case <-woken:
			case <-time.After(20 * time.Second):
				t.Fatal("the other server was not woken within 20 s")
			}
		}
	}
}
