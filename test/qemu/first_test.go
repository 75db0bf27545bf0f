package qemu

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"novacron/backend/core/vm"
)

// The first minute with the platform: one command, a guest, Ctrl-C, the same guest again, and down.
func TestUp_bootsAFirstVMThatOutlivesThePlatform(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := newWorld(t)
	w.start("--demo")
	link := fmt.Sprintf("http://127.0.0.1:%d/setup#", w.ports[2])
	if strings.Contains(w.out.String(), "This build has no web console") {
		link = "novacron login " + w.url() // nothing could open the link
	}
	for _, want := range []string{w.url(), link, "admin create-user", "vm list", "vm console first", "vm create", "The first VM, first, is running at 10."} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("up does not print %q", want)
		}
	}
	w.signIn()
	first := guest{w, "first", "root"}
	before := first.serial()
	before.sees("novacron-tiny: ready 10.")
	before.types("marker=$((40+2))")
	before.types("echo marker-$marker")
	before.sees("marker-42")
	pid := first.pid()

	w.restart(syscall.SIGINT)
	if got := first.pid(); got != pid || pid == 0 {
		t.Fatalf("the guest's process is %d after Ctrl-C and a new start, want %d as before", got, pid)
	}
	first.reaches(vm.StateRunning)
	after := first.serial()
	after.sees("marker-42") // the scrollback of before
	after.types("echo still-$marker")
	after.sees("still-42") // the same shell goes on
	w.equalsAPI()

	// The command line says the same, and reaches the guest.
	if out := w.mustCLI("", "vm", "list"); !strings.Contains(out, "first") || !strings.Contains(out, "running") {
		t.Errorf("vm list says:\n%s", out)
	}
	w.mustCLI("", "down")
	if left := w.leftovers(); len(left) > 0 {
		t.Errorf("down left %v", left)
	}
}

func TestUp_refusesATakenPortAndNamesWhoHasIt(t *testing.T) {
	needGuests(t)
	t.Parallel()
	w := newWorld(t)
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", w.ports[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := w.cli("", "up")
	if err == nil {
		t.Fatalf("up started on a taken port: %s", out)
	}
	for _, want := range []string{fmt.Sprint(w.ports[1]), fmt.Sprintf("process %d", os.Getpid()), "NOVACRON_WS_ADDR"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q: %v", want, err)
		}
	}
}

func TestUp_runsTwiceSideBySide(t *testing.T) {
	needRoot(t)
	t.Parallel()
	one, two := up(t), up(t)
	a, b := one.create("same"), two.create("same")
	if got := a.sh("cat /etc/hostname"); got != "same" {
		t.Errorf("host name is %q", got)
	}
	b.sh("true")
	if x, y := a.get().Addresses, b.get().Addresses; strings.Join(x, "") == strings.Join(y, "") {
		t.Errorf("both instances gave %v", x)
	}
	one.mustCLI("", "down")
	b.sh("true") // the other instance and its guest do not notice
	two.equalsAPI()
}

func TestUp_refusesADataFolderInUse(t *testing.T) {
	needGuests(t)
	t.Parallel()
	w := up(t)
	second := newWorld(t)
	second.env = append(second.env, "NOVACRON_DATA_DIR="+w.data)
	out, err := second.cli("", "up")
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", w.proc.Process.Pid)) {
		t.Errorf("a second start on the same data folder: %s, %v", out, err)
	}
}
