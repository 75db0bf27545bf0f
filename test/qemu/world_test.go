package qemu

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"novacron/backend/client"
	"novacron/backend/server"
	"novacron/backend/services"
)

// Deadlines of what these tests wait for. They are generous: the machine may be loaded and the guests emulated, and a pass
// never waits for them.
const (
	soon = time.Minute     // one step of the platform or of a guest
	late = 4 * time.Minute // a boot, or all that a crash left to do
	wait = client.MaxWait  // an operation
)

// world is one instance of the platform on this machine, with everything that it needs of its own.
type world struct {
	t     testing.TB
	dir   string
	data  string
	env   []string
	wrap  []string // command that the program is started under
	paths server.Paths
	ports []int  // API, WebSocket, console, nodes
	key   string // public half of the command line's own ssh key

	*client.Client // signed in as an administrator

	proc   *exec.Cmd
	exited chan struct{} // closed when proc has ended
	out    *output       // of the present process
}

const password = "correct horse battery staple"

// up starts the platform and signs in. flags go behind `novacron up`.
func up(t testing.TB, flags ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.start(flags...)
	w.signIn()
	return w
}

// newWorld prepares an instance without starting it. Whatever happens, its guests end with the test.
func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, data: filepath.Join(dir, "data"), ports: freePorts(t, 4)}
	w.paths = server.PathsFor(w.data)
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	w.key = newKey(t, home)
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", w.ports[i]) }
	w.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "NOVACRON_DATA_DIR=" + w.data, "NOVACRON_TINY_IMAGE=" + tinyFile,
		"NOVACRON_API_ADDR=" + at(0), "NOVACRON_WS_ADDR=" + at(1), "NOVACRON_CONSOLE_ADDR=" + at(2), "NOVACRON_NODE_ADDR=" + at(3),
		"NOVACRON_PUBLIC_URL=http://" + at(2), "NOVACRON_LIMIT_API=off", "NOVACRON_LIMIT_LOGIN=off", "NOVACRON_LIMIT_WS=off"}
	t.Cleanup(w.tearDown)
	fmt.Fprintln(reaper, w.data)
	return w
}

// place moves the data folder before the first start.
func (w *world) place(data string) {
	w.data, w.paths = data, server.PathsFor(data)
	w.env = append(w.env, "NOVACRON_DATA_DIR="+data)
	fmt.Fprintln(reaper, data)
}

// live moves the data folder onto the file system that is mounted at disk. It is unmounted once nothing of the instance holds it.
func (w *world) live(disk string) {
	w.t.Cleanup(func() { // before the instance's own, which was registered first
		w.tearDown()
		w.proc = nil
		if err := syscall.Unmount(disk, 0); err != nil {
			w.t.Errorf("unmount: %v", err)
			syscall.Unmount(disk, syscall.MNT_DETACH)
		}
	})
	w.place(filepath.Join(disk, "data"))
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports, err := services.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// command is the program as this instance's administrator would type it.
func (w *world) command(args ...string) *exec.Cmd {
	argv := append(append([]string{}, w.wrap...), program)
	argv = append(argv, args...)
	c := exec.Command(argv[0], argv[1:]...)
	c.Env, c.Dir = w.env, w.dir
	return c
}

// cli runs a command to its end.
func (w *world) cli(stdin string, args ...string) (string, error) {
	c := w.command(args...)
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	c.WaitDelay = time.Second
	stop := time.AfterFunc(late, func() { c.Process.Kill() })
	defer stop.Stop()
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("novacron %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

func (w *world) mustCLI(stdin string, args ...string) string {
	w.t.Helper()
	out, err := w.cli(stdin, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// launch starts `novacron up` and does not wait.
func (w *world) launch(flags ...string) {
	w.t.Helper()
	w.out = &output{}
	c := w.command(append([]string{"up"}, flags...)...)
	c.Stdout, c.Stderr = w.out, w.out
	// A group of its own, as an interactive shell gives it: Ctrl-C reaches the whole group.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Guests hold nothing of the platform's streams, so Wait ends with the process.
	c.WaitDelay = 5 * time.Second
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	exited := make(chan struct{})
	w.proc, w.exited = c, exited
	go func() { c.Wait(); close(exited) }()
}

// start starts `novacron up` and waits until it has said all.
func (w *world) start(flags ...string) {
	w.t.Helper()
	w.launch(flags...)
	until(w.t, late, "the platform says that it is up", func() (bool, string) {
		select {
		case <-w.exited:
			w.t.Fatalf("novacron up ended:\n%s", w.out)
		default:
		}
		return strings.Contains(w.out.String(), "Ctrl-C stops the platform"), w.out.String()
	})
}

// signIn makes the first administrator on the local socket and signs in.
func (w *world) signIn() {
	w.t.Helper()
	w.mustCLI(password, "admin", "create-user", "admin", "--email", "admin@example.org", "--role", "administrator", "--password-stdin")
	w.signInAgain()
}

// signInAgain signs the administrator in, for the command line too.
func (w *world) signInAgain() {
	w.t.Helper()
	w.mustCLI(password, "login", w.url(), "--username", "admin", "--password-stdin")
	c, err := client.New(w.url(), client.Tokens{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Client = c
	if _, err := c.Login(w.ctx(), "admin", password); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) url() string { return fmt.Sprintf("http://127.0.0.1:%d", w.ports[0]) }

// ctx bounds one call.
func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait+soon)
	w.t.Cleanup(cancel)
	return ctx
}

// signal sends a signal to the process group of the platform and waits for its end.
func (w *world) signal(s syscall.Signal) {
	w.t.Helper()
	if err := syscall.Kill(-w.proc.Process.Pid, s); err != nil {
		w.t.Fatalf("signal the platform: %v\n%s", err, w.out)
	}
	select {
	case <-w.exited:
	case <-time.After(soon):
		w.t.Fatalf("the platform did not end on %s within %s:\n%s", s, soon, w.out)
	}
}

// restart ends the platform with the signal, starts it again and leaves the guests alone.
func (w *world) restart(s syscall.Signal) {
	w.t.Helper()
	w.signal(s)
	w.start()
}

// tearDown ends the platform and its guests and fails the test when anything of them is left on the machine.
func (w *world) tearDown() {
	if w.t.Failed() && w.out != nil {
		w.t.Logf("the platform said:\n%s", w.out)
	}
	if w.proc == nil {
		return
	}
	if _, err := w.cli("", "down"); err != nil {
		w.t.Errorf("%v\nthe platform said:\n%s", err, w.out)
		syscall.Kill(-w.proc.Process.Pid, syscall.SIGKILL)
		for _, p := range w.guests() {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	select {
	case <-w.exited:
	case <-time.After(soon):
		w.t.Errorf("the platform runs on after down:\n%s", w.out)
		syscall.Kill(-w.proc.Process.Pid, syscall.SIGKILL)
	}
	if left := w.leftovers(); len(left) > 0 {
		w.t.Errorf("left behind after down: %s", strings.Join(left, "; "))
	}
	if w.Client != nil {
		w.Client.Close()
	}
}

// output collects what a process says.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write keeps at most the first MiB: a process that babbles shall not eat the memory of the test.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.b.Len() < 1<<20 {
		o.b.Write(p)
	}
	return len(p), nil
}

func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

// pace is how often a condition is looked at.
const pace = 50 * time.Millisecond

// until waits for a condition; the text that it gives is told when the time is over.
func until(t testing.TB, most time.Duration, what string, is func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(most)
	for {
		ok, seen := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for: %s\nlast seen: %s", most, what, seen)
		}
		<-time.After(pace)
	}
}
