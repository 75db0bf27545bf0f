package remote

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// liar is an agent that claims to be another node in everything that it says.
type liar struct {
	*agent.Agent
	claims id.Node
}

func (l liar) Facts(ctx context.Context) (agent.Facts, error) {
	f, err := l.Agent.Facts(ctx)
	f.Node = l.claims
	return f, err
}

func (l liar) Ensure(ctx context.Context, m vm.Machine) (vm.Seen, error) {
	s, err := l.Agent.Ensure(ctx, m)
	s.Node = l.claims
	return s, err
}

func (l liar) Reports(ctx context.Context) (<-chan vm.Seen, error) {
	feed := make(chan vm.Seen, 1)
	feed <- vm.Seen{VM: id.NewVM(), Node: l.claims, State: vm.SeenStopped}
	close(feed)
	return feed, nil
}

func TestHub_putsTheNodeOfTheCertificateIntoAllThatANodeSays(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	o.api(f.world.Node)
	f.stop()
	link, err := NewLink(LinkOptions{Servers: []string{o.addr}, Dir: f.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		link.Run(ctx, liar{f.agent, id.NewNode()})
	}()
	defer func() { cancel(); <-done }()
	eventually(t, "what the liar says", func() bool {
		api, ok := o.hub.Node(f.world.Node)
		if !ok {
			return false
		}
		facts, err := api.Facts(t.Context())
		if err != nil {
			return false // the connection from before
		}
		if facts.Node != f.world.Node {
			t.Fatalf("facts of %s", facts.Node)
		}
		seen, err := api.Ensure(t.Context(), agenttest.Machine("web-1"))
		if err != nil || seen.Node != f.world.Node {
			t.Fatalf("Ensure: seen by %s, %v", seen.Node, err)
		}
		reports, err := api.Reports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := <-reports; s.Node != f.world.Node {
			t.Fatalf("a report of %s", s.Node)
		}
		return true
	})
}

// Whatever a node with certificate A says, in a certificate request, a body or a report, it never acts as B.
func TestHub_aNodeCanNeverActAsAnother(t *testing.T) {
	o := newOffice(t)
	a, b := id.NewNode(), id.NewNode()
	links := map[id.Node]*Link{}
	for _, n := range []id.Node{a, b} {
		dir := filepath.Join(t.TempDir(), "id")
		if _, err := Join(t.Context(), nil, o.addr, o.token(n), dir); err != nil {
			t.Fatal(err)
		}
		link, err := NewLink(LinkOptions{Servers: []string{o.addr}, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		links[n] = link
	}
	rapid.Check(t, func(r *rapid.T) {
		me, other := a, b
		if rapid.Bool().Draw(r, "as b") {
			me, other = b, a
		}
		link := links[me]
		mine, theirs := o.granted(me), o.granted(other)
		switch rapid.IntRange(0, 2).Draw(r, "lie") {
		case 0: // a request for a certificate in the other's name
			key, err := newKey()
			if err != nil {
				r.Fatal(err)
			}
			csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
				Subject: pkix.Name{CommonName: string(other)}, URIs: []*url.URL{uriOf("node", string(other))}, DNSNames: []string{serverName}}, key)
			if err != nil {
				r.Fatal(err)
			}
			var got certificate
			if err := postJSON(t.Context(), link.small, o.addr, "/renew", map[string]any{"csr": csr, "node": other}, &got); err != nil {
				r.Fatal(err)
			}
			i, err := acceptCertificate(got, key, o.ca.cert)
			if err != nil || i.node != me {
				r.Fatalf("asked as %s for %s: got a certificate of %s, %v", me, other, i.node, err)
			}
			if len(i.cert.Leaf.DNSNames) != 0 || i.cert.Leaf.IsCA {
				r.Fatalf("the certificate can do more than a node's: %v", i.cert.Leaf.DNSNames)
			}
		case 1: // a lease with the other's name in the body
			var g agent.Lease
			body := map[string]any{"seq": rapid.Int64().Draw(r, "seq"), "node": other, "Node": other}
			if err := postJSON(t.Context(), link.small, o.addr, "/lease", body, &g); err != nil || g.Node != me {
				r.Fatalf("lease: %+v, %v", g, err)
			}
			if o.granted(me) != mine+1 || o.granted(other) != theirs {
				r.Fatalf("a renewal of %s counted for %s", me, other)
			}
		case 2: // no request of a node names a VM or another node
			path := rapid.SampledFrom([]string{"/ensure", "/facts", "/nodes/" + string(other), "/join/../renew/x", "/images/../lease"}).Draw(r, "path")
			var v map[string]any
			if err := postJSON(t.Context(), link.small, o.addr, path, map[string]any{"node": other}, &v); err == nil {
				r.Fatalf("%s was answered with %v", path, v)
			}
		}
	})
}

// A node's certificate must not serve as a server's, or a node could stand between another one and the server.
func TestCA_aNodesCertificateIsNoServersCertificate(t *testing.T) {
	ca, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := newCSR(key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := parseCSR(der)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := ca.issue(id.NewNode(), csr, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(issued)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: ca.pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("it is good for a server")
	}
	if life := time.Until(leaf.NotAfter); life > NodeLife {
		t.Errorf("it lasts %v, more than %v", life, NodeLife)
	}
}
