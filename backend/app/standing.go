package app

import (
	"context"
	"sync"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// Bounds of the standings that are kept between requests.
const (
	standingLife = 500 * time.Millisecond // longest that another server's change is unseen here when its notification is lost
	maxStandings = 4096                   // beyond it all are dropped
)

// standings keeps what accounts may do between the requests of a burst. A change on this server counts from the next request on, one on
// another server when its notification arrives, and after standingLife at the latest.
type standings struct {
	mu   sync.Mutex
	kept map[place]standing
}

// place is an account and the tenant that it chose, by id or name as it was asked for; empty: its own one.
type place struct {
	user   id.User
	chosen string
}

func placeOf(c auth.Caller) place {
	if c.Chosen {
		return place{c.User, string(c.Tenant)}
	}
	return place{user: c.User}
}

type standing struct {
	store.Standing
	place   place
	version uint64    // of the database's standings, from before it was read
	at      time.Time // likewise
}

// standing reads an account that may act, with what decides what it may do where it chose to, or gives what was read a moment ago.
func (a *Accounts) standing(ctx context.Context, p place) (store.Standing, error) {
	if s, ok := a.kept(p); ok {
		return s, nil
	}
	now := standing{place: p, version: a.db.StandingVersion(), at: time.Now()}
	var err error
	if now.Standing, err = a.db.Standing(ctx, p.user, p.chosen); p.chosen == "" {
		err = closed(now.User, err)
	} else if err == nil || fault.Is(err, fault.NotFound) {
		err = a.chose(ctx, p.user, now.Standing, err == nil)
	}
	if err == nil {
		a.standings.keep(now)
	}
	return now.Standing, err
}

// chose refuses who may not act in the tenant that it chose. there: both are there. The work is the same whether there is such a tenant or
// not, and so is the answer.
func (a *Accounts) chose(ctx context.Context, u id.User, s store.Standing, there bool) error {
	if _, err := a.standing(ctx, place{user: u}); err != nil {
		return err
	}
	if !there {
		return auth.NotMember()
	}
	return auth.MayAct(a.caller(s, "", ""), s.Tenant, s.Member != "")
}

// kept gives what was read a moment ago, if nothing changed since.
func (a *Accounts) kept(p place) (store.Standing, bool) {
	s := &a.standings
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[p]
	return k.Standing, ok && k.version == a.db.StandingVersion() && time.Since(k.at) < standingLife
}

func (s *standings) keep(k standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxStandings {
		s.kept = map[place]standing{}
	}
	k.PasswordHash = "" // nobody needs it in memory
	s.kept[k.place] = k
}
