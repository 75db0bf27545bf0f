package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// office is a server: a hub on loopback with what the assembly gives it.
type office struct {
	t    *testing.T
	ca   *CA
	hub  *Hub
	addr string

	mu       sync.Mutex
	tokens   map[string]id.Node
	joined   map[string]string // the public key that used a token
	onRedeem func()            // called when a token was used; may be nil
	removed  map[id.Node]bool
	leases   map[id.Node][]int64 // sequence numbers granted
	cutOff   bool                // from the database: no lease is granted
	images   map[string][]byte
	calls    []string // OnUp and OnDown in order
	now      time.Time
	server   id.Server
	epochs   map[id.Node]int64 // of this server's claims
	places   map[id.Node]string
	copies   int // how often somebody else said to be a node
}

func newOffice(t *testing.T) *office {
	t.Helper()
	ca, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return officeOf(t, ca)
}

func officeOf(t *testing.T, ca *CA) *office {
	t.Helper()
	o := &office{t: t, ca: ca, tokens: map[string]id.Node{}, joined: map[string]string{}, removed: map[id.Node]bool{}, leases: map[id.Node][]int64{}, images: map[string][]byte{}, server: id.NewServer(), epochs: map[id.Node]int64{}, places: map[id.Node]string{}}
	hub, err := NewHub(HubOptions{CA: ca, Redeem: o.redeem, Admit: o.admit, Claim: o.placed, Lease: o.lease, Image: o.image, Now: o.clock, Server: o.server, Holds: o.holds, Disk: officeDisk{o},
		OnUp:   func(n id.Node, _ agent.API) { o.note("up " + string(n)) },
		OnDown: func(n id.Node) { o.note("down " + string(n)) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o.hub, o.addr = hub, listen(t, hub)
	t.Cleanup(func() { hub.Close() })
	return o
}

func listen(t *testing.T, hub *Hub) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go hub.Serve(l)
	return l.Addr().String()
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now.IsZero() {
		return time.Now()
	}
	return o.now
}

func (o *office) redeem(_ context.Context, secret string, info JoinInfo) (id.Node, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, ok := o.tokens[secret]
	key, used := o.joined[secret]
	if !ok || used && key != string(info.Key) {
		return "", fault.New(fault.Unauthenticated, "token_used", "this join token is unknown or used")
	}
	o.joined[secret] = string(info.Key)
	if o.onRedeem != nil {
		o.onRedeem()
	}
	return n, nil
}

func (o *office) admit(_ context.Context, n id.Node) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.removed[n] {
		return fault.New(fault.Forbidden, "node_removed", "node %s was removed", n)
	}
	return nil
}

// placed: the first place is the node's.
func (o *office) placed(_ context.Context, n id.Node, place, _ string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.places[n] == "" {
		o.places[n] = place
	}
	if place != "" && o.places[n] != place {
		o.copies++
		return fault.New(fault.Conflict, "node_elsewhere", "node %s is elsewhere", n)
	}
	return nil
}

func (o *office) lease(_ context.Context, n id.Node, seq int64) (time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cutOff {
		return 0, fault.New(fault.Unavailable, "database_unavailable", "the database cannot be reached")
	}
	o.leases[n] = append(o.leases[n], seq)
	return 10 * time.Second, nil
}

type readSeekNop struct{ *bytes.Reader }

func (readSeekNop) Close() error { return nil }

func (o *office) image(_ context.Context, _ id.Node, digest string) (io.ReadSeekCloser, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	raw, ok := o.images[digest]
	if !ok {
		return nil, fault.New(fault.NotFound, "image_not_found", "there is no image %s", digest)
	}
	return readSeekNop{bytes.NewReader(raw)}, nil
}

func (o *office) holds(n id.Node) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.epochs[n]
}

func (o *office) claim(n id.Node, epoch int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epochs[n] = epoch
}

func (o *office) note(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, s)
}

func (o *office) noted() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.calls)
}

func (o *office) granted(n id.Node) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.leases[n])
}

func (o *office) token(n id.Node) string {
	secret := rand.Text()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tokens[secret] = n
	return o.ca.Token(secret)
}

// farNode is a node with a real agent that reaches the office over its address.
type farNode struct {
	world *agenttest.World
	agent *agent.Agent
	link  *Link
	dir   string
	stop  func()
}

// newcomer is a machine with a certificate, and no agent yet.
func (o *office) newcomer() *farNode {
	o.t.Helper()
	w := agenttest.NewWorld(o.t)
	f := &farNode{world: w, dir: filepath.Join(o.t.TempDir(), "identity")}
	got, err := Join(o.t.Context(), nil, o.addr, o.token(w.Node), f.dir)
	if err != nil || got != w.Node {
		o.t.Fatalf("Join: node %q, %v", got, err)
	}
	return f
}

func (o *office) node(via string) *farNode {
	o.t.Helper()
	f := o.newcomer()
	f.connect(o, via)
	f.agent = f.world.Start(func(opt *agent.Options) { opt.Source = f.link.Fetch })
	f.run(o)
	return f
}

func (f *farNode) connect(o *office, via string) {
	o.t.Helper()
	link, err := NewLink(LinkOptions{Servers: []string{via}, Dir: f.dir, LeaseEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		o.t.Fatal(err)
	}
	f.link = link
}

func (f *farNode) run(o *office) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.link.Run(ctx, f.agent)
	}()
	f.stop = func() { cancel(); <-done }
	o.t.Cleanup(f.stop)
}

func (o *office) api(n id.Node) agent.API {
	o.t.Helper()
	var api agent.API
	eventually(o.t, "the node's connection", func() bool {
		var ok bool
		api, ok = o.hub.Node(n)
		return ok
	})
	return api
}

// busy is what a machine with other work may take beside the time that a test bounds.
const busy = 10 * time.Second

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != want {
		t.Errorf("got %v (kind %q), want kind %q", err, fault.KindOf(err), want)
	}
}

// readUntil reads at most limit bytes until want is among them.
func readUntil(r io.Reader, want string, limit int) bool {
	var all []byte
	b := make([]byte, 4096)
	for len(all) < limit {
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		if bytes.Contains(all, []byte(want)) {
			return true
		}
		if err != nil {
			return false
		}
	}
	return false
}

func mustSecret(o *office) string {
	secret, _, err := parseToken(o.token(id.NewNode()))
	if err != nil {
		o.t.Fatal(err)
	}
	return secret
}
