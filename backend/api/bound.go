package api

import (
	"net"
	"net/netip"
	"sync"

	"novacron/backend/core/rate"
)

// Bound lets each address hold so many connections at a time and closes further ones at once, so that nobody takes all the connections
// that this machine can have. Proxies that speak for others are not bounded. In IPv6 an address is its /64.
func Bound(ln net.Listener, perAddress int, proxies []netip.Prefix) net.Listener {
	return &bound{Listener: ln, most: perAddress, proxies: proxies, held: map[string]int{}}
}

type bound struct {
	net.Listener
	most    int
	proxies []netip.Prefix

	mu   sync.Mutex
	held map[string]int
}

// Accept implements net.Listener.
func (b *bound) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return c, nil
		}
		address := peer.AddrPort().Addr().Unmap()
		if within(address, b.proxies) {
			return c, nil
		}
		if leave, ok := b.enter(rate.Key(address)); ok {
			return &boundConn{Conn: c, leave: leave}, nil
		}
		// Nothing is said: under TLS there is no peer to talk to yet, and a flood is not worth an answer.
		c.Close()
	}
}

func (b *bound) enter(address string) (leave func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[address] >= b.most {
		return nil, false
	}
	b.held[address]++
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.held[address]--; b.held[address] == 0 {
			delete(b.held, address)
		}
	}), true
}

type boundConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *boundConn) Close() error { c.leave(); return c.Conn.Close() }

// AddressKey is what a client's address, as text, is counted under.
func AddressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	return rate.Key(a)
}
