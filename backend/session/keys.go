package session

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
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

const keyBits = 2048

// SigningKey is a key of the ring. From is when it begins to sign: by then every server knows it.
type SigningKey struct {
	*rsa.PrivateKey
	From time.Time
}

// SharedKeyID is the key id of tokens that another service signs with the secret that it shares with this installation (HS256).
const SharedKeyID = "hs256"

// MinSharedSecret is the fewest bytes of that secret: as many as the hash has (RFC 7518, section 3.2).
const MinSharedSecret = sha256.Size

// Keys is the ring of RS256 keys: the newest whose time has come signs, all verify. The algorithm is fixed with the key, never
// read out of a token. It may be used by several goroutines.
type Keys struct {
	shared []byte
	ring   atomic.Pointer[ring]
}

type ring struct {
	keys    map[string]*rsa.PrivateKey
	shared  []byte   // of tokens with SharedKeyID; empty: there are none
	signers []signer // oldest first
	jwks    []byte

	mu       sync.Mutex
	verified map[[sha256.Size]byte]Claims // tokens whose signature this ring was asked for before, by their hash
}

// maxVerified is how many tokens a ring remembers; beyond it all are forgotten and it begins anew.
const maxVerified = 4096

type signer struct {
	kid  string
	from time.Time
}

// NewKeys makes a ring of keys, the newest last. It panics without a key.
func NewKeys(keys ...*rsa.PrivateKey) *Keys {
	signing := make([]SigningKey, len(keys))
	for i, key := range keys {
		signing[i].PrivateKey = key
	}
	k := new(Keys)
	k.Replace(signing)
	return k
}

// Share makes the ring take tokens that a service signs with HS256, SharedKeyID and a secret of MinSharedSecret bytes or more. They name no
// sign-in, so what asks for one stays closed to them. To be called before the first Replace.
func (k *Keys) Share(secret []byte) error {
	if len(secret) < MinSharedSecret {
		return fmt.Errorf("the secret of HS256 has %d bytes, and at least %d are needed", len(secret), MinSharedSecret)
	}
	k.shared = secret
	return nil
}

// Replace puts other keys into the ring, the newest last. It panics without a key.
func (k *Keys) Replace(keys []SigningKey) {
	if len(keys) == 0 {
		panic("session: a key ring without a key")
	}
	r := &ring{keys: map[string]*rsa.PrivateKey{}, shared: k.shared, verified: map[[sha256.Size]byte]Claims{}}
	set := make([]map[string]string, 0, len(keys))
	for _, key := range keys {
		kid := KeyID(&key.PublicKey)
		r.keys[kid] = key.PrivateKey
		r.signers = append(r.signers, signer{kid, key.From})
		n, e := numbers(&key.PublicKey)
		set = append(set, map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e})
	}
	r.jwks, _ = json.Marshal(map[string]any{"keys": set}) // strings only: cannot fail
	k.ring.Store(r)
}

// signer is the newest key whose time has come. Without one the oldest signs: it is the one that most servers know.
func (r *ring) signer(now time.Time) string {
	for _, s := range slices.Backward(r.signers) {
		if !s.from.After(now) {
			return s.kid
		}
	}
	return r.signers[0].kid
}

// JWKS is the public half of the ring as a JSON Web Key Set (RFC 7517).
func (k *Keys) JWKS() []byte { return k.ring.Load().jwks }

// Issue signs a token of AccessLifetime with the newest key whose time has come.
func (k *Keys) Issue(user id.User, s id.Session, now time.Time) (string, Claims, error) {
	r := k.ring.Load()
	c := Claims{User: user, Token: string(id.NewToken()), Session: s, Issued: now.Truncate(time.Second), Expires: now.Truncate(time.Second).Add(AccessLifetime)}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwtClaims{Sid: string(s), RegisteredClaims: jwt.RegisteredClaims{
		Issuer: Issuer, Audience: jwt.ClaimStrings{Audience}, Subject: string(user), ID: c.Token,
		IssuedAt: jwt.NewNumericDate(c.Issued), ExpiresAt: jwt.NewNumericDate(c.Expires),
	}})
	kid := r.signer(now)
	t.Header["kid"] = kid
	signed, err := t.SignedString(r.keys[kid])
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
// Revocations.Check. Every refusal is fault.Unauthenticated with code token_invalid or token_expired. A token that was found good is
// remembered by its hash, as long as the same keys are in the ring: its times are then checked, and its signature is not again.
func (k *Keys) Verify(token string, now time.Time) (Claims, error) {
	if len(token) > MaxTokenBytes {
		return Claims{}, fault.New(fault.Unauthenticated, "token_invalid", "the access token is longer than %d bytes; sign in again", MaxTokenBytes)
	}
	r := k.ring.Load()
	sum := sha256.Sum256([]byte(token))
	r.mu.Lock()
	c, known := r.verified[sum]
	r.mu.Unlock()
	if known && !now.Before(c.Issued) && now.Before(c.Expires) {
		return c, nil
	}
	c, err := r.verify(token, now)
	if err != nil {
		return Claims{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.verified) >= maxVerified {
		clear(r.verified)
	}
	r.verified[sum] = c
	return c, nil
}

func (r *ring) verify(token string, now time.Time) (Claims, error) {
	var c jwtClaims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "HS256"}), jwt.WithIssuer(Issuer), jwt.WithAudience(Audience), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }))
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return r.key(t, c.Sid) })
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

// key finds the key that a token names, and refuses every algorithm but that key's own, so that no public key is ever taken for a secret.
func (r *ring) key(t *jwt.Token, sid string) (any, error) {
	kid, _ := t.Header["kid"].(string)
	switch key, ok := r.keys[kid]; {
	case ok && t.Method == jwt.SigningMethodRS256:
		return &key.PublicKey, nil
	case kid == SharedKeyID && len(r.shared) > 0 && t.Method == jwt.SigningMethodHS256 && sid == "":
		return r.shared, nil
	}
	return nil, errors.New("no key of this ring has that id and algorithm")
}

func numbers(p *rsa.PublicKey) (n, e string) {
	b := base64.RawURLEncoding
	return b.EncodeToString(p.N.Bytes()), b.EncodeToString(big.NewInt(int64(p.E)).Bytes())
}

// KeyID names a key by its content (RFC 7638), so that no two servers give one name to different keys.
func KeyID(p *rsa.PublicKey) string {
	n, e := numbers(p)
	sum := sha256.Sum256(fmt.Appendf(nil, `{"e":%q,"kty":"RSA","n":%q}`, e, n))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// MakeKey makes a key that can sign.
func MakeKey() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return key, nil
}

// EncodeKey gives a key as PKCS #8.
func EncodeKey(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("session: an RSA key that cannot be encoded: " + err.Error())
	}
	return der
}

// DecodeKey reads what EncodeKey gave, and refuses keys that are too weak to sign.
func DecodeKey(der []byte) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("the signing key is not a private key in PKCS #8: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < keyBits {
		return nil, fmt.Errorf("the signing key is not an RSA key of at least %d bits", keyBits)
	}
	return key, nil
}
