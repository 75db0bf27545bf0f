package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent/remote"
	"novacron/backend/core/wire"
)

// world is servers, machines that run guests, and people who ask.
type world struct {
	t        *testing.T
	cables   *cables
	hosts    []*host
	machines []*machine
	http     *http.Client
	token    string // of the administrator
	began    time.Time
	witness  *witness

	ctx    context.Context // ends the people's patience
	leave  context.CancelFunc
	people sync.WaitGroup

	mu      sync.Mutex
	trace   []string
	answers []answer
	faults  []string // of the world: what must never be
	passed  int      // connections from server to server
}

func newWorld(t *testing.T, servers, nodes int) *world {
	w := &world{t: t, cables: newCables(), began: time.Now()}
	w.ctx, w.leave = context.WithCancel(context.Background())
	transport := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		to, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return w.cables.dial(ctx, "people", to, "api")
	}, MaxIdleConnsPerHost: 16}
	w.http = &http.Client{Transport: transport}
	t.Cleanup(w.close)
	dir := memoryDir(t)
	for i := range servers {
		w.hosts = append(w.hosts, newHost(w, fmt.Sprintf("s%d", i+1), dir))
	}
	w.hosts[0].start()
	w.witness = newWitness(w, filepath.Join(dir, "novacron.db"))
	w.signIn()
	for _, h := range w.hosts[1:] {
		h.start()
	}
	for i := range nodes {
		m := newMachine(w, i, dir)
		var k wire.JoinToken
		w.ask("POST", "/api/v1/nodes/join-tokens", nil, &k)
		m.join(k.Token)
		w.machines = append(w.machines, m)
		m.start()
	}
	return w
}

// signIn makes the administrator and a token that does not end.
func (w *world) signIn() {
	link, err := w.hosts[0].life.srv.SetupLink(context.Background())
	w.must(err)
	var in wire.LoginAnswer
	w.ask("POST", "/api/auth/setup", wire.Setup{Token: link.Token, Username: "ana", Email: "ana@example.org", Password: "a long enough passphrase"}, &in)
	w.token = in.AccessToken
	var k wire.Token
	w.ask("POST", "/api/v1/tokens", wire.CreateToken{Name: "sim"}, &k)
	w.token = k.Secret
}

// ask makes a call that must succeed.
func (w *world) ask(method, path string, body, into any) {
	w.t.Helper()
	status, raw, err := w.call(context.Background(), "s1", method, path, "", body)
	if err != nil || status >= 300 {
		w.t.Fatalf("%s %s: %d %v %s", method, path, status, err, raw)
	}
	if into != nil {
		w.must(json.Unmarshal(raw, into))
	}
}

// call makes one call to a server.
func (w *world) call(ctx context.Context, server, method, path, key string, body any) (status int, answer []byte, err error) {
	raw := []byte(nil)
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://"+server+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Authorization", "Bearer "+w.token)
	if w.token == "" {
		q.Header.Del("Authorization")
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		q.Header.Set("Idempotency-Key", key)
	}
	resp, err := w.http.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// note adds a line to the trace.
func (w *world) note(who, format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%8.3fs %-6s ", time.Since(w.began).Seconds(), who)+fmt.Sprintf(format, a...))
}

// log takes the warnings of a part into the trace.
func (w *world) log(who string) *slog.Logger {
	if os.Getenv("NOVACRON_SIM_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(noting{w, who}, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

type noting struct {
	w   *world
	who string
}

func (n noting) Write(b []byte) (int, error) {
	n.w.note(n.who, "%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

// broken notes that something is as it must never be.
func (w *world) broken(format string, a ...any) {
	what := fmt.Sprintf(format, a...)
	w.note("BROKEN", "%s", what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, what)
}

func (w *world) sabotage(_ *machine, a remote.LocalAPI) remote.LocalAPI { return a }

// close ends everything in order.
func (w *world) close() {
	w.leave()
	w.cables.mendAll()
	w.people.Wait()
	for _, m := range w.machines {
		m.stop()
	}
	for _, h := range w.hosts {
		h.stop()
	}
	for _, h := range w.hosts {
		if h.gone != nil {
			<-h.gone
		}
	}
	for _, m := range w.machines {
		if m.gone != nil {
			<-m.gone
		}
	}
	w.witness.close()
	w.http.CloseIdleConnections()
	w.cables.remove()
	time.Sleep(3 * time.Second) // whoever follows events looks once more, and finds that nobody waits
}
