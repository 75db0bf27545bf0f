package remote

import (
	"net"
	"net/netip"
	"sync"

	"novacron/backend/core/rate"
)

// crowd counts what is there at once, by address.
type crowd struct {
	most int // of one address

	mu sync.Mutex
	of map[string]int
}

// enter reports false where there are enough of the address. Who entered leaves.
func (c *crowd) enter(address string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[address] >= c.most {
		return false
	}
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[address]++
	return true
}

func (c *crowd) leave(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[address]--; c.of[address] == 0 {
		delete(c.of, address)
	}
}

// addressOf is what the peer of a connection is counted under. Empty: it has no IP address, as in a simulation.
func addressOf(c net.Conn) string {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return rate.Key(peer.Addr())
}
