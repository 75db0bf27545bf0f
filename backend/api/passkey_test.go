package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"novacron/backend/app"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// here is the place that the passkeys of the tests belong to: the public URL's.
var here = virtualwebauthn.RelyingParty{Name: "NovaCron", ID: "localhost", Origin: "http://localhost:8092"}

// key is an authenticator in software with one passkey.
type key struct {
	virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
	id   string
}

func (w *world) begin(path, body string, headers ...string) (c wire.PasskeyChallenge) {
	w.t.Helper()
	a := w.ask("POST", path, body, headers...)
	a.wants(w.t, path, http.StatusOK, "")
	w.must(json.Unmarshal([]byte(a.text), &c))
	return c
}

// fullKey is the length in bytes of a public key in COSE whose coordinates have all of their 32 bytes.
const fullKey = 77

// credential makes a key. The library leaves away the zero bytes that a coordinate begins with, which RFC 9053 section 7.1.1
// forbids and the server refuses: one key of 128 would not do.
func credential() virtualwebauthn.Credential {
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == fullKey {
			return c
		}
	}
}

// make answers a challenge that makes a passkey.
func (w *world) make(c *client.Client, k *key, place virtualwebauthn.RelyingParty, ch wire.PasskeyChallenge) answer {
	w.t.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(string(ch.Options))
	w.must(err)
	k.cred = credential()
	made := virtualwebauthn.CreateAttestationResponse(place, k.Authenticator, k.cred, *options)
	return w.ask("POST", "/api/auth/passkeys/register/finish", fmt.Sprintf(`{"challenge_token":%q,"name":"phone","credential":%s}`, ch.ChallengeToken, made), token(c)...)
}

// passkey registers one for the account.
func (w *world) passkey(c *client.Client, u id.User) (*key, wire.PasskeyMade) {
	w.t.Helper()
	k := &key{Authenticator: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(u)})}
	a := w.make(c, k, here, w.begin("/api/auth/passkeys/register", fmt.Sprintf(`{"password":%q}`, password), token(c)...))
	a.wants(w.t, "a passkey", http.StatusCreated, "")
	var out wire.PasskeyMade
	w.must(json.Unmarshal([]byte(a.text), &out))
	k.id, k.cred.Counter = out.ID, 1
	return k, out
}

// show answers a challenge that signs in.
func (w *world) show(k *key, place virtualwebauthn.RelyingParty, ch wire.PasskeyChallenge) answer {
	w.t.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(string(ch.Options))
	w.must(err)
	shown := virtualwebauthn.CreateAssertionResponse(place, k.Authenticator, k.cred, *options)
	return w.ask("POST", "/api/auth/passkeys/login/finish", fmt.Sprintf(`{"challenge_token":%q,"credential":%s}`, ch.ChallengeToken, shown))
}

func (w *world) passkeyLogin() wire.PasskeyChallenge {
	w.t.Helper()
	return w.begin("/api/auth/passkeys/login", "")
}

func TestPasskey_isTheSecondFactorOrAllThatIsShown(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	u := must(grace.Me(ctx))
	w.ask("POST", "/api/auth/passkeys/register", `{"password":"wrong horse battery"}`, token(grace)...).wants(t, "a wrong password", http.StatusForbidden, "password_wrong")
	k, made := w.passkey(grace, u.ID)
	if len(made.BackupCodes) != 10 || made.Name != "phone" {
		t.Errorf("got %+v, want a name and ten backup codes", made)
	}
	a := w.show(k, here, w.passkeyLogin())
	if a.wants(t, "alone", http.StatusOK, ""); !strings.Contains(a.text, `"access_token"`) || !strings.Contains(a.text, `"grace"`) {
		t.Errorf("got %s", a.text)
	}
	in := w.ask("POST", "/api/auth/login", login("grace", password))
	var out wire.LoginAnswer
	w.must(json.Unmarshal([]byte(in.text), &out))
	if !out.TwoFactorRequired || out.AccessToken != "" || !slices.Equal(out.Methods, []string{"passkey", "backup_code"}) {
		t.Fatalf("the password alone got %s", in.text)
	}
	k.cred.Counter++
	ch := w.begin("/api/auth/passkeys/login", fmt.Sprintf(`{"challenge_token":%q}`, out.ChallengeToken))
	if !strings.Contains(string(ch.Options), k.id) {
		t.Errorf("the browser is not told which passkeys: %s", ch.Options)
	}
	w.show(k, here, ch).wants(t, "as the second factor", http.StatusOK, "")
	w.code(w.challenge("grace"), "000000").wants(t, "a code without an app", http.StatusUnauthorized, "code_wrong")
	w.code(w.challenge("grace"), made.BackupCodes[0]).wants(t, "a backup code", http.StatusOK, "")
	list := w.ask("GET", "/api/auth/passkeys", "", token(grace)...)
	if !strings.Contains(list.text, `"last_used_at"`) || strings.Contains(list.text, "publicKey") {
		t.Errorf("got %s", list.text)
	}
	remove := func(c *client.Client, password string) answer {
		return w.ask("POST", "/api/auth/passkeys/"+k.id+"/remove", fmt.Sprintf(`{"password":%q}`, password), token(c)...)
	}
	remove(grace, "wrong horse battery").wants(t, "removing it with a wrong password", http.StatusForbidden, "password_wrong")
	remove(w.as("eve", auth.Developer), password).wants(t, "removing somebody else's", http.StatusNotFound, "passkey_not_found")
	remove(grace, password).wants(t, "removing it", http.StatusNoContent, "")
	k.cred.Counter++
	w.show(k, here, w.passkeyLogin()).wants(t, "a removed one", http.StatusUnauthorized, "passkey_refused")
	w.ask("POST", "/api/auth/login", login("grace", password)).wants(t, "the password then", http.StatusOK, "")
	for kind, want := range map[string]int{"passkey_added": 1, "passkey_removed": 1} {
		if _, n := w.mail(kind, "grace@example.org"); n != want {
			t.Errorf("the owner got %d mails of %s", n, kind)
		}
	}
	log := w.ask("GET", "/api/v1/audit?action=passkey.*", "", token(grace)...)
	if !strings.Contains(log.text, `"passkey.add"`) || !strings.Contains(log.text, `"passkey.remove"`) {
		t.Errorf("not recorded: %s", log.text)
	}
}

func TestPasskey_satisfiesARequiredSecondFactor(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.admin(), w.as("eve", auth.Developer)
	w.passkey(grace, must(grace.Me(ctx)).ID)
	w.ask("PATCH", "/api/v1/tenants/default", `{"require_second_factor":true}`, token(grace)...).wants(t, "require it", http.StatusOK, "")
	enrolling(t, w, eve)
	first, _ := w.passkey(eve, must(eve.Me(ctx)).ID)
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "with a passkey", http.StatusOK, "")
	remove := func() answer {
		return w.ask("POST", "/api/auth/passkeys/"+first.id+"/remove", fmt.Sprintf(`{"password":%q}`, password), token(eve)...)
	}
	remove().wants(t, "removing the only one", http.StatusConflict, "last_factor")
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "after the refusal", http.StatusOK, "")
	w.passkey(eve, must(eve.Me(ctx)).ID)
	remove().wants(t, "removing one of two", http.StatusNoContent, "")
}

func TestPasskey_hostileAnswersLetNobodyIn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.admin(), w.as("eve", auth.Developer)
	graceID, eveID := must(grace.Me(ctx)).ID, must(eve.Me(ctx)).ID
	k, _ := w.passkey(grace, graceID)
	other, _ := w.passkey(eve, eveID)
	refused := func(what string, a answer, code string) {
		t.Helper()
		a.wants(t, what, http.StatusUnauthorized, code)
		if strings.Contains(a.text, "access_token") {
			t.Errorf("%s: got a token", what)
		}
	}
	evil, elsewhere := here, here
	evil.Origin = "http://localhost.evil.example"
	elsewhere.ID = "evil.example"
	k.cred.Counter++
	refused("of another origin", w.show(k, evil, w.passkeyLogin()), "passkey_refused")
	refused("of another place", w.show(k, elsewhere, w.passkeyLogin()), "passkey_refused")

	ch := w.passkeyLogin()
	w.show(k, here, ch).wants(t, "the right one", http.StatusOK, "")
	k.cred.Counter++
	refused("a replayed challenge", w.show(k, here, ch), "challenge_ended")
	stale, fresh := w.passkeyLogin(), w.passkeyLogin()
	refused("the answer to another challenge", w.show(k, here, wire.PasskeyChallenge{ChallengeToken: fresh.ChallengeToken, Options: stale.Options}), "passkey_refused")

	begin := func() wire.PasskeyChallenge { // as the second factor of grace
		return w.begin("/api/auth/passkeys/login", fmt.Sprintf(`{"challenge_token":%q}`, w.challenge("grace")))
	}
	other.cred.Counter++
	refused("another user's passkey as the second factor", w.show(other, here, begin()), "passkey_refused")
	posing := *other
	posing.Options.UserHandle = []byte(graceID)
	refused("another user's passkey under one's name", w.show(&posing, here, w.passkeyLogin()), "passkey_refused")
	forged := *other
	forged.Options.UserHandle, forged.cred.ID = []byte(graceID), k.cred.ID
	refused("another key under the passkey's id", w.show(&forged, here, w.passkeyLogin()), "passkey_refused")
	unverified := *k
	unverified.Options.UserNotVerified = true
	refused("without the finger or the PIN", w.show(&unverified, here, w.passkeyLogin()), "passkey_refused")

	k.cred.Counter += 5
	w.show(k, here, w.passkeyLogin()).wants(t, "the counter going on", http.StatusOK, "")
	k.cred.Counter -= 2
	refused("the counter going back", w.show(k, here, w.passkeyLogin()), "passkey_cloned")
	refused("nonsense", w.ask("POST", "/api/auth/passkeys/login/finish", fmt.Sprintf(`{"challenge_token":%q,"credential":{"id":7}}`, w.passkeyLogin().ChallengeToken)), "passkey_refused")

	// Registering.
	ask := func(c *client.Client) wire.PasskeyChallenge {
		return w.begin("/api/auth/passkeys/register", fmt.Sprintf(`{"password":%q}`, password), token(c)...)
	}
	w.make(grace, &key{Authenticator: virtualwebauthn.NewAuthenticator()}, evil, ask(grace)).wants(t, "made on another origin", http.StatusUnprocessableEntity, "passkey_refused")
	w.make(grace, &key{Authenticator: virtualwebauthn.NewAuthenticator()}, here, ask(eve)).wants(t, "made for somebody else's challenge", http.StatusUnprocessableEntity, "passkey_refused")
	again := ask(eve)
	w.make(eve, &key{Authenticator: virtualwebauthn.NewAuthenticator()}, here, again).wants(t, "made", http.StatusCreated, "")
	w.make(eve, &key{Authenticator: virtualwebauthn.NewAuthenticator()}, here, again).wants(t, "made twice for a challenge", http.StatusUnauthorized, "challenge_ended")
	log := w.ask("GET", "/api/v1/audit?action=auth.login", "", token(grace)...)
	if !strings.Contains(log.text, "passkey_cloned") || !strings.Contains(log.text, "passkey_refused") {
		t.Errorf("the tries are not recorded: %s", log.text)
	}
}

func TestPasskey_needsAName(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.accountDeps = byAddress
	w.restart()
	grace := w.admin()
	w.ask("POST", "/api/auth/passkeys/register", fmt.Sprintf(`{"password":%q}`, password), token(grace)...).wants(t, "under an address", http.StatusUnprocessableEntity, "passkeys_unsupported")
}

func byAddress(d *app.AccountDeps) { d.PublicURL = "http://192.0.2.1:8092" }
