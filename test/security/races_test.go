package security

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
	"novacron/backend/server"
	"novacron/backend/session/sessiontest"
	"novacron/backend/store/storetest"
)

// racers is how many clients come at once.
const racers = 50

// pair runs a test against one server on SQLite, and against two that share PostgreSQL and Redis.
func pair(t *testing.T, f func(t *testing.T, servers []*world)) {
	t.Run("SQLite", func(t *testing.T) { f(t, []*world{start(t, nil)}) })
	t.Run("PostgreSQL and Redis, two servers", func(t *testing.T) {
		f(t, shared(t, nil))
	})
}

// shared starts two servers on one PostgreSQL and one Redis; the first has the node.
func shared(t *testing.T, settings map[string]string) []*world {
	t.Helper()
	engines := map[string]string{"database-url": storetest.PostgresURL(t), "redis-url": sessiontest.RedisURL(t)}
	for k, v := range settings {
		engines[k] = v
	}
	first := open(t, t.TempDir(), true, engines)
	t.Cleanup(first.close)
	first.setUp()
	second := open(t, t.TempDir(), false, engines)
	t.Cleanup(second.close)
	second.admin = first.admin
	return []*world{first, second}
}

// race lets all clients begin at once and counts those that won. What is answered with 503 was not decided and is tried again.
func race(servers []*world, f func(w *world, i int) (answer, error)) (won int, codes map[int]int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	codes = map[int]int{}
	begin := make(chan struct{})
	for i := range racers {
		all.Go(func() {
			<-begin
			for {
				a, err := f(servers[i%len(servers)], i)
				if err != nil {
					servers[0].t.Errorf("client %d: %v", i, err)
					return
				}
				if a.StatusCode == http.StatusServiceUnavailable {
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				if codes[a.StatusCode]++; a.StatusCode < 300 {
					won++
				}
				return
			}
		})
	}
	close(begin)
	all.Wait()
	return won, codes
}

func oneWins(t *testing.T, what string, won int, codes map[int]int) {
	t.Helper()
	if won != 1 {
		t.Errorf("%s: %d of %d won, want 1; answers %v", what, won, racers, codes)
	}
}

// link waits for a mail's one-use secret. Without an SMTP server the list of mails is where it stands.
func (w *world) link(kind, to string) string {
	w.t.Helper()
	list, err := client.NewAdmin(server.PathsFor(w.dir).AdminSocket()).Mails(w.t.Context())
	w.must(err)
	for _, m := range list.Items {
		if m.Kind == kind && m.To == to {
			_, secret, _ := strings.Cut(m.Link, "#")
			return secret
		}
	}
	w.t.Fatalf("no mail of kind %s to %s", kind, to)
	return ""
}

// oathtool makes a code of RFC 6238 with a program that nobody here wrote.
func oathtool(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	out, err := exec.Command("oathtool", "--totp", "-b", secret, "-N", at.UTC().Format("2006-01-02 15:04:05 UTC")).Output()
	if err != nil {
		t.Skipf("needs oathtool: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestWhatIsGoodOnce_isWonByOneOfFifty(t *testing.T) {
	pair(t, func(t *testing.T, servers []*world) {
		w := servers[0]
		// An account for each race: those who lose one count as guessers, who have to wait.
		enrol := func(name string) (secret string, codes wire.BackupCodes) {
			token := w.user(name, auth.Developer, "")
			var setup wire.FactorSetup
			w.as(token, "POST", "/api/auth/2fa/setup", nil).decode(t, &setup)
			w.as(token, "POST", "/api/auth/2fa/enable", wire.Code{Code: oathtool(t, setup.Secret, time.Now())}).decode(t, &codes)
			return setup.Secret, codes
		}
		challenges := func(name string) []string {
			out := make([]string, racers/5) // each takes five tries
			for i := range out {
				var a wire.LoginAnswer
				servers[i%len(servers)].ask("POST", "/api/auth/login", wire.Login{Username: name, Password: password}).decode(t, &a)
				out[i] = a.ChallengeToken
			}
			return out
		}
		verify := func(challenges []string, code string) (int, map[int]int) {
			return race(servers, func(w *world, i int) (answer, error) {
				return w.try("POST", "/api/auth/2fa/verify-login", wire.VerifyLogin{ChallengeToken: challenges[i%len(challenges)], Code: code})
			})
		}
		// A code of the next step is good for a minute and more, however long the challenges take.
		secret, _ := enrol("ada")
		all := challenges("ada")
		won, got := verify(all, oathtool(t, secret, time.Now().Add(30*time.Second)))
		oneWins(t, "a TOTP code", won, got)
		_, codes := enrol("grace")
		won, got = verify(challenges("grace"), codes.Codes[3])
		oneWins(t, "a backup code", won, got)

		w.ask("POST", "/api/auth/forgot-password", wire.EmailOnly{Email: "root@example.org"}).wants(t, "forgot", http.StatusAccepted, "")
		reset := w.link("reset", "root@example.org")
		var invite wire.InviteMade
		w.as(w.admin, "POST", "/api/v1/invites", wire.CreateInvite{Email: "new@example.org"}).decode(t, &invite)
		won, got = race(servers, func(w *world, i int) (answer, error) {
			return w.try("POST", "/api/auth/register", wire.Register{Username: fmt.Sprintf("new-%d", i), Email: fmt.Sprintf("new%d@example.org", i), Password: password, Invite: invite.Token})
		})
		oneWins(t, "an invitation", won, got)
		consoles(t, servers)
		won, got = race(servers, func(w *world, i int) (answer, error) {
			return w.try("POST", "/api/auth/reset-password", wire.ResetPassword{Token: reset, Password: password})
		})
		oneWins(t, "a reset link", won, got)
	})
}

// consoles races a console ticket: one of fifty gets in.
func consoles(t *testing.T, servers []*world) {
	t.Helper()
	w := servers[0]
	v := w.vm(w.admin, "web-1")
	var ticket wire.ConsoleTicket
	w.as(w.admin, "POST", "/api/v1/vms/"+string(v.ID)+"/console", `{"kind":"serial"}`).decode(t, &ticket)
	won, got := race(servers, func(w *world, i int) (answer, error) {
		c, err := w.socket("/ws/console/"+string(v.ID)+"?kind=serial", &websocket.DialOptions{Subprotocols: []string{wire.TicketProtocol + ticket.Ticket}})
		if err != nil { // bounded per address, before anybody looks at the ticket
			return answer{Response: &http.Response{StatusCode: http.StatusServiceUnavailable}}, nil
		}
		_, raw, err := c.Read(t.Context())
		switch {
		case err == nil && strings.Contains(string(raw), `"who"`):
			return answer{Response: &http.Response{StatusCode: http.StatusOK}}, nil
		case websocket.CloseStatus(err) == wire.CloseSignedOut:
			return answer{Response: &http.Response{StatusCode: http.StatusUnauthorized}}, nil
		}
		return answer{}, fmt.Errorf("read %q, %v", raw, err)
	})
	oneWins(t, "a console ticket", won, got)
}

func TestRefreshToken_isExchangedOnceByFiftyAndEndsItsFamilyWhenUsedAgain(t *testing.T) {
	pair(t, func(t *testing.T, servers []*world) {
		for what, c := range map[string]struct {
			headers []string
			alive   int
		}{
			"programs":           {nil, http.StatusUnauthorized},                            // all but the first show it again
			"pages of a browser": {[]string{"Origin", "http://localhost:0"}, http.StatusOK}, // they hear of the one exchange; see session.RefreshGrace
		} {
			var in wire.LoginAnswer
			servers[0].ask("POST", "/api/auth/login", wire.Login{Username: "root", Password: password}).decode(t, &in)
			fresh := make([]string, racers)
			_, codes := race(servers, func(w *world, i int) (answer, error) {
				a, err := w.try("POST", "/api/auth/refresh", wire.Refresh{RefreshToken: in.RefreshToken}, c.headers...)
				if err == nil && len(a.Cookies()) == 1 {
					fresh[i] = a.Cookies()[0].Value
				}
				return a, err
			})
			given := map[string]bool{}
			for _, r := range fresh {
				if r != "" {
					given[r] = true
				}
			}
			oneWins(t, "a refresh token, by "+what, len(given), codes)
			for r := range given {
				servers[0].ask("POST", "/api/auth/refresh", wire.Refresh{RefreshToken: r}).wants(t, "what the first of "+what+" got", c.alive, "")
			}
		}
	})
}

// A thousand creates at once against a quota of ten, over HTTP, by two servers where there are two.
func TestQuota_ofTenHoldsUnderAThousandParallelCreates(t *testing.T) {
	pair(t, func(t *testing.T, servers []*world) {
		w := servers[0]
		w.tenant("acme", wire.Quota{VMs: 10})
		token := w.user("ada", auth.Developer, "acme")
		const creates, atOnce = 1000, 100
		var all sync.WaitGroup
		var mu sync.Mutex
		codes := map[string]int{}
		work := make(chan int, creates)
		for i := range creates {
			work <- i
		}
		close(work)
		for range atOnce {
			all.Go(func() {
				for i := range work {
					for {
						a, err := servers[i%len(servers)].try("POST", "/api/v1/vms", wire.CreateVM{Name: fmt.Sprintf("vm-%d", i), CPUs: 1, MemoryMiB: 16, DiskGiB: 1}, bearer(token)...)
						if err == nil && a.StatusCode == http.StatusServiceUnavailable {
							continue
						}
						mu.Lock()
						if err != nil {
							t.Error(err)
						} else {
							codes[fmt.Sprint(a.StatusCode, " ", a.problem.Code)]++
						}
						mu.Unlock()
						break
					}
				}
			})
		}
		all.Wait()
		if codes["202 "] != 10 || codes["409 quota_exceeded"] != creates-10 {
			t.Errorf("got %v, want ten created and all others refused by the quota", codes)
		}
		var list wire.List[wire.VMSummary]
		w.as(token, "GET", "/api/v1/vms", nil).decode(t, &list)
		if list.Total != 10 {
			t.Errorf("there are %d VMs, want 10", list.Total)
		}
	})
}

// Ten sign-ins in a row from one address: 429 from the sixth, on either server and after a restart.
func TestLogin_isLimitedFromTheSixthOnWhicheverServerAndAfterARestart(t *testing.T) {
	limits := map[string]string{"limit-login": "5/1m"}
	count := func(t *testing.T, servers []*world, used int) {
		t.Helper()
		for i := used; i < 10; i++ {
			a := servers[i%len(servers)].ask("POST", "/api/auth/login", wire.Login{Username: "nobody", Password: "wrong horse battery"})
			want := http.StatusUnauthorized
			if i >= 5 {
				want = http.StatusTooManyRequests
			}
			if a.StatusCode != want || want == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
				t.Errorf("sign-in %d: got %d with Retry-After %q, want %d", i+1, a.StatusCode, a.Header.Get("Retry-After"), want)
			}
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		w := open(t, dir, true, limits)
		count(t, []*world{w}, 0)
		w.close()
		again := open(t, dir, true, limits)
		defer again.close()
		count(t, []*world{again}, 5) // none of the window was forgotten
	})
	t.Run("PostgreSQL and Redis, two servers", func(t *testing.T) {
		engines := map[string]string{"database-url": storetest.PostgresURL(t), "redis-url": sessiontest.RedisURL(t), "limit-login": "5/1m"}
		a, b := open(t, t.TempDir(), false, engines), open(t, t.TempDir(), false, engines)
		count(t, []*world{a, b}, 0)
		a.close()
		defer b.close()
		third := open(t, t.TempDir(), false, engines)
		defer third.close()
		count(t, []*world{b, third}, 5)
	})
}

// A session that ends on one server is dead on the other within a second: by sign-out, by an administrator, by closing the account.
func TestSessions_thatEndOnOneServerAreDeadOnAllWithinASecond(t *testing.T) {
	servers := shared(t, nil)
	a, b := servers[0], servers[1]
	for name, end := range map[string]func(token, user string) answer{
		"sign-out":                 func(token, _ string) answer { return a.as(token, "POST", "/api/auth/logout", nil) },
		"everywhere":               func(token, _ string) answer { return a.as(token, "DELETE", "/api/auth/sessions", nil) },
		"by an administrator":      func(_, user string) answer { return a.as(a.admin, "DELETE", "/api/v1/users/"+user+"/sessions", nil) },
		"by closing the account":   func(_, user string) answer { return a.as(a.admin, "PATCH", "/api/v1/users/"+user, `{"disabled":true}`) },
		"by deleting the account":  func(_, user string) answer { return a.as(a.admin, "DELETE", "/api/v1/users/"+user, nil) },
		"one, by an administrator": func(token, user string) answer { return a.endOne(user) },
	} {
		user := strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "")
		token := a.user(user, auth.Developer, "")
		b.as(token, "GET", "/api/auth/me", nil).wants(t, name+": before", http.StatusOK, "")
		stream := b.listen(token, "")
		if res := end(token, user); res.StatusCode >= 300 {
			t.Fatalf("%s: got %d %s", name, res.StatusCode, res.text)
		}
		ended := time.Now()
		for b.as(token, "GET", "/api/auth/me", nil).StatusCode != http.StatusUnauthorized {
			if time.Since(ended) > promptly {
				t.Errorf("%s: after %s it is alive on the other server, want less than a second", name, promptly)
				break
			}
		}
		wantEnded(t, name, stream, ended)
	}
}

// A deleted API token ends what was opened with it, also on the other server.
func TestTokens_thatAreDeletedEndTheirStreamsOnAllServersWithinASecond(t *testing.T) {
	servers := shared(t, nil)
	a, b := servers[0], servers[1]
	var made wire.Token
	a.as(a.admin, "POST", "/api/v1/tokens", `{"name":"watcher"}`).decode(t, &made)
	stream := b.listen(made.Secret, "")
	a.as(a.admin, "DELETE", "/api/v1/tokens/"+string(made.ID), nil).wants(t, "delete the token", http.StatusNoContent, "")
	wantEnded(t, "a deleted token", stream, time.Now())
}

// A membership that ends or becomes less takes what was opened in its tenant along, on the other server too.
func TestMemberships_thatEndAreDeadOnAllServersWithinASecond(t *testing.T) {
	servers := shared(t, nil)
	a, b := servers[0], servers[1]
	a.tenant("lab", wire.Quota{})
	token := a.user("member", auth.Developer, "")
	const place = "/api/v1/users/member/memberships/lab"
	for name, end := range map[string]func() answer{
		"ended": func() answer { return a.as(a.admin, "DELETE", place, nil) },
		"less":  func() answer { return a.as(a.admin, "PUT", place, `{"role":"viewer"}`) },
	} {
		a.as(a.admin, "PUT", place, `{"role":"developer"}`).wants(t, "a membership", http.StatusOK, "")
		make := func(w *world) answer {
			return w.as(token, "POST", "/api/v1/images", `{"name":"image-`+name+`","bytes":512}`, "Novacron-Tenant", "lab")
		}
		make(a).wants(t, name+": before", http.StatusCreated, "")
		var made wire.Token
		a.as(token, "POST", "/api/v1/tokens", `{"name":"`+name+`"}`, "Novacron-Tenant", "lab").decode(t, &made)
		stream, byToken := b.listen(token, "lab"), b.listen(made.Secret, "")
		if res := end(); res.StatusCode >= 300 {
			t.Fatalf("%s: got %d %s", name, res.StatusCode, res.text)
		}
		ended := time.Now()
		for make(b).StatusCode != http.StatusForbidden {
			if time.Since(ended) > promptly {
				t.Fatalf("%s: it is alive on the other server", name)
			}
		}
		wantEnded(t, name, stream, ended)
		wantEnded(t, name+", by API token", byToken, ended)
		b.as(token, "GET", "/api/v1/vms", nil).wants(t, name+": in the own tenant", http.StatusOK, "")
	}
}

// listen opens the event stream with a token, in a tenant of its choice.
func (w *world) listen(token, tenant string) *websocket.Conn {
	w.t.Helper()
	c, err := w.socket("/ws/events/v1", nil)
	w.must(err)
	w.must(wsjson.Write(w.t.Context(), c, wire.EventsAuth{Type: "auth", Token: token, Tenant: tenant}))
	_, _, err = c.Read(w.t.Context()) // ready
	w.must(err)
	return c
}

// promptly bounds what takes less than a second, with what a busy machine takes beside.
const promptly = 4 * time.Second

// wantEnded fails unless the server closes the stream as signed out, within a second.
func wantEnded(t *testing.T, what string, c *websocket.Conn, since time.Time) {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	for err == nil {
		_, _, err = c.Read(limit)
	}
	if took := time.Since(since); websocket.CloseStatus(err) != wire.CloseSignedOut || took > promptly {
		t.Errorf("%s: the stream ended after %s with %v, want 4401 within a second", what, took, err)
	}
}

// endOne ends the newest session of somebody as the administrator.
func (w *world) endOne(user string) answer {
	w.t.Helper()
	var list wire.List[wire.Session]
	w.as(w.admin, "GET", "/api/v1/users/"+user+"/sessions", nil).decode(w.t, &list)
	return w.as(w.admin, "DELETE", "/api/v1/users/"+user+"/sessions/"+string(list.Items[0].ID), nil)
}

// At most as many passwords are hashed at once as there are processors, and few wait: a flood of sign-ins is turned away, not queued, and
// who is signed in goes on working.
func TestSignIns_thatFloodAreTurnedAwayAndTheAPIAnswers(t *testing.T) {
	w := start(t, nil)
	const flood = 300
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	begin, half := make(chan struct{}), make(chan struct{}, flood)
	for i := range flood {
		all.Go(func() {
			<-begin
			a, err := w.try("POST", "/api/auth/login", wire.Login{Username: fmt.Sprintf("nobody-%d", i), Password: password})
			half <- struct{}{}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			codes[a.problem.Code]++
		})
	}
	close(begin)
	<-half // the flood is under way
	w.as(w.admin, "GET", "/api/v1/vms", nil).wants(t, "the API during the flood", http.StatusOK, "")
	all.Wait()
	// On a machine that is busy with other things some wait for their turn until their time is over.
	if codes["login_busy"] == 0 || codes["login_failed"] == 0 || codes["login_busy"]+codes["login_failed"]+codes["timeout"] != flood {
		t.Errorf("got %v, want some tried and the others told to come back", codes)
	}
}
