package qemu

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// guest is a VM of a world.
type guest struct {
	w    *world
	name string
	user string
}

// newKey makes the key that the command line of this instance signs in to guests with, and gives its public half.
func newKey(t testing.TB, home string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	half, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, ".config", "novacron")
	line := ssh.MarshalAuthorizedKey(half)
	err = errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "ssh_key"), pem.EncodeToMemory(block), 0o600),
		os.WriteFile(filepath.Join(dir, "ssh_key.pub"), line, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(line))
}

// small is a VM of the tiny image.
func (w *world) small(name string) wire.CreateVM {
	return wire.CreateVM{Name: name, Image: tinyName, CPUs: 1, MemoryMiB: 128, DiskGiB: 1, SSHKeys: []string{w.key}}
}

const tinyName = "tiny"

// create makes a VM out of the tiny image, changed by edit, and waits for the end of the operation.
func (w *world) create(name string, edit ...func(*wire.CreateVM)) guest {
	w.t.Helper()
	r := w.small(name)
	for _, f := range edit {
		f(&r)
	}
	a, err := w.CreateVM(w.ctx(), r, wait)
	w.must(a.Operation, err)
	return guest{w, name, "root"}
}

// must ends the test unless the operation succeeded.
func (w *world) must(o *wire.Operation, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v (%s)", err, detail(err))
	}
	if o != nil && !o.Succeeded() {
		w.t.Fatalf("operation %s is %s: %+v", o.Kind, o.Status, o.Error)
	}
}

func detail(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Problem.Operation != nil {
		return fmt.Sprintf("%+v", *e.Problem.Operation)
	}
	return "no operation"
}

// refused ends the test unless err is the fault of that code, and gives its sentence.
func refused(t testing.TB, err error, code string) string {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != code {
		t.Fatalf("got %v, want a refusal with code %s", err, code)
	}
	return f.Message
}

func (g guest) get() wire.VM {
	g.w.t.Helper()
	v, err := g.w.VM(g.w.ctx(), g.name)
	if err != nil {
		g.w.t.Fatal(err)
	}
	return v
}

// reaches waits for a status.
func (g guest) reaches(s vm.State) wire.VM {
	g.w.t.Helper()
	var v wire.VM
	until(g.w.t, late, fmt.Sprintf("%s is %s", g.name, s), func() (bool, string) {
		v = g.get()
		return v.Status == s, fmt.Sprintf("%s %s", v.Status, v.StatusReason)
	})
	return v
}

type verb func(context.Context, string, time.Duration) (wire.VMAnswer, error)

// do runs a verb to the end of its operation.
func (g guest) do(f verb) {
	g.w.t.Helper()
	a, err := f(g.w.ctx(), g.name, wait)
	g.w.must(a.Operation, err)
}

func (g guest) stop(r wire.StopVM) {
	g.w.t.Helper()
	a, err := g.w.StopVM(g.w.ctx(), g.name, r, wait)
	g.w.must(a.Operation, err)
}

func (g guest) update(r wire.UpdateVM) wire.VM {
	g.w.t.Helper()
	a, err := g.w.UpdateVM(g.w.ctx(), g.name, r, 0, wait)
	g.w.must(a.Operation, err)
	return g.get()
}

func (g guest) snapshot(r wire.CreateSnapshot) {
	g.w.t.Helper()
	a, err := g.w.CreateSnapshot(g.w.ctx(), g.name, r, wait)
	g.w.must(a.Operation, err)
}

func (g guest) revert(snapshot string) {
	g.w.t.Helper()
	a, err := g.w.RevertSnapshot(g.w.ctx(), g.name, snapshot, wait)
	g.w.must(a.Operation, err)
}

func (g guest) delete() {
	g.w.t.Helper()
	a, err := g.w.DeleteVM(g.w.ctx(), g.name, wait)
	g.w.must(a.Operation, err)
}

// try runs a command in the guest over ssh through the server, once, and gives what it printed and its exit code; -1: ssh did not reach
// the guest, and out says why.
func (g guest) try(command string) (out string, code int) {
	const mark = "exit-code-"
	out, err := g.w.cli("", "vm", "ssh", g.name, "-l", g.user, "--", command+"; echo "+mark+"$?")
	text, rest, ran := strings.Cut(out, mark)
	if err != nil || !ran {
		return fmt.Sprint(err), -1
	}
	if _, err := fmt.Sscan(rest, &code); err != nil {
		return rest, -1
	}
	return strings.TrimSpace(text), code
}

// sh runs a command in the guest as soon as ssh reaches it, and gives what it printed.
func (g guest) sh(command string) string {
	g.w.t.Helper()
	var out string
	until(g.w.t, late, fmt.Sprintf("ssh reaches %s for %q", g.name, command), func() (bool, string) {
		var code int
		out, code = g.try(command)
		if code > 0 {
			g.w.t.Fatalf("%s: %q ended with %d: %s", g.name, command, code, out)
		}
		return code == 0, out
	})
	return out
}

// says waits until a command of the guest prints something with want in it.
func (g guest) says(command, want string) {
	g.w.t.Helper()
	until(g.w.t, late, fmt.Sprintf("%s: %q says %q", g.name, command, want), func() (bool, string) {
		out, _ := g.try(command)
		return strings.Contains(out, want), out
	})
}

// serial is an open serial console whose output is collected.
type serial struct {
	t    testing.TB
	line *client.Console
	out  *output
}

func (g guest) serial() *serial {
	g.w.t.Helper()
	line, err := g.w.OpenConsole(g.w.ctx(), g.name, wire.ConsoleWish{Kind: "serial", Mode: "take"})
	if err != nil {
		g.w.t.Fatal(err)
	}
	s := &serial{g.w.t, line, &output{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := line.Read(b)
			s.out.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	g.w.t.Cleanup(func() { line.Close(); <-done })
	return s
}

func (s *serial) sees(want string) {
	s.t.Helper()
	until(s.t, late, fmt.Sprintf("the serial console shows %q", want), func() (bool, string) {
		return strings.Contains(s.out.String(), want), s.out.String()
	})
}

// types sends a line.
func (s *serial) types(line string) {
	s.t.Helper()
	if _, err := s.line.Write([]byte(line + "\n")); err != nil {
		s.t.Fatal(err)
	}
}

// pid is the QEMU process of the guest; 0: none.
func (g guest) pid() int {
	v := g.get()
	for _, p := range g.w.guests() {
		if p.vm == v.ID {
			return p.pid
		}
	}
	return 0
}

func uptime(t testing.TB, text string) float64 {
	t.Helper()
	var up float64
	if _, err := fmt.Sscan(text, &up); err != nil {
		t.Fatalf("uptime %q: %v", text, err)
	}
	return up
}
