package cluster_test

import (
	"context"
	"database/sql"
	"fmt"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/test/rig"
)

func TestTwoMachines_shareTheWork(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nil)
	story(t, c, c.net.machine("alpha"), c.net.machine("beta"))
}

func TestTwoMachines_oneBehindNATOverPostgreSQL(t *testing.T) {
	t.Parallel()
	url, lend := postgres(t)
	c := newCluster(t, lend, "NOVACRON_DATABASE_URL="+url)
	story(t, c, c.net.machine("alpha"), c.net.behindNAT("beta"))
}

// story is what happens to two machines in one life; each chapter stands on those before it.
func story(t *testing.T, c *cluster, alpha, beta *machine) {
	used := c.join(alpha)
	c.join(beta)
	chapters := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a token lets one machine join", func(t *testing.T) { c.refusesUsedToken(t, used) }},
		{"VMs run on both", func(t *testing.T) { c.bothRun(t) }},
		{"a console leads to the far one", func(t *testing.T) { c.sh("far", "echo $((6*7))-there", "42-there") }},
		{"ssh leads to the far one", func(t *testing.T) { c.ssh(t, "far") }},
		{"guests outlive kill -9 of their agent", func(t *testing.T) { c.agentDies(t) }},
		{"guests and operations outlive kill -9 of the server", func(t *testing.T) { c.serverDies(t) }},
		{"a cut link is said, and harms no guest", func(t *testing.T) { c.linkIsCut(t, beta) }},
		{"what was asked during a cut happens once or not at all, as its operation says", func(t *testing.T) { c.asksDuringCut(t, beta) }},
	}
	for _, chapter := range chapters {
		ok := t.Run(chapter.name, func(t *testing.T) {
			old := c.t
			c.t, c.net.t = t, t
			defer func() { c.t, c.net.t = old, old }()
			chapter.run(t)
		})
		if !ok {
			t.FailNow()
		}
		c.counted("after: " + chapter.name)
	}
}

func (c *cluster) refusesUsedToken(t *testing.T, used string) {
	m := c.net.machine("gamma")
	p, err := rig.Start(c.agentSpec(m, t.TempDir(), "--join", used))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Gone():
	case <-time.After(patience):
		p.Kill()
		t.Fatalf("the machine still tries to join with a token that was used:\n%s", p.Output())
	}
	if out := p.Output(); !strings.Contains(out, "token") {
		t.Errorf("the refusal does not speak of the token:\n%s", out)
	}
	if _, err := c.Node(c.context(), "gamma"); err == nil {
		t.Error("the machine became a node with a token that was used")
	}
}

func (c *cluster) bothRun(t *testing.T) {
	c.create("near", "alpha")
	c.create("far", "beta")
	for _, node := range []string{"alpha", "beta"} {
		if len(c.images(node)) == 0 {
			t.Errorf("%s has no image in its cache", node)
		}
	}
}

// ssh signs in with the key that the command line made when the VM was created through it.
func (c *cluster) ssh(t *testing.T, name string) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("the package openssh-client is not installed")
	}
	c.type_("", "vm", "create", "by-hand", "--image", "tiny", "--memory", "96", "--node", "beta", "--wait")
	v, err := c.VM(c.context(), "by-hand")
	if err != nil {
		t.Fatal(err)
	}
	c.vms["by-hand"] = v.ID
	if out := c.type_("", "vm", "ssh", "by-hand", "--", "hostname"); strings.TrimSpace(out) != "by-hand" {
		t.Errorf("the guest's host name over ssh is %q", out)
	}
}

func (c *cluster) agentDies(t *testing.T) {
	before := c.counted("before")
	c.killAgent("beta")
	c.waitNode("beta", "alive")
	c.waitVM("far", vm.StateRunning)
	c.sh("far", "echo $((7*7))-again", "49-again")
	c.unchanged("with the agent back", before)
}

func (c *cluster) serverDies(t *testing.T) {
	before := c.counted("before")
	// Accepted, so it has to happen, whatever becomes of the server in the next moment.
	a, err := c.CreateVM(c.context(), wish("promised", "beta"), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.server.Kill()
	c.unchanged("with the server dead", before)
	// The address outside stays: the relay dials anew for each connection.
	p, err := rig.Start(c.server.Spec)
	if err != nil {
		t.Fatal(err)
	}
	c.server = p
	if err := p.WaitReady(c.context(), c.Address()); err != nil {
		t.Fatal(err)
	}
	o, err := c.WaitOperation(c.context(), a.Operation.ID, func(wire.Operation) {})
	if err != nil || !o.Succeeded() {
		t.Fatalf("the create that the dead server accepted is %s (%v): %+v", o.Status, err, o.Error)
	}
	c.vms["promised"] = a.ID
	c.waitVM("promised", vm.StateRunning)
	c.waitNode("alpha", "alive")
	c.waitVM("near", vm.StateRunning)
	for name, pid := range c.counted("with the server back") {
		if before[name] != 0 && before[name] != pid {
			t.Errorf("%s was started again", name)
		}
	}
}

func (c *cluster) linkIsCut(t *testing.T, m *machine) {
	before := c.counted("before")
	m.cut()
	v := c.waitVM("far", vm.StateUnknown)
	if !strings.Contains(v.StatusReason, "not connected") {
		t.Errorf("the reason is %q; it should say that the node is not connected", v.StatusReason)
	}
	if near, err := c.VM(c.context(), "near"); err != nil || near.Status != vm.StateRunning {
		t.Errorf("the VM on the other node is %s (%v)", near.Status, err)
	}
	if _, err := c.StopVM(c.context(), "far", wire.StopVM{}, 0); err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("a stop of a VM whose node is lost is answered with %v; it should be refused with the reason", err)
	}
	c.unchanged("with the link cut", before)
	m.mend()
	c.waitNode(m.name, "alive")
	c.waitVM("far", vm.StateRunning)
	c.unchanged("with the link back", before)
}

func (c *cluster) asksDuringCut(t *testing.T, m *machine) {
	before := c.counted("before")
	m.cut()
	// The server does not know yet, so it accepts. The operation goes on when the node is back in time, else it takes the restart back.
	a, err := c.RestartVM(c.context(), "far", wire.StopVM{Force: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.waitNode(m.name, "lost")
	memory := 112
	if _, err := c.UpdateVM(c.context(), "promised", wire.UpdateVM{MemoryMiB: &memory}, 0, 0); err != nil {
		t.Errorf("a change of a VM whose node is lost is refused, though it is only a wish: %v", err)
	}
	c.unchanged("with the link cut", before)
	m.mend()
	c.waitNode(m.name, "alive")
	o, err := c.WaitOperation(c.context(), a.Operation.ID, func(wire.Operation) {})
	if err != nil {
		t.Fatal(err)
	}
	if !o.Succeeded() && (o.Error == nil || o.Error.Code != "node_unreachable") {
		t.Fatalf("the restart is %s: %+v", o.Status, o.Error)
	}
	c.waitVM("far", vm.StateRunning)
	c.sh("far", "echo $((8*8))-anew", "64-anew")
	after := c.counted("with the link back")
	if anew := after["far"] != before["far"]; anew != o.Succeeded() {
		t.Errorf("the restart is %s (%+v), and the guest was started anew: %t", o.Status, o.Error, anew)
	}
	if after["promised"] != before["promised"] || after["near"] != before["near"] {
		t.Error("a VM that nobody asked to restart was restarted")
	}
	c.until("the change of memory", func(ctx context.Context) string {
		v, err := c.VM(ctx, "promised")
		if err != nil || v.MemoryMiB != memory || v.OperationID != "" {
			return "not there yet"
		}
		return ""
	})
	// A leftover of the cut would come now, when everything is settled.
	if again := c.counted("at the end"); again["far"] != after["far"] {
		t.Error("the VM was restarted twice")
	}
}

// postgres makes a database of the test's own on the PostgreSQL that scripts/services.sh runs, and gives its address as seen from
// the server's machine, with lend to make it reachable there.
func postgres(t *testing.T) (url string, lend func(*machine)) {
	t.Helper()
	admin := os.Getenv("NOVACRON_TEST_DATABASE_URL")
	if admin == "" {
		admin = service(t)
	}
	u, err := neturl.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("cluster_%d_%d", os.Getpid(), time.Now().UnixNano())
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "create database "+name); err != nil {
		t.Fatalf("PostgreSQL: %v; scripts/services.sh start starts one", err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "drop database "+name+" with (force)"); err != nil {
			t.Errorf("remove the test's database: %v", err)
		}
		db.Close()
	})
	outside := u.Host
	u.Path, u.Host = "/"+name, "127.0.0.1:5432"
	return u.String(), func(m *machine) { m.lend("127.0.0.1:5432", outside) }
}

// service starts the project's own PostgreSQL where none is named, and gives its address.
func service(t *testing.T) string {
	t.Helper()
	script := filepath.Join("..", "..", "scripts", "services.sh")
	if out, err := exec.CommandContext(t.Context(), script, "start").CombinedOutput(); err != nil {
		t.Fatalf("start PostgreSQL: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), script, "env").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "NOVACRON_TEST_DATABASE_URL="); ok {
			return url
		}
	}
	t.Fatalf("%s env does not tell the database's address", script)
	return ""
}
