package qemu

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/wire"
)

func TestNetwork_servesGuestsAndKeepsThemApart(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	port := freePorts(t, 1)[0]
	one := w.create("one", func(r *wire.CreateVM) { r.Forwards = []wire.Forward{{HostPort: port, GuestPort: 8080}} })
	two := w.create("two")
	network, err := w.Network(w.ctx(), "default")
	if err != nil {
		t.Fatal(err)
	}

	given := one.get().NICs[0].Address
	one.says("ip -4 addr show eth0", given+"/") // DHCP gave what the API says
	if got := one.get().Addresses; len(got) == 0 || got[0] != given {
		t.Errorf("the API's addresses are %v, want %s first", got, given)
	}
	peer := two.get().NICs[0].Address
	one.says("nslookup two", peer)
	one.says("ping -c 1 -W 30 two", "1 packets received")

	// A service of the guest behind its forwarded port.
	one.sh(`printf '#!/bin/sh\necho from-the-guest\n' > /run/answer; chmod +x /run/answer; (while :; do nc -l -p 8080 -e /run/answer; done) >/dev/null 2>&1 </dev/null & true`)
	until(t, late, "the forwarded port answers", func() (bool, string) {
		said, err := hear(fmt.Sprintf("127.0.0.1:%d", port))
		return said == "from-the-guest", fmt.Sprintf("%q, %v", said, err)
	})

	// The gateway is there for DHCP and DNS; the node's other services are closed to guests.
	node, err := net.Listen("tcp", network.Gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	_, open, _ := net.SplitHostPort(node.Addr().String())
	if out, code := one.try("nc -w 3 " + network.Gateway + " " + open + " </dev/null"); code == 0 {
		t.Errorf("a guest reached a port of its node: %q", out)
	}

	a, err := w.RestartVM(w.ctx(), one.name, wire.StopVM{}, wait)
	w.must(a.Operation, err)
	one.says("ip -4 addr show eth0", given+"/")
	w.equalsAPI()
}

// hear connects and reads one line.
func hear(address string) (string, error) {
	c, err := net.DialTimeout("tcp", address, soon)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(soon))
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}
