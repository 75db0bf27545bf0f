//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Held says which server holds a node's connection, and by which claim.
type Held struct {
	Server  id.Server
	Address string // host:port of its node port
	Epoch   int64
}

// PeersOptions is what reaching the other servers stands on. Dial and Log may be nil.
type PeersOptions struct {
	CA   *CA
	Self id.Server
	// Holder says who holds a node's connection now. fault.NotFound: nobody.
	Holder func(ctx context.Context, node id.Node) (Held, error)
	// Servers lists the servers on the database, this one among them.
	Servers func(ctx context.Context) ([]Held, error)
	Dial    Dial
	Log     *slog.Logger
}

// peerDial bounds a connection to another server: it is near, or it is cut off.
const peerDial = 3 * time.Second

// Peers reaches nodes through the other servers on the same database. A server is dialled when it is needed, and is who the
// certificate says that it is, whatever answers at its address. Calls, consoles and files have connections of their own.
type Peers struct {
	o                     PeersOptions
	cert                  tls.Certificate
	calls, streams, files *http2.Transport

	mu        sync.Mutex
	addresses map[id.Server]string // as last looked up
}

// NewPeers makes the way to the other servers. It dials nobody yet.
func NewPeers(o PeersOptions) (*Peers, error) {
	if o.CA == nil || o.Self == "" || o.Holder == nil || o.Servers == nil {
		return nil, fault.New(fault.Invalid, "peers_options", "other servers cannot be reached without CA, Self, Holder and Servers")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	cert, err := o.CA.server(o.Self)
	if err != nil {
		return nil, err
	}
	p := &Peers{o: o, cert: cert, addresses: map[id.Server]string{}}
	p.calls, p.streams, p.files = p.transport(), p.transport(), p.transport()
	return p, nil
}

// transport keeps one connection to each server, found dead within pingAfter+pingWait. The host of its URLs is a server's id.
func (p *Peers) transport() *http2.Transport {
	return &http2.Transport{ReadIdleTimeout: pingAfter, PingTimeout: pingWait, WriteByteTimeout: writeWait, IdleConnTimeout: idleWait,
		DisableCompression: true, MaxHeaderListSize: 64 << 10,
		DialTLSContext: func(ctx context.Context, _, host string, _ *tls.Config) (net.Conn, error) {
			name, _, err := net.SplitHostPort(host)
			if err != nil {
				return nil, err
			}
			return p.dial(ctx, id.Server(name))
		}}
}

func (p *Peers) dial(ctx context.Context, server id.Server) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, peerDial)
	defer cancel()
	p.mu.Lock()
	address := p.addresses[server]
	p.mu.Unlock()
	return p.o.Dial.secure(ctx, address, &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: p.o.CA.pool(), ServerName: serverName, NextProtos: []string{protoServer}, Certificates: []tls.Certificate{p.cert},
		VerifyConnection: func(s tls.ConnectionState) error {
			got, err := serverOf(s.PeerCertificates[0])
			if err == nil && got != server {
				err = fmt.Errorf("at %s answers server %s, not %s", address, got, server)
			}
			return err
		},
	})
}

// know notes where a server is.
func (p *Peers) know(server id.Server, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addresses[server] = address
}

// Close ends the connections that nobody uses; those in use end with their calls.
func (p *Peers) Close() {
	p.calls.CloseIdleConnections()
	p.streams.CloseIdleConnections()
	p.files.CloseIdleConnections()
}

// Node gives a node that another server holds the connection of. Each call goes to that server, which hands it to the node and never
// further; a call that finds the node moved is made once more at the new place.
func (p *Peers) Node(ctx context.Context, node id.Node) (agent.API, bool) {
	first, err := p.at(ctx, node)
	if err != nil {
		if !fault.Is(err, fault.NotFound) {
			p.o.Log.Warn("look up which server a node is connected to", "node", node, "err", err)
		}
		return nil, false
	}
	return &forwarded{p: p, node: node, first: first}, true
}

// at gives the node as the present claim says.
func (p *Peers) at(ctx context.Context, node id.Node) (*nodeAPI, error) {
	held, err := p.o.Holder(ctx, node)
	if err == nil && held.Server == p.o.Self {
		err = fault.New(fault.NotFound, "node_not_held", "this server held the connection of node %s and lost it", node)
	}
	if err != nil {
		return nil, err
	}
	p.know(held.Server, held.Address)
	return &nodeAPI{node: node, base: "https://" + string(held.Server) + "/nodes/" + string(node), calls: p.calls, log: p.o.Log,
		streams: func(context.Context) (http.RoundTripper, error) { return p.streams, nil },
		epoch:   strconv.FormatInt(held.Epoch, 10),
		lost: func(ctx context.Context, err error) error {
			return lostServer(ctx, err, held.Server, "which the node is connected to")
		}}, nil
}

// lostServer explains a call to another server that got no answer. Its code is that of a node that does not answer: callers wait for
// both alike.
func lostServer(ctx context.Context, err error, server id.Server, which string) error {
	if ctx.Err() != nil {
		return lost(ctx.Err())
	}
	return fault.Wrap(err, fault.Unavailable, "node_unreachable", "server %s, %s, cannot be reached from here; try again in a moment", server, which).After(time.Second)
}

// forwarded is a node that another server holds.
type forwarded struct {
	p     *Peers
	node  id.Node
	first *nodeAPI
}

// try makes a call, and once more when the node has moved since it was looked up.
func (f *forwarded) try(ctx context.Context, call func(n *nodeAPI) error) error {
	err := call(f.first)
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Code != codeMoved {
		return err
	}
	again, lookup := f.p.at(ctx, f.node)
	if lookup != nil || again.base == f.first.base && again.epoch == f.first.epoch {
		return unreachable(err)
	}
	return unreachable(call(again))
}

// unreachable gives a node that is on its way the code of one that does not answer.
func unreachable(err error) error {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Code == codeMoved {
		return fault.New(fault.Unavailable, "node_unreachable", "%s", e.Message).After(time.Second)
	}
	return err
}

func (f *forwarded) Ensure(ctx context.Context, m vm.Machine) (seen vm.Seen, err error) {
	err = f.try(ctx, func(n *nodeAPI) error { seen, err = n.Ensure(ctx, m); return err })
	return seen, err
}

func (f *forwarded) Snapshot(ctx context.Context, r agent.SnapshotRequest) error {
	return f.try(ctx, func(n *nodeAPI) error { return n.Snapshot(ctx, r) })
}

func (f *forwarded) EnsureImage(ctx context.Context, r agent.ImageRequest, progress func(done float64)) error {
	return f.try(ctx, func(n *nodeAPI) error { return n.EnsureImage(ctx, r, progress) })
}

func (f *forwarded) Open(ctx context.Context, r agent.StreamRequest) (s io.ReadWriteCloser, err error) {
	err = f.try(ctx, func(n *nodeAPI) error { s, err = n.Open(ctx, r); return err })
	return s, err
}

func (f *forwarded) Facts(ctx context.Context) (facts agent.Facts, err error) {
	err = f.try(ctx, func(n *nodeAPI) error { facts, err = n.Facts(ctx); return err })
	return facts, err
}

func (f *forwarded) Reports(ctx context.Context) (reports <-chan vm.Seen, err error) {
	err = f.try(ctx, func(n *nodeAPI) error { reports, err = n.Reports(ctx); return err })
	return reports, err
}

func (f *forwarded) Lease(ctx context.Context, l agent.Lease) error {
	return f.try(ctx, func(n *nodeAPI) error { return n.Lease(ctx, l) })
}
