package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"novacron/backend/api"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// dial opens a WebSocket on the WebSocket port.
func (w *world) dial(path string, headers http.Header, protocols ...string) *websocket.Conn {
	w.t.Helper()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.ws.URL, "http")+path, &websocket.DialOptions{HTTPHeader: headers, Subprotocols: protocols})
	w.must(err)
	w.t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(1 << 20)
	return c
}

// closes reads until the connection ends and fails unless it ends with the code.
func closes(t testing.TB, what string, c *websocket.Conn, code websocket.StatusCode) {
	t.Helper()
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		if _, _, err := c.Read(limit); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				t.Errorf("%s: closed with %d (%v), want %d", what, got, err, code)
			}
			return
		}
	}
}

func hello(t testing.TB, c *websocket.Conn, m wire.EventsAuth) wire.EventsReady {
	t.Helper()
	m.Type = "auth"
	if err := wsjson.Write(ctx, c, m); err != nil {
		t.Fatal(err)
	}
	var ready wire.EventsReady
	if err := wsjson.Read(ctx, c, &ready); err != nil || ready.Type != "ready" || ready.Cursor == "" {
		t.Fatalf("got %+v, %v; want ready with a cursor", ready, err)
	}
	return ready
}

func TestEvents_tellWhatHappensAndNothingTwice(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	start, err := c.History(ctx, "", nil, 1000)
	w.must(err)
	live, err := c.Events(ctx, "", []string{"vm.*", "operation.*"})
	w.must(err)
	defer live.Close()
	w.vm(c, "web-1")
	var told []string
	for {
		e, err := live.Next(ctx)
		w.must(err)
		if e.ID == "" {
			continue // progress
		}
		told = append(told, e.ID)
		if e.Type == "vm.state" && strings.Contains(string(e.Data), `"status":"running"`) {
			break
		}
	}
	// The history behind the same cursor is the same story, read in one piece.
	history, err := c.History(ctx, start.NextCursor, []string{"vm.*", "operation.*"}, 1000)
	w.must(err)
	if len(history.Items) < len(told) {
		t.Fatalf("live told %d events, the history has %d", len(told), len(history.Items))
	}
	for i, e := range history.Items[:len(told)] {
		if e.ID != told[i] {
			t.Fatalf("event %d: live %s, history %s", i, told[i], e.ID)
		}
	}
}

func TestEvents_resumeAcrossARestartWithoutGapOrDuplicate(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	all, err := c.History(ctx, "", nil, 1000)
	w.must(err)
	half := all.Items[len(all.Items)/2].ID
	w.restart()
	c = w.admin()
	live, err := c.Events(ctx, half, nil)
	w.must(err)
	defer live.Close()
	w.vm(c, "web-2")
	recent, err := c.Recent(ctx, nil, 3)
	w.must(err)
	if len(recent.Items) != 3 || recent.Items[0].Time.Before(all.Items[len(all.Items)-3].Time) {
		t.Fatalf("the newest three are %v", recent.Items)
	}
	behind, err := c.History(ctx, recent.Items[0].ID, nil, 2)
	w.must(err)
	if behind.Items[0].ID != recent.Items[1].ID || behind.Items[1].ID != recent.Items[2].ID {
		t.Errorf("behind the first of the newest three come %v, not %v", behind.Items, recent.Items[1:])
	}
	end, err := c.History(ctx, half, nil, 1000)
	w.must(err)
	for i, want := range end.Items {
		e, err := live.Next(ctx)
		for err == nil && e.ID == "" {
			e, err = live.Next(ctx)
		}
		if err != nil || e.ID != want.ID {
			t.Fatalf("event %d: got %s %s, %v; want %s %s", i, e.ID, e.Type, err, want.ID, want.Type)
		}
	}
}

func TestEvents_closeWithTheirReason(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	good := c.Tokens().Access
	say := func(m any) *websocket.Conn {
		conn := w.dial("/ws/events/v1", nil)
		w.must(wsjson.Write(ctx, conn, m))
		return conn
	}
	closes(t, "a wrong token", say(wire.EventsAuth{Type: "auth", Token: "x"}), 4401)
	closes(t, "no token", say(map[string]string{"type": "auth"}), 4401)
	closes(t, "another first message", say(map[string]string{"type": "hello"}), 4401)
	closes(t, "no JSON", say([]int{1}), websocket.StatusPolicyViolation)
	closes(t, "topics that are none", say(wire.EventsAuth{Type: "auth", Token: good, Topics: []string{"'"}}), websocket.StatusPolicyViolation)
	closes(t, "a cursor that is none", say(wire.EventsAuth{Type: "auth", Token: good, Since: "garbage"}), websocket.StatusPolicyViolation)
	silent := w.dial("/ws/events/v1", nil)
	closes(t, "no message in time", silent, 4408)
	renewing := w.dial("/ws/events/v1", nil)
	hello(t, renewing, wire.EventsAuth{Token: good})
	w.must(wsjson.Write(ctx, renewing, wire.EventsAuth{Type: "auth", Token: w.as("ada", auth.Administrator).Tokens().Access}))
	closes(t, "a renewal by somebody else", renewing, 4401)
}

// Whoever is signed out elsewhere sees it at once, and types into no console any more.
func TestSockets_endWithTheirSession(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	stream := w.dial("/ws/events/v1", nil)
	hello(t, stream, wire.EventsAuth{Token: c.Tokens().Access})
	var ticket wire.ConsoleTicket
	w.must(json.Unmarshal([]byte(w.ask("POST", "/api/v1/vms/web-1/console", `{}`, token(c)...).text), &ticket))
	console := w.dial(ticket.Path, nil, ticket.Subprotocol)
	w.must(c.Logout(ctx))
	began := time.Now()
	closes(t, "events", stream, 4401)
	closes(t, "the console", console, 4401)
	if took := time.Since(began); took > 10*time.Second { // at once, on a machine that is not busy
		t.Errorf("the streams lived on for %s", took)
	}
}

func TestEvents_tooOldACursorIsSaid(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	all, err := c.History(ctx, "", nil, 1)
	w.must(err)
	w.trimEvents()
	conn := w.dial("/ws/events/v1", nil)
	w.must(wsjson.Write(ctx, conn, wire.EventsAuth{Type: "auth", Token: c.Tokens().Access, Since: all.Items[0].ID}))
	closes(t, "a cursor into what was trimmed", conn, 4410)
	_, err = c.Events(ctx, all.Items[0].ID, nil)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "cursor_too_old" {
		t.Errorf("the client says %v", err)
	}
}

func TestEvents_ofOtherTenantsAreNotTold(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	stranger := w.stranger()
	live := w.dial("/ws/events/v1", nil)
	hello(t, live, wire.EventsAuth{Token: stranger})
	w.vm(c, "web-1")
	history := w.ask("GET", "/api/v1/events", "", "Authorization", "Bearer "+stranger)
	if strings.Contains(history.text, "web-1") {
		t.Errorf("the history tells %s", history.text)
	}
	limit, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, raw, err := live.Read(limit); err == nil && !strings.Contains(string(raw), `"ping"`) {
		t.Errorf("the stream tells %s", raw)
	}
	w.ask("GET", "/api/v1/vms/web-1", "", "Authorization", "Bearer "+stranger).wants(t, "the VM itself", http.StatusNotFound, "")
}

func TestSockets_areLimitedPerUser(t *testing.T) {
	w := newWorld(t, api.Limits{WS: 2}, nil)
	token := w.admin().Tokens().Access
	for range 2 {
		hello(t, w.dial("/ws/events/v1", nil), wire.EventsAuth{Token: token})
	}
	third := w.dial("/ws/events/v1", nil)
	w.must(wsjson.Write(ctx, third, wire.EventsAuth{Type: "auth", Token: token}))
	closes(t, "one too many", third, 4429)
	other := w.as("ada", auth.Administrator).Tokens().Access
	hello(t, w.dial("/ws/events/v1", nil), wire.EventsAuth{Token: other})
}

func TestSockets_refusePagesOfOtherOrigins(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	for origin, want := range map[string]int{"https://evil.example": 403, "null": 403, "http://localhost:8092": 101} {
		_, res, err := websocket.Dial(ctx, w.ws.URL+"/ws/events/v1", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if res == nil || res.StatusCode != want {
			t.Errorf("origin %s: got %v, %v; want %d", origin, res, err, want)
		}
	}
	w.ask("GET", "/ws/events/v1", "").wants(t, "plain HTTP", http.StatusUpgradeRequired, "upgrade_required")
}

// reads waits until the console has said the text.
func reads(t testing.TB, c io.Reader, text string) {
	t.Helper()
	done := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		buf := make([]byte, 4096)
		for !strings.Contains(all.String(), text) {
			n, err := c.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				break
			}
		}
		done <- all.String()
	}()
	select {
	case got := <-done:
		if !strings.Contains(got, text) {
			t.Fatalf("the console said %q and ended, want %q", got, text)
		}
	case <-time.After(wait):
		t.Fatalf("the console never said %q", text)
	}
}

func TestConsole_carriesBytesBothWays(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	console, err := c.OpenConsole(ctx, "web-1", wire.ConsoleWish{})
	w.must(err)
	defer console.Close()
	_, err = console.Write([]byte("echo hello-from-here\r"))
	w.must(err)
	reads(t, console, "hello-from-here\r\nhello-from-here")
}

func TestConsole_isTypedIntoByOneUntilItIsTaken(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, ada := w.admin(), w.as("ada", auth.Administrator)
	w.vm(grace, "web-1")
	first, err := grace.OpenConsole(ctx, "web-1", wire.ConsoleWish{})
	w.must(err)
	defer first.Close()
	_, err = ada.OpenConsole(ctx, "web-1", wire.ConsoleWish{Mode: "ask"})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "console_in_use" || !strings.Contains(f.Message, "grace") {
		t.Fatalf("asking: got %v, want console_in_use that names who types", err)
	}
	watcher, err := ada.OpenConsole(ctx, "web-1", wire.ConsoleWish{Mode: "watch"})
	w.must(err)
	defer watcher.Close()
	_, err = watcher.Write([]byte("echo from-the-watcher\r"))
	w.must(err)
	_, err = first.Write([]byte("echo from-the-first\r"))
	w.must(err)
	reads(t, watcher, "from-the-first\r\nfrom-the-first")
	second, err := ada.OpenConsole(ctx, "web-1", wire.ConsoleWish{Mode: "take"})
	w.must(err)
	defer second.Close()
	var end error
	for buf := make([]byte, 4096); end == nil; {
		_, end = first.Read(buf)
	}
	if f, ok := errors.AsType[*fault.Error](end); !ok || f.Code != "console_taken" || !strings.Contains(f.Message, "ada") {
		t.Errorf("the first ends with %v, want console_taken that names who took it", end)
	}
	_, err = second.Write([]byte("echo from-the-second\r"))
	w.must(err)
	reads(t, second, "from-the-second\r\nfrom-the-second")
}

func TestConsole_ticketsAreForOneUseAndOneThing(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	other := w.vm(c, "web-2")
	ticket := func(wish string) wire.ConsoleTicket {
		a := w.ask("POST", "/api/v1/vms/web-1/console", wish, append(token(c), "Idempotency-Key", "same")...)
		a.wants(t, "a ticket", http.StatusOK, "")
		var out wire.ConsoleTicket
		w.must(json.Unmarshal([]byte(a.text), &out))
		return out
	}
	used := ticket(`{}`)
	if strings.Contains(used.Path, used.Ticket) {
		t.Error("the ticket stands in the address")
	}
	open := w.dial(used.Path, nil, used.Subprotocol)
	if _, _, err := open.Read(ctx); err != nil || open.Subprotocol() != used.Subprotocol {
		t.Fatalf("got %v, subprotocol %q", err, open.Subprotocol())
	}
	closes(t, "used", w.dial(used.Path, nil, used.Subprotocol), 4401)
	closes(t, "none", w.dial(used.Path, nil), 4401)
	closes(t, "made up", w.dial(used.Path, nil, wire.TicketProtocol+"made-up"), 4401)
	closes(t, "for another VM", w.dial("/ws/console/"+string(other.ID), nil, ticket(`{}`).Subprotocol), 4401)
	closes(t, "for another kind", w.dial("/ws/console/web-1?kind=vnc", nil, ticket(`{}`).Subprotocol), 4401)
	closes(t, "a keyboard out of a watcher's", w.dial("/ws/console/web-1?mode=take", nil, ticket(`{"mode":"watch"}`).Subprotocol), 4401)
	closes(t, "in use", w.dial("/ws/console/web-1?mode=ask", nil, ticket(`{"mode":"take"}`).Subprotocol), 4409)
}

func TestConsole_endsWithItsVM(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	console, err := c.OpenConsole(ctx, "web-1", wire.ConsoleWish{})
	w.must(err)
	defer console.Close()
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, console); ended <- err }()
	_, err = c.StopVM(ctx, "web-1", wire.StopVM{Force: true}, wait)
	w.must(err)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v, want an orderly end", err)
		}
	case <-time.After(wait):
		t.Error("the console outlived its VM")
	}
}

func TestUpload_goesOnWhereTheLineBroke(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	content := []byte("disk" + strings.Repeat("x", 100_000))
	img, err := c.CreateImage(ctx, wire.CreateImage{Name: "mine", Bytes: int64(len(content))}, 0)
	w.must(err)
	part := w.ask("PATCH", "/api/v1/images/mine/data", string(content[:1000]), append(token(c), "Upload-Offset", "0")...)
	part.wants(t, "a first part", http.StatusOK, "")
	if got := part.Header.Get("Upload-Offset"); got != "1000" {
		t.Errorf("got offset %s, want 1000", got)
	}
	w.ask("PATCH", "/api/v1/images/mine/data", "again", append(token(c), "Upload-Offset", "0")...).wants(t, "the same part again", http.StatusConflict, "upload_offset")
	w.ask("PATCH", "/api/v1/images/mine/data", "x", token(c)...).wants(t, "no offset", http.StatusUnprocessableEntity, "upload_offset_missing")
	w.restart()
	c = w.admin()
	out, err := c.UploadImage(ctx, "mine", bytes.NewReader(content), int64(len(content)), nil)
	if err != nil || out.Operation == nil {
		t.Fatalf("got %+v, %v; want the import's operation", out, err)
	}
	if end, err := c.WaitOperation(ctx, out.Operation.ID, nil); err != nil || !end.Succeeded() {
		t.Fatalf("got %+v, %v", end, err)
	}
	if got, err := c.Image(ctx, string(img.ID)); err != nil || got.State != "ready" || got.Bytes != int64(len(content)) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAdmin_servesTheLocalSocket(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	w.must(err)
	down := make(chan bool, 1)
	srv := w.api.Admin(api.AdminDeps{Status: func(context.Context) wire.ServerStatus { return wire.ServerStatus{Version: "test"} }, Down: func(guests bool) { down <- guests }})
	go srv.Serve(ln)
	defer srv.Close()
	a := client.NewAdmin(path)
	if s, err := a.Status(ctx); err != nil || s.Version != "test" {
		t.Errorf("status: got %+v, %v", s, err)
	}
	if _, err := a.CreateUser(ctx, wire.CreateUser{Username: "grace", Email: "grace@example.org", Password: "short"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a bad password: got %v", err)
	}
	if link, err := a.SetupLink(ctx); err != nil || link.Token == "" {
		t.Errorf("link: got %+v, %v", link, err)
	}
	u, err := a.CreateUser(ctx, wire.CreateUser{Username: "grace", Email: "grace@example.org", Password: password, Role: auth.Administrator})
	if err != nil || u.Username != "grace" {
		t.Fatalf("got %+v, %v", u, err)
	}
	if _, err := a.SetupLink(ctx); !fault.Is(err, fault.Conflict) {
		t.Errorf("a link where there is an administrator: got %v", err)
	}
	grace, ada := w.admin(), w.as("ada", auth.Viewer)
	w.must(a.EndSessions(ctx))
	for _, c := range []*client.Client{grace, ada} {
		w.ask("GET", "/api/auth/me", "", token(c)...).wants(t, "a session after all were ended", http.StatusUnauthorized, "")
		w.ask("POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, c.Tokens().Refresh)).wants(t, "its refresh token", http.StatusUnauthorized, "")
	}
	w.ask("GET", "/api/auth/me", "", token(w.admin())...).wants(t, "a new sign-in", http.StatusOK, "")
	w.must(a.Down(ctx, true))
	if !<-down {
		t.Error("the order to end the guests too got lost")
	}
	if _, err := client.NewAdmin(path + ".none").Status(ctx); err == nil || !strings.Contains(err.Error(), "novacron up") {
		t.Errorf("no server: got %v, want the way out", err)
	}
}

func TestAdmin_refusesWhatIsNoUnixSocket(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	srv := w.api.Admin(api.AdminDeps{})
	go srv.Serve(ln)
	defer srv.Close()
	res, err := http.Post(fmt.Sprintf("http://%s/setup-link", ln.Addr()), "", nil)
	w.must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("got %s, want 403", res.Status)
	}
}

func TestSockets_thatHaveNotSignedInAreBoundedPerAddress(t *testing.T) {
	w := newWorld(t, unlimited, func(d *api.Deps) { d.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	c := w.admin()
	from := func(address string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.ws.URL, "http")+"/ws/events/v1", &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {address}}})
	}
	open := make([]*websocket.Conn, 32)
	for i := range open {
		var err error
		open[i], _, err = from("2001:db8::" + fmt.Sprint(i+1)) // one customer's /64
		w.must(err)
		t.Cleanup(func() { open[i].CloseNow() })
	}
	_, res, err := from("2001:db8::ffff")
	if err == nil || res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Fatalf("one more of the same address: got %v", res)
	}
	elsewhere, _, err := from("203.0.113.1")
	w.must(err)
	elsewhere.CloseNow()
	hello(t, open[0], wire.EventsAuth{Token: c.Tokens().Access}) // signed in: it does not count any more
	again, _, err := from("2001:db8::ffff")
	if err != nil {
		t.Fatalf("after one signed in: %v", err)
	}
	again.CloseNow()
}
