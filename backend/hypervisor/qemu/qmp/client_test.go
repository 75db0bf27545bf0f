package qmp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// monitor plays QEMU at the other end of the client's socket.
type monitor struct {
	t    *testing.T
	conn *net.UnixConn
	in   *bufio.Reader
}

func pair(t *testing.T) (near, far *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]*net.UnixConn, 2)
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		ends[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { conn.Close() })
	}
	return ends[0], ends[1]
}

func (m *monitor) say(line string) {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.conn, line); err != nil {
		m.t.Error(err)
	}
}

func (m *monitor) hear(want string) {
	m.t.Helper()
	line, err := m.in.ReadString('\n')
	if err != nil || !strings.Contains(line, want) {
		m.t.Errorf("heard %q (%v), want %q", line, err, want)
	}
}

func open(t *testing.T, events func(Event)) (*Client, *monitor) {
	t.Helper()
	near, far := pair(t)
	m := &monitor{t, far, bufio.NewReader(far)}
	go func() {
		m.say(`{"QMP": {"version": {}, "capabilities": []}}`)
		m.hear("qmp_capabilities")
		m.say(`{"return": {}, "id": 1}`)
	}()
	if events == nil {
		events = func(Event) {}
	}
	c, err := Open(t.Context(), near, events)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, m
}

func TestRun_matchesAnswersToCommandsWhateverTheirOrder(t *testing.T) {
	c, m := open(t, nil)
	first := make(chan error, 1)
	var one, two int
	go func() { first <- c.Run(t.Context(), "first", nil, &one) }()
	m.hear("first")
	go func() {
		m.hear("second")
		m.say(`{"return": 22, "id": 3}`)
		m.say(`{"return": 11, "id": 2}`)
	}()
	if err := c.Run(t.Context(), "second", nil, &two); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if one != 11 || two != 22 {
		t.Errorf("got %d and %d, want 11 and 22", one, two)
	}
}

func TestRun_givesTheRefusalOfQEMU(t *testing.T) {
	c, m := open(t, nil)
	go func() {
		m.hear("cont")
		m.say(`{"error": {"class": "GenericError", "desc": "no"}, "id": 2}`)
	}()
	err := c.Run(t.Context(), "cont", nil, nil)
	if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Desc != "no" || refusal.Command != "cont" {
		t.Errorf("got %v, want the refusal of cont", err)
	}
}

func TestRun_costsOnlyItsDeadlineWhenNobodyAnswers(t *testing.T) {
	c, m := open(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Run(ctx, "stop", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the deadline", err)
	}
	m.hear("stop")
	go func() {
		m.say(`{"return": {}, "id": 2}`) // late: nobody waits for it any more
		m.hear("cont")
		m.say(`{"return": {}, "id": 3}`)
	}()
	if err := c.Run(t.Context(), "cont", nil, nil); err != nil {
		t.Errorf("the connection did not survive a late answer: %v", err)
	}
}

func TestEvents_comeInOrder(t *testing.T) {
	got := make(chan string, 3)
	_, m := open(t, func(e Event) { got <- e.Name })
	for _, name := range []string{"STOP", "RESUME", "SHUTDOWN"} {
		m.say(fmt.Sprintf(`{"event": %q, "timestamp": {}}`, name))
	}
	for _, want := range []string{"STOP", "RESUME", "SHUTDOWN"} {
		if name := <-got; name != want {
			t.Errorf("got %s, want %s", name, want)
		}
	}
}

func TestRun_endsWhenQEMUIsGone(t *testing.T) {
	c, m := open(t, nil)
	go func() {
		m.hear("stop")
		m.conn.Close()
	}()
	if err := c.Run(t.Context(), "stop", nil, nil); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
	<-c.Done()
	if err := c.Run(t.Context(), "cont", nil, nil); !errors.Is(err, ErrGone) {
		t.Errorf("afterwards: got %v, want ErrGone", err)
	}
}

func TestOpen_givesUpOnAMonitorThatDoesNotGreet(t *testing.T) {
	near, _ := pair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, near, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestRunWithFile_passesTheDescriptor(t *testing.T) {
	c, m := open(t, nil)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	go func() {
		line, rights := make([]byte, 4096), make([]byte, 64)
		_, n, _, _, err := m.conn.ReadMsgUnix(line, rights)
		if err != nil || n == 0 {
			t.Errorf("no descriptor came: %d bytes, %v", n, err)
		}
		if messages, err := unix.ParseSocketControlMessage(rights[:n]); err == nil && len(messages) == 1 {
			fds, _ := unix.ParseUnixRights(&messages[0])
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
		m.say(`{"return": {}, "id": 2}`)
	}()
	if err := c.RunWithFile(t.Context(), "getfd", map[string]string{"fdname": "x"}, nil, int(file.Fd())); err != nil {
		t.Error(err)
	}
}

func TestRead_refusesALineWithoutEnd(t *testing.T) {
	in := bufio.NewReader(bytes.NewReader(bytes.Repeat([]byte{' '}, MaxLine+1)))
	if _, err := read(in); err == nil || !strings.Contains(err.Error(), "4 MiB") {
		t.Errorf("got %v, want a refusal that names the limit", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"return":{},"id":1}`, `{"event":"STOP","data":{"x":1}}`, `{"error":{"class":"a","desc":"b"}}`, "null", "[]", "{\n"} {
		f.Add([]byte(seed + "\n"))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		in := bufio.NewReader(bytes.NewReader(line))
		for {
			m, err := read(in)
			if err != nil {
				return
			}
			c := &Client{events: func(Event) {}, waiting: map[uint64]chan message{1: make(chan message, 1)}}
			c.deliver(m)
			c.deliver(m) // an answer twice finds nobody and must not block
		}
	})
}
