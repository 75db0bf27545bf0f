package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/app/apptest"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/session"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// world is a platform with one node that obeys in memory, and the image "tiny".
type world struct {
	t     *testing.T
	ctx   context.Context
	db    *store.DB
	app   *app.App
	node  *apptest.Node
	nodes *apptest.Nodes
	files *files
	admin auth.Caller

	stagingDir string
}

// files is a catalogue in memory.
type files struct {
	mu    sync.Mutex
	there map[string]bool
	point func(string) error
}

func (f *files) Import(_ context.Context, path string, _ app.ImportOptions, _ func(float64, string)) (app.ImageInfo, error) {
	if err := f.point("the catalogue imports"); err != nil {
		return app.ImageInfo{}, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return app.ImageInfo{}, err
	}
	if !strings.HasPrefix(string(raw), "disk") {
		return app.ImageInfo{}, fault.New(fault.Invalid, "image_invalid", "this is no disk image")
	}
	sum := "sha256:" + fmt.Sprintf("%064x", len(raw))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.there[sum] = true
	return app.ImageInfo{Digest: sum, Arch: vm.X86_64, Format: "raw", Firmware: vm.BIOS, Bytes: int64(len(raw)), VirtualBytes: 1 << 30}, nil
}

func (f *files) Find(_ context.Context, path string) (string, error) {
	raw, err := os.ReadFile(path)
	sum := "sha256:" + fmt.Sprintf("%064x", len(raw))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || !f.there[sum] {
		return "", fault.New(fault.NotFound, "", "nothing was made of these bytes")
	}
	return sum, nil
}

func (f *files) Remove(_ context.Context, digest string) error {
	if err := f.point("the catalogue removes"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.there, digest)
	return nil
}

// fetcher downloads "disk" from anywhere but where it says no.
type fetcher struct{ point func(string) error }

func (f fetcher) Check(url string) error {
	if strings.Contains(url, "127.0.0.1") {
		return fault.New(fault.Invalid, "url_refused", "this address is not public")
	}
	return nil
}

func (f fetcher) Download(_ context.Context, _ string, dst *os.File, progress func(int64, int64)) error {
	if err := f.point("the download"); err != nil {
		return err
	}
	progress(4, 4)
	_, err := io.WriteString(dst, "disk")
	return err
}

// platform is a database with a tenant, the default network, the node "thor" and the image "tiny".
type platform struct {
	raw  []byte // of an SQLite file
	node id.Node
}

// template makes one once: making it takes longer than most tests.
var template = sync.OnceValues(func() (p platform, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "novacron-app-test")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "db")
	db, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		return p, err
	}
	if p.node, err = furnish(ctx, db); err != nil {
		return p, err
	}
	if err := db.Close(); err != nil {
		return p, err
	}
	p.raw, err = os.ReadFile(path)
	return p, err
})

// furnish makes an empty database a platform.
func furnish(ctx context.Context, db *store.DB) (id.Node, error) {
	a, err := app.New(app.Deps{Store: db, Nodes: &apptest.Nodes{}})
	if err != nil {
		return "", err
	}
	if err := a.Prepare(ctx, ""); err != nil {
		return "", err
	}
	n, err := join(ctx, a, "thor")
	if err != nil {
		return "", err
	}
	return n.ID, insertImage(ctx, db, "tiny", digest)
}

// join makes a node that is alive.
func join(ctx context.Context, a *app.App, name string) (*apptest.Node, error) {
	n := apptest.NewNode(id.NewNode())
	return n, errors.Join(a.RegisterNode(ctx, n.ID, name), a.NodeFacts(ctx, n.ID, n.What), a.NodeEvent(ctx, n.ID, node.Renewed, ""))
}

func insertImage(ctx context.Context, db *store.DB, name, digest string) error {
	return db.Tx(ctx, func(t *store.Tx) error {
		return t.InsertImage(ctx, &store.Image{ID: id.NewImage(), Name: name, Digest: digest, Arch: vm.X86_64, Format: "bundle", Firmware: vm.Direct,
			Cmdline: "console=ttyS0", Bytes: 1 << 20, VirtualBytes: 1 << 30, State: store.ImageReady})
	})
}

// newWorld makes a world on SQLite. point is called at each effect on the outside; nil: nothing.
func newWorld(t *testing.T, point func(string) error) *world {
	t.Helper()
	p, err := template()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, p.raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, storetest.Open(t, store.Options{Path: path}), p.node, point)
}

// worldMaker makes a fresh world; see newWorld.
type worldMaker func(t *testing.T, point func(string) error) *world

// onPostgres gives a maker of worlds on PostgreSQL, one after the other on one furnished database: making one takes most of a
// second. What operations on VMs have left is removed between two worlds.
func onPostgres(t *testing.T) worldMaker {
	t.Helper()
	server := storetest.PostgresURL(t)
	db := storetest.Open(t, store.Options{URL: server, MaxConns: 4})
	n, err := furnish(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return func(t *testing.T, point func(string) error) *world {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), "delete from operations; delete from clones; delete from snapshots; delete from addresses; delete from uids; delete from vm_seen; delete from vms"); err != nil {
			t.Fatal(err)
		}
		return newWorldOn(t, db, n, point)
	}
}

// newWorldOn makes a world on a database that is furnished.
func newWorldOn(t *testing.T, db *store.DB, n id.Node, point func(string) error) *world {
	t.Helper()
	if point == nil {
		point = func(string) error { return nil }
	}
	w := &world{t: t, ctx: context.Background(), db: db, nodes: &apptest.Nodes{}, node: apptest.NewNode(n), stagingDir: filepath.Join(t.TempDir(), "staging")}
	w.files = &files{there: map[string]bool{digest: true}, point: point}
	w.must(os.Mkdir(w.stagingDir, 0o700))
	var err error
	w.app, err = app.New(app.Deps{
		Store: w.db, Nodes: w.nodes, Images: w.files, Fetch: fetcher{point}, Tickets: &tickets{}, Staging: w.stagingDir,
	})
	w.must(err)
	w.admin, err = w.app.Local(w.ctx, "tester")
	w.must(err)
	w.admin.User, w.admin.Role = id.NewUser(), auth.Administrator
	w.nodes.Connect(n, w.node)
	w.node.Point = point
	return w
}

// tickets is a session.Tickets in memory.
type tickets struct {
	session.Tickets
	content map[string][]byte
}

func (k *tickets) IssueTicket(_ context.Context, content []byte) (string, error) {
	if k.content == nil {
		k.content = map[string][]byte{}
	}
	secret := fmt.Sprint("secret-", len(k.content))
	k.content[secret] = content
	return secret, nil
}

func (k *tickets) RedeemTicket(_ context.Context, ticket string) ([]byte, error) {
	c, ok := k.content[ticket]
	if !ok {
		return nil, fault.New(fault.Unauthenticated, "", "no such ticket")
	}
	delete(k.content, ticket)
	return c, nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addNode(name string) *apptest.Node {
	n, err := join(w.ctx, w.app, name)
	w.must(err)
	w.nodes.Connect(n.ID, n)
	return n
}

func (w *world) image(name, digest string) { w.must(insertImage(w.ctx, w.db, name, digest)) }

func tiny(name string) wire.CreateVM {
	return wire.CreateVM{Name: name, Image: "tiny", CPUs: 1, MemoryMiB: 64}
}

// run starts runners, for tests that do not drive them step by step.
func (w *world) run() {
	// No renewal of a lease ever tells of a cancel: the store must.
	r := op.New(w.app.OperationStore(), op.Options{Lease: time.Hour, Backoff: func(int) time.Duration { return time.Millisecond }, Poll: time.Second}, w.app.Definitions()...)
	r.Start()
	r.Follow(w.db.WatchOperations, w.db.WatchCancels)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		w.must(r.Stop(ctx))
	})
}

// done waits for an operation and gives it.
func (w *world) done(o *wire.Operation) wire.Operation {
	w.t.Helper()
	if o == nil {
		w.t.Fatal("there is no operation to wait for")
	}
	end, err := w.app.WaitOperation(w.ctx, w.admin, o.ID, 2*time.Minute)
	w.must(err)
	if !end.Ended() {
		w.t.Fatalf("operation %s has not ended: %+v", end.Kind, end)
	}
	return end
}

// ok waits for success.
func (w *world) ok(r app.VMResult, err error) wire.VM {
	w.t.Helper()
	w.must(err)
	if end := w.done(r.Operation); !end.Succeeded() {
		w.t.Fatalf("%s ended %s: %+v", end.Kind, end.Status, end.Error)
	}
	v, err := w.app.VM(w.ctx, w.admin, string(r.VM.ID))
	if fault.Is(err, fault.NotFound) {
		return r.VM
	}
	w.must(err)
	return v
}

func (w *world) vm(ref string) wire.VM {
	w.t.Helper()
	v, err := w.app.VM(w.ctx, w.admin, ref)
	w.must(err)
	return v
}

// eventually waits until f holds.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		changed := w.db.Watch()
		if f() {
			return
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("in vain: %s", what)
		}
	}
}

// look describes the platform without ids, numbers that only grow, operations and events.
func (w *world) look() string {
	var lines []string
	vms, err := w.db.ListVMs(w.ctx, store.VMFilter{}, store.Page{Limit: 1000})
	w.must(err)
	for _, v := range vms.Items {
		row, err := w.db.VM(w.ctx, v.ID)
		w.must(err)
		given, err := w.db.Addresses(w.ctx, v.ID)
		w.must(err)
		snaps, err := w.db.ListSnapshots(w.ctx, v.ID, store.Page{})
		w.must(err)
		clones, err := w.db.Clones(w.ctx, v.ID)
		w.must(err)
		lines = append(lines, fmt.Sprintf("%s: wanted %s, %s, %d CPUs, %d disks, %d nics, %d addresses, uid %v, snapshots %d, clones %d, placed %v, protected %v",
			v.Name, v.Power, v.Status, row.Spec.CPUs, len(row.Spec.Disks), len(row.Spec.NICs), len(given), row.UID != 0, snaps.Total, len(clones), row.Node != "", row.Spec.Protected))
		for _, s := range snaps.Items {
			lines = append(lines, fmt.Sprintf("%s: snapshot %s is %s", v.Name, s.Name, s.State))
		}
	}
	images, err := w.db.ListImages(w.ctx, store.ImageFilter{}, store.Page{})
	w.must(err)
	for _, i := range images.Items {
		lines = append(lines, fmt.Sprintf("image %s is %s", i.Name, i.State))
	}
	w.files.mu.Lock()
	for d := range w.files.there {
		lines = append(lines, "file "+d)
	}
	w.files.mu.Unlock()
	slices.Sort(lines)
	return strings.Join(append(lines, w.node.Look()), "\n")
}

func code(t *testing.T, err error, want string) {
	t.Helper()
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func kind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Fatalf("got %v (%s), want %s", err, fault.KindOf(err), want)
	}
}
