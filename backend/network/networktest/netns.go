package networktest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const inNamespace = "NOVACRON_TEST_NETNS"

// Main runs a package's tests in a fresh network namespace, so that no device or rule of a test ever touches the machine's. It
// starts the test program a second time for that, and gives its exit status. Without root the tests run where they are, and
// NeedsNamespace skips those that cannot.
func Main(m *testing.M) int {
	if os.Getenv(inNamespace) != "" || os.Geteuid() != 0 {
		return m.Run()
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), inNamespace+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := again.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot run in a network namespace:", err)
		return 1
	}
	return 0
}

// NeedsNamespace skips a test that makes devices when Main could not make a namespace for it.
func NeedsNamespace(t *testing.T) {
	t.Helper()
	if os.Getenv(inNamespace) == "" {
		t.Skip("makes network devices in a namespace of its own, which needs root")
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
}

// Namespace is another machine on the network: a thread that lives in a network namespace of its own.
type Namespace struct {
	calls chan func()
	FD    int // of the namespace, for netlink
}

// NewNamespace makes one that ends with the test. Its loopback is up.
func NewNamespace(t *testing.T) *Namespace {
	t.Helper()
	n := &Namespace{calls: make(chan func())}
	made, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.FD, err = unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		made <- err
		for call := range n.calls {
			call()
		}
	}()
	if err := <-made; err != nil {
		close(n.calls)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(n.calls)
		<-ended
		unix.Close(n.FD)
	})
	n.Do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return n
}

// Do runs f inside and waits. Sockets that f opens stay inside; goroutines that it starts do not run inside.
func (n *Namespace) Do(t *testing.T, f func() error) {
	t.Helper()
	if err := n.Try(f); err != nil {
		t.Fatal(err)
	}
}

// Try is Do with the error given back.
func (n *Namespace) Try(f func() error) error {
	result := make(chan error)
	n.calls <- func() { result <- f() }
	return <-result
}

// Configure gives a device inside an address and takes it up.
func (n *Namespace) Configure(t *testing.T, device string, address netip.Prefix, gateway netip.Addr) {
	t.Helper()
	n.Do(t, func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address.String())
		if err != nil {
			return err
		}
		if err := netlink.AddrReplace(link, a); err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		if !gateway.IsValid() {
			return nil
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway.AsSlice()})
	})
}
