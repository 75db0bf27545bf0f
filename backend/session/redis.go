package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"novacron/backend/core/fault"
	"novacron/backend/core/rate"
)

// The keys. Operators read the first two, so they are fixed. Everything ends by its own TTL.
const (
	sessionKey = "session:"     // + session id: the sign-in as JSON; TTL: the sign-in's
	revokedKey = "revoked:"     // + jti: "1"; TTL: what was left of the token
	accountKey = "sessions_of:" // + user id: sorted set of session ids by time of making
	windowKey  = "limit:"       // + key of the limit: list of event times, oldest first, in Unix microseconds
	ticketKey  = "ticket:"      // + hash of the ticket: end in Unix microseconds, newline, content
)

// The client would print each connection that fails, beside the error that it returns.
func init() { logging.Disable() }

// Redis keeps sessions in a Redis of at least version 6.2 (one instance or one with replicas, not a cluster: a sign-in and its
// account's list change in one script). Calls end within a second, fail with fault.Unavailable and code redis_unavailable while
// Redis is gone, and succeed again as soon as it is back.
type Redis struct {
	db    *redis.Client
	now   func() time.Time
	own   bool // now is a clock of the caller's: count limits by it, too
	guard guard
}

var _ Engine = (*Redis)(nil)

// OpenRedis keeps sessions in the Redis of a redis:// or rediss:// URL. It connects with the first call; see Ping. now is the clock;
// nil means time.Now for sign-ins and tickets and Redis's own clock for rate limits, so that servers whose clocks differ count alike.
func OpenRedis(url string, now func() time.Time) (*Redis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		// The cause may hold the password.
		return nil, fault.New(fault.Invalid, "redis_setting", "NOVACRON_REDIS_URL cannot be read; write it as redis://:password@host:port/0")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = callTimeout, callTimeout, callTimeout, callTimeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries = 1    // for an idle connection that Redis closed, for example when it was started anew
	o.DialerRetries = 1 // a refused connection is the answer
	o.ConnMaxIdleTime = time.Minute
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if o.TLSConfig != nil {
		o.TLSConfig.MinVersion = tls.VersionTLS12
	}
	s := &Redis{db: redis.NewClient(o), now: now, own: now != nil}
	if now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Close closes the connections.
func (s *Redis) Close() error { return s.db.Close() }

// Engine is "Redis", for sentences.
func (s *Redis) Engine() string { return "Redis" }

// Far is true.
func (s *Redis) Far() bool { return true }

// Ping asks Redis for an answer.
func (s *Redis) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context) error { return s.db.Ping(ctx).Err() })
}

func (s *Redis) call(ctx context.Context, what string, f func(context.Context) error) error {
	return s.guard.call(ctx, what, redisGone, f)
}

func redisGone(err error) error {
	text := "Redis, which keeps the sessions, does not answer; try again in a moment"
	switch {
	case strings.Contains(err.Error(), "NOAUTH") || strings.Contains(err.Error(), "WRONGPASS"):
		text = "Redis, which keeps the sessions, refuses the password of NOVACRON_REDIS_URL; ask the operator"
	case strings.Contains(err.Error(), "OOM"):
		text = "Redis, which keeps the sessions, is out of memory; ask the operator"
	case strings.Contains(err.Error(), "READONLY"):
		text = "Redis, which keeps the sessions, takes no writes at the moment; try again in a moment"
	}
	return fault.Wrap(err, fault.Unavailable, "redis_unavailable", "%s", text).After(retryAfter)
}

// Revoke implements Revocations.
func (s *Redis) Revoke(ctx context.Context, jti string, until time.Time) error {
	left := until.Sub(s.now())
	if left <= 0 {
		return nil
	}
	return s.call(ctx, "revoke token", func(ctx context.Context) error {
		return s.db.Set(ctx, revokedKey+jti, "1", atLeast(left)).Err()
	})
}

// Check implements Revocations, with one round trip.
func (s *Redis) Check(ctx context.Context, c Claims) error {
	return s.call(ctx, "check token", func(ctx context.Context) error {
		values, err := s.db.MGet(ctx, revokedKey+c.Token, sessionKey+string(c.Session)).Result()
		if err != nil {
			return err
		}
		switch {
		case values[0] != nil:
			return errSignIn("this access token was withdrawn")
		case c.Session == "":
			return nil
		case !s.live(values[1]):
			return errSignIn("this session has ended")
		}
		return nil
	})
}

// takeScript counts events in a sliding window: rate.Window.Take, done inside of Redis so that servers never count past each other.
// KEYS: the window. ARGV: now in Unix microseconds or empty for Redis's own clock; the window in microseconds; the events of the limit;
// how many to count.
var takeScript = redis.NewScript(`
local now, span, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local function at(i) return tonumber(redis.call('LINDEX', KEYS[1], i) or nil) end
local head = at(0)
while head and head <= now - span do redis.call('LPOP', KEYS[1]); head = at(0) end
local tail = at(-1)
while tail and tail > now do redis.call('RPOP', KEYS[1]); tail = at(-1) end
local count, allowed = redis.call('LLEN', KEYS[1]), 0
if count + tonumber(ARGV[4]) <= limit then allowed = 1 end
for _ = 1, tonumber(ARGV[4]) do
  if count < limit then
    count = count + 1
    redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
  end
end
redis.call('PEXPIRE', KEYS[1], math.ceil(span / 1000))
local first = at(math.max(0, count - limit))
return {allowed, math.max(0, limit - count), first + span - now}`)

// Take implements Limiter.
func (s *Redis) Take(ctx context.Context, key string, limit rate.Limit, n int) (v rate.Verdict, err error) {
	if limit.Off() {
		return rate.Verdict{Allowed: true}, nil
	}
	now := ""
	if s.own {
		now = strconv.FormatInt(s.now().UnixMicro(), 10)
	}
	err = s.call(ctx, "rate limit", func(ctx context.Context) error {
		got, err := takeScript.Run(ctx, s.db, []string{windowKey + key}, now, limit.Window.Microseconds(), limit.Events, n).Int64Slice()
		if err == nil && len(got) != 3 {
			err = fmt.Errorf("the script gave %d numbers", len(got))
		}
		if err != nil {
			return err
		}
		v = rate.Verdict{Allowed: got[0] == 1, Remaining: int(got[1]), Reset: time.Duration(got[2]) * time.Microsecond}
		return nil
	})
	return v, err
}

// IssueTicket implements Tickets.
func (s *Redis) IssueTicket(ctx context.Context, content []byte) (string, error) {
	return s.IssueTicketFor(ctx, content, TicketLifetime)
}

// IssueTicketFor implements Tickets.
func (s *Redis) IssueTicketFor(ctx context.Context, content []byte, lifetime time.Duration) (string, error) {
	if len(content) > MaxTicketBytes {
		return "", fmt.Errorf("a ticket of %d bytes, the bound is %d", len(content), MaxTicketBytes)
	}
	text, hash := secret()
	value := strconv.FormatInt(s.now().Add(lifetime).UnixMicro(), 10) + "\n" + string(content)
	err := s.call(ctx, "issue ticket", func(ctx context.Context) error {
		return s.db.Set(ctx, ticketKey+hash, value, atLeast(lifetime)).Err()
	})
	return text, err
}

// RedeemTicket implements Tickets. GETDEL decides who of two that come at once has it. When its answer is lost on
// the way, the ticket is gone, which is the safe side.
func (s *Redis) RedeemTicket(ctx context.Context, ticket string) (content []byte, err error) {
	err = s.call(ctx, "redeem ticket", func(ctx context.Context) error {
		value, err := s.db.GetDel(ctx, ticketKey+hashOf(ticket)).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		ends, rest, _ := strings.Cut(value, "\n")
		if micros, _ := strconv.ParseInt(ends, 10, 64); micros <= s.now().UnixMicro() {
			return errTicket()
		}
		content = []byte(rest)
		return nil
	})
	return content, err
}

// Prune implements Store: Redis forgets by itself what has expired.
func (s *Redis) Prune(context.Context) error { return nil }

// atLeast rounds a TTL up to what Redis can hold.
func atLeast(d time.Duration) time.Duration { return max(d, time.Millisecond) }
