//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
)

// LocalAPI is the node's end of what a Link carries; *agent.Agent is one.
type LocalAPI interface {
	agent.API
	AskLease() (seq int64)
}

// LinkOptions is what the node's end is made of.
type LinkOptions struct {
	Servers    []string      // host:port of each; one is used at a time, the next when it is lost
	Dir        string        // folder that holds the node's identity, as Join made it
	LeaseEvery time.Duration // between two renewals of the lease, at most; default node.RenewEvery
	Dial       Dial          // nil: TCP
	Log        *slog.Logger  // nil: slog.Default
}

const (
	// Waits between two tries to connect: doubled from the first to the last, each shortened by up to a half at random so
	// that the nodes of a server that comes back do not all come at once.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 15 * time.Second
	idleWait   = time.Minute
	// renewShare of a certificate's life passes before it is renewed; up to renewSpread more at random.
	renewShare  = 2 // half
	renewSpread = 12
	renewRetry  = time.Minute
	// patience is how long a server may be unable to grant a lease before the next one is tried: half of a lease.
	patience = node.LeaseDuration / 2
	// nextServer is how long the lease waits for the move to the next server, which takes no longer.
	nextServer = 10 * time.Millisecond
)

// Link keeps a node connected to one of its servers: to the first that answers until it is lost, then to the next.
type Link struct {
	o    LinkOptions
	log  *slog.Logger
	self atomic.Pointer[identity]
	// place tells this agent from one with a copy of its identity.
	place string
	at    atomic.Pointer[stay]
	// Leases and certificates travel on one client, images on another: no image delays a lease.
	small, images *http.Client
	wantBulk      chan struct{} // one token: the server asked for a bulk connection
	renewing      sync.Mutex
}

// maxServers bounds the servers that a node tries in turn.
const maxServers = 16

// NewLink makes a link from what Join stored.
func NewLink(o LinkOptions) (*Link, error) {
	if len(o.Servers) == 0 || len(o.Servers) > maxServers {
		return nil, fault.New(fault.Invalid, "servers_invalid", "a node has 1 to %d servers, not %d; name each with --server host:port", maxServers, len(o.Servers))
	}
	self, err := loadIdentity(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.LeaseEvery <= 0 {
		o.LeaseEvery = node.RenewEvery
	}
	place, err := agent.Place(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("place of the node's identity: %w", err)
	}
	l := &Link{o: o, place: place, log: o.Log.With("node", self.node), wantBulk: make(chan struct{}, 1)}
	l.self.Store(self)
	config := func() *tls.Config { return l.self.Load().tls(protoHTTP) }
	l.small, l.images = httpClient(o.Dial, config), httpClient(o.Dial, config)
	l.begin(0)
	return l, nil
}

// Node is the node's id, as its certificate says.
func (l *Link) Node() id.Node { return l.self.Load().node }

// Run keeps the connections up, renews lease and certificate, and serves api to the server, until ctx ends. What goes wrong
// is logged and tried again for ever: a node that cannot reach its server goes on with what it last obeyed.
func (l *Link) Run(ctx context.Context, api LocalAPI) error {
	defer l.small.CloseIdleConnections()
	defer l.images.CloseIdleConnections()
	defer func() { l.at.Load().end() }()
	var wg sync.WaitGroup
	wg.Go(func() { l.keepControl(ctx, api) })
	wg.Go(func() { l.keepBulk(ctx, api) })
	wg.Go(func() { l.keepLease(ctx, api) })
	wg.Go(func() { l.keepCertificate(ctx) })
	wg.Wait()
	return ctx.Err()
}

func (l *Link) keepControl(ctx context.Context, api LocalAPI) {
	routes := linkRoutes(api, l.place, func() {
		select {
		case l.wantBulk <- struct{}{}:
		default:
		}
	})
	retry := firstRetry
	line := outage{log: l.log, what: "the connection to the server"}
	told := false
	for ctx.Err() == nil {
		began := time.Now()
		server, here, done := l.here(ctx)
		err := l.serve(here, server, protoControl, routes, func() {
			if !told {
				l.log.Info("this machine is a node of the server; guests go on when the agent stops", "server", server)
			}
			told = true
			line.over()
		})
		done()
		if err != nil && ctx.Err() == nil {
			line.note(server, err)
		}
		l.move()
		if time.Since(began) > lastRetry { // it held for a while: this is not a server that refuses us
			retry = firstRetry
		}
		sleep(ctx, jitter(retry))
		retry = min(2*retry, lastRetry)
	}
}

// keepBulk dials when the server asks. One connection carries all streams.
func (l *Link) keepBulk(ctx context.Context, api LocalAPI) {
	routes := bulkRoutes(api)
	for {
		select {
		case <-l.wantBulk:
		case <-ctx.Done():
			return
		}
		server, here, done := l.here(ctx)
		if err := l.serve(here, server, protoBulk, routes, func() {}); err != nil {
			l.log.Warn("open a bulk connection", "server", server, "err", err)
		}
		done()
	}
}

// serve dials, tells when the connection is there, and answers on it until it ends.
func (l *Link) serve(ctx context.Context, server, proto string, routes http.Handler, up func()) error {
	c, err := l.o.Dial.secure(ctx, server, l.self.Load().tls(proto))
	if err != nil {
		return err
	}
	up()
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	newServer().ServeConn(c, &http2.ServeConnOpts{Context: ctx, Handler: routes, BaseConfig: &http.Server{ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug)}})
	return nil
}

// keepLease renews the lease. The moment that counts is noted before the request is sent.
func (l *Link) keepLease(ctx context.Context, api LocalAPI) {
	line := outage{log: l.log, what: "the renewal of the lease"}
	granted := time.Now()
	for ctx.Err() == nil {
		var g agent.Lease
		server, here, done := l.here(ctx)
		seq := api.AskLease()
		err := postJSON(here, l.small, server, "/lease", leaseRequest{Seq: seq, Place: l.place}, &g)
		left := here.Err() != nil
		done()
		if left {
			granted = time.Now()
			sleep(ctx, nextServer)
			continue
		}
		if err == nil && g.Seq != seq {
			err = fmt.Errorf("the server answered renewal %d instead of %d", g.Seq, seq)
		}
		if err == nil {
			g.Node = l.Node()
			err = api.Lease(ctx, g)
		}
		if err == nil {
			line.over()
			granted = time.Now()
		} else if ctx.Err() == nil {
			line.note(server, err)
		}
		if fault.Is(err, fault.Unauthenticated) {
			l.renew(ctx) // the certificate may have ended while this machine slept
		}
		if time.Since(granted) > patience && fault.Is(err, fault.Unavailable) {
			l.leave(server) // it is there and cannot do its work: its database may be out of its reach only
			granted = time.Now()
		}
		sleep(ctx, jitter(l.o.LeaseEvery))
	}
}

// outage logs when something begins to fail, when it fails for another reason, and when it works again; not each try between.
type outage struct {
	log   *slog.Logger
	what  string
	since time.Time // zero: it works
	kind  fault.Kind
}

func (o *outage) note(server string, err error) {
	var kind fault.Kind
	if f, ok := errors.AsType[*fault.Error](err); ok {
		kind = f.Kind
	}
	if !o.since.IsZero() && kind == o.kind {
		return
	}
	if o.since.IsZero() {
		o.since = time.Now()
	}
	o.kind = kind
	o.log.Warn(o.what+" fails; it is tried again until it works", "server", server, "err", err)
}

func (o *outage) over() {
	if !o.since.IsZero() {
		o.log.Info(o.what+" works again", "after", time.Since(o.since).Round(time.Second))
	}
	o.since = time.Time{}
}

// keepCertificate renews at the start, since nobody knows how long this machine was off, and then at half of the life.
func (l *Link) keepCertificate(ctx context.Context) {
	for ctx.Err() == nil {
		lasts, err := l.renew(ctx)
		wait := untilRenewal(lasts)
		if err != nil {
			if ctx.Err() == nil {
				l.log.Warn("renew the node's certificate", "err", err)
			}
			wait = jitter(renewRetry)
		}
		sleep(ctx, wait)
	}
}

// untilRenewal spreads the renewals of nodes that joined together. What is left before two thirds of the life is for tries that fail.
func untilRenewal(lasts time.Duration) time.Duration {
	return lasts/renewShare + rand.N(lasts/renewSpread+1)
}

// renew trades the present certificate for a new one with a new key.
func (l *Link) renew(ctx context.Context) (lasts time.Duration, err error) {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	key, err := newKey()
	if err != nil {
		return 0, err
	}
	csr, err := newCSR(key)
	if err != nil {
		return 0, err
	}
	var got certificate
	if err := postJSON(ctx, l.small, l.at.Load().server, "/renew", renewRequest{CSR: csr}, &got); err != nil {
		return 0, err
	}
	next, err := acceptCertificate(got, key, l.self.Load().ca)
	if err != nil {
		return 0, err
	}
	if next.node != l.Node() {
		return 0, fmt.Errorf("the server's certificate is for node %s", next.node)
	}
	if err := next.save(l.o.Dir); err != nil {
		return 0, err
	}
	l.self.Store(next)
	l.small.CloseIdleConnections() // they still show the old one
	l.images.CloseIdleConnections()
	return got.Lasts, nil
}

// Fetch opens an image of the present server at an offset; it is an agent.Source. A broken transfer is gone on with at the byte
// where it broke.
func (l *Link) Fetch(ctx context.Context, digest string, offset int64) (io.ReadCloser, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.at.Load().server+"/images/"+digest, nil)
	if err != nil {
		return nil, err
	}
	want := http.StatusOK
	if offset > 0 {
		q.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		want = http.StatusPartialContent
	}
	resp, err := l.images.Do(q)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "server_unreachable", "the server cannot be reached for the image; it is tried again")
	}
	if resp.StatusCode == want {
		return stallGuard(resp.Body), nil
	}
	defer resp.Body.Close()
	if err := statusError(resp); !errors.Is(err, io.EOF) {
		return nil, err
	}
	return nil, fmt.Errorf("the server answered %s to the request for image %s", resp.Status, digest)
}

// stallWait is how long an image's transfer may stand still before the connection is given up.
const stallWait = 20 * time.Second

// stalled closes a body that gives nothing for stallWait.
type stalled struct {
	io.ReadCloser
	timer *time.Timer
}

func stallGuard(body io.ReadCloser) *stalled {
	return &stalled{ReadCloser: body, timer: time.AfterFunc(stallWait, func() { body.Close() })}
}

func (s *stalled) Read(b []byte) (int, error) {
	s.timer.Reset(stallWait)
	n, err := s.ReadCloser.Read(b)
	s.timer.Reset(stallWait)
	return n, err
}

func (s *stalled) Close() error {
	s.timer.Stop()
	return s.ReadCloser.Close()
}

// jitter shortens d by up to a half.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
