package security

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
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"novacron/backend/core/wire"
	"novacron/backend/session"
)

// forge makes tokens with the server's own signing key.
type forge struct {
	key    *rsa.PrivateKey
	header map[string]any
	claims map[string]any
}

func part(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// with gives text with some of its parts changed; nil takes one out.
func with(base, more map[string]any) map[string]any {
	out := maps.Clone(base)
	for k, v := range more {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

func (f forge) sign(key *rsa.PrivateKey, header, claims map[string]any) string {
	text := part(with(f.header, header)) + "." + part(with(f.claims, claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (f forge) hmac(secret []byte, header map[string]any) string {
	text := part(with(f.header, header)) + "." + part(f.claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// forger starts a server whose signing key the test has, and takes a token of it apart.
func forger(t *testing.T) (*world, forge, string) {
	t.Helper()
	key, err := session.MakeKey()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOVACRON_SIGNING_KEY", base64.StdEncoding.EncodeToString(session.EncodeKey(key)))
	w := start(t, nil)
	f := forge{key: key}
	for i, to := range []*map[string]any{&f.header, &f.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(w.admin, ".")[i])
		w.must(err)
		w.must(json.Unmarshal(raw, to))
	}
	w.as(f.sign(key, nil, nil), "GET", "/api/auth/me", nil).wants(t, "the forged token that the others are variations of", http.StatusOK, "")
	return w, f, w.admin
}

// hostile is the corpus: none of them may open anything.
func hostile(t *testing.T, f forge, good string) map[string]string {
	t.Helper()
	stranger, err := session.MakeKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk := map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(stranger.N.Bytes()), "e": "AQAB"}
	p := strings.Split(good, ".")
	long := time.Now().AddDate(0, 0, -1).Unix()
	return map[string]string{
		"none":                                 part(map[string]any{"alg": "none", "kid": f.header["kid"]}) + "." + p[1] + ".",
		"none with a signature":                part(map[string]any{"alg": "None", "kid": f.header["kid"]}) + "." + p[1] + "." + p[2],
		"HS256 with the public key as PEM":     f.hmac(public, map[string]any{"alg": "HS256"}),
		"HS256 with the public key as DER":     f.hmac(der, map[string]any{"alg": "HS256"}),
		"HS256 with the key id":                f.hmac([]byte(f.header["kid"].(string)), map[string]any{"alg": "HS256"}),
		"another RSA algorithm":                f.sign(f.key, map[string]any{"alg": "RS384"}, nil),
		"PS256":                                f.sign(f.key, map[string]any{"alg": "PS256"}, nil),
		"two algorithms":                       f.sign(f.key, map[string]any{"alg": []string{"RS256", "none"}}, nil),
		"another issuer":                       f.sign(f.key, nil, map[string]any{"iss": "elsewhere"}),
		"no issuer":                            f.sign(f.key, nil, map[string]any{"iss": nil}),
		"another audience":                     f.sign(f.key, nil, map[string]any{"aud": "elsewhere"}),
		"no jti":                               f.sign(f.key, nil, map[string]any{"jti": nil}),
		"an empty jti":                         f.sign(f.key, nil, map[string]any{"jti": ""}),
		"no session that there is":             f.sign(f.key, nil, map[string]any{"sid": "ses-00000000000000000001"}),
		"no account that there is":             f.sign(f.key, nil, map[string]any{"sub": "usr-00000000000000000001", "sid": nil}),
		"expired":                              f.sign(f.key, nil, map[string]any{"iat": long, "exp": long + 900}),
		"no end":                               f.sign(f.key, nil, map[string]any{"exp": nil}),
		"an end in a hundred years":            f.sign(f.key, nil, map[string]any{"exp": time.Now().AddDate(100, 0, 0).Unix()}),
		"an end beyond numbers":                f.sign(f.key, nil, map[string]any{"exp": 1e300}),
		"issued tomorrow":                      f.sign(f.key, nil, map[string]any{"iat": time.Now().AddDate(0, 0, 1).Unix()}),
		"not before tomorrow":                  f.sign(f.key, nil, map[string]any{"nbf": time.Now().AddDate(0, 0, 1).Unix()}),
		"no kid":                               f.sign(f.key, map[string]any{"kid": nil}, nil),
		"a kid of nobody":                      f.sign(f.key, map[string]any{"kid": "x"}, nil),
		"a kid that is a path":                 f.sign(stranger, map[string]any{"kid": "../../../../dev/null"}, nil),
		"a kid that is SQL":                    f.sign(stranger, map[string]any{"kid": "x' union select 'key'--"}, nil),
		"a kid that is an object":              f.sign(f.key, map[string]any{"kid": map[string]any{"a": 1}}, nil),
		"a key of its own (jwk)":               f.sign(stranger, map[string]any{"jwk": jwk}, nil),
		"a key of its own (jku)":               f.sign(stranger, map[string]any{"jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/c"}, nil),
		"a certificate of its own (x5c)":       f.sign(stranger, map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(der)}}, nil),
		"critical extensions":                  f.sign(stranger, map[string]any{"crit": []string{"b64"}, "b64": false}, nil),
		"another's signature":                  f.sign(stranger, nil, nil),
		"no signature":                         p[0] + "." + p[1] + ".",
		"changed claims":                       p[0] + "." + part(with(f.claims, map[string]any{"sub": "usr-00000000000000000001"})) + "." + p[2],
		"a token in a token":                   f.sign(f.key, map[string]any{"cty": "JWT"}, map[string]any{"sub": good}),
		"encrypted (five parts)":               good + "." + p[1] + "." + p[2],
		"claims that are a list":               p[0] + "." + part([]int{1}) + "." + p[2],
		"deeply nested claims":                 p[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(`{"a":`, 1000))) + "." + p[2],
		"huge":                                 good + strings.Repeat("A", 8<<10),
		"a huge claim":                         f.sign(f.key, nil, map[string]any{"pad": strings.Repeat("a", 6<<10)}),
		"padding":                              good + "==",
		"another alphabet":                     strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+/",
		"an API token of nobody":               "novacron_" + strings.Repeat("A", 43),
		"an API token that is SQL":             "novacron_' or '1'='1",
		"a zero byte":                          "a%00b",
		"nothing that a token could look like": "undefined",
	}
}

func TestTokens_thatAreHostileOpenNothing(t *testing.T) {
	w, f, good := forger(t)
	revoked := w.signIn("root")
	w.as(revoked, "POST", "/api/auth/logout", nil).wants(t, "sign out", http.StatusNoContent, "")
	corpus := hostile(t, f, good)
	corpus["revoked"] = revoked
	for name, token := range corpus {
		for _, path := range []string{"/api/auth/me", "/api/v1/users"} {
			a := w.as(token, "GET", path, nil)
			if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s at %s: got %d %s, want 401", name, path, a.StatusCode, a.text)
			}
		}
		c, err := w.socket("/ws/events/v1", nil)
		w.must(err)
		w.must(wsjson.Write(t.Context(), c, wire.EventsAuth{Type: "auth", Token: token}))
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != wire.CloseSignedOut {
			t.Errorf("%s on the WebSocket: got %v, want %d", name, err, wire.CloseSignedOut)
		}
	}
	w.as(good, "GET", "/api/auth/me", nil).wants(t, "the good token after all", http.StatusOK, "")
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a token ended in a panic")
	}
}
