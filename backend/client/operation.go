package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// Operation is one operation.
func (c *Client) Operation(ctx context.Context, o id.Operation) (wire.Operation, error) {
	return c.operation(ctx, o, 0)
}

func (c *Client) operation(ctx context.Context, o id.Operation, wait time.Duration) (out wire.Operation, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/operations", string(o)), query: waiting(wait), out: &out})
	return out, err
}

// Operations is a page of the operations, newest first.
func (c *Client) Operations(ctx context.Context, l ListOptions) (out wire.List[wire.Operation], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/operations", query: l.values(), out: &out})
	return out, err
}

// CancelOperation asks an operation to stop and undo what it did.
func (c *Client) CancelOperation(ctx context.Context, o id.Operation) (out wire.Operation, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/operations", string(o)), out: &out})
	return out, err
}

// RetryOperation begins the operation that takes back what a stuck one left.
func (c *Client) RetryOperation(ctx context.Context, o id.Operation) (wire.Operation, error) {
	var out struct {
		Operation wire.Operation `json:"operation"`
	}
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("/api/v1/operations", string(o), "retry"), out: &out})
	return out.Operation, err
}

// How long one poll holds.
const (
	firstWait = time.Second      // most operations end within it and need no stream
	pollWait  = 2 * time.Second  // thirty a minute leave room under the server's limit of requests
	longWait  = 30 * time.Second // where only the end counts: below what proxies allow a request
)

// WaitOperation waits until an operation has ended and gives it as it ended, failed or not. progress is called with what changes
// meanwhile: from the first second on live where events can be had, else every two seconds. Without it one request is held at the server until the end, so
// that hundreds may wait at once: a stream of events each would bring every event to each of them.
func (c *Client) WaitOperation(ctx context.Context, o id.Operation, progress func(wire.Operation)) (wire.Operation, error) {
	if progress == nil {
		return c.waitOnly(ctx, o)
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	var live chan wire.Operation
	for {
		hold := pollWait
		if live == nil {
			hold = firstWait
		}
		out, err := c.operation(ctx, o, hold)
		if err != nil {
			return out, err
		}
		progress(out)
		if out.Ended() {
			return out, nil
		}
		if live == nil {
			live = make(chan wire.Operation, 1)
			go c.follow(watch, o, live)
		}
		if err := showUntilEnd(ctx, live, progress); err != nil {
			return out, err
		}
	}
}

func (c *Client) waitOnly(ctx context.Context, o id.Operation) (wire.Operation, error) {
	for {
		out, err := c.operation(ctx, o, longWait)
		if err != nil || out.Ended() {
			return out, err
		}
	}
}

// showUntilEnd hands live progress on. It returns when the operation has ended, or when there are no (more) live events and
// the server has to be asked.
func showUntilEnd(ctx context.Context, live <-chan wire.Operation, progress func(wire.Operation)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case seen, ok := <-live:
			if !ok || ended(seen.Status) {
				return nil
			}
			progress(seen)
		}
	}
}

func ended(status string) bool {
	switch status {
	case "succeeded", "failed", "canceled", "stuck":
		return true
	}
	return false
}

// follow sends what events say of the operation, and closes live when there are none to be had. It first sends the
// present state, so that a change between the first look and the subscription is not missed.
func (c *Client) follow(ctx context.Context, o id.Operation, live chan<- wire.Operation) {
	defer close(live)
	events, err := c.Events(ctx, "", []string{"operation.*"})
	if err != nil {
		return
	}
	defer events.Close()
	if now, err := c.operation(ctx, o, 0); err == nil {
		select {
		case live <- now:
		case <-ctx.Done():
			return
		}
	}
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return
		}
		if e.Subject != "operation/"+string(o) {
			continue
		}
		var seen wire.Operation
		if json.Unmarshal(e.Data, &seen) != nil {
			continue
		}
		select {
		case live <- seen:
		case <-ctx.Done():
			return
		}
	}
}
