//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// newServer is the HTTP/2 server that a node runs on the connections that it dialled.
func newServer() *http2.Server {
	s := &http2.Server{
		MaxConcurrentStreams: 1000, ReadIdleTimeout: pingAfter, PingTimeout: pingWait, WriteByteTimeout: writeWait,
		// A console whose guest takes no input holds back its own bytes and nobody else's.
		MaxUploadBufferPerStream: 64 << 10, MaxUploadBufferPerConnection: 64 << 20,
	}
	// It then keeps its channels to itself; those of servers without this are shared by the whole process, which synctest refuses.
	if err := http2.ConfigureServer(&http.Server{}, s); err != nil {
		panic("remote: " + err.Error()) // only for TLS settings, of which there are none
	}
	return s
}

// controlRoutes answer the server's short calls.
func controlRoutes(api agent.API, wantBulk func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ensure", short(func(ctx context.Context, m vm.Machine) (answer, error) {
		seen, err := api.Ensure(ctx, m)
		return answer{Seen: &seen}, err
	}))
	mux.HandleFunc("POST /snapshot", short(func(ctx context.Context, r agent.SnapshotRequest) (answer, error) {
		return answer{}, api.Snapshot(ctx, r)
	}))
	mux.HandleFunc("POST /lease", short(func(ctx context.Context, l agent.Lease) (answer, error) {
		return answer{}, api.Lease(ctx, l)
	}))
	mux.HandleFunc("POST /facts", short(func(ctx context.Context, _ struct{}) (answer, error) {
		f, err := api.Facts(ctx)
		return valueOf(f), err
	}))
	mux.HandleFunc("POST /bulk", short(func(context.Context, struct{}) (answer, error) {
		wantBulk()
		return answer{}, nil
	}))
	mux.HandleFunc("POST /reports", func(w http.ResponseWriter, r *http.Request) { reports(w, r, api) })
	mux.HandleFunc("POST /image", func(w http.ResponseWriter, r *http.Request) { image(w, r, api) })
	return mux
}

// linkRoutes are what a node answers on the connection that it dialled: what concerns its agent, and where that is.
func linkRoutes(api agent.API, place string, wantBulk func()) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", controlRoutes(api, wantBulk))
	mux.HandleFunc("POST /place", short(func(context.Context, struct{}) (answer, error) { return valueOf(place), nil }))
	return mux
}

// bulkRoutes answer on the bulk connection.
func bulkRoutes(api agent.API) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /open", func(w http.ResponseWriter, r *http.Request) { open(w, r, api) })
	return mux
}

// short makes a handler of one call with one answer.
func short[T any](f func(context.Context, T) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q T
		if err := decode(r.Body, &q); err != nil {
			reply(w, answer{Error: toWire(err)})
			return
		}
		ctx, cancel := within(r)
		defer cancel()
		a, err := f(ctx, q)
		a.Error = toWire(err)
		reply(w, a)
	}
}

// within gives the caller's patience to the call.
func within(r *http.Request) (context.Context, context.CancelFunc) {
	ms, err := strconv.ParseInt(r.Header.Get(headerWithin), 10, 64)
	if err != nil || ms <= 0 {
		return context.WithCancel(r.Context())
	}
	return context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
}

func valueOf(v any) answer {
	raw, err := json.Marshal(v)
	if err != nil {
		return answer{Error: toWire(err)}
	}
	return answer{Value: raw}
}

// lineWriter writes one JSON line at a time and pushes it out.
type lineWriter struct {
	w http.ResponseWriter
}

func (l lineWriter) write(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(raw) >= maxLine {
		return fault.New(fault.TooLarge, "message_too_large", "a line between node and server has at most %d bytes", maxLine)
	}
	if _, err := l.w.Write(append(raw, '\n')); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}

func reports(w http.ResponseWriter, r *http.Request, api agent.API) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	feed, err := api.Reports(ctx)
	if err != nil {
		refuseCall(w, err)
		return
	}
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush() // the caller must not wait for the first report of a node without VMs
	out := lineWriter{w}
	for s := range feed {
		if out.write(s) != nil {
			return
		}
	}
}

func image(w http.ResponseWriter, r *http.Request, api agent.API) {
	var q agent.ImageRequest
	if err := decode(r.Body, &q); err != nil {
		refuseCall(w, err)
		return
	}
	ctx, cancel := within(r)
	defer cancel()
	out := lineWriter{w}
	err := api.EnsureImage(ctx, q, func(done float64) {
		if out.write(progressLine{Done: done}) != nil {
			cancel()
		}
	})
	out.write(progressLine{Done: 1, End: true, Error: toWire(err)})
}

// refuseCall answers a call whose good answer would be a stream.
func refuseCall(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusConflict)
	reply(w, answer{Error: toWire(err)})
}

// open connects the request's body and the answer to a stream of a VM.
func open(w http.ResponseWriter, r *http.Request, api agent.API) {
	var q agent.StreamRequest
	if err := json.Unmarshal([]byte(r.Header.Get(headerStream)), &q); err != nil {
		refuseCall(w, fault.Wrap(err, fault.Invalid, "message_invalid", "the request for a stream cannot be read"))
		return
	}
	s, err := api.Open(r.Context(), q)
	if err != nil {
		refuseCall(w, err)
		return
	}
	closeOnce := sync.OnceFunc(func() { s.Close() })
	defer closeOnce()
	// When the connection or the caller goes, a read of the guest must not go on for ever.
	defer context.AfterFunc(r.Context(), closeOnce)()
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	flush.Flush()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(s, r.Body)
		closeOnce() // the caller has closed its side: consoles know no half-open streams
	}()
	io.Copy(flushing{w, flush}, s)
	closeOnce()
	r.Body.Close()
	<-done
}

// flushing pushes every piece out at once: somebody is typing.
type flushing struct {
	w     io.Writer
	flush *http.ResponseController
}

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.flush.Flush()
	}
	return n, err
}
