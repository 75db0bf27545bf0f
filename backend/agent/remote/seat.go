//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/http2"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// seat is the place of one node at the hub. It is made at the node's first connection and kept: nodes are few and come back.
type seat struct {
	turn  sync.Mutex // held around OnUp and OnDown, so that they come one at a time and in order
	here  atomic.Pointer[seated]
	mu    sync.Mutex
	bulk  *bulkConn
	comes chan struct{} // closed when a bulk connection comes
}

// seated is a node's control connection.
type seated struct {
	conn    *watched
	api     *nodeAPI
	forward http.Handler // what other servers ask of the node
}

type bulkConn struct {
	conn *watched
	http *http2.ClientConn
}

func (s *seat) present() *seated { return s.here.Load() }

func (h *Hub) seat(node id.Node) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.nodes[node]
	if s == nil {
		s = &seat{comes: make(chan struct{})}
		h.nodes[node] = s
	}
	return s
}

// control holds a node's control connection. The newest wins: a node that comes again has lost the old one, whether this
// side has noticed or not.
func (h *Hub) control(node id.Node, c *watched, conn *http2.ClientConn) {
	s := h.seat(node)
	api := h.onConnection(node, conn, s)
	p := &seated{conn: c, api: api, forward: forwardRoutes(api)}
	if old := s.present(); old != nil {
		old.conn.Close()
	}
	s.turn.Lock()
	if s.here.Swap(p) != nil && h.o.OnDown != nil {
		h.o.OnDown(node)
	}
	if h.o.OnUp != nil {
		h.o.OnUp(node, api)
	}
	s.turn.Unlock()

	<-c.closed

	s.turn.Lock()
	defer s.turn.Unlock()
	if s.here.CompareAndSwap(p, nil) {
		s.dropBulk(nil)
		if h.o.OnDown != nil {
			h.o.OnDown(node)
		}
	}
}

// bulk holds a node's bulk connection, the newest.
func (h *Hub) bulk(node id.Node, c *watched, conn *http2.ClientConn) error {
	s := h.seat(node)
	if s.present() == nil {
		return fault.New(fault.Precondition, "no_control", "node %s opened a bulk connection without a control connection", node)
	}
	s.takeBulk(&bulkConn{c, conn})
	<-c.closed
	s.dropBulk(c)
	return nil
}

func (s *seat) takeBulk(b *bulkConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bulk != nil {
		s.bulk.conn.Close()
	}
	s.bulk = b
	close(s.comes)
	s.comes = make(chan struct{})
}

// dropBulk closes the bulk connection if it is c, or any with nil.
func (s *seat) dropBulk(c *watched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bulk != nil && (c == nil || s.bulk.conn == c) {
		s.bulk.conn.Close()
		s.bulk = nil
	}
}

// bulkFor gives the node's bulk connection; ask makes the node open one when there is none.
func (s *seat) bulkFor(ctx context.Context, ask func(context.Context) error) (*http2.ClientConn, error) {
	asked := false
	for {
		s.mu.Lock()
		b, comes := s.bulk, s.comes
		s.mu.Unlock()
		if b != nil && b.http.CanTakeNewRequest() {
			return b.http, nil
		}
		if b != nil {
			s.dropBulk(b.conn)
			continue
		}
		if !asked {
			if err := ask(ctx); err != nil {
				return nil, err
			}
			asked = true
		}
		select {
		case <-comes:
		case <-ctx.Done():
			return nil, lost(ctx.Err())
		}
	}
}

// handover is a listener of connections that somebody else accepted.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) give(ctx context.Context, c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
	case <-ctx.Done():
	}
	return false
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

func isTooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
