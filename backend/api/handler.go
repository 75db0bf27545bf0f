package api

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
)

// Bounds of a request.
const (
	maxBody      = 1 << 20          // bytes; uploads have their own
	handlerTime  = 30 * time.Second // for the work of a request, beside what ?wait adds
	writeTime    = 60 * time.Second // for a slow reader of the answer
	bodyTime     = 30 * time.Second // for a slow sender of the request
	maxURLLength = 8 << 10
)

// handler serves the table under the prefixes.
func (a *API) handler(prefixes ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.Now()
		e := &exchange{id: newRequestID(r.Header.Get("X-Request-Id")), address: clientAddress(r, a.TrustedProxies)}
		e.request = r
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Request-Id", e.id)
		defer a.logged(r, rec, e, start)
		// The deadline of the request before on this connection would still stand, also for what is refused right here.
		if err := until(http.NewResponseController(w).SetWriteDeadline, writeTime); err != nil {
			panic(http.ErrAbortHandler) // the connection is gone
		}
		a.secure(rec, r)
		if a.cors(rec, r) {
			return
		}
		for _, p := range prefixes {
			if r.URL.Path == p || strings.HasPrefix(r.URL.Path, p) && strings.HasSuffix(p, "/") {
				a.serve(rec, r)
				return
			}
		}
		writeProblem(rec, r, status(r, http.StatusNotFound, "no_such_path", "there is nothing at %.200s; the API is described at /api/docs", r.URL.Path))
	})
}

// serve answers a request. The order matters: every request to a limited path counts before anything of it is read, and who
// asks is known before the body is.
func (a *API) serve(w *recorder, r *http.Request) {
	if len(r.RequestURI) > maxURLLength {
		writeProblem(w, r, status(r, http.StatusRequestURITooLong, "url_too_long", "an address may have %d bytes", maxURLLength))
		return
	}
	if !a.countAddress(w, r) {
		return
	}
	_, pattern := a.mux.Handler(r)
	rt, known := a.routes[pattern]
	c, confirm, err := a.authenticate(r, known && soon(r, rt))
	if !a.countUser(w, r, c, err) {
		return
	}
	switch {
	case !known && err != nil && r.Header.Get("Authorization") != "":
		writeProblem(w, r, err)
		return
	case !known:
		a.unknown(w, r)
		return
	case !rt.rule.anyone:
		if err == nil {
			err = rt.rule.check(c.Caller)
		}
		if err != nil {
			if confirm != nil {
				err = cmp.Or(confirm(), err)
			}
			note(r.Context(), a.App.Refused(r.Context(), c.Caller, r.Method+" "+r.URL.Path, err))
			writeProblem(w, r, err)
			return
		}
	}
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	of(r.Context()).caller = c.Caller.String()
	if rt.slow {
		a.mux.ServeHTTP(w, r)
		return
	}
	if confirm != nil {
		w.held = &held{before: maps.Clone(w.Header()), confirm: confirm, refuse: func(err error) { a.withdrawn(w, r, err) }}
		defer w.settle() // where the answer has neither a status nor a body of its own
	}
	a.bounded(w, r, !rt.rule.secret)
}

// withdrawn answers for a token that turned out not to be good, which counts as a stranger's.
func (a *API) withdrawn(w *recorder, r *http.Request, err error) {
	of(r.Context()).caller = ""
	if a.countUser(w, r, app.Access{}, err) {
		writeProblem(w, r, err)
	}
}

// bounded answers within a time and a size. once says whether an Idempotency-Key counts.
func (a *API) bounded(w *recorder, r *http.Request, once bool) {
	hold, err := waitOf(r.URL.Query().Get("wait"))
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), handlerTime+hold)
	defer cancel()
	r = r.WithContext(ctx)
	rc := http.NewResponseController(w)
	err = limitBody(rc, r, bodyTime)
	w.limited = true
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err == nil {
		err = until(rc.SetWriteDeadline, handlerTime+hold+writeTime)
	}
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	if once && r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" && caller(ctx).User != "" {
		a.once(w, r, hold)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// until sets a deadline. Listeners that know none (tests, pipes) bound nothing; the context still does.
func until(set func(time.Time) error, d time.Duration) error {
	if err := set(time.Now().Add(d)); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// limitBody gives the sender of a body that long for all of it. The HTTP server ends the deadline with the body, behind which it
// reads on to see that the client goes away. Without a body it reads on from the start: a deadline would cut off an answer that
// is held by ?wait.
func limitBody(rc *http.ResponseController, r *http.Request, d time.Duration) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	return until(rc.SetReadDeadline, d)
}

// unknown answers what no route does: 405 with what the path allows, or 404.
func (a *API) unknown(w *recorder, r *http.Request) {
	var allowed []string
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); a.routes[pattern].method != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, r, status(r, http.StatusNotFound, "no_such_path", "there is nothing at %.200s; the API is described at /api/docs", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, r, status(r, http.StatusMethodNotAllowed, "method_not_allowed", "%.200s takes %s, not %.20s", r.URL.Path, strings.Join(allowed, " and "), r.Method))
}

// logged writes the access log and keeps a panic from ending the server. Neither headers nor query are logged: they hold
// secrets.
func (a *API) logged(r *http.Request, w *recorder, e *exchange, start time.Time) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		e.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		if !w.wrote {
			writeProblem(w, r, fault.Wrap(e.err, fault.Internal, "internal", "something went wrong inside NovaCron; the log of the server has the cause under %s", e.id))
		}
	}
	level := slog.LevelInfo
	switch {
	case w.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn // an engine is gone or full, which is told once as what it is, and not for each request
	case w.status >= 500:
		level = slog.LevelError
	case quiet(r):
		level = slog.LevelDebug
	}
	attrs := []any{"request", e.id, "method", r.Method, "path", r.URL.Path, "status", w.status, "bytes", w.bytes, "ms", a.Now().Sub(start).Milliseconds(), "address", e.address.String()}
	if e.caller != "" {
		attrs = append(attrs, "caller", e.caller)
	}
	if e.err != nil && w.status >= 500 {
		attrs = append(attrs, "err", e.err)
	}
	a.Log.Log(r.Context(), level, "request", attrs...)
}

// quiet are the requests that probes send all day.
func quiet(r *http.Request) bool {
	return r.URL.Path == "/api/health" || r.URL.Path == "/api/ready" || r.URL.Path == "/metrics"
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
	copy   *keeper // keeps the answer, for an Idempotency-Key

	limited bool // the reading of the body has its deadline

	held    *held // nil: what is written goes out
	refused bool  // the handler's answer goes nowhere
}

// SetReadDeadline passes a deadline on until the body has the one of limitBody. The framework sets five seconds of its own before it reads,
// without knowing that the body may have been read: the HTTP server then reads on to see that the client goes away, and would take the
// deadline for that, cutting off an answer held by ?wait and every later request on the connection.
func (w *recorder) SetReadDeadline(t time.Time) error {
	if w.limited {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
}

func (w *recorder) WriteHeader(status int) {
	if !w.settle() {
		return
	}
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if !w.settle() {
		return len(p), nil
	}
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if w.copy != nil {
		w.copy.add(p)
	}
	return n, err
}

// FlushError sends what was written, unless nothing may be sent.
func (w *recorder) FlushError() error {
	if !w.settle() {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack hands the connection to a WebSocket.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status, w.wrote = http.StatusSwitchingProtocols, true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
