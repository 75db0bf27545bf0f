package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/test/rig"
)

// refusal bounds how long a server may take to say that it cannot reach another one: a connection that stood is found dead after 4 s,
// a new one is given up after 3 s, and this machine is busy.
const refusal = 15 * time.Second

func TestTwoServers_areOne(t *testing.T) {
	url, lend := postgres(t)
	env := []string{"NOVACRON_DATABASE_URL=" + url, "AUTH_SECRET=one secret of both servers of this test"}
	one := newCluster(t, lend, env...) // it has the image
	two := &cluster{t: t, net: one.net, agents: one.agents, vms: one.vms}
	two.open("two", lend, env...)
	one.others, two.others = []*cluster{two}, []*cluster{one}
	one.join(one.net.machine("alpha"))
	two.join(two.net.machine("beta"))
	chapters := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"both are listed by either", func(t *testing.T) { one.lists(t, 2); two.lists(t, 2) }},
		{"a node of either is there for both", func(t *testing.T) {
			two.create("near", "alpha")
			one.create("far", "beta") // whose server has no image
		}},
		{"a console leads through the server that holds the node", func(t *testing.T) {
			two.sh("near", "echo $((6*7))-there", "42-there")
			one.sh("far", "echo $((7*7))-there", "49-there")
		}},
		{"a cut between the servers is said soon", func(t *testing.T) { two.isCutOffFrom(t, one, "near") }},
		{"a node goes to the other server when its own is killed, and its guests go on", func(t *testing.T) { one.isReplacedBy(t, two, "alpha", "near") }},
		{"a server that comes back finds the node with the other", func(t *testing.T) { one.comesBack(t, "near") }},
	}
	for _, chapter := range chapters {
		ok := t.Run(chapter.name, func(t *testing.T) {
			one.t, two.t, one.net.t = t, t, t
			chapter.run(t)
		})
		one.t, two.t, one.net.t = t, t, t
		if !ok {
			t.FailNow()
		}
		one.counted("after: " + chapter.name)
	}
}

// lists waits until the server knows of so many that live and hold a node each.
func (c *cluster) lists(t *testing.T, servers int) {
	c.until("the servers that share the database", func(ctx context.Context) string {
		all, err := c.Servers(ctx)
		if err != nil {
			return err.Error()
		}
		good := 0
		for _, s := range all.Items {
			if s.State == "alive" && s.Nodes == 1 && s.Address != "" {
				good++
			}
		}
		if good != servers || len(all.Items) != servers {
			return fmt.Sprintf("%+v", all.Items)
		}
		return ""
	})
}

// isCutOffFrom breaks the way between two servers that both reach the database.
func (c *cluster) isCutOffFrom(t *testing.T, other *cluster, vm string) {
	c.at.shun(other.at)
	began := time.Now()
	said, err := c.typeInto(c.context(), vm, "true", "never")
	if took := time.Since(began); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Sentence(err), "cannot be reached") || took > refusal {
		t.Errorf("after %v the console says %q, %v; want within %v that the other server cannot be reached", took, said, err, refusal)
	}
	other.sh(vm, "echo $((5*5))-meanwhile", "25-meanwhile")
	c.at.know()
	c.sh(vm, "echo $((3*3))-again", "9-again")
}

// isReplacedBy kills the server that a node is connected to.
func (c *cluster) isReplacedBy(t *testing.T, other *cluster, node, vm string) {
	before := c.counted("before")
	c.server.Kill()
	died := time.Now()
	other.until("the node at the other server", func(ctx context.Context) string {
		n, err := other.Node(ctx, node)
		if err != nil {
			return err.Error()
		}
		if n.State != "alive" {
			t.Fatalf("%v after its server died the node is %s (%s)", time.Since(died), n.State, n.StateReason)
		}
		said, err := other.typeInto(ctx, vm, "echo $((8*8))-$((40+4))", "64-44")
		if err != nil {
			return fmt.Sprintf("%v; it said %q", err, said)
		}
		return ""
	})
	t.Logf("the console works again %v after the server died", time.Since(died).Round(100*time.Millisecond))
	other.unchanged("with one server", before)
	other.create("alone", node)
}

func (c *cluster) comesBack(t *testing.T, vm string) {
	p, err := rig.Start(c.server.Spec)
	if err != nil {
		t.Fatal(err)
	}
	c.server = p
	if err := p.WaitReady(c.context(), c.Address()); err != nil {
		t.Fatal(err)
	}
	c.sh(vm, "echo $((9*9))-back", "81-back")
	if _, err := c.StopVM(c.context(), "alone", wire.StopVM{Force: true}, patience); err != nil {
		t.Errorf("stop a VM through the server that came back: %v", err)
	}
	if _, err := c.DeleteVM(c.context(), "alone", patience); err != nil {
		t.Errorf("delete a VM through the server that came back: %v", err)
	}
	delete(c.vms, "alone")
}
