// Package cluster_test joins machines in network namespaces to one server: real processes of the program, real QEMU guests, links
// that are cut. After every step it counts the processes of every VM: never two, and none lost.
package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/test/rig"
)

// patience bounds every wait for something that takes seconds on an idle machine.
const patience = 90 * time.Second

// reply bounds the wait for what a guest says to one line that is typed. It begins with the opening of the console.
const reply = 15 * time.Second

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "novacron-cluster-")
	if err == nil {
		binary, err = rig.Build(dir)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// cluster is a server and its agents, each on a machine of its own.
type cluster struct {
	*client.Client
	t      *testing.T
	net    *network
	at     *machine // of the server
	server *rig.Process
	agents map[string]*rig.Process
	vms    map[string]id.VM // by name
	home   string           // of the person who types commands on the server's machine
	others []*cluster       // seen from other servers on the same database
}

const consoleAddr = "127.0.0.1:8092"

// newCluster starts a server, with the image tiny. prepare, which may be nil, sees its machine first.
func newCluster(t *testing.T, prepare func(*machine), env ...string) *cluster {
	t.Helper()
	image, err := rig.TinyImage()
	if err != nil {
		t.Skip(err)
	}
	c := &cluster{t: t, net: newNetwork(t), agents: map[string]*rig.Process{}, vms: map[string]id.VM{}}
	c.open("server", prepare, env...)
	c.type_("secret-of-the-test", "admin", "create-user", "tester", "--email", "tester@example.org", "--role", "administrator", "--password-stdin")
	c.type_("secret-of-the-test", "login", "http://"+consoleAddr, "--username", "tester", "--password-stdin")
	c.type_("", "image", "import", "tiny", image, "--public", "--wait")
	return c
}

// open starts a server on a new machine and signs in there.
func (c *cluster) open(name string, prepare func(*machine), env ...string) {
	c.t.Helper()
	c.home, c.at = c.t.TempDir(), c.net.machine(name)
	if prepare != nil {
		prepare(c.at)
	}
	env = append(env, "HOME="+c.home, "XDG_CONFIG_HOME="+c.home, "NOVACRON_PEER_ADDR="+c.at.address+":8093")
	// The ports are the defaults: the machine is the server's alone.
	c.startServer(rig.Spec{Binary: binary, Args: []string{"server", "--log-level", "warn"}, Dir: c.t.TempDir(), Prefix: c.at.prefix(), Env: env})
	t := c.t
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server on %s said:\n%s", name, c.server.Output())
		}
		c.server.Kill()
	})
	var err error
	if c.Client, err = c.server.SignIn(c.context(), "http://"+c.at.reach(consoleAddr)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) startServer(spec rig.Spec) {
	c.t.Helper()
	p, err := rig.Start(spec)
	if err != nil {
		c.t.Fatal(err)
	}
	c.server = p
	if err := p.WaitReady(c.context(), "http://"+c.at.reach(consoleAddr)); err != nil {
		c.t.Fatal(err)
	}
}

// context is for one step.
func (c *cluster) context() context.Context {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	c.t.Cleanup(cancel)
	return ctx
}

// type_ runs a command on the server's machine and gives what it printed.
func (c *cluster) type_(input string, args ...string) string {
	c.t.Helper()
	out, err := c.server.Run(c.context(), input, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// join makes the machine a node and gives the token that it used.
func (c *cluster) join(m *machine) (token string) {
	c.t.Helper()
	j, err := c.CreateJoinToken(c.context(), 0)
	if err != nil {
		c.t.Fatal(err)
	}
	c.startAgent(m, c.t.TempDir(), j.Token)
	c.waitNode(m.name, "alive")
	return j.Token
}

func (c *cluster) agentSpec(m *machine, dir string, args ...string) rig.Spec {
	servers := []string{"agent", "--server", c.at.address + ":8093"}
	for _, o := range c.others {
		servers = append(servers, "--server", o.at.address+":8093")
	}
	return rig.Spec{Binary: binary, Dir: dir, Prefix: m.prefix(), Args: append(servers, args...)}
}

func (c *cluster) startAgent(m *machine, dir, token string) {
	c.t.Helper()
	p, err := rig.Start(c.agentSpec(m, dir, "--join", token))
	if err != nil {
		c.t.Fatal(err)
	}
	c.agents[m.name] = p
	c.t.Cleanup(func() {
		now := c.agents[m.name]
		if c.t.Failed() {
			c.t.Logf("%s said:\n%s", m.name, now.Output())
		}
		now.Kill()
		if err := now.Down(context.Background()); err != nil {
			c.t.Errorf("end the guests of %s: %v", m.name, err)
		}
	})
}

// killAgent ends the agent as kill -9 does and starts it again.
func (c *cluster) killAgent(name string) {
	c.t.Helper()
	old := c.agents[name]
	old.Kill()
	c.counted("with the agent of " + name + " dead")
	p, err := rig.Start(old.Spec)
	if err != nil {
		c.t.Fatal(err)
	}
	c.agents[name] = p
}

// create makes a VM on the node and waits until its guest is up.
func (c *cluster) create(name, node string) id.VM {
	c.t.Helper()
	a, err := c.CreateVM(c.context(), wish(name, node), patience)
	if err != nil {
		c.t.Fatal(err)
	}
	c.vms[name] = a.ID
	if a.Status != vm.StateRunning || a.Node != node {
		c.t.Fatalf("%s is %s (%s) on %q, want running on %s; operation: %+v", name, a.Status, a.StatusReason, a.Node, node, a.Operation)
	}
	return a.ID
}

func wish(name, node string) wire.CreateVM {
	return wire.CreateVM{Name: name, Image: "tiny", CPUs: 1, MemoryMiB: 96, DiskGiB: 1, Node: node}
}

// until looks again and again until look gives no complaint.
func (c *cluster) until(what string, look func(ctx context.Context) (complaint string)) {
	c.t.Helper()
	ctx := c.context()
	for {
		complaint := look(ctx)
		if complaint == "" {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			c.t.Fatalf("%s: %s", what, complaint)
		}
	}
}

func (c *cluster) waitNode(name, state string) {
	c.t.Helper()
	c.until("node "+name, func(ctx context.Context) string {
		select {
		case <-c.agents[name].Gone():
			c.t.Fatalf("the agent of %s has ended", name)
		default:
		}
		n, err := c.Node(ctx, name)
		if err != nil {
			return err.Error()
		}
		if n.State != state {
			return fmt.Sprintf("it is %s (%s), want %s", n.State, n.StateReason, state)
		}
		return ""
	})
}

func (c *cluster) waitVM(name string, state vm.State) (v wire.VM) {
	c.t.Helper()
	c.until("VM "+name, func(ctx context.Context) string {
		var err error
		if v, err = c.VM(ctx, name); err != nil {
			return err.Error()
		}
		if v.Status != state {
			return fmt.Sprintf("it is %s (%s), want %s", v.Status, v.StatusReason, state)
		}
		return ""
	})
	return v
}

// counted checks that each VM has one process, whatever the server believes, and gives them by name.
func (c *cluster) counted(when string) map[string]int {
	c.t.Helper()
	var all []id.VM
	for _, v := range c.vms {
		all = append(all, v)
	}
	guests, err := rig.Guests(all...)
	if err != nil {
		c.t.Fatal(err)
	}
	pids := map[string]int{}
	for name, v := range c.vms {
		for _, g := range guests {
			if g.VM != v {
				continue
			}
			if pids[name] != 0 {
				c.t.Fatalf("%s: %s runs twice, as process %d and %d", when, name, pids[name], g.PID)
			}
			pids[name] = g.PID
		}
		if pids[name] == 0 {
			c.t.Fatalf("%s: %s has no process", when, name)
		}
	}
	return pids
}

// unchanged checks that the processes are those of before: nothing was started again.
func (c *cluster) unchanged(when string, before map[string]int) {
	c.t.Helper()
	for name, pid := range c.counted(when) {
		if before[name] != pid {
			c.t.Fatalf("%s: %s is process %d, it was %d", when, name, pid, before[name])
		}
	}
}

// sh types a command into the VM's serial line, through the server, and waits for the words in the answer. A node whose
// connection is not back yet is asked again, and so is a guest that says nothing: the prompt may be an older one that the
// scrollback shows while the guest boots, and then what is typed is lost.
func (c *cluster) sh(name, command, words string) {
	c.t.Helper()
	c.until("console of "+name, func(ctx context.Context) string {
		said, err := c.typeInto(ctx, name, command, words)
		switch {
		case fault.Is(err, fault.Unavailable), errors.Is(err, context.DeadlineExceeded):
			return fmt.Sprintf("%v; it said %q", err, said)
		case err != nil:
			c.t.Fatalf("console of %s: %v; it said %q", name, err, said)
		}
		return ""
	})
}

// typeInto is one such attempt. A guest that has not answered within reply gives context.DeadlineExceeded.
func (c *cluster) typeInto(ctx context.Context, name, command, words string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, reply)
	defer cancel()
	line, err := c.OpenConsole(ctx, name, wire.ConsoleWish{Kind: "serial", Mode: "take"})
	if err != nil {
		return "", err
	}
	defer line.Close()
	defer context.AfterFunc(ctx, func() { line.Close() })()
	var said strings.Builder
	typed, buf := false, make([]byte, 4096)
	for !strings.Contains(said.String(), words) {
		n, err := line.Read(buf)
		said.Write(buf[:n])
		switch {
		case ctx.Err() != nil:
			return said.String(), ctx.Err()
		case err != nil:
			return said.String(), err
		}
		if !typed && strings.Contains(said.String(), "root@") {
			typed = true
			if _, err := line.Write([]byte(command + "\n")); err != nil {
				return said.String(), err
			}
		}
	}
	return said.String(), nil
}

// images gives the digests in the image cache of an agent.
func (c *cluster) images(name string) []string {
	found, err := filepath.Glob(filepath.Join(c.agents[name].Spec.Dir, "images", "????????????????*"))
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}
