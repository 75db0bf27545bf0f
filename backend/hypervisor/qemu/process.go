package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"novacron/backend/core/id"
)

// process is a running QEMU, held by a descriptor that names it and never a successor with its number.
type process struct {
	pid    int
	handle *os.File      // pidfd
	child  *os.Process   // nil: adopted, another process reaps it
	gone   chan struct{} // closed when it has ended
	errors *tail         // what it wrote to stderr; nil: adopted
	status string        // how it ended, once gone is closed
}

// processUser is the user that a guest's processes run as, 0 for the agent's own. Every VM has a user of its own, but only root can
// start a process as another one.
func processUser(uid int) int {
	if os.Geteuid() != 0 {
		return 0
	}
	return uid
}

// spawn starts cmd in a session of its own as the user and without a way to gain privileges. uid 0 keeps the agent's user.
func spawn(cmd *exec.Cmd, uid int) (*process, error) {
	fd := -1
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, PidFD: &fd}
	if uid = processUser(uid); uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}}
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = in
	err = startWithoutPrivileges(cmd)
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, child: cmd.Process, gone: make(chan struct{}), errors: &tail{ended: make(chan struct{})}}
	if fd < 0 {
		cmd.Process.Kill()
		cmd.Process.Wait()
		out.Close()
		return nil, errors.New("this kernel has no pidfd (Linux 5.3 or newer is needed)")
	}
	p.hold(fd)
	go p.errors.drain(out) // ends when the process and all who share its stderr are gone
	return p, nil
}

// startWithoutPrivileges forks from a thread that has no_new_privs set, which the child inherits. The goroutine ends with its
// thread locked, so the runtime ends the thread, and no other goroutine ever runs on it.
func startWithoutPrivileges(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go onOwnThread(func() {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- fmt.Errorf("no_new_privs: %w", err)
			return
		}
		done <- cmd.Start()
	})
	return <-done
}

// onOwnThread runs f on a thread that ends with it. The process' first thread cannot end, so f never runs there: while that
// one is locked to this goroutine, another goroutine must be on another.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// hold watches the process through its descriptor. Waiting on it costs a goroutine and no thread.
func (p *process) hold(fd int) {
	_ = unix.SetNonblock(fd, true) // lets the runtime's poller wait; without it the goroutine below would only cost a thread
	p.handle = os.NewFile(uintptr(fd), "pidfd")
	go func() {
		defer close(p.gone)
		conn, err := p.handle.SyscallConn()
		if err == nil {
			err = conn.Read(ended)
		}
		p.status = p.reap(err)
		p.handle.Close()
	}()
}

func ended(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

func (p *process) reap(err error) string {
	if p.child == nil {
		return "the VM's process has ended"
	}
	if state, werr := p.child.Wait(); werr == nil {
		return "the VM's process has ended (" + state.String() + ")"
	}
	return fmt.Sprint("the VM's process has ended: ", err)
}

// kill ends the process and returns when it is gone.
func (p *process) kill() error {
	conn, err := p.handle.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = conn.Control(func(fd uintptr) { refused = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) })
	if err == nil && refused != nil && !errors.Is(refused, unix.ESRCH) { // a handle that is closed says that it is gone
		return fmt.Errorf("kill process %d: %w", p.pid, refused)
	}
	<-p.gone
	return nil
}

// leave stops watching a process that lives on. A child is watched nevertheless: somebody must reap it.
func (p *process) leave() {
	if p.child == nil {
		p.handle.Close()
	}
}

// errGone says that no such process runs.
var errGone = errors.New("the process is gone")

// take takes over a process that an earlier agent started, if pid still is that process: it started when the record says, and
// its command line names the VM.
func take(pid int, started uint64, vm id.VM) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, errGone
	}
	// The descriptor is open: what is read from /proc now is of the process that it names, or that process is gone.
	now, err := startTime(pid)
	if err != nil || started != 0 && now != started || !runs(pid, vm) || ended(uintptr(fd)) {
		unix.Close(fd)
		return nil, errGone
	}
	p := &process{pid: pid, gone: make(chan struct{})}
	p.hold(fd)
	return p, nil
}

// startTime gives the clock tick since the machine's boot at which the process began.
func startTime(pid int) (uint64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStartTime(raw)
}

func parseStartTime(stat []byte) (uint64, error) {
	_, rest, ok := bytes.Cut(stat, []byte(") ")) // the name before it may hold anything but is at most 15 bytes long
	for ok && bytes.Contains(rest, []byte(") ")) {
		_, rest, ok = bytes.Cut(rest, []byte(") "))
	}
	fields := strings.Fields(string(rest))
	if len(fields) < 20 {
		return 0, errors.New("a process' stat line is too short")
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// runs reports whether the process is a QEMU of the VM by its command line.
func runs(pid int, vm id.VM) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(raw), "\x00")
	return len(args) > 2 && strings.Contains(args[0], "qemu-system-") && args[1] == "-name" && strings.HasPrefix(args[2], "guest="+string(vm)+",")
}

// search finds the VM's QEMU among all processes, for the case that an agent died between starting it and writing it down.
func search(vm id.VM) (*process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && runs(pid, vm) {
			if p, err := take(pid, 0, vm); err == nil {
				return p, nil
			}
		}
	}
	return nil, errGone
}

// tail keeps the end of what a process writes to stderr.
type tail struct {
	mu    sync.Mutex
	last  []byte
	ended chan struct{} // closed when nothing more can come
}

const tailBytes = 8 << 10 // several screens of complaints

func (t *tail) drain(from *os.File) {
	defer close(t.ended)
	defer from.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		t.mu.Lock()
		t.last = append(t.last, buf[:n]...)
		t.last = t.last[max(0, len(t.last)-tailBytes):]
		t.mu.Unlock()
		if err != nil { // io.EOF as a rule
			return
		}
	}
}

// all waits for the end of the process' words and gives the last of them.
func (t *tail) all() string {
	if t != nil {
		<-t.ended
	}
	return t.String()
}

// String gives the last lines so far.
func (t *tail) String() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
