package remote

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

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

func TestHub_letsNoCopyOfANodeTakeItsPlace(t *testing.T) {
	o := newOffice(t)
	original := o.node(o.addr)
	node := original.world.Node
	o.api(node)
	eventually(t, "a lease of the node", func() bool { return original.agent.LeaseLeft() > 0 })

	w := agenttest.NewWorld(t)
	w.Node = node
	thief := &farNode{world: w, dir: filepath.Join(t.TempDir(), "identity")}
	// A renewal writes a new file beside the old one, so a copy that meets it is taken anew.
	eventually(t, "a copy of the node's identity", func() bool {
		return os.RemoveAll(thief.dir) == nil && os.CopyFS(thief.dir, os.DirFS(original.dir)) == nil
	})
	thief.connect(o, o.addr)
	thief.agent = w.Start(nil)
	thief.run(o)
	// Each asks for a lease many times, and the copy for a control connection too.
	before := o.granted(node)
	eventually(t, "refusals of the copy beside leases of the node", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.copies >= 20 && len(o.leases[node]) >= before+20
	})
	if thief.agent.LeaseLeft() > 0 {
		t.Error("the copy has a lease")
	}
	m := agenttest.Machine("web-1")
	if seen, err := o.api(node).Ensure(t.Context(), m); err != nil || seen.State != vm.SeenRunning {
		t.Fatalf("Ensure: %+v, %v", seen, err)
	}
	if a, b := original.world.Host.Guests(), w.Host.Guests(); a != 1 || b != 0 {
		t.Errorf("%d guests on the node and %d on its copy, want 1 and 0", a, b)
	}
	if calls := o.noted(); !slices.Equal(calls, []string{"up " + string(node)}) {
		t.Errorf("the node's connection came and went: %v", calls)
	}
}

// served answers requests without a network.
type served struct{ http.Handler }

func (s served) RoundTrip(q *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, q)
	return w.Result(), nil
}

func TestHub_believesAnAgentThatIsTooOldToSayWhereItIs(t *testing.T) {
	for want, routes := range map[string]http.Handler{"": controlRoutes(nil, nil), "here": linkRoutes(nil, "here", nil)} {
		n := &nodeAPI{node: id.NewNode(), base: "https://node", calls: served{routes}, lost: lostNode}
		if got, err := n.place(t.Context()); got != want || err != nil {
			t.Errorf("the agent is at %q (%v), want %q", got, err, want)
		}
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

func TestHub_aReaderOfReportsThatSleepsHoldsUpNobodyAndFindsTheNewest(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	api := o.api(f.world.Node)
	sleeper, err := api.Reports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := agenttest.Machine("web-1")
	for range 200 {
		m.Generation++
		m.Power = vm.On
		if m.Generation%2 == 0 {
			m.Power = vm.Paused
		}
		if _, err := api.Ensure(t.Context(), m); err != nil {
			t.Fatalf("generation %d beside a reader that sleeps: %v", m.Generation, err)
		}
	}
	for s := range sleeper {
		if s.Generation == m.Generation && (s.State == vm.SeenRunning || s.State == vm.SeenPaused) {
			return
		}
	}
	t.Error("the reports ended before the newest")
}

func someImage() (raw []byte, digest string) {
	raw = bytes.Repeat([]byte("an image that is not small "), 200_000)
	sum := sha256.Sum256(raw)
	return raw, "sha256:" + hex.EncodeToString(sum[:])
}

func TestHub_fetchesAnImageByDigestAndResumesAfterACut(t *testing.T) {
	o := newOffice(t)
	raw, digest := someImage()
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
	eventually(t, "the word of it", func() bool { return len(o.noted()) >= 3 }) // it comes behind the connection
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
	if d := time.Since(began); pingAfter+pingWait > 5*time.Second || d > pingAfter+pingWait+busy {
		t.Errorf("found after %v, want it %v after it fell silent", d, pingAfter+pingWait)
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
