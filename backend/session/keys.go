package session

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// What every access token carries, so that a token made for something else is not taken.
const (
	Issuer   = "novacron"
	Audience = "novacron-api"
)

const (
	keyBits = 2048
	maxKeys = 8 // files read from the key folder
)

// Claims is what an access token says. Sub, jti and sid are its names on the wire.
type Claims struct {
	User    id.User    // sub
	Token   string     // jti
	Session id.Session // sid; empty: the token stands for itself
	Issued  time.Time  // iat, whole seconds
	Expires time.Time  // exp, whole seconds
}

// Keys is the ring of RS256 keys: the newest signs, all verify. The algorithm is fixed with the key, never read out of a
// token. It may be used by several goroutines.
type Keys struct {
	ring   map[string]*rsa.PrivateKey
	newest string // kid
	jwks   []byte
}

// OpenKeys reads the ring from the folder, which it makes (0700) with a first key (0600) when there is none.
func OpenKeys(dir string, now time.Time) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("key folder: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		name, err := writeKey(dir, now)
		if err != nil {
			return nil, err
		}
		names = []string{name}
	}
	sort.Strings(names) // names begin with the time of making
	if len(names) > maxKeys {
		names = names[len(names)-maxKeys:]
	}
	var keys []*rsa.PrivateKey
	for _, name := range names {
		key, err := readKey(name)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return NewKeys(keys...), nil
}

// NewKeys makes a ring of keys, the newest last. It panics without a key.
func NewKeys(keys ...*rsa.PrivateKey) *Keys {
	k := &Keys{ring: map[string]*rsa.PrivateKey{}}
	set := make([]map[string]string, 0, len(keys))
	for _, key := range keys {
		kid := thumbprint(&key.PublicKey)
		k.ring[kid], k.newest = key, kid
		n, e := numbers(&key.PublicKey)
		set = append(set, map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e})
	}
	if k.newest == "" {
		panic("session: a key ring without a key")
	}
	k.jwks, _ = json.Marshal(map[string]any{"keys": set}) // strings only: cannot fail
	return k
}

// JWKS is the public half of the ring as a JSON Web Key Set (RFC 7517).
func (k *Keys) JWKS() []byte { return k.jwks }

// Issue signs a token of AccessLifetime with the newest key.
func (k *Keys) Issue(user id.User, s id.Session, now time.Time) (string, Claims, error) {
	c := Claims{User: user, Token: string(id.NewToken()), Session: s, Issued: now.Truncate(time.Second), Expires: now.Truncate(time.Second).Add(AccessLifetime)}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwtClaims{Sid: string(s), RegisteredClaims: jwt.RegisteredClaims{
		Issuer: Issuer, Audience: jwt.ClaimStrings{Audience}, Subject: string(user), ID: c.Token,
		IssuedAt: jwt.NewNumericDate(c.Issued), ExpiresAt: jwt.NewNumericDate(c.Expires),
	}})
	t.Header["kid"] = k.newest
	signed, err := t.SignedString(k.ring[k.newest])
	if err != nil {
		return "", Claims{}, fmt.Errorf("sign access token: %w", err)
	}
	return signed, c, nil
}

type jwtClaims struct {
	Sid string `json:"sid,omitempty"`
	jwt.RegisteredClaims
}

// Verify checks signature, issuer, audience and times of a presented token. It does not know revocations: see
// Revocations.Check. Every refusal is fault.Unauthenticated with code token_invalid or token_expired.
func (k *Keys) Verify(token string, now time.Time) (Claims, error) {
	if len(token) > MaxTokenBytes {
		return Claims{}, fault.New(fault.Unauthenticated, "token_invalid", "the access token is longer than %d bytes; sign in again", MaxTokenBytes)
	}
	var c jwtClaims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(Issuer), jwt.WithAudience(Audience), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }))
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := k.ring[kid]
		if !ok {
			return nil, errors.New("unknown key id")
		}
		return &key.PublicKey, nil
	})
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Claims{}, fault.Wrap(err, fault.Unauthenticated, "token_expired", "the access token has expired; refresh it or sign in again")
	case err != nil:
		return Claims{}, fault.Wrap(err, fault.Unauthenticated, "token_invalid", "the access token is not valid here; sign in again")
	case c.Subject == "" || c.ID == "" || c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > AccessLifetime:
		return Claims{}, fault.New(fault.Unauthenticated, "token_invalid", "the access token lacks what NovaCron puts into each; sign in again")
	}
	return Claims{User: id.User(c.Subject), Token: c.ID, Session: id.Session(c.Sid), Issued: c.IssuedAt.Time, Expires: c.ExpiresAt.Time}, nil
}

func numbers(p *rsa.PublicKey) (n, e string) {
	b := base64.RawURLEncoding
	return b.EncodeToString(p.N.Bytes()), b.EncodeToString(big.NewInt(int64(p.E)).Bytes())
}

// thumbprint names a key by its content (RFC 7638), so that no two servers give one name to different keys.
func thumbprint(p *rsa.PublicKey) string {
	n, e := numbers(p)
	sum := sha256.Sum256(fmt.Appendf(nil, `{"e":%q,"kty":"RSA","n":%q}`, e, n))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// writeKey makes a key and puts it under its final name only when it is whole on the disk.
func writeKey(dir string, now time.Time) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return "", fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode signing key: %w", err)
	}
	f, err := os.CreateTemp(dir, "new-*") // CreateTemp gives mode 0600
	if err != nil {
		return "", fmt.Errorf("write signing key: %w", err)
	}
	defer os.Remove(f.Name())
	err = errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return "", fmt.Errorf("write signing key: %w", err)
	}
	name := filepath.Join(dir, now.UTC().Format("20060102T150405Z")+".pem")
	if err := os.Rename(f.Name(), name); err != nil {
		return "", fmt.Errorf("write signing key: %w", err)
	}
	return name, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readKey(name string) (*rsa.PrivateKey, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("signing key %s may be read by others (mode %o); make it 0600, and remove it if it may have been read", name, info.Mode().Perm())
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("signing key %s is not one PEM private key", name)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", name, err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < keyBits {
		return nil, fmt.Errorf("signing key %s is not an RSA key of at least %d bits", name, keyBits)
	}
	return key, nil
}
