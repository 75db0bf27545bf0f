package storetest

import (
	"fmt"
	"testing"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/store"
)

// testTokenEnds: a token that ends soon is told of once, however many ask.
func testTokenEnds(t *testing.T, s *suite) {
	u, at := s.user("ada"), time.Now().UTC().Truncate(time.Microsecond)
	for i, ends := range []time.Time{at.Add(-time.Hour), at.Add(time.Hour), at.Add(2 * time.Hour), at.Add(3 * time.Hour), at.Add(48 * time.Hour), {}} {
		s.tx(func(x *store.Tx) error {
			return x.InsertAPIToken(s.ctx, &store.APIToken{ID: id.NewToken(), User: u.ID, Name: fmt.Sprintf("k%d", i), Hash: fmt.Sprint(i), Created: at, Expires: ends})
		})
	}
	told := make([][]store.APIToken, 10)
	tell := func(i int) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) (err error) {
			told[i], err = x.TellTokenEnds(s.ctx, at, at.Add(24*time.Hour), 2)
			return err
		})
	}
	same(t, "callers at once that succeeded", count(together(len(told), tell), succeeded), len(told))
	names := map[string]int{}
	for _, some := range told {
		if len(some) > 2 {
			t.Errorf("one caller got %d, more than it asked for", len(some))
		}
		for _, k := range some {
			names[k.Name]++
		}
	}
	s.tx(func(x *store.Tx) error { // callers at once may leave some to the next
		for {
			rest, err := x.TellTokenEnds(s.ctx, at, at.Add(24*time.Hour), 2)
			for _, k := range rest {
				names[k.Name]++
			}
			if err != nil || len(rest) == 0 {
				return err
			}
		}
	})
	same(t, "how often each was told of", names, map[string]int{"k1": 1, "k2": 1, "k3": 1})
}
