package bridge_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"novacron/backend/network/networktest"
)

// resolver stands for the node's own: it knows www.example and answers on 127.0.0.1:53 of the namespace.
func resolver(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{PacketConn: c, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if q.Question[0].Name == "www.example." && q.Question[0].Qtype == dns.TypeA {
			r, err := dns.NewRR("www.example. 60 IN A 203.0.113.7")
			if err != nil {
				t.Error(err)
			}
			a.Answer = append(a.Answer, r)
		} else {
			a.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(a)
	})}
	go s.ActivateAndServe()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
}

// lookup asks the gateway from inside.
func lookup(t *testing.T, n *networktest.Namespace, transport, gateway, name string, kind uint16) string {
	t.Helper()
	q := new(dns.Msg).SetQuestion(name, kind)
	var a *dns.Msg
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err = n.Try(func() (err error) {
			c := dns.Client{Net: transport, Timeout: time.Second}
			a, _, err = c.Exchange(q, gateway+":53")
			return err
		}); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return err.Error()
	case a.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[a.Rcode]
	case len(a.Answer) == 0:
		return "no such record"
	}
	switch r := a.Answer[0].(type) {
	case *dns.A:
		return r.A.String()
	case *dns.PTR:
		return r.Ptr
	}
	return a.Answer[0].String()
}

func TestDNS_answersNamesOfTheTenantAndPassesTheRestOn(t *testing.T) {
	f, a, b, other := open(t, world(t)), networktest.VM(1), networktest.VM(2), networktest.VM(3)
	other.Tenant = "ten-b"
	resolver(t)
	one, gateway := machine(t, ensure(t, f, a), a.Ports[0]), a.Ports[0].Gateway
	ensure(t, f, b)
	ensure(t, f, other)
	for _, c := range []struct {
		ask  string
		kind uint16
		want string
	}{
		{"web-2.", dns.TypeA, b.Ports[0].Address},
		{"WEB-2.", dns.TypeA, b.Ports[0].Address},
		{"web-2.novacron.internal.", dns.TypeA, b.Ports[0].Address},
		{"web-2.", dns.TypeAAAA, "no such record"},
		{"web-3.", dns.TypeA, "NXDOMAIN"}, // another tenant's
		{"nobody.", dns.TypeA, "NXDOMAIN"},
		{"nobody.novacron.internal.", dns.TypeA, "NXDOMAIN"},
		{"novacron.internal.", dns.TypeA, "no such record"},
		{"4.3.77.10.in-addr.arpa.", dns.TypePTR, "web-2.novacron.internal."},
		{"5.3.77.10.in-addr.arpa.", dns.TypePTR, "NXDOMAIN"}, // another tenant's
		{"99.3.77.10.in-addr.arpa.", dns.TypePTR, "NXDOMAIN"},
		{"www.example.", dns.TypeA, "203.0.113.7"},
		{"nowhere.example.", dns.TypeA, "NXDOMAIN"},
		{"www.example.", dns.TypeANY, "REFUSED"},
	} {
		if got := lookup(t, one, "udp", gateway, c.ask, c.kind); got != c.want {
			t.Errorf("%s %s is %s, want %s", dns.TypeToString[c.kind], c.ask, got, c.want)
		}
	}
	if got := lookup(t, one, "tcp", gateway, "web-2.", dns.TypeA); got != b.Ports[0].Address {
		t.Errorf("over TCP web-2 is %s, want %s", got, b.Ports[0].Address)
	}
	if err := f.Release(t.Context(), b.VM); err != nil {
		t.Fatal(err)
	}
	if got := lookup(t, one, "udp", gateway, "web-2.", dns.TypeA); got != "NXDOMAIN" {
		t.Errorf("a released VM is %s, want NXDOMAIN", got)
	}
}

func TestDNS_saysServerFailureWhenTheNodeHasNoResolver(t *testing.T) {
	dir := world(t)
	f, m := open(t, dir), networktest.VM(1)
	if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := machine(t, ensure(t, f, m), m.Ports[0])
	if got := lookup(t, inside, "udp", m.Ports[0].Gateway, "www.example.", dns.TypeA); got != "SERVFAIL" {
		t.Errorf("got %s, want SERVFAIL", got)
	}
}
