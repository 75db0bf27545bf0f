package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// office is a server: a hub on loopback with what the assembly gives it.
type office struct {
	t    *testing.T
	ca   *CA
	hub  *Hub
	addr string

	mu      sync.Mutex
	tokens  map[string]id.Node // not yet used
	removed map[id.Node]bool
	leases  map[id.Node][]int64 // sequence numbers granted
	images  map[string][]byte
	calls   []string // OnUp and OnDown in order
	now     time.Time
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
	o := &office{t: t, ca: ca, tokens: map[string]id.Node{}, removed: map[id.Node]bool{}, leases: map[id.Node][]int64{}, images: map[string][]byte{}}
	hub, err := NewHub(HubOptions{CA: ca, Redeem: o.redeem, Admit: o.admit, Lease: o.lease, Image: o.image, Now: o.clock,
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

func (o *office) redeem(_ context.Context, secret string, _ JoinInfo) (id.Node, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, ok := o.tokens[secret]
	if !ok {
		return "", fault.New(fault.Unauthenticated, "token_used", "this join token is unknown or used")
	}
	delete(o.tokens, secret)
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

func (o *office) lease(_ context.Context, n id.Node, seq int64) (time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
	secret := NewSecret()
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

func (o *office) node(via string) *farNode {
	o.t.Helper()
	w := agenttest.NewWorld(o.t)
	f := &farNode{world: w, dir: filepath.Join(o.t.TempDir(), "identity")}
	got, err := Join(o.t.Context(), o.addr, o.token(w.Node), f.dir)
	if err != nil || got != w.Node {
		o.t.Fatalf("Join: node %q, %v", got, err)
	}
	f.connect(o, via)
	f.agent = w.Start(func(opt *agent.Options) { opt.Source = f.link.Fetch })
	f.run(o)
	return f
}

func (f *farNode) connect(o *office, via string) {
	o.t.Helper()
	link, err := NewLink(LinkOptions{Server: via, Dir: f.dir, LeaseEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
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

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
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

func TestHub_carriesTheWholeAPIToTwoNodes(t *testing.T) {
	o := newOffice(t)
	for _, f := range []*farNode{o.node(o.addr), o.node(o.addr)} {
		api := o.api(f.world.Node)
		m := agenttest.Machine("web-1")
		seen, err := api.Ensure(t.Context(), m)
		if err != nil || seen.State != vm.SeenRunning || seen.Node != f.world.Node {
			t.Fatalf("Ensure: %+v, %v", seen, err)
		}
		if n := f.world.Host.Guests(); n != 1 {
			t.Errorf("%d guests on the node, want 1", n)
		}
		facts, err := api.Facts(t.Context())
		if err != nil || facts.Node != f.world.Node || facts.Network != "sim" || facts.MemoryMiB == 0 {
			t.Errorf("Facts: %+v, %v", facts, err)
		}
		err = api.Snapshot(t.Context(), agent.SnapshotRequest{VM: m.ID, Epoch: 1, Snapshot: id.NewSnapshot(), Action: agent.SnapshotCreate})
		if err != nil {
			t.Errorf("Snapshot: %v", err)
		}
		reports, err := api.Reports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := <-reports; s.VM != m.ID || s.State != vm.SeenRunning {
			t.Errorf("first report: %+v", s)
		}
		m.Epoch = 0
		_, err = api.Ensure(t.Context(), m)
		wantKind(t, err, fault.Precondition)
	}
}

func TestHub_opensAConsoleOverTheBulkConnectionThatTheNodeDials(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	api := o.api(f.world.Node)
	m := agenttest.Machine("web-1")
	if _, err := api.Ensure(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second stream finds the connection there
		c, err := api.Open(t.Context(), agent.StreamRequest{VM: m.ID, Kind: "serial"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("echo four$((2+2))\n")); err != nil {
			t.Fatal(err)
		}
		if !readUntil(c, "echo four$((2+2))", 1<<16) {
			t.Error("the console did not echo what was typed")
		}
		c.Close()
	}
	_, err := api.Open(t.Context(), agent.StreamRequest{VM: id.NewVM(), Kind: "serial"})
	wantKind(t, err, fault.NotFound)
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

func TestHub_leasesGoOnWhileAConsoleFloodsAndNobodyReads(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	api := o.api(f.world.Node)
	m := agenttest.Machine("web-1")
	if _, err := api.Ensure(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	c, err := api.Open(t.Context(), agent.StreamRequest{VM: m.ID, Kind: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	flooded := make(chan error, 1)
	go func() { flooded <- f.world.Host.Flood(m.ID, 64<<20) }()
	// While the stream stands, unread, twenty renewals and a command pass.
	before := o.granted(f.world.Node)
	eventually(t, "twenty leases beside the flood", func() bool { return o.granted(f.world.Node) >= before+20 })
	if f.agent.LeaseLeft() <= 0 {
		t.Error("the node has no lease")
	}
	m.Generation, m.Power = 2, vm.Paused
	if s, err := api.Ensure(t.Context(), m); err != nil || s.State != vm.SeenPaused {
		t.Errorf("a command beside the flood: %+v, %v", s, err)
	}
	if err := <-flooded; err != nil {
		t.Error(err)
	}
}

func TestHub_fetchesAnImageByDigestAndResumesAfterACut(t *testing.T) {
	o := newOffice(t)
	raw := bytes.Repeat([]byte("an image that is not small "), 200_000)
	sum := sha256.Sum256(raw)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	o.images[digest] = raw
	relay := newRelay(t, o.addr)
	f := o.node(relay.addr)
	api := o.api(f.world.Node)
	relay.cutAfter(1 << 20) // every connection breaks once a megabyte has come through it
	var last float64
	err := api.EnsureImage(t.Context(), agent.ImageRequest{Digest: digest, Bytes: int64(len(raw))}, func(d float64) { last = d })
	if err != nil {
		// The control connection may have been cut too; the transfer goes on and is joined again.
		eventually(t, "the image", func() bool {
			again, ok := o.hub.Node(f.world.Node)
			return ok && again.EnsureImage(t.Context(), agent.ImageRequest{Digest: digest, Bytes: int64(len(raw))}, func(d float64) { last = d }) == nil
		})
	}
	if !bytes.Equal(f.world.Images.Bytes(digest), raw) {
		t.Errorf("the node holds %d bytes that differ from the image of %d", len(f.world.Images.Bytes(digest)), len(raw))
	}
	if relay.cuts() < 4 {
		t.Errorf("the transfer was cut %d times, so this proved little (progress %v)", relay.cuts(), last)
	}
	_, err = f.link.Fetch(t.Context(), "sha256:"+hex.EncodeToString(make([]byte, 32)), 0)
	wantKind(t, err, fault.NotFound)
}

func TestLink_comesBackAfterACutAndTheHubTellsInOrder(t *testing.T) {
	o := newOffice(t)
	relay := newRelay(t, o.addr)
	f := o.node(relay.addr)
	api := o.api(f.world.Node)
	reports, err := api.Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	relay.cut()
	for range reports { // ends with the connection
	}
	var again agent.API
	eventually(t, "the next connection", func() bool {
		var ok bool
		again, ok = o.hub.Node(f.world.Node)
		return ok && again != api
	})
	if _, err := again.Facts(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = api.Facts(t.Context())
	wantKind(t, err, fault.Unavailable)
	n := string(f.world.Node)
	if got, want := o.noted()[:3], []string{"up " + n, "down " + n, "up " + n}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHub_findsASilentPeerWithinFiveSeconds(t *testing.T) {
	o := newOffice(t)
	relay := newRelay(t, o.addr)
	f := o.node(relay.addr)
	api := o.api(f.world.Node)
	began := time.Now()
	relay.freeze() // bytes go nowhere, and no connection is closed
	_, err := api.Facts(t.Context())
	wantKind(t, err, fault.Unavailable)
	eventually(t, "the end of the connection", func() bool { _, ok := o.hub.Node(f.world.Node); return !ok })
	if d := time.Since(began); d > 6*time.Second {
		t.Errorf("found after %v", d)
	}
}

func TestHub_keepsTheNewestControlConnection(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	first := o.api(f.world.Node)
	second := &farNode{world: f.world, agent: f.agent, dir: f.dir}
	f.stop()
	second.connect(o, o.addr)
	second.run(o)
	eventually(t, "the newer connection", func() bool { p, ok := o.hub.Node(f.world.Node); return ok && p != first })
	if n := len(o.hub.Nodes()); n != 1 {
		t.Errorf("%d connected nodes, want 1", n)
	}
}

func TestJoin_usesATokenOnceThoughFiftyTry(t *testing.T) {
	o := newOffice(t)
	token := o.token(id.NewNode())
	var wg sync.WaitGroup
	results := make(chan error, 50)
	for i := range 50 {
		dir := filepath.Join(t.TempDir(), string(rune('a'+i%26)), string(rune('a'+i/26)))
		wg.Go(func() {
			_, err := Join(context.Background(), o.addr, token, dir)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
			continue
		}
		wantKind(t, err, fault.Unauthenticated)
	}
	if won != 1 {
		t.Errorf("%d joins with one token succeeded, want 1", won)
	}
}

func TestJoin_neverSaysTheTokenToAnotherServer(t *testing.T) {
	mine, other := newOffice(t), newOffice(t)
	n := id.NewNode()
	token := mine.token(n)
	secret, _, _ := parseToken(token)
	other.tokens[secret] = n // it would take it
	_, err := Join(t.Context(), other.addr, token, t.TempDir())
	wantKind(t, err, fault.Forbidden)
	if len(other.tokens) != 1 {
		t.Error("the token reached the wrong server")
	}
}

func TestLink_refusesAServerOfAnotherCA(t *testing.T) {
	mine, other := newOffice(t), newOffice(t)
	f := mine.node(mine.addr)
	link, err := NewLink(LinkOptions{Server: other.addr, Dir: f.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = link.renew(t.Context())
	wantKind(t, err, fault.Unavailable)
	if err := link.serve(t.Context(), protoControl, nil); err == nil {
		t.Error("connected to a server of another CA")
	}
}

func TestHub_refusesANodeOfAnotherCAWithTheSameName(t *testing.T) {
	mine, other := newOffice(t), newOffice(t)
	f := other.node(other.addr)
	theirs, err := loadIdentity(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	theirs.ca = mine.ca.cert // it trusts my server, and shows the other CA's certificate
	dir := t.TempDir()
	if err := theirs.save(dir); err != nil {
		t.Fatal(err)
	}
	link, err := NewLink(LinkOptions{Server: mine.addr, Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var g agent.Lease
	err = postJSON(t.Context(), link.small, mine.addr, "/lease", leaseRequest{Seq: 1}, &g)
	wantKind(t, err, fault.Unauthenticated)
	if mine.granted(f.world.Node) != 0 {
		t.Error("a lease was granted")
	}
}

func TestHub_anEndedCertificateCanOnlyBeRenewedAndOnlyInItsGrace(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	f.stop()
	o.mu.Lock()
	o.now = time.Now().Add(NodeLife + 48*time.Hour)
	o.mu.Unlock()
	f.connect(o, o.addr)
	var g agent.Lease
	wantKind(t, postJSON(t.Context(), f.link.small, o.addr, "/lease", leaseRequest{Seq: 1}, &g), fault.Unauthenticated)
	_, err := f.link.Fetch(t.Context(), agenttest.Tiny, 0)
	wantKind(t, err, fault.Unauthenticated)
	if _, err := f.link.renew(t.Context()); err != nil {
		t.Fatalf("renew in the grace: %v", err)
	}
	if err := postJSON(t.Context(), f.link.small, o.addr, "/lease", leaseRequest{Seq: 1}, &g); err != nil {
		t.Errorf("lease with the new certificate: %v", err)
	}
	o.mu.Lock()
	o.now = o.now.Add(NodeLife + RenewGrace + time.Minute)
	o.mu.Unlock()
	f.connect(o, o.addr)
	_, err = f.link.renew(t.Context())
	wantKind(t, err, fault.Unauthenticated)
}

func TestHub_refusesARemovedNodeEverything(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	f.stop()
	o.mu.Lock()
	o.removed[f.world.Node] = true
	o.mu.Unlock()
	_, err := f.link.renew(t.Context())
	wantKind(t, err, fault.Forbidden)
	var g agent.Lease
	wantKind(t, postJSON(t.Context(), f.link.small, o.addr, "/lease", leaseRequest{Seq: 1}, &g), fault.Forbidden)
	_, err = f.link.Fetch(t.Context(), agenttest.Tiny, 0)
	wantKind(t, err, fault.Forbidden)
}

func TestIdentity_survivesARestartAndRefusesADamagedFile(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	n := id.NewNode()
	if _, err := Join(t.Context(), o.addr, o.token(n), dir); err != nil {
		t.Fatal(err)
	}
	again, err := Join(t.Context(), o.addr, "no token is needed any more", dir)
	if err != nil || again != n {
		t.Errorf("a folder that has joined: %q, %v", again, err)
	}
	path := filepath.Join(dir, identityFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the identity: %v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw[:len(raw)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Joined(dir); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("a damaged identity: %v", err)
	}
}

func TestCA_isTheSameAfterItWasKept(t *testing.T) {
	ca, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadCA(ca.PEM())
	if err != nil || again.Fingerprint() != ca.Fingerprint() {
		t.Fatalf("fingerprint %s, %v; want %s", again.Fingerprint(), err, ca.Fingerprint())
	}
	o := officeOf(t, again)
	if _, err := Join(t.Context(), o.addr, ca.Token(mustSecret(o)), t.TempDir()); err != nil {
		t.Error(err)
	}
}

func mustSecret(o *office) string {
	secret, _, err := parseToken(o.token(id.NewNode()))
	if err != nil {
		o.t.Fatal(err)
	}
	return secret
}
