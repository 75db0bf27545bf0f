package server

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealer encrypts secrets at rest with the installation's key (XChaCha20-Poly1305, RFC 8439 with the extended nonce). What a secret
// is for is bound to it, so that one secret cannot be put in the place of another.
type sealer struct{ aead cipher.AEAD }

// openSealer takes the key from the file that is set, else derives it from AUTH_SECRET, else reads it from the data folder, where
// it is made when there is none.
func openSealer(s Settings) (sealer, error) {
	if s.SecretKeyFile == "" && s.AuthSecret != "" {
		return deriveSealer(s.AuthSecret)
	}
	name := s.SecretKeyFile
	if name == "" {
		name = filepath.Join(s.DataDir, "secret.key")
	}
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && s.SecretKeyFile == "" {
		key := make([]byte, chacha20poly1305.KeySize)
		rand.Read(key)
		raw = []byte(base64.StdEncoding.EncodeToString(key) + "\n")
		err = writeSynced(name, raw)
	}
	if err != nil {
		return sealer{}, fmt.Errorf("key that encrypts secrets: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return sealer{}, fmt.Errorf("%s does not hold 32 bytes in base64; put the key back from a backup, or make one with `head -c 32 /dev/urandom | base64`", name)
	}
	aead, err := chacha20poly1305.NewX(key)
	return sealer{aead}, err
}

func deriveSealer(secret string) (sealer, error) {
	if len(secret) < minAuthSecret {
		return sealer{}, fmt.Errorf("AUTH_SECRET has %d characters, and at least %d are needed; `novacron secrets init` makes one", len(secret), minAuthSecret)
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "novacron secrets at rest", chacha20poly1305.KeySize)
	if err != nil {
		return sealer{}, fmt.Errorf("key that encrypts secrets: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key)
	return sealer{aead}, err
}

func (s sealer) seal(purpose string, secret []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, secret, []byte(purpose))
}

func (s sealer) open(purpose string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("the stored secret is cut off")
	}
	secret, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	if err != nil {
		return nil, errors.New("the stored secret was encrypted with another key; NOVACRON_SECRET_KEY_FILE or AUTH_SECRET must be that of this installation")
	}
	return secret, nil
}
