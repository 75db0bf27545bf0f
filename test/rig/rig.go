// Package rig starts the built program the way a person does, in processes and data folders of its own, for the whole-system
// tests and the benchmarks. It knows the program's command line and API and nothing of its insides, so that what passes here
// also holds for a user. It deliberately reports errors in place of failing a test: the benchmarks are no test.
package rig

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"novacron/backend/client"
	"novacron/backend/services"
)

// repository is the root of the source tree, found from this file.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Build makes the program in dir and gives its path. $NOVACRON_TEST_BINARY names one that is built already.
func Build(dir string) (string, error) {
	if p := os.Getenv("NOVACRON_TEST_BINARY"); p != "" {
		return filepath.Abs(p)
	}
	name := filepath.Join(dir, "novacron")
	build := exec.Command("go", "build", "-o", name, "./backend/cmd/novacron")
	build.Dir = repository()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return name, nil
}

// TinyImage is the bundle of the tiny guest image for this machine. $NOVACRON_TINY_IMAGE names another one.
func TinyImage() (string, error) {
	name := os.Getenv("NOVACRON_TINY_IMAGE")
	if name == "" {
		arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
		name = filepath.Join(repository(), "build", "images", "tiny-"+arch+".tar")
	}
	if _, err := os.Stat(name); err != nil {
		return "", fmt.Errorf("the tiny image is not built (%w); run make build", err)
	}
	return filepath.Abs(name)
}

// Spec is a process of the program to start.
type Spec struct {
	Binary string
	Args   []string // for example up --sim
	Dir    string   // data folder
	Env    []string // beside this process' own; later entries win
	Prefix []string // a command that runs it, for example ip netns exec NAME
}

// Process is a running process of the program.
type Process struct {
	Spec Spec
	cmd  *exec.Cmd
	out  *tail
	gone chan struct{}
	err  error
}

// Start starts a process. Its limits on API calls are off, since a test is faster than a person.
func Start(s Spec) (*Process, error) {
	args := append(append([]string{}, s.Prefix...), s.Binary)
	args = append(args, s.Args...)
	p := &Process{Spec: s, cmd: exec.Command(args[0], args[1:]...), out: &tail{}, gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = p.out, p.out, s.Dir
	p.cmd.Env = environment(s)
	// A signal to the test's group is for the test; and no process outlives a test that was killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is of the thread that started it
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.gone)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(args, " "), err)
	}
	return p, nil
}

func environment(s Spec) []string {
	env := os.Environ()
	for _, limit := range []string{"LOGIN", "REGISTER", "API", "WS"} {
		env = append(env, "NOVACRON_LIMIT_"+limit+"=off")
	}
	return append(append(env, "NOVACRON_DATA_DIR="+s.Dir, "NOVACRON_CONFIG="), s.Env...)
}

// PID is the process' number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Gone is closed when the process has ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Output is the end of what it wrote.
func (p *Process) Output() string { return p.out.String() }

// Kill ends the process as kill -9 does and waits for its end.
func (p *Process) Kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it is gone already, then
	<-p.gone
}

// stopTimeout bounds an orderly stop: the program gives requests and steps under way ten seconds.
const stopTimeout = 30 * time.Second

// Stop ends the process as Ctrl-C does. Guests go on.
func (p *Process) Stop() error {
	p.cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // it is gone already, then
	select {
	case <-p.gone:
		return nil
	case <-time.After(stopTimeout):
		p.Kill()
		return fmt.Errorf("the process did not end within %s of an interrupt:\n%s", stopTimeout, p.Output())
	}
}

// Run runs a short command of the program against the same data folder, with input on its standard input.
func (p *Process) Run(ctx context.Context, input string, args ...string) (string, error) {
	all := append(append(append([]string{}, p.Spec.Prefix...), p.Spec.Binary), args...)
	c := exec.CommandContext(ctx, all[0], all[1:]...)
	c.Env, c.Dir, c.Stdin = environment(p.Spec), p.Spec.Dir, strings.NewReader(input)
	var out, words bytes.Buffer
	c.Stdout, c.Stderr = &out, &words
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("novacron %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(words.Bytes()))
	}
	return out.String(), nil
}

// Down ends the platform of the data folder and all guests that it left.
func (p *Process) Down(ctx context.Context) error {
	_, err := p.Run(ctx, "", "down")
	return err
}

// readyPause is between two looks for a server that starts. It is part of what the benchmark of the start measures.
const readyPause = 2 * time.Millisecond

// WaitReady returns once the server at base answers that it is ready.
func (p *Process) WaitReady(ctx context.Context, base string) error {
	c, err := client.New(base, client.Tokens{})
	if err != nil {
		return err
	}
	defer c.Close()
	addr := strings.TrimPrefix(base, "http://")
	for {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			if ready, err := c.Ready(ctx); err == nil && len(ready.Reasons) == 0 {
				return nil
			}
		}
		select {
		case <-time.After(readyPause):
		case <-p.gone:
			return fmt.Errorf("the server ended (%w):\n%s", p.err, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w:\n%s", context.Cause(ctx), p.Output())
		}
	}
}

// SignIn makes an administrator on the server's machine and gives a client that is signed in at base.
func (p *Process) SignIn(ctx context.Context, base string) (*client.Client, error) {
	name, password := "rig-"+strings.ToLower(rand.Text()[:8]), rand.Text()
	if _, err := p.Run(ctx, password+"\n", "admin", "create-user", name, "--email", name+"@example.org", "--role", "administrator", "--password-stdin"); err != nil {
		return nil, err
	}
	c, err := client.New(base, client.Tokens{})
	if err != nil {
		return nil, err
	}
	_, err = c.Login(ctx, name, password)
	return c, err
}

// Addresses are the ports of one server on this machine.
type Addresses struct{ API, WS, Console, Node string }

// FreeAddresses finds ports that nobody listens on now, nor by chance while the server restarts.
func FreeAddresses() (Addresses, error) {
	p, err := services.FreePorts(4)
	if err != nil {
		return Addresses{}, err
	}
	at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	return Addresses{API: at(p[0]), WS: at(p[1]), Console: at(p[2]), Node: at(p[3])}, nil
}

// Env sets the addresses.
func (a Addresses) Env() []string {
	return []string{"NOVACRON_API_ADDR=" + a.API, "NOVACRON_WS_ADDR=" + a.WS, "NOVACRON_CONSOLE_ADDR=" + a.Console, "NOVACRON_NODE_ADDR=" + a.Node}
}

// tail keeps the end of what a process writes.
type tail struct {
	mu   sync.Mutex
	last []byte
}

const tailBytes = 32 << 10 // some hundred lines of log

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}
