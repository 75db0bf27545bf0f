package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/rate"
	"novacron/backend/core/wire"
)

// Bounds of a WebSocket.
const (
	authTime    = 5 * time.Second
	pingEvery   = 20 * time.Second
	pongTime    = 10 * time.Second // for the answer to a ping
	frameTime   = 15 * time.Second // for a peer to take one frame
	maxAuth     = 64 << 10         // bytes of a message on the events stream
	maxSockets  = 10_000           // of all users together, and of those who have not signed in yet
	maxWaiting  = 32               // of one address, that have not signed in yet; they have authTime for it
	maxReason   = 120              // bytes of a close reason; the protocol allows 123
	maxConsoleR = 1 << 20          // bytes of a frame into a console: a pasted file
)

// sockets counts the open WebSockets and ends them when the server stops.
type sockets struct {
	mu      sync.Mutex
	perUser int // 0: no limit
	users   map[id.User]int
	waiting map[string]int // by address: those that have not signed in yet
	open    map[*websocket.Conn]context.CancelFunc
	closed  bool
}

func newSockets(perUser int) *sockets {
	return &sockets{perUser: perUser, users: map[id.User]int{}, waiting: map[string]int{}, open: map[*websocket.Conn]context.CancelFunc{}}
}

// enter lets a connection in; stop ends what serves it.
func (s *sockets) enter(c *websocket.Conn, stop context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= maxSockets {
		return false
	}
	s.open[c] = stop
	return true
}

func (s *sockets) leave(c *websocket.Conn) { s.mu.Lock(); defer s.mu.Unlock(); delete(s.open, c) }

// wait takes one of the places that an address has for connections that have not signed in yet; the connection gives it back when it has,
// or ends.
func (s *sockets) wait(address string) (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[address] >= maxWaiting {
		return nil, false
	}
	s.waiting[address]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waiting[address]--; s.waiting[address] <= 0 {
			delete(s.waiting, address)
		}
	}), true
}

// seat takes one of the user's places.
func (s *sockets) seat(u id.User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perUser > 0 && s.users[u] >= s.perUser {
		return false
	}
	s.users[u]++
	return true
}

func (s *sockets) unseat(u id.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[u]--; s.users[u] <= 0 {
		delete(s.users, u)
	}
}

func (s *sockets) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, stop := range s.open {
		stop()
	}
}

func (a *API) addSockets() {
	a.raw(anyone, "GET /ws/events/v1", true, a.events)     // signs in by its first message
	a.raw(anyone, "GET /ws/console/{vm}", true, a.console) // signs in by its ticket
}

// socket is a WebSocket that was let in. signedIn and done must be called, done at the end.
type socket struct {
	*websocket.Conn
	signedIn func() // gives back the address's place for those who have not
	done     func()
}

// accept upgrades a request of a page that may call, and of what is no browser. Browsers send an Origin with every WebSocket and no page can
// leave it out; what sends none is a program, and has no cookie or session of somebody else's: neither socket looks at cookies, so
// that a page of another site could only connect as nobody. The context ends with the connection's handler, or when the server
// stops.
func (a *API) accept(w http.ResponseWriter, r *http.Request, protocol string) (s *socket, ctx context.Context, err error) {
	if o := r.Header.Get("Origin"); o != "" && !a.allowed(o, r) {
		return nil, nil, fault.New(fault.Forbidden, "origin_refused", "pages of %.100s may not connect here; add the origin to NOVACRON_ALLOWED_ORIGINS if they shall", o)
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		p := status(r, http.StatusUpgradeRequired, "upgrade_required", "this path speaks WebSocket only")
		w.Header().Set("Upgrade", "websocket")
		return nil, nil, p
	}
	signedIn, ok := a.sockets.wait(rate.Key(of(r.Context()).address))
	if !ok {
		return nil, nil, fault.New(fault.RateLimited, "too_many_sockets", "%d connections from your address have not signed in yet; let them, or close them", maxWaiting).After(authTime)
	}
	opts := &websocket.AcceptOptions{InsecureSkipVerify: true} // the origin was checked above, against our own list
	if protocol != "" {
		opts.Subprotocols = []string{protocol}
	}
	c, err := websocket.Accept(w, r, opts)
	if err != nil {
		signedIn()
		return nil, nil, nil // Accept has answered
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(r.Context()))
	if !a.sockets.enter(c, stop) {
		stop()
		signedIn()
		closeWith(c, websocket.StatusTryAgainLater, "the server has no room for another connection; try again later")
		return nil, nil, nil
	}
	return &socket{c, signedIn, func() { stop(); signedIn(); a.sockets.leave(c); c.CloseNow() }}, ctx, nil
}

// beyond is ctx without its end, but with a time of its own. A context that ends in the middle of a frame breaks the connection
// off, and then nobody can be told why; so frames end by time, and reads by the connection's close.
func beyond(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

// closeWith says why a connection ends. A peer that does not answer is cut off.
func closeWith(c *websocket.Conn, code websocket.StatusCode, reason string) {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	c.Close(code, reason) // the connection is over either way
}

// closeFor ends a connection with what an error means to its peer.
func closeFor(c *websocket.Conn, err error) {
	code := websocket.StatusInternalError
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == "cursor_too_old" {
		closeWith(c, wire.CloseTooOld, f.Message)
		return
	}
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		code = wire.CloseSignedOut
	case fault.Precondition:
		code = wire.CloseTooOld
	case fault.Unavailable:
		code = websocket.StatusTryAgainLater
	case fault.Invalid, fault.Unsupported, fault.NotFound, fault.Forbidden, fault.Conflict:
		code = websocket.StatusPolicyViolation
	case fault.RateLimited:
		code = wire.CloseTooMany
	}
	closeWith(c, code, fault.Sentence(err))
}
