//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// HubOptions is what the server gives the Hub. CA, Redeem, Admit, Lease and Image are needed; the rest may be nil.
type HubOptions struct {
	CA *CA
	// Redeem takes a one-use join secret and gives the id of the node that joins. It must bind the secret to the node's key in the
	// same moment: of many calls with one secret only those with one key succeed, and all give the same id. fault.Unauthenticated: unknown, used or ended.
	Redeem func(ctx context.Context, secret string, info JoinInfo) (id.Node, error)
	// Admit is asked at every connection, renewal, lease and image. fault.Forbidden: the node was removed.
	Admit func(ctx context.Context, node id.Node) error
	// Claim is asked at every lease, and before a control connection takes the place of another, whether the agent at this agent.Place,
	// which dials from the address, is the node. fault.Conflict: the node is elsewhere, and this agent has a copy of its identity. nil:
	// every agent with the identity is the node.
	Claim func(ctx context.Context, node id.Node, place, address string) error
	// Lease records a renewal of the node's lease before it is granted, and gives its duration.
	Lease func(ctx context.Context, node id.Node, seq int64) (time.Duration, error)
	// Image opens an image that nodes may read. fault.NotFound: there is none.
	Image func(ctx context.Context, node id.Node, digest string) (io.ReadSeekCloser, error)
	// OnUp is called when a node's control connection is there, OnDown when it is lost, in this order and one at a time per
	// node; a newer connection of the same node gives OnDown for the old one first. They must return soon: the node's next
	// connection waits for them. The API is that of this connection; Node gives the present one.
	OnUp   func(node id.Node, api agent.API)
	OnDown func(node id.Node)
	// Node with Agent is the node in this process; may be empty.
	Node  id.Node
	Agent agent.API
	// Server is this server to the others on its database; empty: there are none.
	Server id.Server
	// Holds gives the epoch of this server's claim of a node; 0: it has none. Other servers are obeyed only when they know it.
	Holds func(node id.Node) int64
	// Disk is what other servers may use of this one's disk; nil: nothing.
	Disk Disk
	Log  *slog.Logger     // nil: slog.Default
	Now  func() time.Time // for certificates; nil: time.Now
}

// JoinInfo is what a node says of itself when it joins. It is shown to operators and proves nothing.
type JoinInfo struct {
	Hostname string `json:"hostname"`
	Key      []byte `json:"-"` // public, of the request for the certificate; the peer has proved that it holds the other half
	Address  string `json:"-"` // the peer's address as the server saw it
}

// maxConns bounds the connections of all nodes together: three of each of 10,000 nodes, and some that are on their way out.
const maxConns = 1 << 15

// Peers without a certificate can only join: few at once, and not for long, so that they never crowd out nodes.
const (
	maxStrangers = 256
	maxOfAddress = 32 // of those of one address
	strangerWait = 30 * time.Second
)

// maxUnproven bounds the connections of one address that are in their handshake, so that one peer that says nothing cannot take all of
// maxConns from the nodes. A whole site may come back through one address at once.
const maxUnproven = 2048

// Hub is the server's end: it answers on port 8093 and keeps one live control connection per node, the newest.
type Hub struct {
	o      HubOptions
	tls    *tls.Config
	http   *http.Server
	plain  *handover // connections for http
	client *http2.Transport
	slots  chan struct{} // bounds connections

	strangers chan struct{} // bounds those without a certificate
	forwards  chan struct{} // bounds what other servers ask at once
	local     http.Handler  // what other servers ask of the node in this process; may be nil

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	nodes  map[id.Node]*seat
	joins  crowd // connections without a certificate
	shakes crowd // connections in their handshake
	lists  map[net.Listener]struct{}
}

// NewHub makes a hub.
func NewHub(o HubOptions) (*Hub, error) {
	if o.CA == nil || o.Redeem == nil || o.Admit == nil || o.Lease == nil || o.Image == nil {
		return nil, fault.New(fault.Invalid, "hub_options", "a hub cannot be made without CA, Redeem, Admit, Lease and Image")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	cert, err := o.CA.server(o.Server)
	if err != nil {
		return nil, err
	}
	h := &Hub{o: o, plain: newHandover(), slots: make(chan struct{}, maxConns), strangers: make(chan struct{}, maxStrangers),
		forwards: make(chan struct{}, maxForwards), nodes: map[id.Node]*seat{}, joins: crowd{most: maxOfAddress}, shakes: crowd{most: maxUnproven}, lists: map[net.Listener]struct{}{}}
	if o.Agent != nil {
		h.local = forwardRoutes(o.Agent)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.tls = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, NextProtos: []string{protoControl, protoBulk, protoServer, protoHTTP},
		// Any certificate is taken in the handshake, which proves that the peer has its key; identify then decides, because a
		// join has none and a renewal may have one that has ended.
		ClientAuth: tls.RequestClientCert,
		// A resumed session would keep the identity of the first one.
		SessionTicketsDisabled: true,
	}
	h.client = &http2.Transport{ReadIdleTimeout: pingAfter, PingTimeout: pingWait, WriteByteTimeout: writeWait, DisableCompression: true, MaxHeaderListSize: 64 << 10}
	h.http = &http.Server{Handler: h.routes(), ReadHeaderTimeout: callWait, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	h.wg.Go(func() { h.http.Serve(h.plain) })
	return h, nil
}

// Serve answers nodes on l until Close. l is an ordinary TCP listener; TLS is the hub's.
func (h *Hub) Serve(l net.Listener) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		l.Close()
		return net.ErrClosed
	}
	h.lists[l] = struct{}{}
	h.mu.Unlock()
	for {
		c, err := l.Accept()
		if err != nil {
			if h.ctx.Err() != nil {
				return nil
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || isTooManyFiles(err) {
				time.Sleep(50 * time.Millisecond) // descriptors are short: a pause, not an end
				continue
			}
			return err
		}
		h.welcome(c)
	}
}

// welcome handles a connection in its own goroutine, or closes it when there are too many.
func (h *Hub) welcome(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case h.slots <- struct{}{}:
	default:
		h.o.Log.Warn("a node's connection is refused: too many are open", "max", maxConns)
		c.Close()
		return
	}
	if h.closed {
		c.Close()
		<-h.slots
		return
	}
	h.wg.Go(func() {
		defer func() { <-h.slots }()
		if err := h.handle(c); err != nil {
			h.o.Log.Info("a node's connection is refused", "address", c.RemoteAddr(), "err", err)
		}
	})
}

// handle returns when the connection has ended.
func (h *Hub) handle(raw net.Conn) error {
	w := watch(raw)
	defer w.Close()
	defer context.AfterFunc(h.ctx, func() { w.Close() })()
	c := tls.Server(w, h.tls)
	ctx, cancel := context.WithTimeout(h.ctx, handshakeWait)
	defer cancel()
	if err := h.shake(ctx, w, c); err != nil {
		return err
	}
	state := c.ConnectionState()
	if state.NegotiatedProtocol == protoServer {
		return h.serveServer(c, state)
	}
	if p := state.NegotiatedProtocol; p != protoControl && p != protoBulk {
		if _, err := h.o.CA.identify(state, h.o.Now()); err != nil {
			leave, err := h.stranger(w)
			if err != nil {
				return err
			}
			defer leave()
		}
		if h.plain.give(h.ctx, c) {
			<-w.closed
		}
		return nil
	}
	who, err := h.admit(ctx, state)
	if err != nil {
		return err
	}
	// A connection lives no longer than the certificate that it was made with; the node comes back with the next one.
	defer time.AfterFunc(who.ends.Sub(h.o.Now()), func() { w.Close() }).Stop()
	http, err := h.client.NewClientConn(c)
	if err != nil {
		return err
	}
	if state.NegotiatedProtocol == protoBulk {
		return h.bulk(who.node, w, http)
	}
	if err := h.placed(ctx, who.node, http, raw.RemoteAddr().String()); err != nil {
		return err
	}
	h.control(who.node, w, http)
	return nil
}

// stranger lets a peer without a valid certificate in, for the time of a join.
func (h *Hub) stranger(w *watched) (leave func(), err error) {
	select {
	case h.strangers <- struct{}{}:
	default:
		return nil, fault.New(fault.RateLimited, "too_many_joins", "%d peers without a certificate are connected already", maxStrangers)
	}
	address := addressOf(w)
	if !h.joins.enter(address) {
		<-h.strangers
		return nil, fault.New(fault.RateLimited, "too_many_joins", "%d peers of %s without a certificate are connected already", maxOfAddress, address)
	}
	timer := time.AfterFunc(strangerWait, func() { w.Close() })
	return func() {
		timer.Stop()
		h.joins.leave(address)
		<-h.strangers
	}, nil
}

// shake does the handshake, unless too many of the address are at theirs.
func (h *Hub) shake(ctx context.Context, w *watched, c *tls.Conn) error {
	address := addressOf(w)
	if !h.shakes.enter(address) {
		return fault.New(fault.RateLimited, "too_many_handshakes", "%d connections of %s have not said yet who they are", maxUnproven, address)
	}
	defer h.shakes.leave(address)
	return c.HandshakeContext(ctx)
}

// placed asks the agent behind a new control connection where it is, and whether it is the node there.
func (h *Hub) placed(ctx context.Context, node id.Node, conn *http2.ClientConn, peer string) error {
	if h.o.Claim == nil {
		return nil
	}
	place, err := (&nodeAPI{node: node, base: "https://" + string(node), calls: conn, lost: lostNode, log: h.o.Log}).place(ctx)
	if err != nil {
		return err
	}
	return h.claim(ctx, node, place, peer)
}

func (h *Hub) claim(ctx context.Context, node id.Node, place, peer string) error {
	if h.o.Claim == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(peer)
	return h.o.Claim(ctx, node, place[:min(len(place), maxPlace)], host)
}

// maxPlace bounds what a node says of its place, in bytes.
const maxPlace = 64

// admit says who the peer is, if it may do more than renew.
func (h *Hub) admit(ctx context.Context, state tls.ConnectionState) (caller, error) {
	who, err := h.o.CA.identify(state, h.o.Now())
	if err != nil {
		return who, err
	}
	if who.ended {
		return who, fault.New(fault.Unauthenticated, "certificate_ended", "the certificate of node %s has ended; it must be renewed first", who.node)
	}
	return who, h.o.Admit(ctx, who.node)
}

// Close ends every connection and waits for what the hub started, OnDown included.
func (h *Hub) Close() error {
	h.mu.Lock()
	h.closed = true
	for l := range h.lists {
		l.Close()
	}
	h.mu.Unlock()
	h.cancel()
	h.http.Close()
	h.wg.Wait()
	return nil
}

// Node gives the API of a node that is connected to this server, or in this process.
func (h *Hub) Node(node id.Node) (agent.API, bool) {
	if node == h.o.Node && h.o.Agent != nil {
		return h.o.Agent, true
	}
	if p := h.seated(node); p != nil {
		return p.api, true
	}
	return nil, false
}

func (h *Hub) seated(node id.Node) *seated {
	h.mu.Lock()
	s := h.nodes[node]
	h.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.present()
}

// Nodes lists the connected nodes.
func (h *Hub) Nodes() []id.Node {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []id.Node
	for n, s := range h.nodes {
		if s.present() != nil {
			all = append(all, n)
		}
	}
	return all
}
