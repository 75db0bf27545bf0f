package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// How somebody sits at a console.
const (
	modeAsk   = "ask"   // type, if nobody does
	modeWatch = "watch" // see only
	modeTake  = "take"  // type, and send away who does
)

// consoleBuffer is how much of a stream is carried at once.
const consoleBuffer = 32 << 10

// console serves /ws/console/{vm}: the ticket opens it, binary frames are the stream's bytes, text frames say who is there.
func (a *API) console(w http.ResponseWriter, r *http.Request) {
	protocol, ticket := offered(r)
	conn, ctx, err := a.accept(w, r, protocol)
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	if conn == nil {
		return
	}
	defer conn.done()
	conn.SetReadLimit(maxConsoleR)
	grant, err := a.redeem(ctx, r, ticket)
	if err != nil {
		note(ctx, err)
		closeFor(conn.Conn, err)
		return
	}
	conn.signedIn()
	of(ctx).caller = grant.Caller.String()
	if !a.sockets.seat(grant.Caller.User) {
		closeWith(conn.Conn, wire.CloseTooMany, "you have too many connections open; close another one")
		return
	}
	defer a.sockets.unseat(grant.Caller.User)
	a.converse(ctx, conn.Conn, grant)
}

// offered finds the ticket among the subprotocols.
func offered(r *http.Request) (protocol, ticket string) {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for _, p := range strings.Split(line, ",") {
			if t, ok := strings.CutPrefix(strings.TrimSpace(p), wire.TicketProtocol); ok && t != "" && len(t) <= 128 {
				return strings.TrimSpace(p), t
			}
		}
	}
	return "", ""
}

// redeem spends the ticket and holds it against what the address asks for.
func (a *API) redeem(ctx context.Context, r *http.Request, ticket string) (g app.Console, err error) {
	if ticket == "" {
		return g, fault.New(fault.Unauthenticated, "ticket_missing", "get a ticket with POST /api/v1/vms/{id}/console and offer it as subprotocol %sTICKET", wire.TicketProtocol)
	}
	if g, err = a.App.RedeemConsoleTicket(ctx, ticket); err != nil {
		return g, err
	}
	if vm := r.PathValue("vm"); vm != string(g.VM) {
		v, err := a.App.VM(ctx, g.Caller, vm)
		if err != nil || v.ID != g.VM {
			return g, fault.New(fault.Unauthenticated, "ticket_invalid", "this ticket is for another VM")
		}
	}
	q := r.URL.Query()
	if kind := q.Get("kind"); kind != "" && kind != g.Kind {
		return g, fault.New(fault.Unauthenticated, "ticket_invalid", "this ticket is for a console of another kind")
	}
	if mode := q.Get("mode"); mode != "" {
		if g.Mode == modeWatch && mode != modeWatch {
			// Whoever may only read the VM gets tickets to watch, and no address turns one into a keyboard.
			return g, fault.New(fault.Unauthenticated, "ticket_invalid", "this ticket is for watching only")
		}
		g.Mode = mode
	}
	switch g.Mode {
	case "":
		g.Mode = modeAsk
	case modeAsk, modeWatch, modeTake:
	default:
		return g, fault.New(fault.Invalid, "mode_invalid", "mode is ask, watch or take")
	}
	return g, nil
}

// converse carries bytes both ways until one side ends or somebody takes the console.
func (a *API) converse(ctx context.Context, conn *websocket.Conn, g app.Console) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	seat, key := newSeat(g.Caller.String(), g.Mode == modeWatch, stop), string(g.VM)+"/"+g.Kind
	if g.Kind != "tcp" {
		d, err := a.desks.sit(key, seat, g.Mode == modeTake)
		if err != nil {
			closeWith(conn, wire.CloseInUse, fault.Sentence(err))
			return
		}
		defer d.leave(seat)
	}
	guest, err := a.App.OpenConsole(ctx, g)
	if err != nil {
		note(ctx, err)
		closeFor(conn, err)
		return
	}
	defer guest.Close()
	send := func(s wire.ConsoleState) { sendState(ctx, conn, s) }
	send(a.desks.state(key, seat)) // the first word on every console, also on those that nobody else sits at
	go a.desks.follow(ctx, key, seat, send)
	closed := context.AfterFunc(ctx, func() { guest.Close() }) // ends a read that waits for the guest
	defer closed()
	go func() { stop(toPeer(ctx, conn, guest)) }()
	go func() { stop(a.attend(ctx, conn, g)) }()
	var in io.Writer = guest
	if seat.watching {
		in = watcher(g.Kind, guest)
	}
	go func() { stop(toGuest(ctx, conn, in)) }()
	<-ctx.Done()
	finish(conn, context.Cause(ctx)) // ends all three: the peer's half and the guest's are closed
}

// finish says why it ended.
func finish(conn *websocket.Conn, cause error) {
	switch {
	case errors.Is(cause, errTaken):
		closeWith(conn, wire.CloseTaken, fault.Sentence(cause))
	case errors.Is(cause, io.EOF):
		closeWith(conn, websocket.StatusNormalClosure, "the console ended: the VM has stopped or closed it")
	case websocket.CloseStatus(cause) != -1:
		conn.CloseNow() // the peer left
	case errors.Is(cause, context.Canceled):
		closeWith(conn, websocket.StatusGoingAway, "the server stops; connect again in a moment")
	default:
		closeFor(conn, cause)
	}
}

func toPeer(ctx context.Context, conn *websocket.Conn, guest io.Reader) error {
	buf := make([]byte, consoleBuffer)
	for {
		n, err := guest.Read(buf)
		if n > 0 {
			if err := frame(ctx, conn, buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return io.EOF
		}
	}
}

func frame(ctx context.Context, conn *websocket.Conn, p []byte) error {
	limit, cancel := beyond(ctx, frameTime)
	defer cancel()
	err := conn.Write(limit, websocket.MessageBinary, p)
	if err != nil && limit.Err() != nil {
		return fault.Wrap(err, fault.Unavailable, "too_slow", "the console was not read fast enough; connect again")
	}
	return err
}

// toGuest hands binary frames on. Text frames are control: a serial line has no size to set, so there is nothing to do yet.
func toGuest(ctx context.Context, conn *websocket.Conn, guest io.Writer) error {
	for {
		kind, p, err := conn.Read(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		if kind != websocket.MessageBinary {
			continue
		}
		if _, err := guest.Write(p); err != nil {
			return io.EOF
		}
	}
}

// attend ends a console with its session, and when the peer does not answer.
func (a *API) attend(ctx context.Context, conn *websocket.Conn, g app.Console) error {
	pings := time.NewTicker(pingEvery)
	defer pings.Stop()
	life := a.lives.watch(g.Caller)
	defer life.end()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-life.Ended:
			return err
		case <-pings.C:
			if err := ping(ctx, conn); err != nil {
				return err
			}
		}
	}
}

func sendState(ctx context.Context, conn *websocket.Conn, s wire.ConsoleState) {
	raw, err := json.Marshal(s)
	if err != nil {
		return // strings only: cannot happen
	}
	limit, cancel := beyond(ctx, frameTime)
	defer cancel()
	conn.Write(limit, websocket.MessageText, raw) // a peer that is gone is found by the bytes' own frames
}
