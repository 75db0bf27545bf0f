package remote

import (
	"net"
	"sync"
	"testing"
)

// relay is the network between a node and its server, and can be broken.
type relay struct {
	addr string

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	limit  int64 // bytes from the server until a connection is cut; 0: none
	broken int
	frozen bool
	thaw   chan struct{}
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), conns: map[net.Conn]struct{}{}, thaw: make(chan struct{})}
	t.Cleanup(func() {
		l.Close()
		close(r.thaw)
		r.cut()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.join(c, server)
		}
	}()
	return r
}

func (r *relay) join(node net.Conn, server string) {
	far, err := net.Dial("tcp", server)
	if err != nil {
		node.Close()
		return
	}
	r.mu.Lock()
	r.conns[node], r.conns[far] = struct{}{}, struct{}{}
	r.mu.Unlock()
	both := func() {
		node.Close()
		far.Close()
		r.mu.Lock()
		delete(r.conns, node)
		delete(r.conns, far)
		r.mu.Unlock()
	}
	go func() {
		defer both()
		r.copy(far, node, false)
	}()
	defer both()
	r.copy(node, far, true)
}

func (r *relay) copy(to, from net.Conn, counts bool) {
	var sent int64
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		frozen, limit := r.frozen, r.limit
		if counts && limit > 0 && sent > limit {
			r.broken++
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if frozen {
			<-r.thaw
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
			sent += int64(n)
		}
		if err != nil {
			return
		}
	}
}

// cut breaks every connection.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

func (r *relay) cutAfter(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = bytes
}

func (r *relay) cuts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// freeze lets bytes vanish while connections stay open.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = true
}
