package server

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/session"
)

func (s *Server) checkSecrets(context.Context) error { return s.o.CheckSecrets() }

// openSessions opens what keeps sessions, limits and tickets: Redis where one is set, else the PostgreSQL that the servers share,
// else a file. A Redis that cannot be reached is refused at the start like a database: nobody could sign in.
func (s *Server) openSessions(ctx context.Context) (session.Engine, error) {
	switch {
	case s.o.RedisURL != "":
		r, err := session.OpenRedis(s.o.RedisURL, nil)
		if err != nil {
			return nil, err
		}
		if err := r.Ping(ctx); err != nil {
			r.Close() //nolint:errcheck // nothing was kept
			return nil, fmt.Errorf("open the sessions; start Redis or correct NOVACRON_REDIS_URL: %w", err)
		}
		return r, nil
	case s.o.DatabaseURL != "":
		return session.OpenPostgres(ctx, s.o.DatabaseURL, time.Now)
	}
	return session.OpenFile(ctx, filepath.Join(s.paths.Data, "sessions.db"), time.Now)
}

// readyTimeout bounds how long the engines are asked whether they are there.
const readyTimeout = time.Second

// ready says why the server cannot do its work, and what an operator should know though it can.
func (s *Server) ready(ctx context.Context) (gone, notes []string) {
	gone = s.reasons(ctx)
	if err := s.db.Room(); err != nil {
		notes = []string{fault.Sentence(err)}
	}
	return gone, notes
}

// reasons are the sentences why the server cannot do its work; none: it can. They name the engine that is gone.
func (s *Server) reasons(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	engines := []struct {
		name string
		ping func(context.Context) error
	}{{s.Engine() + " (database)", s.db.Ping}, {s.sessions.Engine() + " (sessions)", s.sessions.Ping}}
	found := make([]string, len(engines))
	var group sync.WaitGroup
	for i, e := range engines {
		group.Go(func() {
			if err := e.ping(ctx); err != nil {
				found[i] = e.name + " is gone: " + fault.Sentence(err)
			}
		})
	}
	group.Wait()
	var out []string
	for _, reason := range found {
		if reason != "" {
			out = append(out, reason)
		}
	}
	return out
}
