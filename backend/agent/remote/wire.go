package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// What the two ends say to each other. Every message has a bound, and every wait a deadline.
const (
	protoControl = "novacron-control/1"
	protoBulk    = "novacron-bulk/1"
	protoServer  = "novacron-server/1"
	protoHTTP    = "http/1.1"

	maxMessage = 1 << 20  // bytes of one JSON message; a machine with its user data has at most about 200 KiB
	maxLine    = 64 << 10 // bytes of one report or progress line

	// A dead peer is found within pingAfter+pingWait: 4 s.
	pingAfter = 2 * time.Second
	pingWait  = 2 * time.Second

	handshakeWait = 10 * time.Second
	dialWait      = 10 * time.Second
	callWait      = 15 * time.Second // for one short request
	writeWait     = 10 * time.Second // for a peer that takes no bytes
)

// wireError is a fault on the wire. The cause goes along for the log of the other end.
type wireError struct {
	Kind    fault.Kind `json:"kind"`
	Code    string     `json:"code,omitempty"`
	Message string     `json:"message"`
	Field   string     `json:"field,omitempty"`
	RetryMS int64      `json:"retry_ms,omitempty"`
	Cause   string     `json:"cause,omitempty"`
}

const maxCause = 2 << 10

func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Kind: fault.KindOf(err), Message: fault.Sentence(err), Cause: err.Error()}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		w.Code, w.Field, w.RetryMS = f.Code, f.Field, f.Retry.Milliseconds()
	}
	w.Cause = w.Cause[:min(len(w.Cause), maxCause)]
	return w
}

func (w *wireError) err() error {
	if w == nil {
		return nil
	}
	f := fault.New(w.Kind, w.Code, "%s", w.Message).On(w.Field).After(time.Duration(w.RetryMS) * time.Millisecond)
	if w.Cause != "" && w.Cause != w.Message {
		f.Cause = errors.New(w.Cause)
	}
	return f
}

// answer is the body of every short call.
type answer struct {
	Error *wireError      `json:"error,omitempty"`
	Seen  *vm.Seen        `json:"seen,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// progressLine is one line of an image transfer; the last has End.
type progressLine struct {
	Done  float64    `json:"done"`
	End   bool       `json:"end,omitempty"`
	Error *wireError `json:"error,omitempty"`
}

// decode reads one JSON message of at most maxMessage bytes.
func decode(r io.Reader, into any) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err != nil {
		return lost(err)
	}
	if len(raw) > maxMessage {
		return fault.New(fault.TooLarge, "message_too_large", "a message between node and server has at most %d bytes", maxMessage)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fault.Wrap(err, fault.Invalid, "message_invalid", "the other end sent a message that cannot be read; are both of the same version?")
	}
	return nil
}

func reply(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	raw, err := json.Marshal(a)
	if err != nil {
		raw = []byte(`{"error":{"kind":"internal","message":"the answer cannot be written"}}`)
	}
	w.Write(raw)
}

// lost is what callers get when a connection does not answer.
func lost(err error) error {
	if errors.Is(err, context.Canceled) {
		return fault.Wrap(err, fault.Canceled, "call_canceled", "the call to the node was given up")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(err, fault.Unavailable, "still_working", "the node has not answered in time; ask again")
	}
	return fault.Wrap(err, fault.Unavailable, "node_unreachable", "the connection to the node broke; it is made again by itself, try again in a moment").After(time.Second)
}

// watched tells when a connection has been closed, by whichever side noticed first.
type watched struct {
	net.Conn
	closed chan struct{}
	once   func() error
}

func watch(c net.Conn) *watched {
	w := &watched{Conn: c, closed: make(chan struct{})}
	w.once = sync.OnceValue(func() error {
		close(w.closed)
		return w.Conn.Close()
	})
	return w
}

func (w *watched) Close() error { return w.once() }

// errUnknownCall is the answer to a call that the other end does not have.
var errUnknownCall = fault.New(fault.Unsupported, "call_unknown", "the other end does not know this call; it is of an older version")

func statusError(resp *http.Response) error {
	var a answer
	err := decode(resp.Body, &a)
	if resp.StatusCode == http.StatusNotFound && fault.Is(err, fault.Invalid) {
		return errUnknownCall // a route that is there says why in JSON
	}
	if err != nil {
		return err
	}
	if a.Error == nil {
		return fmt.Errorf("status %s without a reason", resp.Status)
	}
	return a.Error.err()
}
