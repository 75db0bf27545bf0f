package cluster_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// network is a switch in a namespace of its own with machines around it. Nothing of it touches the devices, addresses or rules of
// the machine that the tests run on.
type network struct {
	t    *testing.T
	tag  string
	hubs int // addresses given
}

var networks atomic.Int32

// newNetwork makes the switch. Everything goes with the test.
func newNetwork(t *testing.T) *network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs the program %s: %v", tool, err)
		}
	}
	n := &network{t: t, tag: fmt.Sprintf("nc%x-%d", os.Getpid(), networks.Add(1))}
	n.namespace(n.name("switch"))
	n.ip("-n", n.name("switch"), "link", "add", "hub", "type", "bridge")
	n.ip("-n", n.name("switch"), "link", "set", "hub", "up")
	return n
}

func (n *network) name(machine string) string { return n.tag + "-" + machine }

func (n *network) namespace(name string) {
	n.t.Helper()
	n.ip("netns", "add", name)
	n.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
			n.t.Errorf("remove namespace %s: %v: %s", name, err, out)
		}
	})
	n.ip("-n", name, "link", "set", "lo", "up")
}

func (n *network) ip(args ...string) { n.t.Helper(); run(n.t, "", "ip", args...) }

func run(t *testing.T, input, program string, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	c.Stdin = strings.NewReader(input)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", program, strings.Join(args, " "), err, out)
	}
}

// machine is a namespace with one link to the switch or to a router.
type machine struct {
	n       *network
	name    string
	address string    // of its link
	port    [2]string // namespace and device of the link's far end, which cut takes down
}

// machine makes one on the switch.
func (n *network) machine(name string) *machine {
	n.t.Helper()
	n.hubs++
	m := &machine{n: n, name: name, address: fmt.Sprintf("10.77.0.%d", n.hubs), port: [2]string{n.name("switch"), "to-" + name}}
	n.namespace(n.name(name))
	m.link("eth0", m.address+"/24")
	n.ip("-n", m.port[0], "link", "set", m.port[1], "master", "hub")
	return m
}

// link joins the machine's device with its port and gives it the address.
func (m *machine) link(device, address string) {
	m.n.t.Helper()
	n := m.n
	n.ip("link", "add", device, "netns", n.name(m.name), "type", "veth", "peer", "name", m.port[1], "netns", m.port[0])
	n.ip("-n", n.name(m.name), "addr", "add", address, "dev", device)
	n.ip("-n", n.name(m.name), "link", "set", device, "up")
	n.ip("-n", m.port[0], "link", "set", m.port[1], "up")
}

// behindNAT makes a machine whose only way out is a router that hides it behind the router's own address.
func (n *network) behindNAT(name string) *machine {
	n.t.Helper()
	router := n.machine(name + "-nat")
	inside := n.name(router.name)
	m := &machine{n: n, name: name, address: "192.168.77.2", port: [2]string{inside, "inside"}}
	n.namespace(n.name(name))
	m.link("eth0", m.address+"/24")
	n.ip("-n", inside, "addr", "add", "192.168.77.1/24", "dev", "inside")
	n.ip("-n", n.name(name), "route", "add", "default", "via", "192.168.77.1")
	run(n.t, "", "ip", "netns", "exec", inside, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	run(n.t, `table ip nat {
	chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
	chain in { type filter hook forward priority filter; iifname "eth0" ct state new drop; }
}
`, "ip", "netns", "exec", inside, "nft", "-f", "-")
	return m
}

// cut takes the machine's link down, and mend up again.
func (m *machine) cut()  { m.n.t.Helper(); m.n.ip("-n", m.port[0], "link", "set", m.port[1], "down") }
func (m *machine) mend() { m.n.t.Helper(); m.n.ip("-n", m.port[0], "link", "set", m.port[1], "up") }

// shun drops what goes to and comes from another machine, and know lets it pass again.
func (m *machine) shun(other *machine) {
	m.n.t.Helper()
	m.nft(`table inet shun {
	chain out { type filter hook output priority filter; ip daddr ` + other.address + ` drop; }
	chain in { type filter hook input priority filter; ip saddr ` + other.address + ` drop; }
}
`)
}

func (m *machine) know() { m.n.t.Helper(); m.nft("delete table inet shun\n") }

func (m *machine) nft(rules string) {
	m.n.t.Helper()
	run(m.n.t, rules, "ip", "netns", "exec", m.n.name(m.name), "nft", "-f", "-")
}

// prefix is the command that runs another one on the machine, under a host name of its own.
func (m *machine) prefix() []string {
	return []string{"ip", "netns", "exec", m.n.name(m.name), "unshare", "--uts", "--", "sh", "-c", `hostname "$0" && exec "$@"`, m.name}
}

// inside runs f in the machine's namespace. Sockets that f opens stay there.
func (m *machine) inside(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := unix.Open(filepath.Join("/run/netns", m.n.name(m.name)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

// reach listens outside of the namespaces for a port of the machine's loopback, and gives the address to dial.
func (m *machine) reach(address string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.n.t.Fatal(err)
	}
	m.relay(ln, func() (c net.Conn, err error) {
		err = m.inside(func() error { c, err = net.Dial("tcp", address); return err })
		return c, err
	})
	return ln.Addr().String()
}

// lend listens on an address of the machine for a service outside of the namespaces.
func (m *machine) lend(address, outside string) {
	var ln net.Listener
	err := m.inside(func() (err error) { ln, err = net.Listen("tcp", address); return err })
	if err != nil {
		m.n.t.Fatal(err)
	}
	m.relay(ln, func() (net.Conn, error) { return net.Dial("tcp", outside) })
}

// relay copies between what comes to ln and what dial gives, until the test ends.
func (m *machine) relay(ln net.Listener, dial func() (net.Conn, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	m.n.t.Cleanup(func() { cancel(); ln.Close() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := dial()
				if err != nil {
					return // nobody listens there now: the client sees the close
				}
				defer far.Close()
				defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
				go func() { io.Copy(far, near); far.Close(); near.Close() }() //nolint:errcheck // either side may close
				io.Copy(near, far)                                            //nolint:errcheck // likewise
			}()
		}
	}()
}
