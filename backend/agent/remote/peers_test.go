//lint:file-ignore SA1019 net/http cannot call over a connection of a protocol of our own; x/net can

package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// rows is what servers read from their database.
type rows struct {
	mu    sync.Mutex
	held  map[id.Node]Held
	looks int
}

func (r *rows) holder(_ context.Context, n id.Node) (Held, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	h, ok := r.held[n]
	if !ok {
		return h, fault.New(fault.NotFound, "node_not_held", "nobody holds it")
	}
	return h, nil
}

func (r *rows) servers(context.Context) (all []Held, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		all = append(all, h)
	}
	return all, nil
}

func (r *rows) say(n id.Node, o *office, epoch int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[n] = Held{Server: o.server, Address: o.addr, Epoch: epoch}
}

// sisters are two servers of one installation, and a node that is connected to the first.
func sisters(t *testing.T) (here, there *office, f *farNode, r *rows, peers *Peers) {
	t.Helper()
	there = newOffice(t)
	here = officeOf(t, there.ca)
	f = there.node(there.addr)
	there.api(f.world.Node)
	there.claim(f.world.Node, 1)
	r = &rows{held: map[id.Node]Held{}}
	r.say(f.world.Node, there, 1)
	return here, there, f, r, peersOf(t, here, r)
}

func peersOf(t *testing.T, o *office, r *rows) *Peers {
	t.Helper()
	p, err := NewPeers(PeersOptions{CA: o.ca, Self: o.server, Holder: r.holder, Servers: r.servers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (p *Peers) must(t *testing.T, n id.Node) agent.API {
	t.Helper()
	api, ok := p.Node(t.Context(), n)
	if !ok {
		t.Fatal("the node is connected to no server")
	}
	return api
}

func TestPeers_carryTheWholeAPIThroughTheServerThatHoldsTheNode(t *testing.T) {
	_, there, f, _, peers := sisters(t)
	api := peers.must(t, f.world.Node)
	m := agenttest.Machine("web-1")
	seen, err := api.Ensure(t.Context(), m)
	if err != nil || seen.State != vm.SeenRunning || seen.Node != f.world.Node {
		t.Fatalf("Ensure: %+v, %v", seen, err)
	}
	if facts, err := api.Facts(t.Context()); err != nil || facts.Node != f.world.Node || facts.MemoryMiB == 0 {
		t.Errorf("Facts: %+v, %v", facts, err)
	}
	snapshot := agent.SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: agent.SnapshotCreate}
	if err := api.Snapshot(t.Context(), snapshot); err != nil {
		t.Errorf("Snapshot: %v", err)
	}
	raw, digest := someImage()
	there.images[digest] = raw
	if err := api.EnsureImage(t.Context(), agent.ImageRequest{Digest: digest, Bytes: int64(len(raw))}, nil); err != nil {
		t.Errorf("EnsureImage: %v", err)
	}
	reports, err := api.Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := <-reports; s.VM != m.ID || s.Node != f.world.Node {
		t.Errorf("first report: %+v", s)
	}
	c, err := api.Open(t.Context(), agent.StreamRequest{VM: m.ID, Kind: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("echo four$((2+2))\n")); err != nil || !readUntil(c, "echo four$((2+2))", 1<<16) {
		t.Errorf("the console through the other server did not echo what was typed (%v)", err)
	}
	m.Epoch = 0
	_, err = api.Ensure(t.Context(), m)
	wantKind(t, err, fault.Precondition)
}

func TestPeers_endsAConsoleWhenTheNodeIsLost(t *testing.T) {
	_, _, f, _, peers := sisters(t)
	api := peers.must(t, f.world.Node)
	m := agenttest.Machine("web-1")
	if _, err := api.Ensure(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	c, err := api.Open(t.Context(), agent.StreamRequest{VM: m.ID, Kind: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	f.stop()
	if readUntil(c, "nobody says this", 1<<20) {
		t.Error("the stream goes on")
	}
}

func TestPeers_aRequestIsNeverForwardedAgain(t *testing.T) {
	a := newOffice(t)
	b := officeOf(t, a.ca)
	n := id.NewNode()
	// Each believes that the other holds the node, and neither does.
	ra, rb := &rows{held: map[id.Node]Held{}}, &rows{held: map[id.Node]Held{}}
	ra.say(n, b, 7)
	rb.say(n, a, 7)
	a.claim(n, 7)
	b.claim(n, 7)
	peersOf(t, b, rb)
	began := time.Now()
	_, err := peersOf(t, a, ra).must(t, n).Facts(t.Context())
	wantKind(t, err, fault.Unavailable)
	if f := fault.KindOf(err); f == fault.Unavailable && !strings.Contains(err.Error(), string(n)) {
		t.Errorf("the sentence does not name the node: %v", err)
	}
	if rb.looks != 0 {
		t.Error("the asked server looked for another one")
	}
	if took := time.Since(began); took > peerDial {
		t.Errorf("it took %v", took)
	}
}

func TestPeers_refuseAStaleRowAndFollowTheNewOne(t *testing.T) {
	here, old, f, r, peers := sisters(t)
	now := officeOf(t, old.ca)
	api := peers.must(t, f.world.Node) // looked up while the old server held it
	moved := &farNode{world: f.world, agent: f.agent, dir: f.dir}
	f.stop()
	moved.connect(now, now.addr)
	moved.run(now)
	now.api(f.world.Node)
	now.claim(f.world.Node, 2)
	r.say(f.world.Node, now, 2)
	if facts, err := api.Facts(t.Context()); err != nil || facts.Node != f.world.Node {
		t.Errorf("Facts after the move: %+v, %v", facts, err)
	}
	// An older claim of the right server is as stale as one of the wrong server, and one of a node that is nowhere.
	for situation, h := range map[string]Held{
		"an older claim":        {now.server, now.addr, 1},
		"no claim":              {now.server, now.addr, 0},
		"the server before":     {old.server, old.addr, 1},
		"a claim not yet there": {now.server, now.addr, 3},
	} {
		r.mu.Lock()
		r.held[f.world.Node] = h
		r.mu.Unlock()
		_, err := peersOf(t, here, r).must(t, f.world.Node).Facts(t.Context())
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: got %v, want that the node is unavailable", situation, err)
		}
	}
}

func TestPeers_sayWithinSecondsThatTheOtherServerCannotBeReached(t *testing.T) {
	_, there, f, r, peers := sisters(t)
	cable := newRelay(t, there.addr)
	there.addr = cable.addr
	r.say(f.world.Node, there, 1)
	api := peers.must(t, f.world.Node)
	if _, err := api.Facts(t.Context()); err != nil {
		t.Fatal(err)
	}
	cable.freeze()
	for _, call := range []func() error{
		func() error { _, err := api.Facts(t.Context()); return err },
		func() error {
			_, err := api.Open(t.Context(), agent.StreamRequest{VM: id.NewVM(), Kind: "serial"})
			return err
		},
	} {
		began := time.Now()
		err := call()
		wantKind(t, err, fault.Unavailable)
		if !strings.Contains(fault.Sentence(err), "cannot be reached from here") {
			t.Errorf("the sentence is %q", fault.Sentence(err))
		}
		if took := time.Since(began); took > pingAfter+pingWait+peerDial+busy {
			t.Errorf("it took %v to say so", took)
		}
	}
}

func TestPeers_holdNoServerForAnother(t *testing.T) {
	here, there, f, r, _ := sisters(t)
	impostor := officeOf(t, there.ca) // answers at the address of the row, and is another one
	r.mu.Lock()
	r.held[f.world.Node] = Held{there.server, impostor.addr, 1}
	r.mu.Unlock()
	_, err := peersOf(t, here, r).must(t, f.world.Node).Facts(t.Context())
	wantKind(t, err, fault.Unavailable)
}

// asServer shows a certificate at the port for other servers and asks for a node.
func asServer(t *testing.T, o *office, cert *tls.Certificate, n id.Node) error {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: o.ca.pool(), ServerName: serverName, NextProtos: []string{protoServer}}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	p := peersOf(t, o, &rows{})
	via := p.transport()
	via.DialTLSContext = func(ctx context.Context, _, _ string, _ *tls.Config) (net.Conn, error) {
		return Dial(nil).secure(ctx, o.addr, config)
	}
	defer via.CloseIdleConnections()
	api := &nodeAPI{node: n, base: "https://" + string(o.server) + "/nodes/" + string(n), calls: via, epoch: "1", lost: lostNode,
		streams: func(context.Context) (http.RoundTripper, error) { return via, nil }}
	_, err := api.Facts(t.Context())
	return err
}

func TestHub_takesNobodyButAServerForAServer(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	o.api(f.world.Node)
	o.claim(f.world.Node, 1)
	own, err := o.ca.server(id.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	if err := asServer(t, o, &own, f.world.Node); err != nil {
		t.Errorf("a server is refused: %v", err)
	}
	stranger, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.server(o.server)
	if err != nil {
		t.Fatal(err)
	}
	anonymous, err := o.ca.server("")
	if err != nil {
		t.Fatal(err)
	}
	node := f.link.self.Load().cert
	for who, cert := range map[string]*tls.Certificate{"a node": &node, "a server of another CA": &foreign, "a server without an id": &anonymous, "nobody": nil} {
		if err := asServer(t, o, cert, f.world.Node); err == nil {
			t.Errorf("%s is taken for a server", who)
		}
	}
}

func TestCA_knowsRolesApart(t *testing.T) {
	o := newOffice(t)
	node := o.newcomer()
	self, err := loadIdentity(node.dir)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := o.ca.server(o.server)
	if err != nil {
		t.Fatal(err)
	}
	server, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	asState := func(c *x509.Certificate) tls.ConnectionState {
		return tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	}
	if got, err := o.ca.identifyServer(asState(server), time.Now()); err != nil || got != o.server {
		t.Errorf("a server is %q, %v", got, err)
	}
	_, err = o.ca.identifyServer(asState(self.cert.Leaf), time.Now())
	wantKind(t, err, fault.Unauthenticated)
	_, err = o.ca.identify(asState(server), time.Now())
	wantKind(t, err, fault.Unauthenticated)
	_, err = self.cert.Leaf.Verify(x509.VerifyOptions{Roots: o.ca.pool(), DNSName: serverName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err == nil {
		t.Error("a node's certificate is good for a server's listener")
	}
}
