package client

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"time"

	"github.com/coder/websocket"

	"novacron/backend/core/wire"
)

// Console is an open console, or a tunnel to a port of the guest: what is written goes to the guest and what the guest says
// is read. It is a net.Conn without deadlines, so that ssh can run over it. Read and Write may be called by one goroutine
// each; Close by any.
type Console struct {
	conn *websocket.Conn
	ctx  context.Context
	stop context.CancelFunc
	rest io.Reader // of the frame that is being read

	// Who is called by Read when somebody comes or goes. May be nil.
	Who func(wire.ConsoleState)
}

func newConsole(conn *websocket.Conn) *Console {
	ctx, stop := context.WithCancel(context.Background())
	return &Console{conn: conn, ctx: ctx, stop: stop}
}

// Read reads what the guest says. io.EOF: the console was closed in good order; a console that somebody took over is
// fault.Conflict with code console_taken.
func (c *Console) Read(p []byte) (int, error) {
	for {
		if c.rest != nil {
			n, err := c.rest.Read(p)
			if err == io.EOF {
				c.rest = nil
				err = nil
			}
			if n > 0 || err != nil {
				return n, err
			}
		}
		kind, r, err := c.conn.Reader(c.ctx)
		switch {
		case websocket.CloseStatus(err) == websocket.StatusNormalClosure || c.ctx.Err() != nil:
			return 0, io.EOF
		case err != nil:
			return 0, closed(err)
		case kind == websocket.MessageText:
			if err := c.control(r); err != nil {
				return 0, closed(err)
			}
		default:
			c.rest = r
		}
	}
}

func (c *Console) control(r io.Reader) error {
	raw, err := io.ReadAll(r) // bounded by the connection's read limit
	if err != nil {
		return err
	}
	var state wire.ConsoleState
	if json.Unmarshal(raw, &state) == nil && state.Type == "who" && c.Who != nil {
		c.Who(state)
	}
	return nil
}

// Write sends bytes to the guest.
func (c *Console) Write(p []byte) (int, error) {
	if err := c.conn.Write(c.ctx, websocket.MessageBinary, p); err != nil {
		return 0, closed(err)
	}
	return len(p), nil
}

// Close leaves the console.
func (c *Console) Close() error {
	err := c.conn.Close(websocket.StatusNormalClosure, "")
	c.stop()
	return err
}

type streamAddr string

func (streamAddr) Network() string  { return "websocket" }
func (a streamAddr) String() string { return string(a) }

// LocalAddr and RemoteAddr are there for net.Conn.
func (c *Console) LocalAddr() net.Addr  { return streamAddr("client") }
func (c *Console) RemoteAddr() net.Addr { return streamAddr("guest") }

// SetDeadline and its siblings are not supported; close the console to end a call.
func (c *Console) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *Console) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *Console) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

var _ net.Conn = (*Console)(nil)
