package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"novacron/backend/core/id"
)

// maxSwaps bounds how often a refresh starts over because another one came first; each round one of them is done.
const maxSwaps = 16

// stored is a sign-in as Redis holds it. Times are Unix microseconds.
type stored struct {
	User     id.User `json:"user"`
	Created  int64   `json:"created"`
	Seen     int64   `json:"seen"`
	Ends     int64   `json:"ends"`
	Address  string  `json:"address"`
	Agent    string  `json:"agent"`
	Refresh  string  `json:"refresh"`            // hash of the good token
	Previous string  `json:"previous,omitempty"` // see chain.past
	Rotated  int64   `json:"rotated,omitempty"`
}

func (v stored) login(sid id.Session) Login {
	return Login{ID: sid, User: v.User, Created: toTime(v.Created), Seen: toTime(v.Seen), Ends: toTime(v.Ends), Address: v.Address, Agent: v.Agent}
}

func (v stored) chain() chain {
	c := chain{current: v.Refresh, rotated: toTime(v.Rotated)}
	c.read(v.Previous)
	return c
}

// with is the sign-in with another chain.
func (v stored) with(c chain) stored {
	v.Refresh, v.Previous = c.current, c.past()
	return v
}

func (v stored) text() string {
	raw, _ := json.Marshal(v) // texts and numbers: cannot fail
	return string(raw)
}

// live reports whether a value of MGET is a sign-in that has not ended.
func (s *Redis) live(value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	var v struct { // of a stored; this is done for every request
		Ends int64 `json:"ends"`
	}
	return json.Unmarshal([]byte(text), &v) == nil && v.Ends > s.now().UnixMicro()
}

// beginScript stores a sign-in, and lets the oldest of the account give way. KEYS: the sign-in, the account's list. ARGV: the sign-in's
// value, TTL in milliseconds, time of making, id, how many an account may have.
var beginScript = redis.NewScript(`
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if redis.call('EXISTS', '` + sessionKey + `' .. id) == 0 then redis.call('ZREM', KEYS[2], id) end
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1 - tonumber(ARGV[5]))) do
  redis.call('DEL', '` + sessionKey + `' .. id)
  redis.call('ZREM', KEYS[2], id)
end
return 1`)

// Begin implements Logins.
func (s *Redis) Begin(ctx context.Context, user id.User, address, agent string) (Login, string, error) {
	now := s.now()
	text := firstToken()
	sid := id.NewSession()
	v := stored{User: user, Created: now.UnixMicro(), Seen: now.UnixMicro(), Ends: now.Add(LoginLifetime).UnixMicro(), Address: address, Agent: cut(agent, maxNoteBytes)}.
		with(begun(text))
	err := s.call(ctx, "begin session", func(ctx context.Context) error {
		return beginScript.Run(ctx, s.db, []string{sessionKey + string(sid), accountKey + string(user)},
			v.text(), LoginLifetime.Milliseconds(), v.Created, string(sid), MaxLogins).Err()
	})
	return v.login(sid), string(sid) + "." + text, err
}

// swapScript replaces a value that is still the one that was read; an empty new one removes it. KEYS: the sign-in, the account's
// list. ARGV: what was read, the new value, its TTL and that of the list in milliseconds.
var swapScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return 1`)

// Refresh implements Logins. A swap that finds another value starts over: of two refreshes at once the second sees the first's
// outcome. A swap whose answer was lost finds its own salt stored, and has succeeded.
func (s *Redis) Refresh(ctx context.Context, token string, grace time.Duration) (l Login, next string, err error) {
	sid, text, ok := strings.Cut(token, ".")
	if !ok || len(token) > MaxTokenBytes {
		return l, "", errSignIn("the refresh token is not one of NovaCron's")
	}
	x := exchange{sid: id.Session(sid), presented: text, grace: grace}
	x.salt, _ = secret()
	err = s.call(ctx, "refresh session", func(ctx context.Context) error {
		for range maxSwaps {
			var done bool
			var err error
			if l, next, done, err = s.refresh(ctx, x); err != nil || done {
				return err
			}
		}
		return fmt.Errorf("session %s changed %d times meanwhile", sid, maxSwaps)
	})
	if err != nil {
		return Login{}, "", err
	}
	return l, next, nil
}

// exchange is a refresh that is tried, maybe several times.
type exchange struct {
	sid       id.Session
	presented string // token without the sign-in's id
	salt      string // that leads to the next one
	grace     time.Duration
}

// next is the token that the salt leads to.
func (x exchange) next(salt string) string {
	if salt == "" { // earlier versions kept none
		return ""
	}
	return string(x.sid) + "." + successor(x.presented, salt)
}

// refresh tries once to exchange a token. done: the session is as it says.
func (s *Redis) refresh(ctx context.Context, x exchange) (l Login, next string, done bool, err error) {
	read, err := s.db.Get(ctx, sessionKey+string(x.sid)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return l, "", false, err
	}
	var v stored
	now := s.now()
	if read == "" || json.Unmarshal([]byte(read), &v) != nil || v.Ends <= now.UnixMicro() {
		return l, "", false, errSignIn("this session has ended")
	}
	c := v.chain()
	if same(x.salt, c.salt) {
		return v.login(x.sid), x.next(x.salt), true, nil
	}
	switch c.judge(x.presented, now, x.grace) {
	case foreign:
		return l, "", false, errSignIn("the refresh token is not that of this session")
	case twin:
		return v.login(x.sid), x.next(c.salt), true, nil
	case stolen:
		if done, err = s.swap(ctx, x.sid, v.User, read, "", 0); done {
			err = errStolen()
		}
		return l, "", done, err
	}
	v = v.with(c.behind(x.presented, x.salt, now))
	v.Seen, v.Rotated, v.Ends = now.UnixMicro(), now.UnixMicro(), endOf(toTime(v.Created), now).UnixMicro()
	done, err = s.swap(ctx, x.sid, v.User, read, v.text(), toTime(v.Ends).Sub(now))
	return v.login(x.sid), x.next(x.salt), done, err
}

func (s *Redis) swap(ctx context.Context, sid id.Session, user id.User, from, to string, life time.Duration) (bool, error) {
	n, err := swapScript.Run(ctx, s.db, []string{sessionKey + string(sid), accountKey + string(user)}, from, to, atLeast(life).Milliseconds(), LoginLifetime.Milliseconds()).Int()
	return n == 1, err
}

// Find implements Logins.
func (s *Redis) Find(ctx context.Context, sid id.Session) (l Login, err error) {
	err = s.call(ctx, "find session", func(ctx context.Context) error {
		text, err := s.db.Get(ctx, sessionKey+string(sid)).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		var v stored
		if text == "" || json.Unmarshal([]byte(text), &v) != nil || v.Ends <= s.now().UnixMicro() {
			return errNoSession(sid)
		}
		l = v.login(sid)
		return nil
	})
	return l, err
}

// Of implements Logins.
func (s *Redis) Of(ctx context.Context, user id.User) (list []Login, err error) {
	err = s.call(ctx, "list sessions", func(ctx context.Context) error {
		ids, err := s.db.ZRange(ctx, accountKey+string(user), 0, -1).Result()
		if err != nil || len(ids) == 0 {
			return err
		}
		keys := make([]string, len(ids))
		for i, sid := range ids {
			keys[i] = sessionKey + sid
		}
		values, err := s.db.MGet(ctx, keys...).Result()
		for i, value := range values {
			var v stored
			if text, ok := value.(string); ok && json.Unmarshal([]byte(text), &v) == nil && v.Ends > s.now().UnixMicro() {
				list = append(list, v.login(id.Session(ids[i])))
			}
		}
		return err
	})
	slices.SortFunc(list, newestFirst)
	return list, err
}

func newestFirst(a, b Login) int {
	if c := b.Created.Compare(a.Created); c != 0 {
		return c
	}
	return strings.Compare(string(a.ID), string(b.ID))
}

// End implements Logins. The account's list forgets the id with its next sign-in.
func (s *Redis) End(ctx context.Context, sid id.Session) error {
	return s.call(ctx, "end session", func(ctx context.Context) error { return s.db.Del(ctx, sessionKey+string(sid)).Err() })
}

// endAllScript ends the sign-ins of an account's list but one. KEYS: the list. ARGV: the id to keep.
var endAllScript = redis.NewScript(`
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if id ~= ARGV[1] then
    redis.call('DEL', '` + sessionKey + `' .. id)
    redis.call('ZREM', KEYS[1], id)
  end
end
return 1`)

// EndAll implements Logins.
func (s *Redis) EndAll(ctx context.Context, user id.User, keep id.Session) error {
	return s.call(ctx, "end sessions", func(ctx context.Context) error {
		return endAllScript.Run(ctx, s.db, []string{accountKey + string(user)}, string(keep)).Err()
	})
}

// scanned is about how many keys Redis looks at in one turn, which others wait for.
const scanned = 100

// EndEverybodys implements Logins. A scan finds every key that is there from its beginning to its end.
func (s *Redis) EndEverybodys(ctx context.Context) error {
	for cursor := uint64(0); ; {
		err := s.call(ctx, "end all sessions", func(ctx context.Context) error {
			keys, next, err := s.db.Scan(ctx, cursor, sessionKey+"*", scanned).Result()
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				if err := s.db.Del(ctx, keys...).Err(); err != nil {
					return err
				}
			}
			cursor = next
			return nil
		})
		if err != nil || cursor == 0 {
			return err
		}
	}
}
