// Package sessiontest says what every session.Store owes. An implementation's test calls Run.
package sessiontest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/rate"
	"novacron/backend/session"
)

// Clock is a clock that tests move.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock starts at a fixed moment.
func NewClock() *Clock { return &Clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

// Move adds d.
func (c *Clock) Move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

// Open opens the implementation on the same data each time that it is called within one test.
type Open func(t *testing.T, now func() time.Time) session.Store

// Run runs the suite. fresh gives an Open on data of its own.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	for name, f := range map[string]func(*testing.T, Open, *Clock){
		"a refresh token is exchanged for the next":             refreshRotates,
		"a refresh token gives the same next one for a while":   refreshAgain,
		"many refreshes with one token at once have one result": refreshRace,
		"a refresh token that is used again ends the session":   refreshStolen,
		"refresh tokens that were never given out are refused":  refreshForeign,
		"a session ends when it is not refreshed for its life":  loginExpires,
		"a session ends however often it is refreshed":          loginEnds,
		"an ended session refuses its access tokens":            endRefusesTokens,
		"ending all sessions keeps the one that asks":           endAll,
		"ending everybody's sessions keeps none":                endEverybodys,
		"an account's oldest session gives way to one too many": tooManyLogins,
		"many sessions are looked at at once":                   manyAlive,
		"a revoked token is refused and no other":               revoke,
		"a limit holds over any span of its window":             limitSlides,
		"a limit counts several events as far as there is room": limitSeveral,
		"a limit survives a restart":                            limitRestart,
		"a limit holds when requests come at once":              limitRace,
		"keys of a limit do not disturb each other":             limitKeys,
		"a refused event does not prolong the wait":             limitRefused,
		"a ticket is good for one use":                          ticketOnce,
		"a ticket that is redeemed twice at once is given once": ticketRace,
		"a ticket ends by itself":                               ticketExpires,
		"pruning removes what has expired and nothing else":     prune,
		"sessions, revocations and tickets survive a restart":   restart,
		"what a client says of itself is cut and cleaned":       agentCut,
	} {
		t.Run(name, func(t *testing.T) { f(t, fresh(t), NewClock()) })
	}
}

var (
	ctx   = context.Background()
	grace = id.User("usr-00000000000000000001")
	alan  = id.User("usr-00000000000000000002")
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("got error %v of kind %q, want kind %q", err, fault.KindOf(err), kind)
	}
}

func begin(t *testing.T, s session.Store, u id.User) (session.Login, string) {
	t.Helper()
	l, token, err := s.Begin(ctx, u, "192.0.2.7", "curl/8")
	must(t, err)
	return l, token
}

func refreshRotates(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, first := begin(t, s, grace)
	c.Move(time.Hour)
	again, second, err := s.Refresh(ctx, first, 0)
	must(t, err)
	if again.ID != l.ID || again.User != grace || second == "" || second == first {
		t.Fatalf("got session %s of %s and token %q, want %s of %s and another token", again.ID, again.User, second, l.ID, grace)
	}
	if want := c.Now().Add(session.LoginLifetime); !again.Ends.Equal(want) {
		t.Errorf("got end %s, want %s", again.Ends, want)
	}
	_, third, err := s.Refresh(ctx, second, 0)
	must(t, err)
	if third == "" {
		t.Error("the second token was not exchanged")
	}
}

// Two pages ask at once, and a page that is loaded again while it asks does not hear the answer.
func refreshAgain(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	_, first := begin(t, s, grace)
	_, second, err := s.Refresh(ctx, first, session.RefreshGrace)
	must(t, err)
	c.Move(session.RefreshGrace / 2)
	l, again, err := open(t, c.Now).Refresh(ctx, first, session.RefreshGrace) // by another server, or after a restart
	must(t, err)
	if again != second || l.User != grace {
		t.Errorf("got next token %q of %s, want %q of %s once more", again, l.User, second, grace)
	}
	c.Move(time.Hour)
	_, third, err := s.Refresh(ctx, again, session.RefreshGrace)
	must(t, err)
	if third == second {
		t.Error("the second token was not exchanged")
	}
}

func refreshRace(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	_, first := begin(t, s, grace)
	next := make([]string, 20)
	var all sync.WaitGroup
	for i := range next {
		all.Go(func() {
			var err error
			if _, next[i], err = s.Refresh(ctx, first, session.RefreshGrace); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := slices.Compact(slices.Clone(next)); len(got) != 1 || got[0] == "" {
		t.Errorf("got the next tokens %q, want one for all", got)
	}
}

// refreshStolen shows the token of some exchanges ago: whoever has it, one of two had it from the other.
func refreshStolen(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	for what, x := range map[string]struct {
		exchanges int
		grace     time.Duration // of who shows it
		passed    time.Duration
	}{
		"at once":                         {1, 0, 0},
		"after the time for pages":        {1, session.RefreshGrace, session.RefreshGrace},
		"two exchanges later":             {2, 0, time.Minute},
		"two exchanges later, by a page":  {2, session.RefreshGrace, time.Second},
		"many exchanges later, by a page": {20, session.RefreshGrace, time.Hour},
	} {
		l, first := begin(t, s, grace)
		last := first
		for range x.exchanges {
			var err error
			_, last, err = s.Refresh(ctx, last, 0)
			must(t, err)
		}
		c.Move(x.passed)
		_, next, err := s.Refresh(ctx, first, x.grace)
		if !fault.Is(err, fault.Unauthenticated) || next != "" {
			t.Errorf("%s: got %q, %v", what, next, err)
		}
		if _, _, err = s.Refresh(ctx, last, 0); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: the last token: got %v, want that its session has ended", what, err)
		}
		if _, err = s.Find(ctx, l.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: find: got %v", what, err)
		}
	}
}

func refreshForeign(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, token := begin(t, s, grace)
	_, others := begin(t, s, grace)
	_, behind, _ := strings.Cut(others, ".")
	for _, bad := range []string{"", ".", string(l.ID), string(l.ID) + ".", string(l.ID) + ".a.b", string(l.ID) + "." + behind, "x" + token, "ses-00000000000000000000.aaaa", strings.Repeat("a", 1<<16)} {
		_, _, err := s.Refresh(ctx, bad, 0)
		wantKind(t, err, fault.Unauthenticated)
	}
	_, _, err := s.Refresh(ctx, token, 0)
	must(t, err)
}

func loginExpires(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, token := begin(t, s, grace)
	c.Move(session.LoginLifetime)
	_, _, err := s.Refresh(ctx, token, 0)
	wantKind(t, err, fault.Unauthenticated)
	_, err = s.Find(ctx, l.ID)
	wantKind(t, err, fault.NotFound)
	if list, err := s.Of(ctx, grace); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v; want no session", list, err)
	}
}

func loginEnds(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, refresh := begin(t, s, "usr-1")
	for passed := session.LoginLifetime / 2; passed < session.LongestLogin; passed += session.LoginLifetime / 2 {
		c.Move(session.LoginLifetime / 2)
		again, next, err := s.Refresh(t.Context(), refresh, 0)
		must(t, err)
		if last := l.Created.Add(session.LongestLogin); again.Ends.After(last) {
			t.Fatalf("after %s it ends at %s, want %s at the latest", passed, again.Ends, last)
		}
		refresh = next
	}
	c.Move(session.LoginLifetime / 2)
	_, _, err := s.Refresh(t.Context(), refresh, 0)
	wantKind(t, err, fault.Unauthenticated)
	_, err = s.Find(t.Context(), l.ID)
	wantKind(t, err, fault.NotFound)
}

func endRefusesTokens(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, token := begin(t, s, grace)
	claims := session.Claims{User: grace, Token: "tok-1", Session: l.ID}
	must(t, s.Check(ctx, claims))
	must(t, s.End(ctx, l.ID))
	must(t, s.End(ctx, l.ID))
	wantKind(t, s.Check(ctx, claims), fault.Unauthenticated)
	_, _, err := s.Refresh(ctx, token, 0)
	wantKind(t, err, fault.Unauthenticated)
}

func endAll(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	keep, _ := begin(t, s, grace)
	gone, _ := begin(t, s, grace)
	other, _ := begin(t, s, alan)
	must(t, s.EndAll(ctx, grace, keep.ID))
	_, err := s.Find(ctx, gone.ID)
	wantKind(t, err, fault.NotFound)
	for _, l := range []session.Login{keep, other} {
		if _, err := s.Find(ctx, l.ID); err != nil {
			t.Errorf("session of %s: %v", l.User, err)
		}
	}
}

func endEverybodys(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	var all []session.Login
	var tokens []string
	for i := range 250 { // more than one turn's worth
		l, token := begin(t, s, id.User(fmt.Sprintf("usr-%d", i/2)))
		all, tokens = append(all, l), append(tokens, token)
	}
	ticket, err := s.IssueTicket(ctx, []byte("kept"))
	must(t, err)
	for range 2 { // it may be repeated
		must(t, s.EndEverybodys(ctx))
	}
	ids := make([]id.Session, len(all))
	for i, l := range all {
		ids[i] = l.ID
	}
	alive, err := s.Alive(ctx, ids)
	must(t, err)
	if len(alive) > 0 {
		t.Errorf("%d sign-ins are alive", len(alive))
	}
	_, _, err = s.Refresh(ctx, tokens[0], 0)
	wantKind(t, err, fault.Unauthenticated)
	again, _ := begin(t, s, all[0].User)
	if _, err := s.Find(ctx, again.ID); err != nil {
		t.Errorf("a sign-in after it: %v", err)
	}
	if _, err := s.RedeemTicket(ctx, ticket); err != nil {
		t.Errorf("a ticket is none of it: %v", err)
	}
}

func manyAlive(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	ended, _ := begin(t, s, grace)
	must(t, s.End(ctx, ended.ID))
	old, _ := begin(t, s, grace)
	c.Move(session.LoginLifetime)
	live, _ := begin(t, s, alan)
	ask := []id.Session{ended.ID, old.ID, live.ID}
	for range 600 { // more than one question's worth
		ask = append(ask, id.NewSession())
	}
	alive, err := s.Alive(ctx, ask)
	must(t, err)
	if len(alive) != 1 || !alive[live.ID] {
		t.Errorf("alive are %v, want %s alone", alive, live.ID)
	}
	if alive, err := s.Alive(ctx, nil); err != nil || len(alive) != 0 {
		t.Errorf("of none: %v, %v", alive, err)
	}
}

func tooManyLogins(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	oldest, _ := begin(t, s, grace)
	for range session.MaxLogins {
		c.Move(time.Second)
		begin(t, s, grace)
	}
	_, err := s.Find(ctx, oldest.ID)
	wantKind(t, err, fault.NotFound)
	if list, err := s.Of(ctx, grace); err != nil || len(list) != session.MaxLogins {
		t.Errorf("got %d sessions, %v; want %d", len(list), err, session.MaxLogins)
	}
}

func revoke(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, _ := begin(t, s, grace)
	for range 2 { // it may be repeated
		must(t, s.Revoke(ctx, "tok-1", c.Now().Add(time.Minute)))
	}
	wantKind(t, s.Check(ctx, session.Claims{Token: "tok-1", Session: l.ID}), fault.Unauthenticated)
	must(t, s.Check(ctx, session.Claims{Token: "tok-2", Session: l.ID}))
	must(t, s.Check(ctx, session.Claims{Token: "tok-3"}))
}

var five = rate.Limit{Events: 5, Window: time.Minute}

func take(t *testing.T, s session.Store, key string) rate.Verdict {
	t.Helper()
	v, err := s.Take(ctx, key, five, 1)
	must(t, err)
	return v
}

func limitSlides(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	for i := range 5 { // at 0, 10, 20, 30, 40 s
		if v := take(t, s, "k"); !v.Allowed || v.Remaining != 4-i {
			t.Fatalf("event %d: got %+v, want allowed with %d remaining", i, v, 4-i)
		}
		c.Move(10 * time.Second)
	}
	if v := take(t, s, "k"); v.Allowed || v.Reset != 10*time.Second { // at 50 s
		t.Fatalf("sixth event: got %+v, want refused for 10s", v)
	}
	c.Move(10*time.Second + time.Microsecond)
	if v := take(t, s, "k"); !v.Allowed {
		t.Fatalf("after the first has left: got %+v, want allowed", v)
	}
	if v := take(t, s, "k"); v.Allowed {
		t.Fatalf("and only one more: got %+v, want refused", v)
	}
}

func limitSeveral(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	for _, want := range []rate.Verdict{{Allowed: true, Remaining: 2, Reset: time.Minute}, {Reset: time.Minute}} { // three of five, and three more
		if v, err := s.Take(ctx, "k", five, 3); err != nil || v != want {
			t.Fatalf("got %+v, %v; want %+v", v, err, want)
		}
	}
	c.Move(time.Minute + time.Microsecond)
	if v := take(t, s, "k"); v.Remaining != 4 {
		t.Errorf("a minute later: got %+v, want 4 remaining", v)
	}
}

func limitRestart(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	for range 5 {
		take(t, s, "k")
	}
	if v := take(t, open(t, c.Now), "k"); v.Allowed {
		t.Errorf("got %+v from a restarted store, want refused", v)
	}
}

func limitRace(t *testing.T, open Open, c *Clock) {
	stores := []session.Store{open(t, c.Now), open(t, c.Now)}
	var mu sync.Mutex
	var allowed int
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			v, err := stores[i%2].Take(ctx, "k", five, 1)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if v.Allowed {
				allowed++
			}
		})
	}
	group.Wait()
	if allowed != 5 {
		t.Errorf("%d of 20 events at once were allowed, want 5", allowed)
	}
}

func limitKeys(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	for range 6 {
		take(t, s, "a")
	}
	if v := take(t, s, "b"); !v.Allowed {
		t.Errorf("got %+v, want another key allowed", v)
	}
}

func limitRefused(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	for range 5 {
		take(t, s, "k")
	}
	c.Move(59 * time.Second)
	take(t, s, "k")
	c.Move(time.Second + time.Microsecond)
	if v := take(t, s, "k"); !v.Allowed {
		t.Errorf("got %+v, want allowed when the first five have left", v)
	}
}

func ticketOnce(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	ticket, err := s.IssueTicket(ctx, []byte(`{"vm":"web-1"}`))
	must(t, err)
	content, err := s.RedeemTicket(ctx, ticket)
	must(t, err)
	if string(content) != `{"vm":"web-1"}` {
		t.Errorf("got content %s", content)
	}
	_, err = s.RedeemTicket(ctx, ticket)
	wantKind(t, err, fault.Unauthenticated)
}

func ticketRace(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	ticket, err := s.IssueTicket(ctx, []byte("x"))
	must(t, err)
	given := make(chan bool, 8)
	for range cap(given) {
		go func() {
			_, err := s.RedeemTicket(ctx, ticket)
			given <- err == nil
		}()
	}
	count := 0
	for range cap(given) {
		if <-given {
			count++
		}
	}
	if count != 1 {
		t.Errorf("the ticket was given %d times, want once", count)
	}
}

func ticketExpires(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	ticket, err := s.IssueTicket(ctx, []byte("x"))
	must(t, err)
	c.Move(session.TicketLifetime)
	_, err = s.RedeemTicket(ctx, ticket)
	wantKind(t, err, fault.Unauthenticated)
}

func prune(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	old, _ := begin(t, s, grace)
	c.Move(session.LoginLifetime)
	young, _ := begin(t, s, grace)
	must(t, s.Revoke(ctx, "tok-1", c.Now().Add(time.Minute)))
	ticket, err := s.IssueTicket(ctx, []byte("x"))
	must(t, err)
	for range 5 {
		take(t, s, "k")
	}
	must(t, s.Prune(ctx))
	_, err = s.Find(ctx, old.ID)
	wantKind(t, err, fault.NotFound)
	_, err = s.Find(ctx, young.ID)
	must(t, err)
	wantKind(t, s.Check(ctx, session.Claims{Token: "tok-1"}), fault.Unauthenticated)
	if take(t, s, "k").Allowed {
		t.Error("pruning forgot a rate-limit window")
	}
	_, err = s.RedeemTicket(ctx, ticket)
	must(t, err)
}

func restart(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, token := begin(t, s, grace)
	must(t, s.Revoke(ctx, "tok-1", c.Now().Add(time.Minute)))
	ticket, err := s.IssueTicket(ctx, []byte("x"))
	must(t, err)
	s = open(t, c.Now)
	if got, err := s.Find(ctx, l.ID); err != nil || got != l {
		t.Errorf("got %+v, %v; want %+v", got, err, l)
	}
	wantKind(t, s.Check(ctx, session.Claims{Token: "tok-1", Session: l.ID}), fault.Unauthenticated)
	_, err = s.RedeemTicket(ctx, ticket)
	must(t, err)
	_, _, err = s.Refresh(ctx, token, 0)
	must(t, err)
}

func agentCut(t *testing.T, open Open, c *Clock) {
	s := open(t, c.Now)
	l, _, err := s.Begin(ctx, grace, "192.0.2.7", "a\x00b\xff"+strings.Repeat("é", 1000))
	must(t, err)
	got, err := s.Find(ctx, l.ID)
	must(t, err)
	if !strings.HasPrefix(got.Agent, "abé") || len(got.Agent) > 256 || strings.ContainsRune(got.Agent, '\uFFFD') {
		t.Errorf("got agent %q, want at most 256 bytes of whole characters", got.Agent)
	}
}
