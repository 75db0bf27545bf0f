// Package fetch downloads images by URL for whoever may import them, on a machine that can reach more than its users should.
// Its one idea: an address is judged when the connection is made, after the name was resolved, so neither a redirect nor a
// name that resolves differently the second time leads to a loopback, private or metadata address. It deliberately follows
// no proxy settings of the environment, since a proxy would resolve names itself.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"novacron/backend/core/fault"
)

// Config is what an administrator decides. The zero value takes https from public addresses only.
type Config struct {
	PlainHTTP bool            // http:// is allowed too
	Allow     []netip.Prefix  // addresses that are allowed although they are not public
	MaxBytes  int64           // most bytes of one download; 0: DefaultMaxBytes
	Timeout   time.Duration   // most time of one download; 0: DefaultTimeout
	Resolver  Resolver        // nil: the machine's
	Transport *http.Transport // template for TLS settings; nil: the standard ones
}

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Limits of a download.
const (
	DefaultMaxBytes = int64(64) << 30
	DefaultTimeout  = 6 * time.Hour
	MaxRedirects    = 5

	maxResumes   = 8 // interruptions of one download that are mended by asking for the rest
	maxURLBytes  = 4096
	maxAddresses = 8 // of one name that are tried
	dialTimeout  = 15 * time.Second
	answerWait   = 30 * time.Second // for the headers of an answer
	stallWait    = time.Minute      // without a byte: the connection is given up
	resumePause  = time.Second
)

// Result is a finished download.
type Result struct {
	Bytes  int64
	SHA256 string // "sha256:" and 64 hexadecimal digits
	URL    string // where the last redirect led
}

// Client downloads. It may be used by several goroutines.
type Client struct {
	cfg  Config
	http *http.Client
}

// New makes a client.
func New(cfg Config) *Client {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	transport := &http.Transport{}
	if cfg.Transport != nil {
		transport = cfg.Transport.Clone()
	}
	c := &Client{cfg: cfg}
	transport.Proxy = nil
	transport.DialContext = c.dial
	transport.DialTLSContext = nil
	transport.TLSHandshakeTimeout = dialTimeout
	transport.ResponseHeaderTimeout = answerWait
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.DisableCompression = true // the length and the checksum are those of the file
	transport.DisableKeepAlives = true  // each request is judged by a connection of its own
	c.http = &http.Client{Transport: transport, CheckRedirect: c.redirect}
	return c
}

// Check refuses a URL that Download would refuse before it connects.
func (c *Client) Check(rawURL string) error {
	_, err := c.parse(rawURL)
	return err
}

func (c *Client) parse(rawURL string) (*url.URL, error) {
	if len(rawURL) > maxURLBytes {
		return nil, refuse("url_too_long", "the address has %d bytes and the limit is %d", len(rawURL), maxURLBytes)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, refuse("url_syntax", "the address cannot be read; it looks like https://example.org/disk.qcow2")
	}
	return u, c.judge(u)
}

func (c *Client) judge(u *url.URL) error {
	switch {
	case u.Scheme == "http" && !c.cfg.PlainHTTP:
		return refuse("url_scheme", "the address begins with http://, which anybody on the way could change; use https:// or let an administrator allow http")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("url_scheme", "the address must begin with https://")
	case u.Host == "" || u.Hostname() == "":
		return refuse("url_host", "the address names no host")
	case u.User != nil:
		return refuse("url_password", "the address holds a user name or password, which would stand in logs; leave it out")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return c.permit(addr)
	}
	if endsInNumber(u.Hostname()) {
		return refuse("url_host", "%s is no host name; an IPv4 address is four numbers from 0 to 255 with dots between them", clip(u.Hostname()))
	}
	return nil
}

// endsInNumber reports whether what is no IPv4 address is one in another spelling all the same, such as 2130706433, 0x7f.1 or 0177.0.0.1.
// No name in DNS ends so, and resolvers differ in what they make of it (the URL Standard's "ends in a number").
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if digits, hex := strings.CutPrefix(last, "0x"); hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func refuse(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, code, format, args...).On("url")
}

// redirect judges each step as if it had been asked for.
func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return refuse("url_redirects", "the address leads on to others more than %d times", MaxRedirects)
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme == "http" {
		return refuse("url_redirect_http", "the address leads from https:// to http://, which is not followed")
	}
	return c.judge(r.URL)
}

// dial resolves the name once, judges every address, and connects to one that was judged. Control judges again what the
// kernel is about to connect to, in case anything between rewrote it.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return c.permit(ap.Addr())
	}}
	var last error
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		if err := c.permit(a); err != nil {
			last = errors.Join(err, last)
			continue
		}
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := c.cfg.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return nil, fault.Wrap(err, fault.Unavailable, "url_unknown_host", "the name %s has no address; is it spelled right?", clip(host)).On("url")
	}
	return addrs, nil
}

func clip(s string) string { return s[:min(len(s), 100)] }

// Download writes what the URL gives to dst, which is emptied first, and tells progress (total 0: not known) as it goes on.
// An interrupted transfer goes on where it stopped if the server can do that, else it begins again.
func (c *Client) Download(ctx context.Context, rawURL string, dst *os.File, progress func(done, total int64)) (Result, error) {
	u, err := c.parse(rawURL)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout,
		fault.New(fault.Unavailable, "download_time", "the download took longer than the %v that are allowed", c.cfg.Timeout))
	defer cancel()
	d := &download{client: c, url: u.String(), dst: dst, progress: progress}
	for try := 0; ; try++ {
		err = d.attempt(ctx)
		var again *interrupted
		if err == nil || !errors.As(err, &again) || try == maxResumes || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(resumePause):
		case <-ctx.Done():
		}
	}
	if err != nil {
		return Result{}, c.explain(ctx, u, err)
	}
	return Result{Bytes: d.done, SHA256: "sha256:" + hex.EncodeToString(d.sum.Sum(nil)), URL: d.final}, nil
}

// explain gives the user a sentence for what net/http says.
func (c *Client) explain(ctx context.Context, u *url.URL, err error) error {
	var f *fault.Error
	switch {
	case ctx.Err() != nil:
		if cause := context.Cause(ctx); errors.As(cause, &f) {
			return f
		}
		return ctx.Err()
	case errors.As(err, &f):
		return f
	}
	return fault.Wrap(err, fault.Unavailable, "download_failed", "the download from %s failed; try again or upload the file", clip(u.Hostname())).On("url")
}

// download is one download over its interruptions.
type download struct {
	client   *Client
	url      string
	dst      *os.File
	progress func(done, total int64)

	sum       hash.Hash
	done      int64
	total     int64  // 0: not known
	validator string // strong ETag or date that says whether the rest belongs to what is there
	final     string
}

// interrupted is a failure behind which asking for the rest makes sense.
type interrupted struct{ cause error }

// Error gives the cause.
func (e *interrupted) Error() string { return "interrupted: " + e.cause.Error() }

// Unwrap gives the cause.
func (e *interrupted) Unwrap() error { return e.cause }

func (d *download) attempt(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "novacron")
	if d.done > 0 && d.validator != "" {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(d.done, 10)+"-")
		r.Header.Set("If-Range", d.validator)
	}
	answer, err := d.client.http.Do(r)
	if err != nil {
		if d.done > 0 {
			return &interrupted{err}
		}
		return err
	}
	defer answer.Body.Close()
	if err := d.accept(answer); err != nil {
		return err
	}
	return d.copy(answer.Body, cancel)
}

// accept looks at the answer's head and begins anew or goes on.
func (d *download) accept(a *http.Response) error {
	d.final = a.Request.URL.Redacted()
	switch {
	case a.StatusCode == http.StatusPartialContent && d.done > 0 &&
		strings.HasPrefix(a.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(d.done, 10)+"-"):
		return nil
	case a.StatusCode >= 500 && d.done > 0:
		return &interrupted{fmt.Errorf("status %d", a.StatusCode)}
	case a.StatusCode != http.StatusOK:
		return fault.New(fault.Unavailable, "download_status", "the server of the address answers %d %s; is the address right?", a.StatusCode, http.StatusText(a.StatusCode)).On("url")
	case a.ContentLength > d.client.cfg.MaxBytes:
		return d.tooLarge()
	}
	if err := d.dst.Truncate(0); err != nil {
		return err
	}
	if _, err := d.dst.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d.sum, d.done, d.total, d.validator = sha256.New(), 0, max(0, a.ContentLength), ""
	if tag := a.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		d.validator = tag
	} else if tag == "" {
		d.validator = a.Header.Get("Last-Modified")
	}
	return nil
}

func (d *download) tooLarge() error {
	return fault.New(fault.TooLarge, "download_too_large", "the file has more than the %d MiB that are accepted", d.client.cfg.MaxBytes>>20).On("url")
}

// copy takes the body, and gives the connection up when nothing comes for a while.
func (d *download) copy(body io.Reader, cancel context.CancelCauseFunc) error {
	stall := time.AfterFunc(stallWait, func() { cancel(errors.New("no byte for " + stallWait.String())) })
	defer stall.Stop()
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		if d.done+int64(n) > d.client.cfg.MaxBytes {
			return d.tooLarge()
		}
		if _, werr := d.dst.Write(buf[:n]); werr != nil {
			if errors.Is(werr, syscall.ENOSPC) || errors.Is(werr, syscall.EDQUOT) {
				return fault.Wrap(werr, fault.Exhausted, "disk_full", "the disk is full after %d MiB of the download; delete something", d.done>>20)
			}
			return werr
		}
		d.sum.Write(buf[:n])
		d.done += int64(n)
		if n > 0 {
			stall.Reset(stallWait)
			if d.progress != nil {
				d.progress(d.done, d.total)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && (d.total == 0 || d.done == d.total):
			return nil
		case errors.Is(err, io.EOF):
			return &interrupted{io.ErrUnexpectedEOF}
		case err != nil:
			return &interrupted{err}
		}
	}
}
