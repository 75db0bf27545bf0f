package services

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// Wire is a TCP forwarder that can go silent, which is how a machine that lost its network looks, and can refuse, which is how a
// stopped Redis looks.
type Wire struct {
	t       testing.TB
	to      string
	address string

	mu     sync.Mutex
	ln     net.Listener
	conns  []net.Conn
	silent chan struct{} // closed: bytes flow
}

func newWire(t testing.TB, to string) *Wire {
	ports, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{t: t, to: to, address: loopback(ports[0]), silent: make(chan struct{})}
	close(w.silent)
	w.Mend()
	t.Cleanup(func() { w.Resume(); w.Cut() })
	return w
}

// Mend takes connections again after Cut, on the same port.
func (w *Wire) Mend() {
	ln, err := net.Listen("tcp", w.address)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	w.ln = ln
	w.mu.Unlock()
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", w.to)
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, near, far)
			w.mu.Unlock()
			go w.pump(near, far)
			go w.pump(far, near)
		}
	}()
}

func (w *Wire) pump(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		gate := w.silent
		w.mu.Unlock()
		<-gate
		if _, e := to.Write(buf[:n]); err != nil || e != nil {
			return
		}
	}
}

// Pause makes everything silent.
func (w *Wire) Pause() { w.mu.Lock(); w.silent = make(chan struct{}); w.mu.Unlock() }

// Resume lets everything flow again, in order.
func (w *Wire) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.silent:
	default:
		close(w.silent)
	}
}

// Cut refuses connections and breaks those that are there.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ln.Close()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// Behind gives the URL of an engine as seen through a wire of its own.
func Behind(t testing.TB, address string) (*Wire, string) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, u.Host)
	u.Host = w.address
	return w, u.String()
}
