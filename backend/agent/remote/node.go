//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// nodeAPI is agent.API over HTTP/2: on the connection that the node dialled, or through another server. Whatever the node says of its
// own identity is overwritten with the one of its certificate.
type nodeAPI struct {
	node  id.Node
	base  string            // of every URL
	calls http.RoundTripper // for short calls and reports
	// streams gives what carries consoles; it has to come soon.
	streams func(ctx context.Context) (http.RoundTripper, error)
	epoch   string                                     // of the holder's claim, with another server; else empty
	lost    func(ctx context.Context, err error) error // explains a call that got no answer
	log     *slog.Logger
}

var _ agent.API = (*nodeAPI)(nil)

// onConnection is the API on what the node dialled itself.
func (h *Hub) onConnection(node id.Node, conn *http2.ClientConn, s *seat) *nodeAPI {
	n := &nodeAPI{node: node, base: "https://" + string(node), calls: conn, lost: lostNode, log: h.o.Log}
	n.streams = func(ctx context.Context) (http.RoundTripper, error) {
		return s.bulkFor(ctx, func(ctx context.Context) error {
			_, err := n.call(ctx, "/bulk", struct{}{})
			return err
		})
	}
	return n
}

// answerReserve is what is kept of a caller's time for the way back, so that the node's present state still arrives.
const answerReserve = 200 * time.Millisecond

func (n *nodeAPI) Ensure(ctx context.Context, m vm.Machine) (vm.Seen, error) {
	a, err := n.call(ctx, "/ensure", m)
	var seen vm.Seen
	if a.Seen != nil {
		seen = n.own(*a.Seen)
	}
	return seen, err
}

func (n *nodeAPI) Snapshot(ctx context.Context, r agent.SnapshotRequest) error {
	_, err := n.call(ctx, "/snapshot", r)
	return err
}

func (n *nodeAPI) Lease(ctx context.Context, l agent.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	_, err := n.call(ctx, "/lease", l)
	return err
}

func (n *nodeAPI) Facts(ctx context.Context) (agent.Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	var f agent.Facts
	a, err := n.call(ctx, "/facts", struct{}{})
	if err == nil {
		err = decode(bytes.NewReader(a.Value), &f)
	}
	f.Node = n.node
	return f, err
}

// place asks where the agent is; empty: it is of a version that does not say.
func (n *nodeAPI) place(ctx context.Context) (place string, err error) {
	a, err := n.call(ctx, "/place", struct{}{})
	if errors.Is(err, errUnknownCall) {
		return "", nil
	}
	if err == nil {
		err = decode(bytes.NewReader(a.Value), &place)
	}
	return place, err
}

// own makes a report the node's own.
func (n *nodeAPI) own(s vm.Seen) vm.Seen {
	s.Node = n.node
	return s
}

// call makes one short call on the control connection.
func (n *nodeAPI) call(ctx context.Context, path string, body any) (answer, error) {
	var a answer
	resp, err := n.post(ctx, path, body)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if err := decode(resp.Body, &a); err != nil {
		return answer{}, err
	}
	return a, a.Error.err()
}

func (n *nodeAPI) post(ctx context.Context, path string, body any) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxMessage {
		return nil, fault.New(fault.TooLarge, "message_too_large", "a message between node and server has at most %d bytes", maxMessage)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, n.base+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if ends, ok := ctx.Deadline(); ok {
		if left := time.Until(ends) - answerReserve; left > 0 {
			q.Header.Set(headerWithin, strconv.FormatInt(left.Milliseconds(), 10))
		}
	}
	n.fence(q)
	resp, err := n.calls.RoundTrip(q)
	if err != nil {
		return nil, n.lost(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, statusError(resp)
	}
	return resp, nil
}

// lostNode explains a call on the node's own connection that got no answer.
func lostNode(_ context.Context, err error) error { return lost(err) }

// fence says which claim of the node the caller believes in, where another server is asked.
func (n *nodeAPI) fence(q *http.Request) {
	if n.epoch != "" {
		q.Header.Set(headerEpoch, n.epoch)
	}
}

// headerEpoch is the claim that a call through another server rests on.
const headerEpoch = "Novacron-Epoch"

// headerWithin is how many milliseconds the caller waits at most.
const headerWithin = "Novacron-Within"

func (n *nodeAPI) EnsureImage(ctx context.Context, r agent.ImageRequest, progress func(done float64)) error {
	resp, err := n.post(ctx, "/image", r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := lineScanner(resp.Body)
	for lines.Scan() {
		var l progressLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fault.Wrap(err, fault.Invalid, "message_invalid", "the node sent a message that cannot be read")
		}
		if l.End {
			return l.Error.err()
		}
		if progress != nil {
			progress(min(max(l.Done, 0), 1))
		}
	}
	return n.broken(ctx, lines.Err())
}

// Reports ends its channel when ctx ends or the connection breaks. A reader that does not read holds up nothing but itself:
// what the connection may buffer for it is bounded, and behind that the node keeps the newest report per VM.
func (n *nodeAPI) Reports(ctx context.Context) (<-chan vm.Seen, error) {
	resp, err := n.post(ctx, "/reports", struct{}{})
	if err != nil {
		return nil, err
	}
	out := make(chan vm.Seen)
	go func() {
		defer close(out)
		defer resp.Body.Close()
		lines := lineScanner(resp.Body)
		for lines.Scan() {
			var s vm.Seen
			if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
				n.log.Warn("a node sent a report that cannot be read", "node", n.node, "err", err)
				return
			}
			select {
			case out <- n.own(s):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func lineScanner(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4<<10), maxLine)
	return s
}

// broken explains a stream that ended before its end.
func (n *nodeAPI) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return n.lost(ctx, ctx.Err())
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n.lost(ctx, err)
}

// Open opens a stream on the bulk connection, which the node dials when there is none, or through another server.
func (n *nodeAPI) Open(ctx context.Context, r agent.StreamRequest) (io.ReadWriteCloser, error) {
	wait, cancelWait := context.WithTimeout(ctx, callWait)
	defer cancelWait()
	via, err := n.streams(wait)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	// The stream outlives the call that opens it; ctx and wait end only the opening.
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(wait, end)
	body, input := io.Pipe()
	q, err := http.NewRequestWithContext(life, http.MethodPost, n.base+"/open", body)
	if err != nil {
		end()
		return nil, err
	}
	q.Header.Set(headerStream, string(raw))
	n.fence(q)
	resp, err := via.RoundTrip(q)
	if err == nil && !stop() {
		resp.Body.Close()
		err = wait.Err()
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = statusError(resp)
		resp.Body.Close()
		end()
		return nil, err
	}
	if err != nil {
		end()
		return nil, n.lost(wait, err)
	}
	return &duplex{Reader: resp.Body, Writer: input, close: sync.OnceFunc(func() {
		input.Close()
		resp.Body.Close()
		end()
	})}, nil
}

// headerStream carries the StreamRequest of an open, whose body is the stream itself.
const headerStream = "Novacron-Stream"

// duplex is a stream over one HTTP/2 request: its body is one direction, the answer's the other.
type duplex struct {
	io.Reader
	io.Writer
	close func()
}

func (d *duplex) Close() error {
	d.close()
	return nil
}
