package bridge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// upstreamTimeout is for one resolver; maxUpstreams of them are asked in turn, so that a guest hears within its own ten seconds.
	upstreamTimeout = 3 * time.Second
	maxUpstreams    = 3

	upstreamSize = 1232 // bytes of a UDP answer that fit every path
)

// upstream knows the node's resolvers. They are read anew when their file changes, as it does when the node changes networks.
type upstream struct {
	file string

	mu      sync.Mutex
	changed time.Time
	servers []string
}

var errNoResolver = errors.New("the node has no resolver that can be asked")

// ask passes the question on over the transport that the guest used, and checks that the answer is one to it.
func (u *upstream) ask(ctx context.Context, q *dns.Msg, own netip.Addr, transport string) (*dns.Msg, error) {
	// Only the question and what the guest understands go on: other options of the guest's are between it and us.
	ask := new(dns.Msg)
	ask.SetQuestion(q.Question[0].Name, q.Question[0].Qtype)
	ask.RecursionDesired, ask.CheckingDisabled = q.RecursionDesired, q.CheckingDisabled
	o := q.IsEdns0()
	ask.SetEdns0(upstreamSize, o != nil && o.Do())
	client := &dns.Client{Net: transport, Timeout: upstreamTimeout, UDPSize: upstreamSize}
	last := errNoResolver
	for _, server := range u.list(own) {
		a, _, err := client.ExchangeContext(ctx, ask, server)
		if err == nil && (len(a.Question) != 1 || a.Question[0] != ask.Question[0]) {
			err = errors.New("the answer is not to the question")
		}
		if err != nil {
			last = err
			continue
		}
		a.Id, a.Question = q.Id, q.Question
		if o == nil {
			dropOptions(a)
		}
		return a, nil
	}
	return nil, last
}

// dropOptions takes out what a guest that did not speak of EDNS must not see.
func dropOptions(a *dns.Msg) {
	kept := a.Extra[:0]
	for _, r := range a.Extra {
		if r.Header().Rrtype != dns.TypeOPT {
			kept = append(kept, r)
		}
	}
	a.Extra = kept
}

// list gives the node's resolvers without ourselves: asking own would go round for ever.
func (u *upstream) list(own netip.Addr) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	info, err := os.Stat(u.file)
	if err != nil {
		return nil
	}
	if info.ModTime().Equal(u.changed) {
		return u.servers
	}
	c, err := dns.ClientConfigFromFile(u.file)
	if err != nil {
		return u.servers
	}
	u.changed, u.servers = info.ModTime(), nil
	for _, s := range c.Servers {
		if s != own.String() && len(u.servers) < maxUpstreams {
			u.servers = append(u.servers, net.JoinHostPort(s, c.Port))
		}
	}
	return u.servers
}
