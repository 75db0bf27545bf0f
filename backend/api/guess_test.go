package api_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/session"
	"novacron/backend/store/storetest"
)

const wrongPassword = "wrong horse battery"

// atOnce asks that often at the same time and counts the codes of the answers. What is answered with 503 was not decided and is asked again.
func atOnce(n int, ask func() answer) map[string]int {
	var mu sync.Mutex
	var all sync.WaitGroup
	got, begin := map[string]int{}, make(chan struct{})
	for range n {
		all.Go(func() {
			<-begin
			a := ask()
			for a.StatusCode == http.StatusServiceUnavailable {
				a = ask()
			}
			mu.Lock()
			defer mu.Unlock()
			got[a.problem.Code]++
		})
	}
	close(begin)
	all.Wait()
	return got
}

// Each of many guesses at once finds the way free. Only as many as are free learn whether they were right.
func TestGuesses_atOnceAreNoMoreThanOneAfterTheOther(t *testing.T) {
	for engine, url := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "PostgreSQL": storetest.PostgresURL} {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, unlimited, nil, url(t), "")
			w.accountDeps = func(d *app.AccountDeps) {
				still := time.Now() // so that no wait ends meanwhile
				d.Now = func() time.Time { return still }
			}
			w.restart()
			grace := w.admin()
			w.user("ada", auth.Viewer)
			const guesses, free = 30, 5
			logins := atOnce(guesses, func() answer { return w.ask("POST", "/api/auth/login", login("ada", wrongPassword)) })
			if logins["login_failed"] != free || logins["too_many_tries"] != guesses-free {
				t.Errorf("signing in: got %v, want %d answers", logins, free)
			}
			head := token(grace)
			proofs := atOnce(guesses, func() answer {
				return w.ask("POST", "/api/auth/prove", fmt.Sprintf(`{"password":%q}`, wrongPassword), head...)
			})
			if proofs["password_wrong"] != free || proofs["too_many_tries"] != guesses-free {
				t.Errorf("proving: got %v, want %d answers", proofs, free)
			}
			w.ask("POST", "/api/auth/prove", fmt.Sprintf(`{"password":%q}`, password), head...).wants(t, "the right one behind them", http.StatusTooManyRequests, "too_many_tries")
		})
	}
}

// Somebody who has been slowed with a name is as free with any address, so that nobody learns which belong together.
func TestGuesses_atANameDoNotSlowThoseAtItsAddress(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("grace", auth.Viewer)
	for _, name := range []string{"grace", "nobody"} {
		for range 6 {
			w.ask("POST", "/api/auth/login", login(name, wrongPassword))
		}
		w.ask("POST", "/api/auth/login", login(name, wrongPassword)).wants(t, name, http.StatusTooManyRequests, "too_many_tries")
		w.ask("POST", "/api/auth/login", login(name+"@example.org", wrongPassword)).wants(t, "the address of "+name, http.StatusUnauthorized, "login_failed")
	}
}

// slowed runs something after the password was found right and before the session begins.
type slowed struct {
	session.Store
	before func()
}

// Begin is that of the store.
func (s slowed) Begin(ctx context.Context, u id.User, address, agent string) (session.Login, string, error) {
	s.before()
	return s.Store.Begin(ctx, u, address, agent)
}

// Whoever knew the old password may be in the middle of a sign-in with it.
func TestResetPassword_endsSignInsThatAreUnderWay(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	_, codes := w.factor(grace)
	begun := w.challenge("grace")
	reset := func(name string) {
		w.ask("POST", "/api/auth/forgot-password", fmt.Sprintf(`{"email":"%s@example.org"}`, name)).wants(t, "forgot", http.StatusAccepted, "")
		secret, _ := w.mail("reset", name+"@example.org")
		w.ask("POST", "/api/auth/reset-password", fmt.Sprintf(`{"token":%q,"password":"purple monkey dishwasher"}`, secret)).wants(t, "reset", http.StatusNoContent, "")
	}
	reset("grace")
	w.code(begun, codes[0]).wants(t, "a code behind the old password", http.StatusUnauthorized, "challenge_ended")

	w.user("ada", auth.Viewer)
	between := func() { reset("ada") }
	w.accountDeps = func(d *app.AccountDeps) { d.Sessions = slowed{d.Sessions, func() { between() }} }
	w.restart()
	w.ask("POST", "/api/auth/login", login("ada", password)).wants(t, "a sign-in with the old password", http.StatusConflict, "password_changed")
	ada := must(w.db.UserByLogin(ctx, "ada"))
	if left := must(w.sessions.Of(ctx, ada.ID)); len(left) != 0 {
		t.Errorf("it has %d sessions, want none", len(left))
	}
	between = func() {}
	w.ask("POST", "/api/auth/login", login("ada", "purple monkey dishwasher")).wants(t, "the new password", http.StatusOK, "")
}

// A service that signs with the shared secret acts for anybody, but can show nobody's password.
func TestProof_isNotGivenByATokenOfAnotherService(t *testing.T) {
	secret := []byte("a secret of thirty-two bytes, or more")
	w := newWorld(t, unlimited, nil)
	key := must(session.MakeKey())
	w.accountDeps = func(d *app.AccountDeps) {
		d.Keys = new(session.Keys)
		w.must(d.Keys.Share(secret))
		d.Keys.Replace([]session.SigningKey{{PrivateKey: key}})
	}
	w.restart()
	grace, now := w.user("grace", auth.Administrator), time.Now()
	w.user("ada", auth.Viewer)
	made := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Issuer: session.Issuer, Audience: jwt.ClaimStrings{session.Audience}, Subject: string(grace.ID), ID: "tok-1",
		IssuedAt: jwt.NewNumericDate(now.Truncate(time.Second)), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))})
	made.Header["kid"] = session.SharedKeyID
	head := []string{"Authorization", "Bearer " + must(made.SignedString(secret))}
	w.ask("GET", "/api/v1/users", "", head...).wants(t, "a list of accounts", http.StatusOK, "")
	w.ask("DELETE", "/api/v1/users/ada", "", head...).wants(t, "deleting one", http.StatusForbidden, "sign_in_needed")
	w.ask("PATCH", "/api/v1/users/ada", `{"role":"administrator"}`, head...).wants(t, "making an administrator", http.StatusForbidden, "sign_in_needed")
	w.ask("PATCH", "/api/v1/users/ada", `{"role":"developer"}`, head...).wants(t, "making a developer", http.StatusOK, "")
}

// Who must turn a second factor on can prove who they are first, however old the session is.
func TestProof_isGivenByWhoMustEnrol(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	ahead := later(w)
	clock := w.accountDeps
	w.accountDeps = func(d *app.AccountDeps) { clock(d); d.RequireFactor = true }
	w.restart()
	grace := w.admin()
	ahead.Store(int64(11 * time.Minute))
	w.ask("POST", "/api/auth/2fa/setup", "", token(grace)...).wants(t, "an old session", http.StatusForbidden, "proof_needed")
	w.must(grace.Prove(ctx, password))
	w.ask("POST", "/api/auth/2fa/setup", "", token(grace)...).wants(t, "after the proof", http.StatusOK, "")
}
