// Package qmp speaks QEMU's machine protocol: JSON lines over a unix socket, answers matched to commands by id, events in
// between. One goroutine reads; commands may be sent from several. A QEMU that does not answer costs the caller its deadline
// and nothing else. What the package deliberately does not know is the meaning of any command.
package qmp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// MaxLine bounds one message of QEMU in bytes. The longest answers in use, lists of CPU models, have some 100 KiB.
const MaxLine = 4 << 20

// Error is QEMU's refusal of a command.
type Error struct {
	Command string
	Class   string `json:"class"`
	Desc    string `json:"desc"`
}

// Error gives the command and QEMU's words.
func (e *Error) Error() string { return e.Command + ": " + e.Desc }

// ErrGone says that the connection has ended: QEMU has exited or was cut off.
var ErrGone = errors.New("qemu has closed its monitor")

// Event is something QEMU tells unasked.
type Event struct {
	Name string
	Data json.RawMessage
}

// Client is one connection to a monitor.
type Client struct {
	conn   *net.UnixConn
	events func(Event)
	done   chan struct{}

	sending sync.Mutex // one line at a time goes out, and a descriptor directly before the command that uses it

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan message
	cause   error
}

// message is any line that QEMU writes.
type message struct {
	Greeting json.RawMessage `json:"QMP"`
	Return   json.RawMessage `json:"return"`
	Error    *Error          `json:"error"`
	ID       uint64          `json:"id"`
	Event    string          `json:"event"`
	Data     json.RawMessage `json:"data"`
}

// Open does the handshake on conn, which it owns from now on, also when it fails. events is called by the reading goroutine,
// in order; it must not block and must not send commands.
func Open(ctx context.Context, conn *net.UnixConn, events func(Event)) (*Client, error) {
	c := &Client{conn: conn, events: events, done: make(chan struct{}), waiting: map[uint64]chan message{}}
	in := bufio.NewReaderSize(conn, 16<<10)
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	greeting, err := read(in)
	if !stop() { // the deadline above is set or will be at any moment
		err = context.Cause(ctx)
	}
	if err == nil && greeting.Greeting == nil {
		err = errors.New("the monitor did not greet")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go c.receive(in)
	if err := c.Run(ctx, "qmp_capabilities", nil, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Run sends one command and waits for its answer, which it decodes into result unless that is nil.
func (c *Client) Run(ctx context.Context, command string, arguments, result any) error {
	c.sending.Lock()
	answer, err := c.send(ctx, command, arguments, -1)
	c.sending.Unlock()
	if err != nil {
		return err
	}
	return c.wait(ctx, command, answer, result)
}

// RunWithFile passes a descriptor along with the command.
func (c *Client) RunWithFile(ctx context.Context, command string, arguments, result any, fd int) error {
	c.sending.Lock()
	answer, err := c.send(ctx, command, arguments, fd)
	c.sending.Unlock()
	if err != nil {
		return err
	}
	return c.wait(ctx, command, answer, result)
}

func (c *Client) send(ctx context.Context, command string, arguments any, fd int) (pending, error) {
	p := pending{answer: make(chan message, 1)}
	c.mu.Lock()
	if c.cause != nil {
		c.mu.Unlock()
		return p, ErrGone
	}
	c.last++
	p.id = c.last
	c.waiting[p.id] = p.answer
	c.mu.Unlock()
	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, arguments, p.id})
	if err == nil {
		err = c.write(ctx, append(line, '\n'), fd)
	}
	if err != nil {
		c.forget(p.id)
		return p, fmt.Errorf("%s: %w", command, err)
	}
	return p, nil
}

type pending struct {
	id     uint64
	answer chan message
}

// write sends the line. A monitor that does not read lets it end with the deadline of ctx; half a line cannot be mended, so
// the connection ends with it.
func (c *Client) write(ctx context.Context, line []byte, fd int) error {
	deadline, _ := ctx.Deadline()
	if err := c.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	n, _, err := c.conn.WriteMsgUnix(line, rights, nil)
	if err == nil && n < len(line) {
		_, err = c.conn.Write(line[n:])
	}
	if err != nil {
		c.conn.Close()
	}
	return err
}

func (c *Client) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

func (c *Client) wait(ctx context.Context, command string, p pending, result any) error {
	select {
	case m, ok := <-p.answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", command, ErrGone)
		case m.Error != nil:
			m.Error.Command = command
			return m.Error
		case result == nil:
			return nil
		}
		if err := json.Unmarshal(m.Return, result); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		return nil
	case <-ctx.Done():
		c.forget(p.id) // the answer may still come and is dropped
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
}

// receive reads until the connection ends.
func (c *Client) receive(in *bufio.Reader) {
	var cause error
	for cause == nil {
		var m message
		if m, cause = read(in); cause == nil {
			c.deliver(m)
		}
	}
	c.conn.Close()
	c.mu.Lock()
	c.cause = cause
	for id, answer := range c.waiting {
		close(answer)
		delete(c.waiting, id)
	}
	c.mu.Unlock()
	close(c.done)
}

func (c *Client) deliver(m message) {
	if m.Event != "" {
		c.events(Event{Name: m.Event, Data: m.Data})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.waiting[m.ID]; answer != nil {
		delete(c.waiting, m.ID)
		answer <- m
	}
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the connection and waits for the reader.
func (c *Client) Close() {
	c.conn.Close()
	<-c.done
}

// read takes one message. Lines that are too long or no JSON object end the connection: what follows could not be trusted.
func read(in *bufio.Reader) (message, error) {
	var m message
	line, err := readLine(in)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return m, fmt.Errorf("the monitor wrote no message: %w", err)
	}
	return m, nil
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return nil, errors.New("the monitor wrote a line of more than 4 MiB")
		}
		if err == nil && line == nil {
			return bytes.TrimSpace(part), nil
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimSpace(line), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}
