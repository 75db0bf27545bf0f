// Package client speaks to NovaCron's API: the command line and the tests use it, and it is what another program in Go would
// want. One method per call; what the server refuses comes back as a *fault.Error with the server's own sentence. It
// deliberately keeps nothing on disk: who wants to stay signed in saves Tokens.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// Bounds of what the client waits for and reads.
const (
	maxAnswer   = 64 << 20 // a list of 1000 VMs has some 500 KiB
	maxTries    = 3        // of a request that may be repeated, when the connection fails
	firstPause  = 200 * time.Millisecond
	dialTimeout = 10 * time.Second
	MaxWait     = 300 * time.Second // the server caps longer waits
	maxLimited  = 10                // waits of one request for its limit
	longestHold = time.Minute       // what a limit is waited for at most
)

// Tokens is a sign-in.
type Tokens struct {
	Access  string    `json:"access_token"`
	Refresh string    `json:"refresh_token,omitempty"`
	Expires time.Time `json:"expires_at"` // of Access
}

// Client is a connection to one server. Its methods may be called from several goroutines.
type Client struct {
	base *url.URL
	http *http.Client

	mu     sync.Mutex // held while refreshing, so that one refresh serves all
	tokens Tokens

	// ActsIn is the tenant that requests act in, by id or name; empty: the account's own one. Set it before the first request.
	ActsIn string

	// Hold is called before the tokens are exchanged. It keeps other programs that use the same sign-in from exchanging them too, since a
	// refresh token that is shown twice ends the session, and gives the sign-in as the last of them left it. nil: there are no others.
	Hold func(context.Context) (t Tokens, release func(), err error)
	// Saved is called with the new tokens after a refresh. nil: they live as long as the client.
	Saved func(Tokens)
	// Limited is called when the server takes no more requests of this account for a while, before the client waits so long and asks
	// again. nil: the refusal is the answer.
	Limited func(time.Duration)
	// Password is called when the server asks once more who is there, before what cannot be taken back; the request is sent again with the
	// proof. nil: the refusal is the answer.
	Password func() (string, error)
}

// New makes a client for the server at address, for example "http://localhost:8090". Tokens may be empty. It connects to
// nothing yet.
func New(address string, t Tokens) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "address_invalid", "%q is not the address of a server; write it like http://localhost:8090", address)
	}
	if u.User != nil {
		return nil, fault.New(fault.Invalid, "address_invalid", "an address holds no name and password; sign in with `novacron login`")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.MaxIdleConnsPerHost = 16
	return &Client{base: u, http: &http.Client{Transport: transport}, tokens: t}, nil
}

// Address is the server's.
func (c *Client) Address() string { return c.base.String() }

// Tokens gives the present sign-in.
func (c *Client) Tokens() Tokens { c.mu.Lock(); defer c.mu.Unlock(); return c.tokens }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request.
type call struct {
	method  string
	path    string // escaped
	query   url.Values
	body    any // marshalled to JSON, or nil
	header  http.Header
	version int64 // If-Match; 0: none
	out     any   // nil: the answer's body is dropped
	open    bool  // no token is sent
}

// do sends a request and decodes its answer into out. Requests that may be repeated are, when the connection fails: reads,
// and POSTs by their Idempotency-Key.
func (c *Client) do(ctx context.Context, r call) (*http.Response, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	if r.header == nil {
		r.header = http.Header{}
	}
	if r.method == http.MethodPost && !r.open {
		r.header.Set("Idempotency-Key", rand.Text())
	}
	refreshed, proven, held := false, false, 0
	for try := 1; ; try++ {
		token := c.Tokens().Access
		res, err := c.once(ctx, r, body, token)
		switch {
		case err == nil:
			return res, nil
		case stale(err) && !refreshed && !r.open:
			refreshed = true
			if again := c.refresh(ctx, token); again != nil {
				return nil, err
			}
			continue
		case coded(err, "proof_needed") && !proven && c.Password != nil:
			proven = true
			password, err := c.Password()
			if err != nil {
				return nil, err
			}
			if err := c.Prove(ctx, password); err != nil {
				return nil, err
			}
			continue
		case c.Limited != nil && !r.open && limited(err) > 0 && held < maxLimited:
			held, try = held+1, try-1
			c.Limited(limited(err))
			if err := pause(ctx, limited(err)); err != nil {
				return nil, err
			}
			continue
		case !connection(err) || !repeatable(r) || try == maxTries:
			return res, err
		}
		if err := pause(ctx, firstPause<<try); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// limited gives how long the server takes no more requests; 0: that is not what it said, or longer than anybody would wait. It counts
// requests before it reads them, so one that was refused has done nothing.
func limited(err error) time.Duration {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != "rate_limited" || f.Retry > longestHold {
		return 0
	}
	return f.Retry
}

func repeatable(r call) bool {
	return r.method == http.MethodGet || r.method == http.MethodHead || r.header.Get("Idempotency-Key") != ""
}

func coded(err error, code string) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Code == code
}

// stale reports whether the access token is why a request was refused: it has ended, or the key that signed it was withdrawn. An answer to
// HEAD has no words.
func stale(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == fault.Unauthenticated && (f.Code == "token_expired" || f.Code == "token_invalid" || f.Code == "")
}

// connection reports whether no answer came at all.
func connection(err error) bool { return coded(err, "server_unreachable") }

func (c *Client) once(ctx context.Context, r call, body []byte, token string) (*http.Response, error) {
	req, err := c.request(ctx, r, token)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Header.Set("Content-Type", "application/json")
	}
	res, raw, err := c.exchange(ctx, req)
	if err != nil {
		return res, err
	}
	if r.out != nil && len(raw) > 0 {
		if err := json.Unmarshal(raw, r.out); err != nil {
			return res, fault.Wrap(err, fault.Internal, "answer_malformed", "%s did not answer like a NovaCron server; check the address", c.base)
		}
	}
	return res, nil
}

// exchange sends a request and reads the answer. With an answer that refuses, the response comes beside the error.
func (c *Client) exchange(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, c.unreachable(ctx, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, nil, c.unreachable(ctx, err)
	}
	if res.StatusCode >= 400 {
		return res, nil, problem(res, raw)
	}
	return res, raw, nil
}

func (c *Client) request(ctx context.Context, r call, token string) (*http.Request, error) {
	u := c.base.String() + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	if token != "" && !r.open {
		req.Header.Set("Authorization", "Bearer "+token)
		if c.ActsIn != "" {
			req.Header.Set("Novacron-Tenant", c.ActsIn)
		}
	}
	if r.version != 0 {
		req.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(r.version)))
	}
	return req, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fault.Wrap(err, fault.Unavailable, "server_untrusted", "the certificate of %s is not trusted here (%s); set SSL_CERT_FILE to the server's tls.crt, or to that of its authority, and use a name that it is for", c.base, untrusted.Err)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fault.Wrap(err, fault.Unavailable, "server_without_tls", "%s does not speak TLS; write the address with http://", c.base)
	}
	return fault.Wrap(err, fault.Unavailable, "server_unreachable", "no NovaCron server answers at %s; start it with `novacron up`, or check the address", c.base)
}

// problem reads a refusal. The sentence is the server's; where something else answered, the status is all there is to tell.
func problem(res *http.Response, raw []byte) error {
	var p wire.Problem
	if json.Unmarshal(raw, &p) != nil || p.Detail == "" {
		if res.Request.Method == http.MethodHead { // whose answers have no words
			return fault.New(kindOf(res.StatusCode), "", "the server answered %s", res.Status)
		}
		way := "check the address, and what stands in front of the server"
		if res.Request.URL.Scheme == "http" && bytes.Contains(raw, []byte("HTTPS server")) { // the words of Go and of other makers
			way = "it speaks TLS: write the address with https://"
		}
		return fault.New(kindOf(res.StatusCode), "", "%s answered %s, which is not how NovaCron answers; %s", res.Request.URL.Host, res.Status, way)
	}
	e := &Error{Problem: p, Fault: fault.New(kindOf(res.StatusCode), p.Code, "%s", p.Detail).On(p.Field)}
	if s, err := time.ParseDuration(res.Header.Get("Retry-After") + "s"); err == nil {
		e.Fault.Retry = s
	}
	return e
}

// Error is a refusal of the server. errors.As finds the *fault.Error in it.
type Error struct {
	Problem wire.Problem
	Fault   *fault.Error
}

// Error is the server's sentence.
func (e *Error) Error() string { return e.Problem.Detail }

// Unwrap gives the fault.
func (e *Error) Unwrap() error { return e.Fault }

func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusPreconditionFailed:
		return fault.Precondition
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusTooManyRequests:
		return fault.RateLimited
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return fault.Unavailable
	}
	if status >= 500 {
		return fault.Internal
	}
	return fault.Invalid
}

// path joins escaped elements behind a prefix.
func path(prefix string, elements ...string) string {
	for _, e := range elements {
		prefix += "/" + url.PathEscape(e)
	}
	return prefix
}
