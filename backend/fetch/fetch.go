// Package fetch downloads images by URL for whoever may import them, on a machine that can reach more than its users should.
// Its one idea: an address is judged when the connection is made, after the name was resolved, so neither a redirect nor a
// name that resolves differently the second time leads to a loopback, private or metadata address. It deliberately follows
// no proxy settings of the environment, since a proxy would resolve names itself.
package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"
)

// Config is what an administrator decides. The zero value takes https from public addresses only.
type Config struct {
	PlainHTTP bool           // http:// is allowed too
	Allow     []netip.Prefix // addresses that are allowed although they are not public
	MaxBytes  int64          // most bytes of one download; 0: DefaultMaxBytes
	Timeout   time.Duration  // most time of one download; 0: DefaultTimeout

	Resolver  Resolver        // nil: the machine's
	Transport *http.Transport // template for TLS settings; nil: the standard ones
}

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ Resolver = (*net.Resolver)(nil)

// Limits of a download.
const (
	DefaultMaxBytes = int64(64) << 30
	DefaultTimeout  = 6 * time.Hour
	MaxRedirects    = 5
	maxResumes      = 8
	maxURLBytes     = 4096
)

// Result is a finished download.
type Result struct {
	Bytes  int64
	SHA256 string // "sha256:" and 64 hexadecimal digits
	URL    string // where the last redirect led
}

// Client downloads. It may be used by several goroutines.
type Client struct{ cfg Config }

// New makes a client.
func New(cfg Config) *Client { return &Client{cfg} }

// Check refuses a URL that Download would refuse before it connects.
func (c *Client) Check(rawURL string) error { return nil }

// Download writes what the URL gives to dst, from its start, and tells progress (total 0: not known) as it goes on.
func (c *Client) Download(ctx context.Context, rawURL string, dst *os.File, progress func(done, total int64)) (Result, error) {
	return Result{}, errors.New("being built")
}
