package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// maxFrame bounds one WebSocket message from the server.
const maxFrame = 4 << 20

// Events is a stream of events. It renews its sign-in by itself.
type Events struct {
	c      *Client
	conn   *websocket.Conn
	cursor string
	stop   context.CancelFunc
}

// Events opens the stream: what happens after the cursor since, or from now on when that is empty; topics are types with a
// star at the end where wanted, none means all.
func (c *Client) Events(ctx context.Context, since string, topics []string) (*Events, error) {
	conn, err := c.dial(ctx, "/ws/events/v1", nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxFrame)
	token, err := c.freshToken(ctx)
	if err != nil {
		conn.CloseNow()
		return nil, err
	}
	var ready struct{ Type, Cursor string }
	err = wsjson.Write(ctx, conn, wire.EventsAuth{Type: "auth", Token: token, Tenant: c.ActsIn, Since: since, Topics: topics})
	if err == nil {
		err = wsjson.Read(ctx, conn, &ready)
	}
	if err != nil {
		conn.CloseNow()
		return nil, closed(err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	e := &Events{c: c, conn: conn, cursor: ready.Cursor, stop: stop}
	go e.renew(run)
	return e, nil
}

// Cursor is behind the last event that Next gave: what to open the next stream with.
func (e *Events) Cursor() string { return e.cursor }

// Next waits for an event. After an error the stream is of no use; fault.Precondition with code cursor_too_old means that
// events were missed and History has to be read. It is for one goroutine.
func (e *Events) Next(ctx context.Context) (wire.Event, error) {
	for {
		_, raw, err := e.conn.Read(ctx)
		if err != nil {
			return wire.Event{}, closed(err)
		}
		var ev wire.Event
		if err := json.Unmarshal(raw, &ev); err != nil {
			return wire.Event{}, fmt.Errorf("event: %w", err)
		}
		if ev.Type == "ping" || ev.Type == "ready" {
			continue
		}
		if ev.ID != "" {
			e.cursor = ev.ID
		}
		return ev, nil
	}
}

// Close ends the stream.
func (e *Events) Close() {
	e.stop()
	e.conn.Close(websocket.StatusNormalClosure, "")
}

// renew sends a fresh token a minute before the present one ends.
func (e *Events) renew(ctx context.Context) {
	for {
		left := time.Until(e.c.Tokens().Expires) - time.Minute
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(left, 10*time.Second)):
		}
		t := e.c.Tokens()
		if t.Refresh == "" || e.c.refresh(ctx, t.Access) != nil {
			return // the server will end the stream with its token
		}
		if wsjson.Write(ctx, e.conn, wire.EventsAuth{Type: "auth", Token: e.c.Tokens().Access}) != nil {
			return
		}
	}
}

// freshToken gives an access token that is good for another minute where that can be had.
func (c *Client) freshToken(ctx context.Context) (string, error) {
	t := c.Tokens()
	if t.Refresh != "" && !t.Expires.IsZero() && time.Until(t.Expires) < time.Minute {
		if err := c.refresh(ctx, t.Access); err != nil {
			return "", err
		}
	}
	return c.Tokens().Access, nil
}

// OpenConsole opens a console of a VM. A console in use is fault.Conflict with code console_in_use, unless w.Mode watches or
// takes it. With kind tcp it is a tunnel to the guest's port. ctx bounds opening only.
func (c *Client) OpenConsole(ctx context.Context, ref string, w wire.ConsoleWish) (*Console, error) {
	var t wire.ConsoleTicket
	if _, err := c.do(ctx, call{method: http.MethodPost, path: path(vms, ref, "console"), body: w, out: &t}); err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx, t.Path, []string{t.Subprotocol})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxFrame)
	var hello struct{ Type string }
	if err := wsjson.Read(ctx, conn, &hello); err != nil {
		conn.CloseNow()
		return nil, closed(err)
	}
	return newConsole(conn), nil
}

// dial opens a WebSocket on the same address as the API, which serves both.
func (c *Client) dial(ctx context.Context, target string, protocols []string) (*websocket.Conn, error) {
	u := "ws" + strings.TrimPrefix(c.base.String(), "http") + target
	conn, res, err := websocket.Dial(ctx, u, &websocket.DialOptions{HTTPClient: c.http, Subprotocols: protocols})
	if err != nil {
		if res != nil && res.StatusCode >= 400 {
			raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
			return nil, problem(res, raw)
		}
		return nil, c.unreachable(ctx, err)
	}
	return conn, nil
}

// closed turns the server's close code into a fault with the server's reason.
func closed(err error) error {
	code := websocket.CloseStatus(err)
	kind, name := fault.Unavailable, "stream_ended"
	switch code {
	case wire.CloseSignedOut:
		kind, name = fault.Unauthenticated, "signed_out"
	case wire.CloseTaken:
		kind, name = fault.Conflict, "console_taken"
	case wire.CloseInUse:
		kind, name = fault.Conflict, "console_in_use"
	case wire.CloseTooOld:
		kind, name = fault.Precondition, "cursor_too_old"
	case wire.CloseTooMany:
		kind, name = fault.RateLimited, "too_many_connections"
	case -1:
		return err
	}
	var ce websocket.CloseError
	reason := "the server ended the stream"
	if errors.As(err, &ce) && ce.Reason != "" {
		reason = ce.Reason
	}
	return fault.Wrap(err, kind, name, "%s", reason)
}
