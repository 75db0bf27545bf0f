package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/network"
)

const (
	dialTimeout = 5 * time.Second
	maxStreams  = 512              // TCP connections through one forward; more wait in the kernel's queue
	maxFlows    = 256              // UDP peers of one forward; a new one beyond that is not answered
	flowIdle    = 60 * time.Second // after which a UDP peer is forgotten
	maxDatagram = 64 << 10
)

// proxy is one forward. It is a listener in this process, for every address alike, and no rule of the kernel: loopback works without
// route_localnet, a port that another program holds is seen and said instead of stolen, and nothing is left when the agent dies.
// The price is that connections end with the agent, and that guests see the node's address as their peer.
type proxy struct {
	key     proxyKey
	listen  io.Closer
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// proxyKey is what a forward is: a change of any part makes another one.
type proxyKey struct {
	protocol string
	listen   netip.AddrPort
	guest    netip.AddrPort
}

// ensureProxies brings the VM's forwards to those of m. Those that stay keep their connections.
func (f *Fabric) ensureProxies(m network.Attachment) error {
	wanted := map[proxyKey]vm.Forward{}
	for _, fw := range m.Forwards {
		at, err := network.ListenAddress(fw)
		if err != nil {
			return err
		}
		wanted[proxyKey{fw.Protocol, at, netip.AddrPortFrom(netip.MustParseAddr(m.Ports[0].Address), uint16(fw.GuestPort))}] = fw
	}
	var kept []*proxy
	for _, p := range f.proxies[m.VM] {
		if _, stays := wanted[p.key]; stays {
			kept = append(kept, p)
			delete(wanted, p.key)
		} else {
			p.close()
		}
	}
	var failed error
	for key, fw := range wanted {
		p, err := f.startProxy(key)
		if err != nil {
			failed = errors.Join(failed, portFault(err, fw))
			continue
		}
		kept = append(kept, p)
	}
	f.proxies[m.VM] = kept
	if len(kept) == 0 {
		delete(f.proxies, m.VM)
	}
	return failed
}

func portFault(err error, fw vm.Forward) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fault.Wrap(err, fault.Conflict, "port_taken", "%s port %d of the node is in use; choose another port", fw.Protocol, fw.HostPort)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fault.Wrap(err, fault.Invalid, "listen_address", "%s is not an address of this node; use one of its own, or leave it empty for 127.0.0.1", fw.Listen)
	}
	return fault.Wrap(err, fault.Internal, "forward", "%s port %d of the node could not be forwarded; the log of its agent has the cause", fw.Protocol, fw.HostPort)
}

func (f *Fabric) closeProxies(vm id.VM) {
	for _, p := range f.proxies[vm] {
		p.close()
	}
	delete(f.proxies, vm)
}

func (f *Fabric) startProxy(key proxyKey) (*proxy, error) {
	p := &proxy{key: key}
	p.ctx, p.stop = context.WithCancel(f.ctx)
	family := "4"
	if key.listen.Addr().Is6() {
		family = "6"
	}
	var lc net.ListenConfig
	if key.protocol == "udp" {
		c, err := lc.ListenPacket(p.ctx, "udp"+family, key.listen.String())
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("forward: %w", err)
		}
		p.listen = c
		p.running.Go(func() { p.relayPackets(c.(*net.UDPConn)) })
		return p, nil
	}
	l, err := lc.Listen(p.ctx, "tcp"+family, key.listen.String())
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("forward: %w", err)
	}
	p.listen = l
	p.running.Go(func() { p.acceptStreams(l) })
	return p, nil
}

// close ends the forward with its connections and waits for them.
func (p *proxy) close() {
	p.stop()
	p.listen.Close()
	p.running.Wait()
}

// acceptStreams takes TCP connections until the listener is closed.
func (p *proxy) acceptStreams(l net.Listener) {
	free := make(chan struct{}, maxStreams)
	for {
		select {
		case free <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		c, err := l.Accept()
		if err != nil {
			<-free
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			p.pause() // out of descriptors, most likely
			continue
		}
		p.running.Go(func() {
			defer func() { <-free }()
			p.relayStream(c.(*net.TCPConn))
		})
	}
}

func (p *proxy) pause() {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-p.ctx.Done():
	}
}

// relayStream joins a client with the guest until both have said all, or the forward ends. A silent peer is found by TCP
// keep-alive, which Go turns on.
func (p *proxy) relayStream(client *net.TCPConn) {
	defer client.Close()
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(p.ctx, "tcp4", p.key.guest.String())
	if err != nil {
		return // the guest does not listen: the client sees its connection closed
	}
	guest := c.(*net.TCPConn)
	defer guest.Close()
	ended := context.AfterFunc(p.ctx, func() { client.Close(); guest.Close() })
	defer ended()
	var both sync.WaitGroup
	both.Go(func() { pump(guest, client) })
	both.Go(func() { pump(client, guest) })
	both.Wait()
}

// pump copies one direction and passes its end on.
func pump(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close() // a broken connection breaks the other one
		from.Close()
		return
	}
	_ = to.CloseWrite() //nolint:errcheck // closed already: the other direction sees it
}

// relayPackets gives every peer a socket to the guest of its own, so that answers find their way back.
func (p *proxy) relayPackets(l *net.UDPConn) {
	var mu sync.Mutex
	flows := map[netip.AddrPort]*net.UDPConn{}
	buf := make([]byte, maxDatagram)
	for {
		n, peer, err := l.ReadFromUDPAddrPort(buf)
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				break
			}
			p.pause()
			continue
		}
		mu.Lock()
		flow := flows[peer]
		if flow == nil && len(flows) < maxFlows {
			if flow, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.key.guest)); err == nil {
				flows[peer] = flow
				p.running.Go(func() {
					p.answerPeer(l, flow, peer)
					mu.Lock()
					delete(flows, peer)
					mu.Unlock()
				})
			} else {
				flow = nil
			}
		}
		mu.Unlock()
		if flow != nil {
			_, _ = flow.Write(buf[:n])                         //nolint:errcheck // datagrams may be lost
			_ = flow.SetReadDeadline(time.Now().Add(flowIdle)) //nolint:errcheck // closed: the flow is over
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, flow := range flows {
		flow.Close()
	}
}

// answerPeer carries the guest's answers to one peer until it was silent for flowIdle.
func (p *proxy) answerPeer(l, flow *net.UDPConn, peer netip.AddrPort) {
	defer flow.Close()
	buf := make([]byte, maxDatagram)
	for {
		n, err := flow.Read(buf)
		if errors.Is(err, unix.ECONNREFUSED) {
			continue // the guest does not listen yet; the deadline still stands
		}
		if err != nil {
			return
		}
		if _, err := l.WriteToUDPAddrPort(buf[:n], peer); err != nil {
			return
		}
	}
}
