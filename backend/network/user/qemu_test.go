package user_test

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"novacron/backend/hypervisor"
	"novacron/backend/network/networktest"
)

// QEMU itself takes the plan, and while it holds the port of ssh a restarted fabric keeps that port.
func TestEnsure_keepsThePortThatTheGuestsOwnProcessHolds(t *testing.T) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("qemu-system-x86_64 is not installed")
	}
	dir, m := t.TempDir(), networktest.VM(1)
	nics, err := open(t, dir).Ensure(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(qemu, "-name", string(m.VM), "-M", "none", "-nodefaults", "-nographic", "-S", "-netdev", netdev(nics[0].User))
	var words strings.Builder
	cmd.Stdout, cmd.Stderr = &words, &words
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	before := nics[0].User.Forwards[0].HostPort
	awaitListener(t, before, ended, &words)
	if after := sshPort(t, open(t, dir), m); after != before {
		t.Errorf("the port became %d while the guest's own process holds %d", after, before)
	}
}

func netdev(u *hypervisor.UserNet) string {
	s := fmt.Sprintf("user,id=n0,net=%s,host=%s,dns=%s,dhcpstart=%s,hostname=%s", u.Subnet, u.Gateway, u.DNS, u.Address, u.Hostname)
	for _, f := range u.Forwards {
		s += fmt.Sprintf(",hostfwd=%s:%s:%d-%s:%d", f.Protocol, f.Listen, f.HostPort, u.Address, f.GuestPort)
	}
	return s
}

func awaitListener(t *testing.T, port int, ended <-chan struct{}, words fmt.Stringer) {
	t.Helper()
	const patience = time.Minute
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("QEMU ended: %s", words)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("nobody listens on port %d after %s: %v", port, patience, err)
		}
	}
}
