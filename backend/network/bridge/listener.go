package bridge

import (
	"net"
	"net/netip"
	"sync"
)

// boundedListener holds the number of open connections within maxConns, and of one peer within maxConnsEach; what is over is
// closed at once, so that one guest cannot take the service from the others.
type boundedListener struct {
	net.Listener

	mu    sync.Mutex
	total int
	each  map[netip.Addr]int
}

// Accept gives the next connection that is within the bounds.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := peerOf(c)
		l.mu.Lock()
		ok := l.total < maxConns && l.each[peer] < maxConnsEach
		if ok {
			l.total++
			l.each[peer]++
		}
		l.mu.Unlock()
		if !ok {
			c.Close()
			continue
		}
		return &countedConn{Conn: c, done: sync.OnceFunc(func() { l.left(peer) })}, nil
	}
}

func (l *boundedListener) left(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.each[peer]--; l.each[peer] == 0 {
		delete(l.each, peer)
	}
}

func peerOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

type countedConn struct {
	net.Conn
	done func()
}

// Close closes the connection and makes room for another.
func (c *countedConn) Close() error {
	c.done()
	return c.Conn.Close()
}
