package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/api"
	"novacron/backend/app"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/rate"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/session"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

var ctx = context.Background()

const password = "correct horse battery"

// world is the real server behind HTTP: SQLite, the verbs, the runner, and an agent on a simulated machine.
type world struct {
	t           testing.TB
	dir         string
	machine     *agenttest.World
	agent       *agent.Agent
	db          *store.DB
	sessions    session.Engine
	app         *app.App
	accounts    *app.Accounts
	runner      *op.Runner
	api         *api.API
	rest, ws    *httptest.Server
	limits      api.Limits
	change      func(*api.Deps)
	database    string                 // URL of PostgreSQL; empty: SQLite
	redis       string                 // URL of Redis; empty: a file
	accountDeps func(*app.AccountDeps) // changes what the accounts stand on, from the next start on
	log         *logBuffer
	stop        context.CancelFunc
	feeding     sync.WaitGroup
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }

// unlimited is for tests of something else than limits.
var unlimited = api.Limits{}

func newWorld(t testing.TB, limits api.Limits, change func(*api.Deps)) *world {
	t.Helper()
	return newWorldOn(t, limits, change, "", "")
}

func newWorldOn(t testing.TB, limits api.Limits, change func(*api.Deps), database, redis string) *world {
	t.Helper()
	w := &world{database: database, redis: redis, t: t, dir: t.TempDir(), machine: agenttest.NewWorld(t), limits: limits, change: change, log: &logBuffer{}}
	w.agent = w.machine.Start(nil)
	if database == "" {
		storetest.PutSQLite(t, filepath.Join(w.dir, "db"))
	}
	w.start()
	t.Cleanup(w.halt)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Node and its siblings are app.Nodes: the one machine.
func (w *world) Node(_ context.Context, n id.Node) (agent.API, bool) {
	return w.agent, n == w.machine.Node
}

// files is a catalogue that takes every image.
type files struct{}

func (files) Import(_ context.Context, path string, _ app.ImportOptions, _ func(float64, string)) (app.ImageInfo, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return app.ImageInfo{}, err
	}
	if !strings.HasPrefix(string(raw), "disk") {
		return app.ImageInfo{}, fault.New(fault.Invalid, "image_invalid", "this is no disk image")
	}
	return app.ImageInfo{Digest: fmt.Sprintf("sha256:%064x", len(raw)), Arch: vm.X86_64, Format: "raw", Firmware: vm.BIOS, Bytes: int64(len(raw)), VirtualBytes: 1 << 30}, nil
}

func (files) Find(context.Context, string) (string, error) {
	return "", fault.New(fault.NotFound, "", "nothing was made of these bytes")
}

func (files) Remove(context.Context, string) error { return nil }

var keys = sync.OnceValues(func() (*session.Keys, error) {
	key, err := session.MakeKey()
	if err != nil {
		return nil, err
	}
	return session.NewKeys(key), nil
})

// start opens everything on the world's folder.
func (w *world) start() {
	w.t.Helper()
	var err error
	where := store.Options{Path: filepath.Join(w.dir, "db")}
	if w.database != "" {
		where = store.Options{URL: w.database}
	}
	w.db, err = store.Open(ctx, where)
	w.must(err)
	if w.redis == "" {
		w.sessions, err = session.OpenFile(ctx, filepath.Join(w.dir, "sessions.db"), time.Now)
	} else {
		w.sessions, err = session.OpenRedis(w.redis, nil)
	}
	w.must(err)
	logger := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.app, err = app.New(app.Deps{Store: w.db, Nodes: w, Images: files{}, Tickets: w.sessions, Staging: filepath.Join(w.dir, "staging"), Log: logger, Quota: app.TenantQuota})
	w.must(err)
	w.must(w.app.Prepare(ctx, ""))
	ring, err := keys()
	w.must(err)
	accounts := app.AccountDeps{App: w.app, Store: w.db, Sessions: w.sessions, Keys: ring, Params: auth.Params{MemoryKiB: 64, Passes: 1, Lanes: 1}, Seal: seal{}, PublicURL: "http://localhost:8092"}
	if w.accountDeps != nil {
		w.accountDeps(&accounts)
	}
	w.accounts = app.NewAccounts(accounts)
	w.runner = op.New(w.app.OperationStore(), op.Options{Poll: 10 * time.Millisecond, Backoff: func(int) time.Duration { return time.Millisecond }, Log: logger}, w.app.Definitions()...)
	w.runner.Start()
	w.join()
	deps := api.Deps{App: w.app, Accounts: w.accounts, Limiter: w.sessions, Limits: w.limits, PublicURL: "http://localhost:8092", Version: "test", Log: logger}
	if w.change != nil {
		w.change(&deps)
	}
	w.api, err = api.New(deps)
	w.must(err)
	w.rest, w.ws = httptest.NewServer(w.api.REST()), httptest.NewServer(w.api.WS())
}

// join makes the machine a node and hands its reports on.
func (w *world) join() {
	w.t.Helper()
	facts, err := w.agent.Facts(ctx)
	w.must(err)
	w.must(w.app.RegisterNode(ctx, w.machine.Node, "thor"))
	w.must(w.app.NodeFacts(ctx, w.machine.Node, facts))
	w.must(w.app.NodeEvent(ctx, w.machine.Node, node.Renewed, ""))
	if _, err := w.db.ImageByName(ctx, "", "tiny"); fault.Is(err, fault.NotFound) {
		w.must(w.db.Tx(ctx, func(t *store.Tx) error {
			return t.InsertImage(ctx, &store.Image{ID: id.NewImage(), Name: "tiny", Digest: agenttest.Tiny, Arch: vm.X86_64, Format: "bundle", Firmware: vm.Direct,
				Cmdline: "console=ttyS0", Bytes: 1 << 20, VirtualBytes: 1 << 30, State: store.ImageReady})
		}))
	}
	run, stop := context.WithCancel(ctx)
	w.stop = stop
	reports, err := w.agent.Reports(run)
	w.must(err)
	w.feeding.Go(func() {
		for r := range reports {
			if _, err := w.app.Observe(ctx, w.machine.Node, []vm.Seen{r}); err != nil && run.Err() == nil {
				w.t.Errorf("observe: %v", err)
			}
		}
	})
}

// halt ends the server; the machine and the folder stay.
func (w *world) halt() {
	w.api.Close()
	w.rest.Close()
	w.ws.Close()
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := w.runner.Stop(limit); err != nil {
		w.t.Errorf("stop runner: %v", err)
	}
	w.stop()
	w.feeding.Wait()
	if err := errors.Join(w.sessions.Close(), w.db.Close()); err != nil {
		w.t.Error(err)
	}
}

// restart ends the server and starts it again on the same data.
func (w *world) restart() { w.t.Helper(); w.halt(); w.start() }

// user makes an account.
func (w *world) user(name string, role auth.Role) wire.User {
	w.t.Helper()
	u, err := w.accounts.Create(ctx, auth.Platform("test"), wire.CreateUser{Username: name, Email: name + "@example.org", Password: password, Role: role})
	w.must(err)
	return u
}

// as signs an account in, which is made if it is missing.
func (w *world) as(name string, role auth.Role) *client.Client {
	w.t.Helper()
	if _, err := w.db.UserByLogin(ctx, name); fault.Is(err, fault.NotFound) {
		w.user(name, role)
	}
	c, err := client.New(w.rest.URL, client.Tokens{})
	w.must(err)
	w.t.Cleanup(c.Close)
	_, err = c.Login(ctx, name, password)
	w.must(err)
	return c
}

func (w *world) admin() *client.Client { w.t.Helper(); return w.as("grace", auth.Administrator) }

// answer is what came back over plain HTTP.
type answer struct {
	*http.Response
	text    string
	problem wire.Problem
}

// ask sends a request as it is written. headers are pairs.
func (w *world) ask(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequest(method, w.rest.URL+path, strings.NewReader(body))
	w.must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	w.must(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	w.must(err)
	a := answer{Response: res, text: string(raw)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") && len(raw) > 0 {
		w.must(json.Unmarshal(raw, &a.problem))
	}
	return a
}

// token is the Authorization header of a signed-in client.
func token(c *client.Client) []string {
	return []string{"Authorization", "Bearer " + c.Tokens().Access}
}

// wants fails unless the answer has the status and, when it is a refusal, the code.
func (a answer) wants(t testing.TB, what string, status int, code string) {
	t.Helper()
	if a.StatusCode != status || code != "" && a.problem.Code != code {
		t.Errorf("%s: got %d %s %q, want %d %s\n%s", what, a.StatusCode, a.problem.Code, a.problem.Detail, status, code, a.text)
	}
}

// wait is for what must come, on a busy machine too.
const wait = time.Minute

// vm makes a VM that runs.
func (w *world) vm(c *client.Client, name string) wire.VM {
	w.t.Helper()
	out, err := c.CreateVM(ctx, wire.CreateVM{Name: name, Image: "tiny", CPUs: 1, MemoryMiB: 64, DiskGiB: 1}, wait)
	w.must(err)
	if out.Operation == nil || !out.Operation.Succeeded() {
		w.t.Fatalf("creating %s: %+v", name, out.Operation)
	}
	return out.VM
}

var fivePerMinute = rate.Limit{Events: 5, Window: time.Minute}

// expiredToken is a token of the server's own key that ended an hour ago.
func expiredToken(t testing.TB, w *world) string {
	t.Helper()
	ring, err := keys()
	w.must(err)
	u, err := w.db.UserByLogin(ctx, "grace")
	w.must(err)
	old, _, err := ring.Issue(u.ID, "", time.Now().Add(-time.Hour))
	w.must(err)
	return old
}

// trimEvents forgets the history.
func (w *world) trimEvents() {
	w.t.Helper()
	w.must(w.db.Tx(ctx, func(t *store.Tx) error {
		_, err := t.TrimEvents(ctx, time.Now().Add(time.Hour), 1000)
		return err
	}))
}

// stranger is the token of a member of another tenant.
func (w *world) stranger() string {
	w.t.Helper()
	other := store.Tenant{ID: id.NewTenant(), Name: "other", Created: time.Now()}
	w.must(w.db.Tx(ctx, func(t *store.Tx) error { return t.InsertTenant(ctx, &other) }))
	hash, err := auth.Hash(password, auth.Params{MemoryKiB: 64, Passes: 1, Lanes: 1})
	w.must(err)
	_, err = w.app.CreateUser(ctx, auth.Platform("test"), app.CreateUser{Username: "stranger", Email: "s@example.org", Role: auth.Developer, PasswordHash: hash, Tenant: other.ID})
	w.must(err)
	return w.as("stranger", auth.Developer).Tokens().Access
}
