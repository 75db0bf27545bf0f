package remote

import (
	"log/slog"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/node"
)

// nodeOfServers starts a node that knows several servers of one installation, and joins at the first.
func nodeOfServers(t *testing.T, servers ...*office) *farNode {
	t.Helper()
	first := servers[0]
	f := first.newcomer()
	var addrs []string
	for _, o := range servers {
		addrs = append(addrs, o.addr)
	}
	link, err := NewLink(LinkOptions{Servers: addrs, Dir: f.dir, LeaseEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f.link = link
	f.agent = f.world.Start(func(opt *agent.Options) { opt.Source = link.Fetch })
	f.run(first)
	return f
}

func TestLink_goesToTheNextServerWithinItsLease(t *testing.T) {
	a := newOffice(t)
	b := officeOf(t, a.ca)
	f := nodeOfServers(t, a, b)
	a.api(f.world.Node)
	eventually(t, "a lease of the first server", func() bool { return a.granted(f.world.Node) > 0 })
	died := time.Now()
	a.hub.Close()
	if _, err := b.api(f.world.Node).Facts(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "a lease of the second server", func() bool { return b.granted(f.world.Node) > 0 })
	f.keptLease(t, died)
}

func TestLink_leavesAServerThatFellSilentWithinItsLease(t *testing.T) {
	a := newOffice(t)
	b := officeOf(t, a.ca)
	cable := newRelay(t, a.addr)
	a.addr = cable.addr
	f := nodeOfServers(t, a, b)
	if _, err := a.api(f.world.Node).Facts(t.Context()); err != nil { // both ends have said hello
		t.Fatal(err)
	}
	died := time.Now()
	cable.freeze() // the leases under way get no answer either, and no connection is closed
	eventually(t, "a lease of the second server", func() bool { return b.granted(f.world.Node) > 0 })
	f.keptLease(t, died)
}

func TestLink_leavesAServerThatGrantsNoLeaseMore(t *testing.T) {
	a := newOffice(t)
	b := officeOf(t, a.ca)
	f := nodeOfServers(t, a, b)
	eventually(t, "a lease of the first server", func() bool { return a.granted(f.world.Node) > 0 })
	died := time.Now()
	a.mu.Lock()
	a.cutOff = true
	a.mu.Unlock()
	b.api(f.world.Node)
	eventually(t, "a lease of the second server", func() bool { return b.granted(f.world.Node) > 0 })
	f.keptLease(t, died)
	eventually(t, "the end of the first server's connection", func() bool { _, ok := a.hub.Node(f.world.Node); return !ok })
}

// keptLease checks that the present server's lease came before the last one of the server that died then ended.
func (f *farNode) keptLease(t *testing.T, died time.Time) {
	t.Helper()
	eventually(t, "the lease at the node", func() bool { return f.agent.LeaseLeft() > 0 })
	if took := time.Since(died); took > node.LeaseDuration {
		t.Errorf("the next server was found after %v, want within %v", took, node.LeaseDuration)
	}
}

func TestNewLink_needsAServerAndNotTooMany(t *testing.T) {
	f := newOffice(t).newcomer()
	for _, servers := range [][]string{nil, make([]string, maxServers+1)} {
		_, err := NewLink(LinkOptions{Servers: servers, Dir: f.dir})
		wantKind(t, err, fault.Invalid)
	}
}
