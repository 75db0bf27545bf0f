package session_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/session"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	user  = id.User("usr-00000000000000000001")
	login = id.Session("ses-00000000000000000001")
)

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeys_issueWhatTheyVerify(t *testing.T) {
	keys := session.NewKeys(newKey(t))
	token, issued, err := keys.Issue(user, login, noon)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.Verify(token, noon.Add(session.AccessLifetime-time.Second))
	if err != nil || got.User != user || got.Session != login || got.Token != issued.Token || !got.Expires.Equal(noon.Add(15*time.Minute)) {
		t.Errorf("got %+v, %v; want %+v", got, err, issued)
	}
}

func TestKeys_olderKeysStillVerify(t *testing.T) {
	older, newer := newKey(t), newKey(t)
	token, _, err := session.NewKeys(older).Issue(user, login, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewKeys(older, newer).Verify(token, noon); err != nil {
		t.Errorf("a token of the older key: %v", err)
	}
	if _, err := session.NewKeys(newer).Verify(token, noon); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v from a ring without the key, want a refusal", err)
	}
}

func TestVerify_ofATokenThatIsRememberedStillEndsWithItsTimeAndItsKey(t *testing.T) {
	keys := session.NewKeys(newKey(t))
	token, _, err := keys.Issue(user, login, noon)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is remembered
		if _, err := keys.Verify(token, noon); err != nil {
			t.Fatal(err)
		}
	}
	for when, at := range map[string]time.Time{"after its end": noon.Add(session.AccessLifetime), "before its beginning": noon.Add(-time.Second)} {
		if _, err := keys.Verify(token, at); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: got %v, want a refusal", when, err)
		}
	}
	if _, err := keys.Verify(token[:len(token)-6]+"AAAAAA", noon); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("with another signature: got %v, want a refusal", err)
	}
	keys.Replace([]session.SigningKey{{PrivateKey: newKey(t)}})
	if _, err := keys.Verify(token, noon); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without its key: got %v, want a refusal", err)
	}
}

// part encodes one part of a hand-made token.
func part(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func signRS256(key *rsa.PrivateKey, header, claims map[string]any) string {
	text := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func signHS256(secret []byte, header, claims map[string]any) string {
	text := part(header) + "." + part(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestVerify_takesHS256OnlyWithASecretOfItsOwn: only where a secret is set, only under its own key id, and never for a sign-in.
func TestVerify_takesHS256OnlyWithASecretOfItsOwn(t *testing.T) {
	secret, key := []byte(strings.Repeat("s3", session.MinSharedSecret/2)), newKey(t)
	rsaOnly, both := session.NewKeys(key), new(session.Keys)
	if err := both.Share(secret[1:]); err == nil {
		t.Error("a secret that is too short: got no error")
	}
	if err := both.Share(secret); err != nil {
		t.Fatal(err)
	}
	both.Replace([]session.SigningKey{{PrivateKey: key}})
	claims := map[string]any{"iss": session.Issuer, "aud": session.Audience, "sub": string(user), "jti": "tok-1", "iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix()}
	header := map[string]any{"alg": "HS256", "typ": "JWT", "kid": session.SharedKeyID}
	with := func(m map[string]any, k string, v any) map[string]any {
		m = maps.Clone(m)
		m[k] = v
		return m
	}
	good := signHS256(secret, header, claims)
	if c, err := both.Verify(good, noon); err != nil || c.User != user || c.Token != "tok-1" || c.Session != "" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if strings.Contains(string(both.JWKS()), "HS256") || strings.Contains(string(both.JWKS()), `"oct"`) {
		t.Errorf("the secret is published: %s", both.JWKS())
	}
	for name, c := range map[string]struct {
		keys  *session.Keys
		token string
	}{
		"no secret is set":             {rsaOnly, good},
		"another secret":               {both, signHS256([]byte(strings.Repeat("x", 32)), header, claims)},
		"another algorithm of its key": {both, signHS256(secret, with(header, "alg", "HS512"), claims)},
		"RS256 under its key id":       {both, signRS256(key, with(header, "alg", "RS256"), claims)},
		"HS256 under an RSA key's id":  {both, signHS256(secret, with(header, "kid", session.KeyID(&key.PublicKey)), claims)},
		"the public key as the secret": {both, signHS256(key.N.Bytes(), with(header, "kid", session.KeyID(&key.PublicKey)), claims)},
		"somebody's sign-in":           {both, signHS256(secret, header, with(claims, "sid", string(login)))},
		"a long life":                  {both, signHS256(secret, header, with(claims, "exp", noon.Add(session.AccessLifetime+time.Second).Unix()))},
	} {
		if got, err := c.keys.Verify(c.token, noon); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: got %+v, %v; want a refusal", name, got, err)
		}
	}
}

func TestVerify_refusesHostileTokens(t *testing.T) {
	key := newKey(t)
	keys := session.NewKeys(key)
	good, _, err := keys.Issue(user, login, noon)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(keys.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	kid := set.Keys[0].Kid
	header := func(more map[string]any) map[string]any {
		h := map[string]any{"alg": "RS256", "typ": "JWT", "kid": kid}
		for k, v := range more {
			h[k] = v
		}
		return h
	}
	claims := func(more map[string]any) map[string]any {
		c := map[string]any{"iss": "novacron", "aud": []string{"novacron-api"}, "sub": string(user), "jti": "tok-1", "sid": string(login),
			"iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix()}
		for k, v := range more {
			if v == nil {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
		return c
	}
	if _, err := keys.Verify(signRS256(key, header(nil), claims(nil)), noon); err != nil {
		t.Fatalf("the hand-made token that the others are variations of: %v", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	hmacWith := func(secret []byte) string {
		return signHS256(secret, header(map[string]any{"alg": "HS256"}), claims(nil))
	}
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"nothing":                         "",
		"not a token":                     "hello",
		"two dots":                        "..",
		"alg none":                        part(map[string]any{"alg": "none", "kid": kid}) + "." + part(claims(nil)) + ".",
		"alg none with a signature":       part(map[string]any{"alg": "none", "kid": kid}) + "." + parts[1] + "." + parts[2],
		"HMAC with the public key as PEM": hmacWith(publicPEM),
		"HMAC with the public key as DER": hmacWith(public),
		"HMAC with an empty key":          hmacWith(nil),
		"another RSA algorithm":           signRS256(key, header(map[string]any{"alg": "RS512"}), claims(nil)),
		"no kid":                          signRS256(key, map[string]any{"alg": "RS256"}, claims(nil)),
		"unknown kid":                     signRS256(key, header(map[string]any{"kid": "x"}), claims(nil)),
		"a kid that is a path":            signRS256(key, header(map[string]any{"kid": "../../dev/null"}), claims(nil)),
		"a kid that is a number":          signRS256(key, header(map[string]any{"kid": 1}), claims(nil)),
		"a key of its own":                signRS256(newKey(t), header(map[string]any{"jwk": map[string]any{"kty": "RSA"}, "jku": "http://127.0.0.1/"}), claims(nil)),
		"signed by somebody else":         signRS256(newKey(t), header(nil), claims(nil)),
		"changed claims":                  parts[0] + "." + part(claims(map[string]any{"sub": "usr-00000000000000000009"})) + "." + parts[2],
		"no signature":                    parts[0] + "." + parts[1] + ".",
		"cut off":                         good[:len(good)-4],
		"one part too many":               good + ".x",
		"padding":                         good + "==",
		"another issuer":                  signRS256(key, header(nil), claims(map[string]any{"iss": "elsewhere"})),
		"another audience":                signRS256(key, header(nil), claims(map[string]any{"aud": "novacron-mail"})),
		"no audience":                     signRS256(key, header(nil), claims(map[string]any{"aud": nil})),
		"no end":                          signRS256(key, header(nil), claims(map[string]any{"exp": nil})),
		"a far end":                       signRS256(key, header(nil), claims(map[string]any{"exp": noon.AddDate(1, 0, 0).Unix()})),
		"issued tomorrow":                 signRS256(key, header(nil), claims(map[string]any{"iat": noon.AddDate(0, 0, 1).Unix(), "exp": noon.AddDate(0, 0, 1).Add(time.Minute).Unix()})),
		"not before tomorrow":             signRS256(key, header(nil), claims(map[string]any{"nbf": noon.AddDate(0, 0, 1).Unix()})),
		"no subject":                      signRS256(key, header(nil), claims(map[string]any{"sub": nil})),
		"no jti":                          signRS256(key, header(nil), claims(map[string]any{"jti": nil})),
		"no iat":                          signRS256(key, header(nil), claims(map[string]any{"iat": nil})),
		"an end that is text":             signRS256(key, header(nil), claims(map[string]any{"exp": "tomorrow"})),
		"longer than a bound":             signRS256(key, header(nil), claims(map[string]any{"x": strings.Repeat("a", session.MaxTokenBytes)})),
		"claims that are a list":          func() string { return parts[0] + "." + part([]int{1}) + "." + parts[2] }(),
	} {
		if got, err := keys.Verify(token, noon); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: got %+v, %v; want a refusal", name, got, err)
		}
	}
	if _, err := keys.Verify(good, noon.Add(session.AccessLifetime)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("expired: got %v, want a refusal", err)
	}
}

func TestKeys_aNewKeySignsOnlyWhenItsTimeHasCome(t *testing.T) {
	older, newer := newKey(t), newKey(t)
	ring := session.NewKeys(older)
	ring.Replace([]session.SigningKey{{PrivateKey: older}, {PrivateKey: newer, From: noon.Add(time.Minute)}})
	for _, c := range []struct {
		at   time.Time
		want *rsa.PrivateKey
	}{{noon, older}, {noon.Add(time.Minute), newer}} {
		token, _, err := ring.Issue(user, login, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.NewKeys(c.want).Verify(token, c.at); err != nil {
			t.Errorf("at %s another key signed: %v", c.at.Format(time.TimeOnly), err)
		}
	}
}

func TestKeys_theOnlyKeySignsAtOnce(t *testing.T) {
	key := newKey(t)
	ring := session.NewKeys(key)
	ring.Replace([]session.SigningKey{{PrivateKey: key, From: noon.Add(time.Hour)}})
	token, _, err := ring.Issue(user, login, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Verify(token, noon); err != nil {
		t.Error(err)
	}
}

func TestDecodeKey_refusesWhatCannotSign(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "1024 bits": session.EncodeKey(small), "cut off": session.EncodeKey(newKey(t))[:200]} {
		if _, err := session.DecodeKey(der); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	key := newKey(t)
	if got, err := session.DecodeKey(session.EncodeKey(key)); err != nil || !got.Equal(key) {
		t.Errorf("a good key: got %v", err)
	}
}

func TestJWKS_holdsOnlyThePublicHalf(t *testing.T) {
	key := newKey(t)
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(session.NewKeys(key).JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Keys[0]["alg"] != "RS256" || set.Keys[0]["use"] != "sig" {
		t.Fatalf("got %v", set)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		if _, ok := set.Keys[0][private]; ok {
			t.Errorf("the set publishes %q", private)
		}
	}
	n, err := base64.RawURLEncoding.DecodeString(set.Keys[0]["n"])
	if err != nil || fmt.Sprintf("%x", n) != fmt.Sprintf("%x", key.N.Bytes()) {
		t.Errorf("the modulus is not the key's: %v", err)
	}
}
