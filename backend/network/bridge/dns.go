package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	nameTTL = 60 // seconds that guests keep a name of this network: a VM that is made anew may have another address

	// maxQuestions bounds the questions that wait for the node's resolvers, of a network and of one guest. More are refused, and the
	// guest's own resolver asks again.
	maxQuestions, maxQuestionsEach = 256, 32

	// maxConns bounds the TCP connections of a network and of one guest.
	maxConns, maxConnsEach = 128, 8

	dnsIdle = 5 * time.Second
)

// dnsServer answers names of one network and passes the rest on to the node's resolvers.
type dnsServer struct {
	lan      *lan
	upstream *upstream
	servers  []*dns.Server
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex
	waiting map[netip.Addr]int // questions passed on, by guest
	total   int
}

// startDNS listens on the gateway's address, UDP and TCP. It fails when another server holds the port.
func startDNS(f *Fabric, l *lan) (*dnsServer, error) {
	at := netip.AddrPortFrom(l.gateway, 53).String()
	var lc net.ListenConfig
	packets, err := lc.ListenPacket(f.ctx, "udp4", at)
	if err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	conns, err := lc.Listen(f.ctx, "tcp4", at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dns: %w", err), packets.Close())
	}
	s := &dnsServer{lan: l, upstream: &upstream{file: f.o.Resolvers}, waiting: map[netip.Addr]int{}}
	s.ctx, s.stop = context.WithCancel(f.ctx)
	s.servers = []*dns.Server{
		{PacketConn: packets, Handler: s},
		{Listener: &boundedListener{Listener: conns, each: map[netip.Addr]int{}}, Handler: s, ReadTimeout: dnsIdle, WriteTimeout: dnsIdle, IdleTimeout: func() time.Duration { return dnsIdle }},
	}
	for i, server := range s.servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		s.running.Go(func() {
			if err := server.ActivateAndServe(); err != nil && s.ctx.Err() == nil {
				f.log.Error("DNS of a network ended", "network", l.name, "err", err)
			}
		})
		select { // a server that has not started cannot be shut down
		case <-started:
		case <-time.After(dnsIdle):
			s.close()
			return nil, fmt.Errorf("dns: server %d did not start", i)
		}
	}
	return s, nil
}

func (s *dnsServer) close() {
	s.stop()
	for _, server := range s.servers {
		_ = server.Shutdown() //nolint:errcheck // it was not running: all that is wanted
		// One that had not started yet is ended by its socket.
		if server.PacketConn != nil {
			server.PacketConn.Close()
		}
		if server.Listener != nil {
			server.Listener.Close()
		}
	}
	s.running.Wait()
}

// ServeDNS answers one question. Who asks is known by address, which the rules hold every guest to.
func (s *dnsServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	from, err := netip.ParseAddrPort(w.RemoteAddr().String())
	if err != nil {
		return
	}
	asker := from.Addr().Unmap()
	a := answerDNS(q, s.lan.guests.Load(), s.lan.subnet, asker)
	if a == nil {
		a = s.pass(q, asker, w.RemoteAddr().Network())
	}
	if w.RemoteAddr().Network() == "udp" {
		a.Truncate(udpSize(q))
	}
	_ = w.WriteMsg(a) //nolint:errcheck // the guest asks again
}

// udpSize is how long an answer the guest takes.
func udpSize(q *dns.Msg) int {
	const most = 1232 // fits every path without fragments
	if o := q.IsEdns0(); o != nil {
		return min(max(int(o.UDPSize()), dns.MinMsgSize), most)
	}
	return dns.MinMsgSize
}

// answerDNS answers what this network knows, refuses what is nonsense, and gives nil for what the node's resolvers shall answer.
// A guest hears the names of its own tenant's guests only.
func answerDNS(q *dns.Msg, d *directory, subnet netip.Prefix, asker netip.Addr) *dns.Msg {
	a := new(dns.Msg)
	if len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery || q.Response {
		return a.SetRcode(q, dns.RcodeFormatError)
	}
	ask := q.Question[0]
	who, known := d.byAddress[asker]
	if ask.Qclass != dns.ClassINET || ask.Qtype == dns.TypeANY || ask.Qtype == dns.TypeAXFR || ask.Qtype == dns.TypeIXFR || !known {
		return a.SetRcode(q, dns.RcodeRefused)
	}
	if address, ok := reverse(ask.Name); ok && subnet.Contains(address) {
		g, there := d.byAddress[address]
		return local(q, there && g.tenant == who.tenant, ask.Qtype == dns.TypePTR, func(h dns.RR_Header) dns.RR {
			return &dns.PTR{Hdr: h, Ptr: g.hostname + "." + domain + "."}
		})
	}
	label := strings.TrimSuffix(strings.ToLower(ask.Name), ".")
	label, inZone := strings.CutSuffix(label, "."+domain)
	if label != domain && !inZone && (strings.Contains(label, ".") || label == "") {
		return nil
	}
	address, there := d.byName[name{who.tenant, label}]
	return local(q, there || label == domain, there && ask.Qtype == dns.TypeA, func(h dns.RR_Header) dns.RR {
		return &dns.A{Hdr: h, A: address.AsSlice()}
	})
}

// local is an answer out of this network: the record, or that the name has none of the type, or that there is no such name.
func local(q *dns.Msg, there, hasType bool, record func(dns.RR_Header) dns.RR) *dns.Msg {
	a := new(dns.Msg).SetReply(q)
	a.Authoritative, a.RecursionAvailable = true, true
	ask := q.Question[0]
	switch {
	case !there:
		a.Rcode = dns.RcodeNameError
	case hasType:
		a.Answer = []dns.RR{record(dns.RR_Header{Name: ask.Name, Rrtype: ask.Qtype, Class: dns.ClassINET, Ttl: nameTTL})}
		return a
	}
	// An SOA record tells how long the "no" may be kept.
	a.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: domain + ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: nameTTL},
		Ns: "ns." + domain + ".", Mbox: "hostmaster." + domain + ".", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: nameTTL}}
	return a
}

// reverse reads d.c.b.a.in-addr.arpa.
func reverse(qname string) (netip.Addr, bool) {
	four, ok := strings.CutSuffix(strings.ToLower(qname), ".in-addr.arpa.")
	parts := strings.Split(four, ".")
	if !ok || len(parts) != 4 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
	return a, err == nil
}

// pass asks the node's resolvers for a guest, within the bounds.
func (s *dnsServer) pass(q *dns.Msg, asker netip.Addr, transport string) *dns.Msg {
	if !s.enter(asker) {
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	defer s.leave(asker)
	a, err := s.upstream.ask(s.ctx, q, s.lan.gateway, transport)
	if err != nil {
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	return a
}

func (s *dnsServer) enter(asker netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxQuestions || s.waiting[asker] >= maxQuestionsEach {
		return false
	}
	s.total++
	s.waiting[asker]++
	return true
}

func (s *dnsServer) leave(asker netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.waiting[asker]--; s.waiting[asker] == 0 {
		delete(s.waiting, asker)
	}
}
