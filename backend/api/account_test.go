package api_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pquerna/otp/totp"

	"novacron/backend/app"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// seal keeps secrets in a form that no test mistakes for the secret itself.
type seal struct{}

func (seal) Seal(purpose string, secret []byte) []byte {
	return []byte(base64.StdEncoding.EncodeToString([]byte(purpose + "\x00" + string(secret))))
}

func (seal) Open(purpose string, sealed []byte) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(string(sealed))
	rest, ok := strings.CutPrefix(string(raw), purpose+"\x00")
	if err != nil || !ok {
		return nil, errors.New("sealed for something else")
	}
	return []byte(rest), nil
}

// mail gives the newest mail of a kind to an address, with its link's secret.
func (w *world) mail(kind, to string) (secret string, count int) {
	w.t.Helper()
	list, err := w.accounts.Mails(ctx, auth.Platform("test"))
	w.must(err)
	for _, m := range list.Items {
		if m.Kind == kind && m.To == to {
			if _, s, ok := strings.Cut(m.Link, "#"); ok && count == 0 {
				secret = s
			}
			count++
		}
	}
	return secret, count
}

func register(name, email, password string) string {
	return fmt.Sprintf(`{"username":%q,"email":%q,"password":%q}`, name, email, password)
}

func login(name, password string) string {
	return fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
}

func TestRegister_givesAnAccountWithATenantAndQuotaOfItsOwn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	a := w.ask("POST", "/api/auth/register", register("ada", "ada@example.org", password))
	a.wants(t, "register", http.StatusCreated, "")
	c, err := client.New(w.rest.URL, client.Tokens{})
	w.must(err)
	t.Cleanup(c.Close)
	u, err := c.Login(ctx, "ada", password)
	w.must(err)
	if u.Role != auth.Developer || u.Verified {
		t.Errorf("got %+v", u)
	}
	tenants := w.ask("GET", "/api/v1/tenants", "", token(c)...)
	var list wire.List[wire.Tenant]
	w.must(json.Unmarshal([]byte(tenants.text), &list))
	if len(list.Items) != 1 || list.Items[0].ID != u.Tenant || list.Items[0].Quota.VMs == 0 {
		t.Errorf("got %s, want one tenant with a quota", tenants.text)
	}
	again := w.ask("POST", "/api/auth/register", register("eve", "ADA@example.org", password))
	again.wants(t, "with an address that is taken", http.StatusCreated, "")
	if again.text != a.text {
		t.Errorf("the answers tell whether the address has an account:\n%s\n%s", a.text, again.text)
	}
	if _, n := w.mail("taken", "ada@example.org"); n != 1 {
		t.Errorf("the owner got %d mails", n)
	}
	w.ask("POST", "/api/auth/login", login("eve", password)).wants(t, "the account that was not made", http.StatusUnauthorized, "login_failed")
	for name, c := range map[string]struct{ body, code string }{
		"a short password":     {register("bob", "bob@example.org", "short"), "password_too_short"},
		"a guessable password": {register("bob", "bob@example.org", "Password123456"), "password_guessable"},
		"the own name":         {register("bobbobbobbob", "bob@example.org", "bobbobbobbob1"), "password_guessable"},
		"a taken name":         {register("ADA", "bob@example.org", password), "username_taken"},
		"no address":           {register("bob", "bob", password), "email_invalid"},
	} {
		if a := w.ask("POST", "/api/auth/register", c.body); a.problem.Code != c.code {
			t.Errorf("%s: got %d %s, want %s", name, a.StatusCode, a.text, c.code)
		}
	}
}

func TestVerifyEmail_takesTheLinkOnce(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.ask("POST", "/api/auth/register", register("ada", "ada@example.org", password)).wants(t, "register", http.StatusCreated, "")
	first, _ := w.mail("verify", "ada@example.org")
	w.ask("POST", "/api/auth/resend-verification", `{"email":"ada@example.org"}`).wants(t, "resend", http.StatusAccepted, "")
	w.ask("POST", "/api/auth/resend-verification", `{"email":"nobody@example.org"}`).wants(t, "resend to nobody", http.StatusAccepted, "")
	w.ask("POST", "/api/auth/verify-email", fmt.Sprintf(`{"token":%q}`, first)).wants(t, "the older link", http.StatusUnauthorized, "token_used")
	secret, _ := w.mail("verify", "ada@example.org")
	w.ask("POST", "/api/auth/reset-password", fmt.Sprintf(`{"token":%q,"password":%q}`, secret, password)).wants(t, "for another purpose", http.StatusUnauthorized, "token_used")
	w.ask("POST", "/api/auth/verify-email", fmt.Sprintf(`{"token":%q}`, secret)).wants(t, "the link", http.StatusNoContent, "")
	w.ask("POST", "/api/auth/verify-email", fmt.Sprintf(`{"token":%q}`, secret)).wants(t, "again", http.StatusUnauthorized, "token_used")
	u, err := w.db.UserByLogin(ctx, "ada")
	if err != nil || u.Unverified {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestResetPassword_isOneUseRacedByFiftyAndEndsEverySession(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	made := w.ask("POST", "/api/v1/tokens", `{"name":"ci"}`, token(grace)...)
	made.wants(t, "a token", http.StatusCreated, "")
	known := w.ask("POST", "/api/auth/forgot-password", `{"email":"grace@example.org"}`)
	unknown := w.ask("POST", "/api/auth/forgot-password", `{"email":"nobody@example.org"}`)
	if known.StatusCode != http.StatusAccepted || known.text != unknown.text {
		t.Errorf("the answers tell whether there is an account: %s, %s", known.text, unknown.text)
	}
	secret, _ := w.mail("reset", "grace@example.org")
	reset := func(password string) answer {
		return w.ask("POST", "/api/auth/reset-password", fmt.Sprintf(`{"token":%q,"password":%q}`, secret, password))
	}
	reset("short").wants(t, "a bad password", http.StatusUnprocessableEntity, "password_too_short")
	var all sync.WaitGroup
	won := make(chan bool, 50)
	for range cap(won) {
		all.Go(func() {
			for {
				a := reset("purple monkey dishwasher")
				if a.StatusCode == http.StatusServiceUnavailable {
					continue
				}
				won <- a.StatusCode == http.StatusNoContent
				return
			}
		})
	}
	all.Wait()
	close(won)
	n := 0
	for ok := range won {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 50 used the link, want 1", n)
	}
	w.ask("GET", "/api/auth/me", "", token(grace)...).wants(t, "a session from before", http.StatusUnauthorized, "signed_out")
	var k wire.Token
	w.must(json.Unmarshal([]byte(made.text), &k))
	w.ask("GET", "/api/auth/me", "", "Authorization", "Bearer "+k.Secret).wants(t, "a token from before", http.StatusUnauthorized, "token_invalid")
	w.ask("POST", "/api/auth/login", login("grace", password)).wants(t, "the old password", http.StatusUnauthorized, "login_failed")
	w.ask("POST", "/api/auth/login", login("grace", "purple monkey dishwasher")).wants(t, "the new password", http.StatusOK, "")
}

func TestForgotPassword_doesNotFloodAMailbox(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("grace", auth.Developer)
	for range 10 {
		w.ask("POST", "/api/auth/forgot-password", `{"email":"grace@example.org"}`).wants(t, "one of many", http.StatusAccepted, "")
	}
	if _, n := w.mail("reset", "grace@example.org"); n != 3 {
		t.Errorf("the owner got %d mails, want 3", n)
	}
}

func TestSessions_areListedAndEnded(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	here, there := w.admin(), w.admin()
	stranger := w.as("eve", auth.Developer)
	var list wire.List[wire.Session]
	w.must(json.Unmarshal([]byte(w.ask("GET", "/api/auth/sessions", "", token(here)...).text), &list))
	if len(list.Items) != 2 {
		t.Fatalf("got %+v, want two sessions", list)
	}
	other := list.Items[0]
	if other.Current {
		other = list.Items[1]
	}
	var one wire.Session
	w.must(json.Unmarshal([]byte(w.ask("GET", "/api/auth/sessions/"+string(other.ID), "", token(here)...).text), &one))
	if d := cmp.Diff(other, one); d != "" {
		t.Errorf("one of them (-listed +shown):\n%s", d)
	}
	w.ask("GET", "/api/auth/sessions/"+string(other.ID), "", token(stranger)...).wants(t, "a look at somebody else's", http.StatusNotFound, "session_not_found")
	w.ask("DELETE", "/api/auth/sessions/"+string(other.ID), "", token(stranger)...).wants(t, "somebody else's", http.StatusNotFound, "session_not_found")
	w.ask("DELETE", "/api/auth/sessions/"+string(other.ID), "", token(here)...).wants(t, "one's own", http.StatusNoContent, "")
	w.ask("GET", "/api/auth/me", "", token(there)...).wants(t, "the ended one", http.StatusUnauthorized, "signed_out")
	third := w.as("grace", auth.Administrator)
	w.ask("DELETE", "/api/auth/sessions?others=true", "", token(here)...).wants(t, "all others", http.StatusNoContent, "")
	w.ask("GET", "/api/auth/me", "", token(third)...).wants(t, "another, ended with the others", http.StatusUnauthorized, "")
	w.ask("GET", "/api/auth/me", "", token(here)...).wants(t, "this one, after the others", http.StatusOK, "")
	w.ask("DELETE", "/api/auth/sessions", "", token(here)...).wants(t, "all", http.StatusNoContent, "")
	w.ask("GET", "/api/auth/me", "", token(here)...).wants(t, "the last one", http.StatusUnauthorized, "signed_out")
}

func TestChangePassword_asksForThePresentOneAndEndsTheOtherSessions(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	here, there := w.admin(), w.admin()
	change := func(current, next string) answer {
		return w.ask("POST", "/api/auth/change-password", fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, current, next), token(here)...)
	}
	change("wrong horse battery", "purple monkey dishwasher").wants(t, "a wrong one", http.StatusForbidden, "password_wrong")
	change(password, "grace@example.org").wants(t, "the own address", http.StatusUnprocessableEntity, "password_is_name")
	change(password, "purple monkey dishwasher").wants(t, "the right one", http.StatusNoContent, "")
	w.ask("GET", "/api/auth/me", "", token(here)...).wants(t, "this session", http.StatusOK, "")
	w.ask("GET", "/api/auth/me", "", token(there)...).wants(t, "the other one", http.StatusUnauthorized, "signed_out")
}

// factor turns two-factor authentication on and gives the secret and the backup codes.
func (w *world) factor(c *client.Client) (secret string, codes []string) {
	w.t.Helper()
	var setup wire.FactorSetup
	w.must(json.Unmarshal([]byte(w.ask("POST", "/api/auth/2fa/setup", "", token(c)...).text), &setup))
	if !strings.HasPrefix(string(setup.QR), "\x89PNG") || !strings.HasPrefix(setup.URL, "otpauth://totp/") {
		w.t.Errorf("got %q and a picture of %d bytes", setup.URL, len(setup.QR))
	}
	w.ask("POST", "/api/auth/2fa/enable", `{"code":"000000"}`, token(c)...).wants(w.t, "a wrong code", http.StatusUnprocessableEntity, "code_wrong")
	var out wire.BackupCodes
	code, err := totp.GenerateCode(setup.Secret, time.Now())
	w.must(err)
	a := w.ask("POST", "/api/auth/2fa/enable", fmt.Sprintf(`{"code":%q}`, code), token(c)...)
	a.wants(w.t, "enable", http.StatusOK, "")
	w.must(json.Unmarshal([]byte(a.text), &out))
	return setup.Secret, out.Codes
}

// nextCode is the code of the next step: the present one may be spent. It is good for a minute and more, however slow the machine is.
func (w *world) nextCode(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	w.must(err)
	return code
}

// challenge begins a sign-in that asks for a code.
func (w *world) challenge(name string) string {
	w.t.Helper()
	a := w.ask("POST", "/api/auth/login", login(name, password))
	var out struct {
		Required  bool   `json:"two_factor_required"`
		Challenge string `json:"challenge_token"`
		Access    string `json:"access_token"`
	}
	w.must(json.Unmarshal([]byte(a.text), &out))
	if !out.Required || out.Challenge == "" || out.Access != "" {
		w.t.Fatalf("got %s, want a challenge and nothing else", a.text)
	}
	return out.Challenge
}

func (w *world) code(challenge, code string) answer {
	return w.ask("POST", "/api/auth/2fa/verify-login", fmt.Sprintf(`{"challenge_token":%q,"code":%q}`, challenge, code))
}

func TestSecondFactor_signsInWithACodeOnce(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	w.ask("POST", "/api/auth/2fa/enable", `{"code":"000000"}`, token(grace)...).wants(t, "without a setup", http.StatusNotFound, "second_factor_missing")
	secret, codes := w.factor(grace)
	if len(codes) != 10 {
		t.Fatalf("got %d backup codes, want 10", len(codes))
	}
	challenges := make([]string, 50)
	for i := range challenges {
		challenges[i] = w.challenge("grace")
	}
	code := w.nextCode(secret)
	results := make([]answer, len(challenges))
	var all sync.WaitGroup
	for i, c := range challenges {
		all.Go(func() {
			for {
				if results[i] = w.code(c, code); results[i].StatusCode != http.StatusServiceUnavailable {
					return
				}
			}
		})
	}
	all.Wait()
	won := 0
	for _, a := range results {
		if a.StatusCode == http.StatusOK {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of 50 signed in with one code, want 1", won)
	}
	f, err := w.db.Factor(ctx, must(w.db.UserByLogin(ctx, "grace")).ID)
	if err != nil || strings.Contains(string(f.Sealed), secret) {
		t.Errorf("the secret stands in the database as it is: %q, %v", f.Sealed, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSecondFactor_takesABackupCodeOnceAndBoundsGuesses(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	_, codes := w.factor(w.admin())
	c := w.challenge("grace")
	w.code(c, strings.ToUpper(codes[0])).wants(t, "a backup code", http.StatusOK, "")
	w.code(c, codes[1]).wants(t, "the challenge again", http.StatusUnauthorized, "challenge_ended")
	w.code(w.challenge("grace"), codes[0]).wants(t, "the code again", http.StatusUnauthorized, "code_wrong")
	if _, n := w.mail("code_used", "grace@example.org"); n != 1 {
		t.Errorf("the owner got %d mails", n)
	}
	c = w.challenge("grace")
	refused := false
	for range 6 {
		a := w.code(c, "000000")
		refused = refused || a.StatusCode == http.StatusTooManyRequests || a.problem.Code == "challenge_ended"
	}
	if !refused {
		t.Error("six guesses in a row were all looked at")
	}
}

func TestSecondFactor_isTurnedOffWithThePasswordOnly(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	_, codes := w.factor(grace)
	w.ask("POST", "/api/auth/2fa/setup", "", token(grace)...).wants(t, "setup while it is on", http.StatusConflict, "second_factor_on")
	w.ask("POST", "/api/auth/2fa/disable", `{"password":"wrong horse battery"}`, token(grace)...).wants(t, "a wrong password", http.StatusForbidden, "password_wrong")
	a := w.ask("POST", "/api/auth/2fa/backup-codes", fmt.Sprintf(`{"password":%q}`, password), token(grace)...)
	a.wants(t, "new codes", http.StatusOK, "")
	w.code(w.challenge("grace"), codes[3]).wants(t, "an old code", http.StatusUnauthorized, "code_wrong")
	w.ask("POST", "/api/auth/2fa/disable", fmt.Sprintf(`{"password":%q}`, password), token(grace)...).wants(t, "off", http.StatusNoContent, "")
	if s := w.ask("GET", "/api/auth/2fa/status", "", token(grace)...); !strings.Contains(s.text, `"enabled":false`) {
		t.Errorf("got %s", s.text)
	}
	w.ask("POST", "/api/auth/login", login("grace", password)).wants(t, "without a code", http.StatusOK, "")
}

func TestTokens_actWithinTheirScopeUntilTheyEnd(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	create := func(body string) (wire.Token, answer) {
		a := w.ask("POST", "/api/v1/tokens", body, token(grace)...)
		var k wire.Token
		if a.StatusCode == http.StatusCreated {
			w.must(json.Unmarshal([]byte(a.text), &k))
		}
		return k, a
	}
	reader, _ := create(`{"name":"reader","scopes":["vm.read"]}`)
	head := []string{"Authorization", "Bearer " + reader.Secret}
	w.ask("GET", "/api/v1/vms", "", head...).wants(t, "within the scope", http.StatusOK, "")
	w.ask("GET", "/api/v1/nodes", "", head...).wants(t, "beyond the scope", http.StatusForbidden, "scope")
	w.ask("POST", "/api/v1/tokens", `{"name":"more"}`, head...).wants(t, "a token that makes a token", http.StatusForbidden, "sign_in_needed")
	w.ask("POST", "/api/auth/2fa/setup", "", head...).wants(t, "a token that changes the account", http.StatusForbidden, "sign_in_needed")
	list := w.ask("GET", "/api/v1/tokens", "", token(grace)...)
	if strings.Contains(list.text, reader.Secret) || !strings.Contains(list.text, "last_used_at") {
		t.Errorf("got %s, want the token with its last use and without its secret", list.text)
	}
	_, a := create(`{"name":"reader"}`)
	a.wants(t, "the same name", http.StatusConflict, "token_name_taken")
	_, a = create(`{"name":"x","scopes":["vm.invented"]}`)
	a.wants(t, "an unknown scope", http.StatusUnprocessableEntity, "scope_unknown")
	_, a = create(`{"name":"x","expires_at":"2001-01-01T00:00:00Z"}`)
	a.wants(t, "a token that has ended", http.StatusUnprocessableEntity, "expires_at_invalid")
	w.ask("DELETE", "/api/v1/tokens/"+string(reader.ID), "", token(w.as("eve", auth.Developer))...).wants(t, "somebody else's", http.StatusNotFound, "token_not_found")
	w.ask("DELETE", "/api/v1/tokens/"+string(reader.ID), "", token(grace)...).wants(t, "delete", http.StatusNoContent, "")
	w.ask("GET", "/api/v1/vms", "", head...).wants(t, "a deleted token", http.StatusUnauthorized, "token_invalid")
	if strings.Contains(w.log.String(), reader.Secret) {
		t.Error("a token stands in the log")
	}
}

func TestLogin_slowsGuessesFromOneNetworkAndLeavesTheOwnerIn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.admin()
	from := func(address, password string) answer {
		_, err := w.accounts.Login(ctx, "grace", password, peerAt(address))
		if err == nil {
			return answer{Response: &http.Response{StatusCode: http.StatusOK}}
		}
		return answer{Response: &http.Response{StatusCode: statusOf(err)}}
	}
	if a := from("198.51.100.1", password); a.StatusCode != http.StatusOK {
		t.Fatal("the owner cannot sign in")
	}
	for range 5 {
		from("203.0.113.9", "wrong horse battery")
	}
	if a := from("203.0.113.77", password); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the guesser's network after five guesses: got %d", a.StatusCode)
	}
	if a := from("198.51.100.1", password); a.StatusCode != http.StatusOK {
		t.Errorf("the owner from elsewhere: got %d", a.StatusCode)
	}
	for i := range 60 { // from a network each
		from(fmt.Sprintf("10.0.%d.1", i), "wrong horse battery")
	}
	if a := from("192.0.2.1", password); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a new network after guesses from many: got %d", a.StatusCode)
	}
	if a := from("198.51.100.200", password); a.StatusCode != http.StatusOK {
		t.Errorf("the owner where they signed in before: got %d", a.StatusCode)
	}
	// Who is on the way, or shares the network with the guesser, has the mailbox.
	for _, address := range []string{"192.0.2.1", "203.0.113.77"} {
		w.must(w.accounts.ForgotPassword(ctx, "grace@example.org"))
		secret, _ := w.mail("reset", "grace@example.org")
		w.must(w.accounts.ResetPassword(ctx, secret, "purple monkey dishwasher", peerAt(address)))
		if a := from(address, "purple monkey dishwasher"); a.StatusCode != http.StatusOK {
			t.Errorf("the owner at %s after a reset by mail: got %d", address, a.StatusCode)
		}
	}
	if _, n := w.mail("device", "grace@example.org"); n == 0 {
		t.Error("nobody told the owner of the sign-in from a new place")
	}
	if _, n := w.mail("guessed", "grace@example.org"); n != 1 {
		t.Errorf("the owner got %d mails about the guesses, want one", n)
	}
	check, err := w.app.VerifyAudit(ctx, auth.Platform("test"))
	if err != nil || !check.Intact || check.Entries < 50 {
		t.Errorf("got %+v, %v", check, err)
	}
}

func TestInvite_makesOneAccountWithItsRole(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	a := w.ask("POST", "/api/v1/invites", `{"email":"ada@example.org","role":"operator"}`, token(grace)...)
	a.wants(t, "invite", http.StatusCreated, "")
	var i wire.InviteMade
	w.must(json.Unmarshal([]byte(a.text), &i))
	body := func(name string) string {
		return fmt.Sprintf(`{"username":%q,"email":%q,"password":%q,"invite":%q}`, name, name+"@example.org", password, i.Token)
	}
	w.ask("POST", "/api/auth/register", body("ada")).wants(t, "with the invitation", http.StatusCreated, "")
	w.ask("POST", "/api/auth/register", body("eve")).wants(t, "again", http.StatusUnauthorized, "token_used")
	u, err := w.db.UserByLogin(ctx, "ada")
	if err != nil || u.Role != auth.Operator || u.Tenant != i.Tenant {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestInvites_areListedWhilePendingAndWithdrawn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, ada := w.admin(), w.as("ada", auth.Operator)
	invite := func(name string) (i wire.InviteMade) {
		t.Helper()
		a := w.ask("POST", "/api/v1/invites", fmt.Sprintf(`{"email":"%s@example.org","role":"viewer"}`, name), token(grace)...)
		a.wants(t, "invite", http.StatusCreated, "")
		w.must(json.Unmarshal([]byte(a.text), &i))
		return i
	}
	join := func(name string, i wire.InviteMade) answer {
		return w.ask("POST", "/api/auth/register", fmt.Sprintf(`{"username":%q,"email":"%[1]s@example.org","password":%q,"invite":%q}`, name, password, i.Token))
	}
	kim, lee := invite("kim"), invite("lee")
	listed := func(what string, want ...wire.Invite) {
		t.Helper()
		a := w.ask("GET", "/api/v1/invites", "", token(grace)...)
		a.wants(t, what, http.StatusOK, "")
		var got wire.List[wire.Invite]
		w.must(json.Unmarshal([]byte(a.text), &got))
		if d := cmp.Diff(want, got.Items, cmpopts.EquateEmpty()); d != "" || strings.Contains(a.text, `"token"`) {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	listed("two pending ones, newest first, without secrets", lee.Invite, kim.Invite)
	if kim.InvitedBy != "grace" || kim.TenantName != "default" || !kim.ExpiresAt.After(kim.CreatedAt) {
		t.Errorf("got %+v", kim)
	}
	w.ask("GET", "/api/v1/invites", "", token(ada)...).wants(t, "the list, for no administrator", http.StatusForbidden, "forbidden")
	w.ask("DELETE", "/api/v1/invites/"+string(kim.ID), "", token(ada)...).wants(t, "withdrawing, by no administrator", http.StatusForbidden, "forbidden")
	w.ask("DELETE", "/api/v1/invites/"+string(kim.ID), "", token(grace)...).wants(t, "withdrawing", http.StatusNoContent, "")
	w.ask("DELETE", "/api/v1/invites/"+string(kim.ID), "", token(grace)...).wants(t, "again", http.StatusNotFound, "invite_not_found")
	join("kim", kim).wants(t, "with what was withdrawn", http.StatusUnauthorized, "token_used")
	listed("one pending", lee.Invite)
	join("lee", lee).wants(t, "with the other one", http.StatusCreated, "")
	listed("none pending")
	log := w.ask("GET", "/api/v1/audit?subject=invite/"+string(kim.ID), "", token(grace)...)
	if !strings.Contains(log.text, `"user.invite"`) || !strings.Contains(log.text, `"user.uninvite"`) {
		t.Errorf("the audit log says %s", log.text)
	}
	for i, types := range map[id.Invite][]string{kim.ID: {"audit.invite_created", "audit.invite_withdrawn"}, lee.ID: {"audit.invite_created", "audit.invite_used"}} {
		told := w.ask("GET", "/api/v1/events?subject=invite/"+string(i), "", token(grace)...)
		for _, kind := range types {
			if !strings.Contains(told.text, `"`+kind+`"`) {
				t.Errorf("no event %s: %s", kind, told.text)
			}
		}
	}
}

func TestUsers_areChangedAndTheLastAdministratorStays(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, ada := w.admin(), w.as("ada", auth.Developer)
	w.ask("PATCH", "/api/v1/users/ada", `{"role":"administrator"}`, token(ada)...).wants(t, "by oneself", http.StatusForbidden, "forbidden")
	w.ask("PATCH", "/api/v1/users/grace", `{"role":"viewer"}`, token(grace)...).wants(t, "the last administrator", http.StatusConflict, "last_administrator")
	w.ask("DELETE", "/api/v1/users/grace", "", token(grace)...).wants(t, "deleting it", http.StatusConflict, "last_administrator")
	w.ask("PATCH", "/api/v1/users/ada", `{"disabled":true}`, token(grace)...).wants(t, "closing an account", http.StatusOK, "")
	w.ask("GET", "/api/auth/me", "", token(ada)...).wants(t, "its session", http.StatusUnauthorized, "")
	w.ask("DELETE", "/api/v1/users/ada", "", token(grace)...).wants(t, "deleting an account", http.StatusNoContent, "")
	w.ask("GET", "/api/v1/users/ada", "", token(grace)...).wants(t, "it", http.StatusNotFound, "user_not_found")
	log := w.ask("GET", "/api/v1/audit?action=user.*", "", token(grace)...)
	if !strings.Contains(log.text, `"user.delete"`) || !strings.Contains(log.text, `"before"`) || strings.Contains(log.text, "argon2") {
		t.Errorf("got %s", log.text)
	}
	refused := w.ask("GET", "/api/v1/audit?action=refused", "", token(grace)...)
	if !strings.Contains(refused.text, "PATCH /api/v1/users/ada") {
		t.Errorf("the refusal is not recorded: %s", refused.text)
	}
}

func peerAt(address string) app.Peer { return app.Peer{Address: address, Agent: "test"} }

func statusOf(err error) int {
	if fault.Is(err, fault.RateLimited) {
		return http.StatusTooManyRequests
	}
	return http.StatusUnauthorized
}

func TestResetPassword_leavesTheSecondFactorOnAndTellsTheOwner(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.factor(w.admin())
	w.ask("POST", "/api/auth/forgot-password", `{"email":"grace@example.org"}`).wants(t, "forgot", http.StatusAccepted, "")
	secret, _ := w.mail("reset", "grace@example.org")
	w.ask("POST", "/api/auth/reset-password", fmt.Sprintf(`{"token":%q,"password":%q}`, secret, password)).wants(t, "reset", http.StatusNoContent, "")
	if c := w.challenge("grace"); c == "" {
		t.Error("after the reset nobody asks for a code")
	}
	if _, n := w.mail("changed", "grace@example.org"); n != 1 {
		t.Errorf("the owner got %d mails of the change", n)
	}
}

func TestLinks_beginWithThePublicURLWhateverTheHostHeaderSays(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.user("grace", auth.Developer)
	w.ask("POST", "/api/auth/forgot-password", `{"email":"grace@example.org"}`, "Host", "evil.example", "X-Forwarded-Host", "evil.example").wants(t, "forgot", http.StatusAccepted, "")
	list, err := w.accounts.Mails(ctx, auth.Platform("test"))
	w.must(err)
	for _, m := range list.Items {
		if m.Link != "" && !strings.HasPrefix(m.Link, "http://localhost:8092/") {
			t.Errorf("got %s", m.Link)
		}
	}
	if len(list.Items) != 1 {
		t.Errorf("got %d mails, want one", len(list.Items))
	}
}
