package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate reads the certificate again when its file has changed, so that a renewal needs no restart.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	failing bool // the files could not be read the last time
	current *tls.Certificate
	changed time.Time // of the file that current was read from
	looked  time.Time
}

// lookEvery bounds how often a handshake looks at the file.
const lookEvery = 5 * time.Second

func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.load(time.Now()); err != nil {
		return nil, fmt.Errorf("NOVACRON_TLS_CERT and NOVACRON_TLS_KEY: %w", err)
	}
	return c, nil
}

// config serves the certificate under TLS 1.3, or 1.2 for clients that know no better.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *certificate) load(now time.Time) error {
	c.looked = now
	fi, err := os.Stat(c.cert)
	if err != nil {
		return err
	}
	if c.current != nil && fi.ModTime().Equal(c.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current, c.changed = &pair, fi.ModTime()
	return nil
}

// get keeps the old certificate while the new files cannot be read, for example halfway through their replacement. It says so once, since
// the old one ends some day.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > lookEvery {
		err := c.load(now)
		if failing := err != nil; failing != c.failing {
			c.failing = failing
			if failing {
				c.log.Warn("the TLS certificate cannot be read again; the old one is shown until NOVACRON_TLS_CERT and NOVACRON_TLS_KEY fit", "err", err)
			} else {
				c.log.Info("the TLS certificate is read again")
			}
		}
	}
	return c.current, nil
}
