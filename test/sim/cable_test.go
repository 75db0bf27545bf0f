package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// cables is the network between the places of a world ("s1", "n1", "people"): connections in memory that take time, stand still
// or break as the schedule says. Every connection has buffers like a kernel's, so that a writer waits for nobody: in a synctest
// bubble time passes only while no goroutine holds a lock and waits.
type cables struct {
	mu        sync.Mutex
	listeners map[string]*socket // by "s1/api"
	paths     map[string]*cable  // by "n1 s1"
	lines     map[*line]struct{}
	ports     int
	carriers  sync.WaitGroup
}

// cable is what lies between two places.
type cable struct {
	cut    bool          // nothing connects
	delay  time.Duration // of each piece of data
	frozen chan struct{} // closed when data moves again; nil: it moves
}

// pieces is how many reads of one connection wait for the far end, each of up to 32 KiB.
const pieces = 4096

func newCables() *cables {
	return &cables{listeners: map[string]*socket{}, paths: map[string]*cable{}, lines: map[*line]struct{}{}}
}

// at gives the cable between two places. The caller holds mu.
func (c *cables) at(from, to string) *cable {
	p := c.paths[from+" "+to]
	if p == nil {
		p = &cable{delay: time.Millisecond}
		c.paths[from+" "+to] = p
	}
	return p
}

// listen opens a port ("s1/api").
func (c *cables) listen(port string) (net.Listener, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners[port] != nil {
		return nil, fmt.Errorf("%s is taken", port)
	}
	s := &socket{cables: c, port: port, calls: make(chan net.Conn), closed: make(chan struct{})}
	c.listeners[port] = s
	return s, nil
}

// dial connects a place to a port of another.
func (c *cables) dial(ctx context.Context, from, to, port string) (net.Conn, error) {
	c.mu.Lock()
	s, p := c.listeners[to+"/"+port], c.at(from, to)
	silent, delay := p.cut || p.frozen != nil, p.delay
	c.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(delay)
	if s == nil {
		return nil, errors.New("connection refused")
	}
	near, far := c.line(from, to)
	select {
	case s.calls <- far:
		return near, nil
	case <-s.closed:
	case <-ctx.Done():
	}
	near.Close()
	return nil, errors.New("connection refused")
}

// dialNode connects a place to the node port of a server that is given as host:port.
func (c *cables) dialNode(ctx context.Context, from, server string) (net.Conn, error) {
	to, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	return c.dial(ctx, from, to, "node")
}

// line makes a connection between two places.
func (c *cables) line(from, to string) (near, far net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports++
	w := &line{from: from, to: to}
	a, b := net.Pipe()
	d, e := net.Pipe()
	w.ends = []net.Conn{a, b, d, e}
	c.lines[w] = struct{}{}
	var both sync.WaitGroup
	both.Go(func() { c.carry(w, e, b) })
	both.Go(func() { c.carry(w, b, e) })
	c.carriers.Go(func() {
		both.Wait()
		w.close()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.lines, w)
	})
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.ports}
	return addressed{a, at}, addressed{d, at}
}

// carry moves bytes in one direction until an end closes.
func (c *cables) carry(w *line, dst, src net.Conn) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	queue := make(chan piece, pieces)
	c.carriers.Go(func() {
		defer close(queue)
		buf := make([]byte, 32<<10)
		for {
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			c.mu.Lock()
			delay := c.at(w.from, w.to).delay
			c.mu.Unlock()
			queue <- piece{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}
		}
	})
	for p := range queue {
		time.Sleep(time.Until(p.due))
		c.thawed(w)
		if _, err := dst.Write(p.bytes); err != nil {
			src.Close() // the reader above ends, and what it read is lost like bytes on a broken line
		}
	}
	c.thawed(w)
	dst.Close()
}

// thawed waits until data moves.
func (c *cables) thawed(w *line) {
	for {
		c.mu.Lock()
		frozen := c.at(w.from, w.to).frozen
		c.mu.Unlock()
		if frozen == nil {
			return
		}
		<-frozen
	}
}

// cut breaks the connections between two places, and keeps them apart until mend.
func (c *cables) cut(from, to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at(from, to).cut = true
	for w := range c.lines {
		if w.from == from && w.to == to {
			w.close()
		}
	}
}

// freeze holds data and connections back, and tells neither end.
func (c *cables) freeze(from, to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.at(from, to); p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// slow sets how long each piece of data is under way.
func (c *cables) slow(from, to string, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at(from, to).delay = delay
}

// mend makes the cable as new.
func (c *cables) mend(from, to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.at(from, to)
	if p.frozen != nil {
		close(p.frozen)
	}
	*p = cable{delay: time.Millisecond}
}

// mendAll makes every cable as new.
func (c *cables) mendAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.paths {
		if p.frozen != nil {
			close(p.frozen)
		}
		*p = cable{delay: time.Millisecond}
	}
}

// remove ends every connection and waits until nothing of them is left.
func (c *cables) remove() {
	c.mendAll()
	c.mu.Lock()
	for l := range c.lines {
		l.close()
	}
	c.mu.Unlock()
	c.carriers.Wait()
}

// unplug breaks every connection of a place and closes its ports: its process is dead.
func (c *cables) unplug(place string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.lines {
		if w.from == place || w.to == place {
			w.close()
		}
	}
	for port, s := range c.listeners {
		if s.port[:len(place)+1] == place+"/" {
			s.once.Do(func() { close(s.closed) })
			delete(c.listeners, port)
		}
	}
}

// line is one connection.
type line struct {
	from, to string
	ends     []net.Conn
}

func (w *line) close() {
	for _, e := range w.ends {
		e.Close()
	}
}

// addressed gives a pipe the address of a peer on loopback.
type addressed struct {
	net.Conn
	at net.Addr
}

func (a addressed) LocalAddr() net.Addr  { return a.at }
func (a addressed) RemoteAddr() net.Addr { return a.at }

// socket is a listener.
type socket struct {
	cables *cables
	port   string
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *socket) Accept() (net.Conn, error) {
	select {
	case c := <-s.calls:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *socket) Close() error {
	s.cables.mu.Lock()
	defer s.cables.mu.Unlock()
	s.once.Do(func() { close(s.closed) })
	if s.cables.listeners[s.port] == s {
		delete(s.cables.listeners, s.port)
	}
	return nil
}

func (s *socket) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
