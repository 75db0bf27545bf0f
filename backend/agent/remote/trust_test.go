package remote

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

func TestJoin_usesATokenOnceThoughFiftyTry(t *testing.T) {
	o := newOffice(t)
	token := o.token(id.NewNode())
	var wg sync.WaitGroup
	results := make(chan error, 50)
	for i := range 50 {
		dir := filepath.Join(t.TempDir(), string(rune('a'+i%26)), string(rune('a'+i/26)))
		wg.Go(func() {
			_, err := Join(t.Context(), nil, o.addr, token, dir)
			for fault.Is(err, fault.Unavailable) { // when the machine is slow more than maxOfAddress are there at once
				_, err = Join(t.Context(), nil, o.addr, token, dir)
			}
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
	_, err := Join(t.Context(), nil, other.addr, token, t.TempDir())
	wantKind(t, err, fault.Forbidden)
	if len(other.tokens) != 1 {
		t.Error("the token reached the wrong server")
	}
}

func TestHub_peersWithoutACertificateNeverCrowdOutNodes(t *testing.T) {
	o := newOffice(t)
	f := o.node(o.addr)
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protoHTTP}} // it only wants to hold a place
	from := func(address string, n int) {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		for range n {
			c, err := tls.DialWithDialer(dialer, "tcp", o.addr, config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
	}
	from("127.0.0.2", maxOfAddress+20)
	eventually(t, "one address to have its places and no more", func() bool { return len(o.hub.strangers) == maxOfAddress })
	for i := range maxStrangers/maxOfAddress + 1 {
		from(fmt.Sprintf("127.0.1.%d", i+1), maxOfAddress)
	}
	eventually(t, "all places to be taken", func() bool { return len(o.hub.strangers) == maxStrangers })
	before := o.granted(f.world.Node)
	eventually(t, "leases beside them", func() bool { return o.granted(f.world.Node) > before+2 })
	f.stop()
	f.connect(o, o.addr)
	f.run(o)
	eventually(t, "a node that comes while strangers hold every place", func() bool {
		api, ok := o.hub.Node(f.world.Node)
		if !ok {
			return false
		}
		_, err := api.Facts(t.Context())
		return err == nil
	})
}

// A peer that connects and says nothing costs a place until its handshake is given up.
func TestHub_peersThatSayNothingTakePlacesOfTheirAddressOnly(t *testing.T) {
	o := newOffice(t)
	const most = 4
	o.hub.shakes.mu.Lock()
	o.hub.shakes.most = most
	o.hub.shakes.mu.Unlock()
	silent := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	closed := make(chan struct{}, 2*most)
	for range 2 * most {
		c, err := silent.DialContext(t.Context(), "tcp", o.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			c.Read(make([]byte, 1)) //nolint:errcheck // only its end counts
			closed <- struct{}{}
		}()
	}
	for range most {
		select {
		case <-closed:
		case <-time.After(handshakeWait - time.Second):
			t.Fatal("more of one address than may wait in their handshake do")
		}
	}
	f := o.node(o.addr) // of another address
	eventually(t, "a node beside them", func() bool { _, ok := o.hub.Node(f.world.Node); return ok })
}

func TestLink_refusesAServerOfAnotherCA(t *testing.T) {
	mine, other := newOffice(t), newOffice(t)
	f := mine.node(mine.addr)
	link, err := NewLink(LinkOptions{Servers: []string{other.addr}, Dir: f.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = link.renew(t.Context())
	wantKind(t, err, fault.Unavailable)
	if err := link.serve(t.Context(), link.at.Load().server, protoControl, nil, func() {}); err == nil {
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
	link, err := NewLink(LinkOptions{Servers: []string{mine.addr}, Dir: dir, Log: slog.New(slog.DiscardHandler)})
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

func TestLink_renewsWithTimeForManyTriesBeforeTwoThirdsOfTheLife(t *testing.T) {
	if NodeLife > 24*time.Hour {
		t.Errorf("a certificate holds for %s, want 24 hours at most", NodeLife)
	}
	latest := NodeLife*2/3 - 60*renewRetry
	for range 10_000 {
		if in := untilRenewal(NodeLife); in < NodeLife/2 || in > latest {
			t.Fatalf("a certificate of %s is renewed after %s, want from a half to %s", NodeLife, in, latest)
		}
	}
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
	if _, err := Join(t.Context(), nil, o.addr, o.token(n), dir); err != nil {
		t.Fatal(err)
	}
	again, err := Join(t.Context(), nil, o.addr, "no token is needed any more", dir)
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
	if _, err := Join(t.Context(), nil, o.addr, ca.Token(mustSecret(o)), t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestJoin_goesOnWithTheSameTokenWhenItsAnswerWasLost(t *testing.T) {
	o := newOffice(t)
	n := id.NewNode()
	token, dir := o.token(n), filepath.Join(t.TempDir(), "id")
	// The first try reaches the server; its answer does not come back.
	lossy := relayLosingAnswers(t, o)
	if _, err := Join(t.Context(), nil, lossy, token, dir); err == nil {
		t.Fatal("the answer came through")
	}
	if _, err := Joined(dir); !fault.Is(err, fault.NotFound) {
		t.Fatalf("without an answer: %v", err)
	}
	o.mu.Lock()
	used := len(o.joined)
	o.mu.Unlock()
	if used != 1 {
		t.Fatalf("%d tokens are used, want 1: the request did not arrive", used)
	}
	got, err := Join(t.Context(), nil, o.addr, token, dir)
	if err != nil || got != n {
		t.Fatalf("again: %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, joiningFile)); err == nil {
		t.Error("the key of the join is still there")
	}
	_, err = Join(t.Context(), nil, o.addr, token, filepath.Join(t.TempDir(), "other"))
	wantKind(t, err, fault.Unauthenticated)
}

// relayLosingAnswers passes one connection on to the office and breaks it when the office has used a token up.
func relayLosingAnswers(t *testing.T, o *office) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		defer near.Close()
		far, err := net.Dial("tcp", o.addr)
		if err != nil {
			return
		}
		defer far.Close()
		o.mu.Lock()
		o.onRedeem = func() { near.Close() }
		o.mu.Unlock()
		go io.Copy(far, near)
		io.Copy(near, far)
	}()
	return ln.Addr().String()
}
