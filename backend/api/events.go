package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// maxTopics bounds the topics of one stream.
const maxTopics = 32

// checkTopics refuses what is not a type of events ("vm.state") or a prefix with a star ("vm.*").
func checkTopics(topics []string) error {
	if len(topics) > maxTopics {
		return fault.New(fault.Invalid, "topics_invalid", "at most %d topics can be asked for", maxTopics).On("topics")
	}
	for _, t := range topics {
		rest := strings.TrimSuffix(t, "*")
		if t == "" || len(t) > 64 || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || t != rest && rest != "" && !strings.HasSuffix(rest, ".") {
			return fault.New(fault.Invalid, "topics_invalid", "a topic is a type of events like vm.state, or a prefix like vm.*; got %.64q", t).On("topics")
		}
	}
	return nil
}

// stream is one subscriber of events.
type stream struct {
	api    *API
	conn   *websocket.Conn
	access app.Access
	tenant string          // that the first message chose
	renew  chan app.Access // the newest of the later auth messages
}

// events serves /ws/events/v1: an auth message, ready, the events behind the cursor, then what happens.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	conn, ctx, err := a.accept(w, r, "")
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	if conn == nil {
		return
	}
	defer conn.done()
	conn.SetReadLimit(maxAuth)
	s := &stream{api: a, conn: conn.Conn, renew: make(chan app.Access, 1)}
	first, err := s.hello(ctx, r)
	if err != nil {
		return // hello has closed it
	}
	conn.signedIn()
	of(ctx).caller = s.access.Caller.String()
	if !a.sockets.seat(s.access.Caller.User) {
		closeWith(conn.Conn, wire.CloseTooMany, fmt.Sprintf("one user may have %d connections; close another one", a.Limits.WS))
		return
	}
	defer a.sockets.unseat(s.access.Caller.User)
	if err := s.run(ctx, first); err != nil && ctx.Err() == nil {
		note(ctx, err)
		closeFor(conn.Conn, err)
		return
	}
	closeWith(conn.Conn, websocket.StatusGoingAway, "the server stops; connect again in a moment")
}

// hello waits for the first message and finds out who it is.
func (s *stream) hello(ctx context.Context, r *http.Request) (m wire.EventsAuth, err error) {
	late := time.AfterFunc(authTime, func() { closeWith(s.conn, wire.CloseNoAuth, "no auth message came within 5 seconds") })
	defer late.Stop()
	_, raw, err := s.conn.Read(ctx)
	if err != nil {
		return m, err
	}
	late.Stop()
	if m, err = s.message(raw); err == nil {
		if m.Type != "auth" {
			err = fault.New(fault.Unauthenticated, "token_missing", "the first message must be auth with a token")
		} else {
			s.tenant = m.Tenant
			s.access, err = s.api.Accounts.Authenticate(ctx, m.Token, wish(ctx, m.Tenant))
		}
	}
	if err == nil {
		err = checkTopics(m.Topics)
	}
	if err != nil {
		closeFor(s.conn, err)
	}
	return m, err
}

func (s *stream) message(raw []byte) (m wire.EventsAuth, err error) {
	if json.Unmarshal(raw, &m) != nil {
		return m, fault.New(fault.Invalid, "message_malformed", "a message is a JSON object with a type")
	}
	return m, nil
}

// run delivers events until something ends the stream.
func (s *stream) run(ctx context.Context, first wire.EventsAuth) error {
	sub, err := s.api.App.Subscribe(ctx, s.access.Caller, first.Since, first.Topics)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := s.send(ctx, wire.EventsReady{Type: "ready", Cursor: sub.Cursor()}); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { stop(s.listen(ctx)) }()
	go func() { stop(s.guard(ctx)) }()
	for {
		e, err := sub.Next(ctx)
		if err == nil {
			err = s.send(ctx, e)
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
}

// send gives the peer frameTime to take a frame. A slower one is told to come back with its cursor.
func (s *stream) send(ctx context.Context, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("event: %w", err)
	}
	limit, cancel := beyond(ctx, frameTime)
	defer cancel()
	err = s.conn.Write(limit, websocket.MessageText, raw)
	if err != nil && limit.Err() != nil {
		return fault.Wrap(err, fault.Precondition, "too_slow", "the events were not read fast enough; connect again with the last cursor")
	}
	return err
}

// listen reads what the peer says: renewals, and pongs that need no answer. It ends with the connection.
func (s *stream) listen(ctx context.Context) error {
	for {
		_, raw, err := s.conn.Read(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		m, err := s.message(raw)
		if err != nil {
			return err
		}
		if m.Type != "auth" {
			continue
		}
		next, err := s.api.Accounts.Authenticate(ctx, m.Token, wish(ctx, s.tenant))
		if err != nil {
			return err
		}
		if next.Caller.User != s.access.Caller.User {
			return fault.New(fault.Unauthenticated, "token_invalid", "a renewal must be of the same account; open another connection")
		}
		if !auth.SameRights(next.Caller, s.access.Caller) {
			return fault.New(fault.Unauthenticated, "rights_changed", "this token may do other things than the one that the stream was opened with; connect again")
		}
		s.renewed(next)
	}
}

// renewed hands a renewal to guard and does not wait for it: guard may be waiting for a pong, which only listen can read.
func (s *stream) renewed(next app.Access) {
	select {
	case <-s.renew: // outdated by this one
	default:
	}
	s.renew <- next // there is room: nobody else writes
}

// guard pings, and ends the stream with its token or its session.
func (s *stream) guard(ctx context.Context) error {
	pings := time.NewTicker(pingEvery)
	defer pings.Stop()
	token := s.access
	life := s.api.lives.watch(token.Caller)
	defer life.end()
	for {
		left := time.NewTimer(token.Expires.Sub(s.api.Now()))
		select {
		case <-ctx.Done():
			left.Stop()
			return ctx.Err()
		case token = <-s.renew:
			left.Stop()
			life.become(token.Caller)
		case <-left.C:
			return fault.New(fault.Unauthenticated, "token_expired", "the access token has expired; send another auth message in time")
		case err := <-life.Ended:
			left.Stop()
			return err
		case <-pings.C:
			left.Stop()
			if err := s.ping(ctx); err != nil {
				return err
			}
		}
	}
}

// ping asks the peer for an answer, in both ways that peers know.
func (s *stream) ping(ctx context.Context) error {
	if err := s.send(ctx, map[string]string{"type": "ping"}); err != nil {
		return err
	}
	return ping(ctx, s.conn)
}

func ping(ctx context.Context, c *websocket.Conn) error {
	limit, cancel := beyond(ctx, pongTime)
	defer cancel()
	if err := c.Ping(limit); err != nil {
		return errors.Join(errGone, err)
	}
	return nil
}

var errGone = errors.New("the peer does not answer")
