package app

import (
	"context"
	"sync"
	"time"

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
	kept map[id.User]standing
}

type standing struct {
	store.Standing
	version uint64    // of the database's standings, from before it was read
	at      time.Time // likewise
}

// standing reads an account that may act, with what decides what it may do, or gives what was read a moment ago.
func (a *Accounts) standing(ctx context.Context, i id.User) (store.Standing, error) {
	if s, ok := a.kept(i); ok {
		return s, nil
	}
	now := standing{version: a.db.StandingVersion(), at: time.Now()}
	var err error
	if now.Standing, err = a.db.Standing(ctx, i); err == nil && !now.Disabled {
		a.standings.keep(now)
	}
	return now.Standing, closed(now.User, err)
}

// kept gives what was read a moment ago, if nothing changed since.
func (a *Accounts) kept(i id.User) (store.Standing, bool) {
	s := &a.standings
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[i]
	return k.Standing, ok && k.version == a.db.StandingVersion() && time.Since(k.at) < standingLife
}

func (s *standings) keep(k standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxStandings {
		s.kept = map[id.User]standing{}
	}
	k.PasswordHash = "" // nobody needs it in memory
	s.kept[k.ID] = k
}
