package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"novacron/backend/core/fault"
	"novacron/backend/core/rate"
	"novacron/backend/services"
	"novacron/backend/session"
	"novacron/backend/session/sessiontest"
)

func openRedis(t testing.TB, url string, now func() time.Time) *session.Redis {
	t.Helper()
	s, err := session.OpenRedis(url, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRedis(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Open {
		url := sessiontest.RedisURL(t)
		return func(t *testing.T, now func() time.Time) session.Store { return openRedis(t, url, now) }
	})
}

func TestRedis_keepsSessionsAndRevocationsUnderTheirKeysForTheirLife(t *testing.T) {
	address, ctx := sessiontest.RedisURL(t), context.Background()
	s := openRedis(t, address, nil)
	l, _, err := s.Begin(ctx, user, "192.0.2.7", "curl/8")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(ctx, "tok-1", time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	o, _ := redis.ParseURL(address)
	db := redis.NewClient(o)
	defer db.Close()
	for key, want := range map[string]time.Duration{"session:" + string(l.ID): session.LoginLifetime, "revoked:tok-1": time.Minute} {
		if got := db.TTL(ctx, key).Val(); got > want || got < want-10*time.Second {
			t.Errorf("%s ends in %s, want %s", key, got, want)
		}
	}
}

func TestRedis_keepsNothingWithoutAnEnd(t *testing.T) {
	address, ctx := sessiontest.RedisURL(t), context.Background()
	s := openRedis(t, address, nil)
	_, token, err := s.Begin(ctx, user, "192.0.2.7", "curl/8")
	if err != nil {
		t.Fatal(err)
	}
	_, _, errRefresh := s.Refresh(ctx, token, 0)
	_, errTicket := s.IssueTicket(ctx, []byte("x"))
	_, errTake := s.Take(ctx, "k", rate.Limit{Events: 5, Window: time.Minute}, 1)
	if err := errors.Join(errRefresh, errTicket, errTake); err != nil {
		t.Fatal(err)
	}
	o, _ := redis.ParseURL(address)
	db := redis.NewClient(o)
	defer db.Close()
	for _, key := range db.Keys(ctx, "*").Val() {
		if key != "novacron_test_database" && db.TTL(ctx, key).Val() < 0 {
			t.Errorf("%s has no TTL", key)
		}
	}
}

// Servers' clocks differ; a limit that they share does not.
func TestRedis_countsLimitsByOneClock(t *testing.T) {
	address, ctx := sessiontest.RedisURL(t), context.Background()
	a, b := openRedis(t, address, nil), openRedis(t, address, nil)
	limit := rate.Limit{Events: 5, Window: time.Minute}
	for i := range 6 {
		s := a
		if i%2 == 1 {
			s = b
		}
		v, err := s.Take(ctx, "k", limit, 1)
		if err != nil || v.Allowed != (i < 5) || v.Reset <= 0 || v.Reset > time.Minute {
			t.Errorf("event %d: got %+v, %v", i+1, v, err)
		}
	}
}

func TestRedis_refusesABadURLWithoutShowingIt(t *testing.T) {
	_, err := session.OpenRedis("redis://:sesame@host:port/x", nil)
	if !fault.Is(err, fault.Invalid) || err.Error() != fault.Sentence(err) {
		t.Errorf("got %v, want a refusal without the URL", err)
	}
}

// promptly bounds a call to an engine that is gone: the call's own 800 ms, and what a busy machine takes beside.
const promptly = 4 * time.Second

func failsPromptly(t *testing.T, what string, f func() error) {
	t.Helper()
	began := time.Now()
	err := f()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Unavailable || e.Retry <= 0 {
		t.Errorf("%s: got %v, want fault.Unavailable with a time to try again", what, err)
	}
	if took := time.Since(began); took > promptly {
		t.Errorf("%s: it took %s, want less than a second", what, took)
	}
}

func recoversWithin(t *testing.T, limit time.Duration, f func() error) {
	t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < limit; time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Errorf("after %s it still fails: %v", limit, err)
}

// losesItsEngine says what both engines owe when they are gone.
func losesItsEngine(t *testing.T, w *services.Wire, s session.Engine) {
	ctx := context.Background()
	l, _, err := s.Begin(ctx, user, "192.0.2.7", "curl/8")
	if err != nil {
		t.Fatal(err)
	}
	check := func() error { return s.Check(ctx, session.Claims{Token: "tok-1", Session: l.ID}) }
	for _, gone := range []struct {
		name         string
		break_, mend func()
	}{
		{"it hangs", w.Pause, w.Resume},
		{"it is stopped", w.Cut, w.Mend},
	} {
		t.Run(gone.name, func(t *testing.T) {
			gone.break_()
			failsPromptly(t, "check", check)
			failsPromptly(t, "limit", func() error { _, err := s.Take(ctx, "k", rate.Limit{Events: 5, Window: time.Minute}, 1); return err })
			failsPromptly(t, "begin", func() error { _, _, err := s.Begin(ctx, user, "", ""); return err })
			failsPromptly(t, "ping", func() error { return s.Ping(ctx) })
			var group sync.WaitGroup
			for i := range 100 {
				group.Go(func() { failsPromptly(t, fmt.Sprintf("one of a hundred at once (%d)", i), check) })
			}
			group.Wait()
			gone.mend()
			recoversWithin(t, time.Minute, check)
		})
	}
}

func TestRedis_failsFastAndRecoversByItself(t *testing.T) {
	w, url := services.Behind(t, sessiontest.RedisURL(t))
	losesItsEngine(t, w, openRedis(t, url, nil))
}

func TestSQL_onPostgreSQLFailsFastAndRecoversByItself(t *testing.T) {
	w, url := services.Behind(t, sessiontest.PostgresURL(t))
	s, err := session.OpenPostgres(context.Background(), url, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	losesItsEngine(t, w, s)
}

func BenchmarkRedisTake(b *testing.B) {
	s := openRedis(b, sessiontest.RedisURL(b), nil)
	for b.Loop() {
		if _, err := s.Take(context.Background(), "user", rate.Limit{Events: 100, Window: time.Millisecond}, 1); err != nil {
			b.Fatal(err)
		}
	}
}
