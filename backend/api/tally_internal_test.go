package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novacron/backend/core/rate"
)

// windows is a store of windows that says how often it was asked.
type windows struct {
	mu    sync.Mutex
	kept  map[string]rate.Window
	asked int
	gone  error
}

func (s *windows) Take(_ context.Context, key string, limit rate.Limit, n int) (v rate.Verdict, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.gone != nil {
		return v, s.gone
	}
	s.kept[key], v = s.kept[key].Take(time.Now(), limit, n)
	return v, nil
}

var hundred = rate.Limit{Events: 100, Window: time.Minute}

func mustTake(t *testing.T, c *tally) rate.Verdict {
	t.Helper()
	v, err := c.Take(t.Context(), "grace", hundred)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTally_allowsExactlyTheLimitAndAsksTheStoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &windows{kept: map[string]rate.Window{}}
		c := newTally(s)
		for i := range 100 {
			if v := mustTake(t, c); !v.Allowed || v.Remaining != 99-i {
				t.Fatalf("request %d: got %+v, want allowed with %d remaining", i+1, v, 99-i)
			}
		}
		if s.asked > 40 {
			t.Errorf("the store was asked %d times for 100 requests", s.asked)
		}
		if v := mustTake(t, c); v.Allowed || v.Reset <= 0 {
			t.Errorf("request 101: got %+v, want refused with a time to wait", v)
		}
		time.Sleep(time.Minute + tallyLag)
		if v := mustTake(t, c); v.Remaining != 99 {
			t.Errorf("a minute later: got %+v, want 99 remaining", v)
		}
		time.Sleep(tallyLag)
	})
}

func TestTally_handsOnWithinItsLagAndWhenItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &windows{kept: map[string]rate.Window{}}
		c := newTally(s)
		for range 3 {
			mustTake(t, c)
		}
		time.Sleep(tallyLag)
		synctest.Wait()
		if n := len(s.kept["grace"]); n != 3 {
			t.Errorf("after %s the store has %d of 3 requests", tallyLag, n)
		}
		for range 3 {
			mustTake(t, c)
		}
		c.close()
		mustTake(t, c)
		if n := len(s.kept["grace"]); n != 7 {
			t.Errorf("when closed the store has %d of 7 requests", n)
		}
		time.Sleep(tallyLag)
	})
}

func TestTally_ofTwoServersAllowsATwentiethMoreAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &windows{kept: map[string]rate.Window{}}
		servers := []*tally{newTally(s), newTally(s)}
		allowed := 0
		for i := range 150 {
			if mustTake(t, servers[i%2]).Allowed {
				allowed++
			}
		}
		if most := hundred.Events + hundred.Events/tallyShare; allowed < hundred.Events || allowed > most {
			t.Errorf("%d requests were allowed, want %d to %d", allowed, hundred.Events, most)
		}
		time.Sleep(tallyLag)
	})
}

func TestTally_ofALimitTooSmallToShareAsksTheStoreEachTime(t *testing.T) {
	s := &windows{kept: map[string]rate.Window{}}
	c := newTally(s)
	for i := range 6 {
		v, err := c.Take(t.Context(), "grace", rate.Limit{Events: 5, Window: time.Minute})
		if err != nil || v.Allowed != (i < 5) || s.asked != i+1 {
			t.Fatalf("request %d: got %+v, %v, and the store was asked %d times", i+1, v, err, s.asked)
		}
	}
}

func TestTally_saysWhenTheStoreIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &windows{kept: map[string]rate.Window{}}
		c := newTally(s)
		mustTake(t, c)
		s.gone = errors.New("gone")
		for i := range hundred.Events / tallyShare {
			if _, err := c.Take(t.Context(), "grace", hundred); err != nil {
				if i == 0 {
					t.Fatal("the first was not counted here")
				}
				s.gone = nil
				if v := mustTake(t, c); v.Remaining != hundred.Events-1-i-1 {
					t.Errorf("back again: got %+v, want %d remaining", v, hundred.Events-1-i-1)
				}
				time.Sleep(tallyLag)
				return
			}
		}
		t.Error("no request noticed")
	})
}
