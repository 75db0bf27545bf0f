package server

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/session"
	"novacron/backend/store"
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
			return nil, unreachable(err, "Redis", s.o.RedisURL, "NOVACRON_REDIS_URL")
		}
		return r, nil
	case s.o.DatabaseURL != "":
		kept, err := session.OpenPostgres(ctx, s.o.DatabaseURL, time.Now)
		if err != nil {
			return nil, s.cannotOpenDatabase(err, "")
		}
		return kept, nil
	}
	file := filepath.Join(s.paths.Data, "sessions.db")
	kept, err := session.OpenFile(ctx, file, time.Now)
	if store.IsDamaged(err) {
		return nil, fault.Wrap(err, fault.Internal, "sessions_damaged",
			"the file %s is damaged or is no database; remove it and start again: everybody has to sign in anew and limits count from zero, nothing else is lost", file)
	}
	if err != nil {
		return nil, err // not kept itself: a nil file is no nil Engine
	}
	return kept, nil
}

// cannotOpenDatabase says what to do about a database that could not be opened: the one at path, or that of the URL.
func (s *Server) cannotOpenDatabase(err error, path string) error {
	switch {
	case path == "" && fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.Unsupported:
		return unreachable(err, "PostgreSQL", s.o.DatabaseURL, "NOVACRON_DATABASE_URL")
	case store.IsDamaged(err):
		return fault.Wrap(err, fault.Internal, "database_damaged",
			"the database file %s is damaged or is no database; put it back from a backup (without it accounts, VMs and their history are unknown, though disks and guests stay where they are)", path)
	}
	return fmt.Errorf("open the database: %w", err)
}

// unreachable names the engine, where it was looked for, and the setting. The password of the URL is not shown.
func unreachable(err error, engine, address, setting string) error {
	at := "the address in " + setting
	if u, parse := url.Parse(address); parse == nil && u.Host != "" {
		at = u.Host
	}
	return fault.Wrap(err, fault.Unavailable, "engine_unreachable", "%s cannot be reached at %s; start it, or correct %s", engine, at, setting)
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
