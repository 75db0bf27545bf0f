package server

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"novacron/backend/storage/durable"
	"novacron/backend/store"
)

// secretKey is a key that encrypts secrets at rest (XChaCha20-Poly1305, RFC 8439 with the extended nonce). Value is what an operator
// keeps: 32 bytes in base64, or with Derived an AUTH_SECRET that the key is derived from.
type secretKey struct {
	Value   string `json:"value"`
	Derived bool   `json:"derived"`

	id   string // tells keys apart and nothing of them
	aead cipher.AEAD
}

// parseSecretKey reads what an operator keeps.
func parseSecretKey(value string, derived bool) (*secretKey, error) {
	k := &secretKey{Value: strings.TrimSpace(value), Derived: derived}
	raw, err := base64.StdEncoding.DecodeString(k.Value)
	switch {
	case derived && len(value) < minAuthSecret:
		return nil, fmt.Errorf("AUTH_SECRET has %d characters, and at least %d are needed; `novacron secrets init` makes one", len(value), minAuthSecret)
	case derived:
		if raw, err = hkdf.Key(sha256.New, []byte(value), nil, "novacron secrets at rest", chacha20poly1305.KeySize); err != nil {
			return nil, fmt.Errorf("key that encrypts secrets: %w", err)
		}
	case err != nil || len(raw) != chacha20poly1305.KeySize:
		return nil, errors.New("it does not hold 32 bytes in base64; put the key back from a backup, or make one with `head -c 32 /dev/urandom | base64`")
	}
	sum := sha256.Sum256(append([]byte("novacron key id\x00"), raw...))
	k.id = hex.EncodeToString(sum[:8])
	k.aead, err = chacha20poly1305.NewX(raw)
	return k, err
}

// newSecretKey makes a key of the same form.
func (k *secretKey) newSecretKey() (*secretKey, error) {
	if k.Derived {
		return parseSecretKey(randomHex(), true)
	}
	return parseSecretKey(randomKey(), false)
}

func randomKey() string {
	raw := make([]byte, chacha20poly1305.KeySize)
	rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw)
}

func (k *secretKey) seal(purpose string, secret []byte) []byte {
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	return k.aead.Seal(nonce, nonce, secret, []byte(purpose))
}

var errOtherKey = errors.New("the stored secret was encrypted with another key; NOVACRON_SECRET_KEY_FILE or AUTH_SECRET must be that of this installation (after `novacron secrets rotate`, the new one)")

func (k *secretKey) open(purpose string, sealed []byte) ([]byte, error) {
	n := k.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("the stored secret is cut off")
	}
	secret, err := k.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	if err != nil {
		return nil, errOtherKey
	}
	return secret, nil
}

// sealer encrypts secrets at rest. What a secret is for is bound to it, so that one cannot be put in the place of another. While the
// installation changes its key it holds both, see rekey.go.
type sealer struct {
	db *store.DB // nil: the key cannot change

	mu      sync.Mutex
	current *secretKey // seals
	other   *secretKey // opens as well; nil: there is no other
}

// openSealer takes the key from the file that is set, else derives it from AUTH_SECRET, else reads it from the data folder, where
// it is made when there is none.
func openSealer(ctx context.Context, s Settings, db *store.DB) (*sealer, error) {
	key, err := readSecretKey(s)
	if err != nil {
		return nil, err
	}
	out := &sealer{db: db, current: key}
	return out, out.follow(ctx)
}

func readSecretKey(s Settings) (*secretKey, error) {
	name := s.secretKeyFile()
	if name == "" {
		return parseSecretKey(s.AuthSecret, true)
	}
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && s.SecretKeyFile == "" {
		raw = []byte(randomKey() + "\n")
		err = durable.WriteFile(name, raw, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("key that encrypts secrets: %w", err)
	}
	key, err := parseSecretKey(string(raw), false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// secretKeyFile is where the key stands. Empty: it is derived from AUTH_SECRET.
func (s Settings) secretKeyFile() string {
	switch {
	case s.SecretKeyFile != "":
		return s.SecretKeyFile
	case s.AuthSecret != "":
		return ""
	}
	return filepath.Join(s.DataDir, "secret.key")
}

func deriveSealer(secret string) (*sealer, error) {
	key, err := parseSecretKey(secret, true)
	return &sealer{current: key}, err
}

func (s *sealer) keys() (current, other *secretKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, s.other
}

func (s *sealer) seal(purpose string, secret []byte) []byte {
	current, _ := s.keys()
	return current.seal(purpose, secret)
}

// rereadTimeout bounds the look for a new key when something was sealed with one that this server has not heard of.
const rereadTimeout = time.Second

func (s *sealer) open(purpose string, sealed []byte) ([]byte, error) {
	secret, err := s.openHeld(purpose, sealed)
	if !errors.Is(err, errOtherKey) || s.db == nil {
		return secret, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), rereadTimeout)
	defer cancel()
	if s.follow(ctx) != nil {
		return nil, err
	}
	return s.openHeld(purpose, sealed)
}

// openHeld opens with either of the keys that are held.
func (s *sealer) openHeld(purpose string, sealed []byte) ([]byte, error) {
	current, other := s.keys()
	secret, err := current.open(purpose, sealed)
	if err != nil && other != nil {
		secret, err = other.open(purpose, sealed)
	}
	return secret, err
}

// Seal and Open let the verbs encrypt what they keep.
func (s *sealer) Seal(purpose string, secret []byte) []byte { return s.seal(purpose, secret) }

// Open is the inverse of Seal for the same purpose.
func (s *sealer) Open(purpose string, sealed []byte) ([]byte, error) { return s.open(purpose, sealed) }
