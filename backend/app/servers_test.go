package app_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/op"
)

// colleagues are servers that reach each other's disks.
type colleagues struct {
	w    *world
	apps map[id.Server]*app.App
	dead map[id.Server]bool
}

// server adds one with a staging folder of its own, on the world's database.
func (c *colleagues) server(t *testing.T) (self id.Server, a *app.App, staging string) {
	t.Helper()
	self, staging = id.NewServer(), filepath.Join(t.TempDir(), "staging")
	c.w.must(os.Mkdir(staging, 0o700))
	a, err := app.New(app.Deps{Store: c.w.db, Nodes: c.w.nodes, Images: c.w.files, Staging: staging, Self: self, Peers: c})
	c.w.must(err)
	c.apps[self] = a
	return self, a, staging
}

func (c *colleagues) reach(s id.Server) (*app.App, error) {
	if c.dead[s] {
		return nil, fault.New(fault.Unavailable, "server_gone", "server %s is not running", s)
	}
	return c.apps[s], nil
}

func (c *colleagues) Stage(ctx context.Context, s id.Server, u id.Upload, offset int64, body io.Reader) (int64, error) {
	a, err := c.reach(s)
	if err != nil {
		return 0, err
	}
	return a.StageUpload(ctx, u, offset, body)
}

func (c *colleagues) Staged(_ context.Context, s id.Server, i id.Image) (io.ReadSeekCloser, error) {
	a, err := c.reach(s)
	if err != nil {
		return nil, err
	}
	return a.OpenStaged(i)
}

func newColleagues(t *testing.T) *colleagues {
	t.Helper()
	return &colleagues{w: newWorld(t, nil), apps: map[id.Server]*app.App{}, dead: map[id.Server]bool{}}
}

func (c *colleagues) upload(a *app.App, by auth.Caller, bytes int) {
	c.w.t.Helper()
	_, err := a.ImportImage(c.w.ctx, by, app.ImportImage{CreateImage: wire.CreateImage{Name: "own", Bytes: int64(bytes)}})
	c.w.must(err)
}

func TestUpload_whoseRequestsComeToSeveralServersBecomesAnImage(t *testing.T) {
	c := newColleagues(t)
	w := c.w
	_, a, there := c.server(t)
	_, b, here := c.server(t)
	const content = "disk of many bytes"
	c.upload(b, w.admin, len(content))
	for _, part := range []struct {
		server   *app.App
		from, to int
	}{{a, 0, 5}, {b, 5, 9}, {a, 9, 12}} {
		r, err := part.server.AppendUpload(w.ctx, w.admin, "own", int64(part.from), strings.NewReader(content[part.from:part.to]))
		if err != nil || r.Image.UploadOffset != int64(part.to) {
			t.Fatalf("bytes %d to %d: the upload is at %d, %v", part.from, part.to, r.Image.UploadOffset, err)
		}
	}
	done, err := b.AppendUpload(w.ctx, w.admin, "own", 12, strings.NewReader(content[12:]))
	w.must(err)
	if done.Operation == nil {
		t.Fatal("the last byte began no import")
	}
	staged := func(folder string) string {
		raw, err := os.ReadFile(filepath.Join(folder, string(done.Image.ID)))
		if err != nil {
			return err.Error()
		}
		return string(raw)
	}
	if got := staged(there); got != content {
		t.Errorf("the server of the first byte has %q, want all of it", got)
	}
	// The import runs on the server that has none of the bytes.
	r := op.New(b.OperationStore(), op.Options{}, b.Definitions()...)
	r.Start()
	defer func() {
		stop, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		w.must(r.Stop(stop))
	}()
	end, err := r.Wait(w.ctx, done.Operation.ID)
	if err != nil || end.Status != op.Succeeded {
		t.Fatalf("the import is %s (%v): %+v", end.Status, err, end.Error)
	}
	i, err := a.Image(w.ctx, w.admin, "own")
	if err != nil || i.State != "ready" || i.Bytes != int64(len(content)) {
		t.Errorf("got %+v, %v", i, err)
	}
	w.must(a.ExpireUploads(w.ctx))
	for _, folder := range []string{here, there} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left in a staging folder: %v, %v", left, err)
		}
	}
}

func TestUpload_whoseServerIsGoneSaysSoAndLosesNothing(t *testing.T) {
	c := newColleagues(t)
	w := c.w
	first, a, _ := c.server(t)
	_, b, _ := c.server(t)
	c.upload(a, w.admin, 8)
	_, err := a.AppendUpload(w.ctx, w.admin, "own", 0, strings.NewReader("disk"))
	w.must(err)
	c.dead[first] = true
	_, err = b.AppendUpload(w.ctx, w.admin, "own", 4, strings.NewReader("more"))
	kind(t, err, fault.Unavailable)
	c.dead[first] = false
	_, err = b.AppendUpload(w.ctx, w.admin, "own", 4, strings.NewReader("more and more"))
	kind(t, err, fault.TooLarge)
}

func TestUpload_whoseFirstBytesAreLostIsRefusedBeforeAHoleIsMade(t *testing.T) {
	c := newColleagues(t)
	w := c.w
	_, a, staging := c.server(t)
	c.upload(a, w.admin, 8)
	r, err := a.AppendUpload(w.ctx, w.admin, "own", 0, strings.NewReader("disk"))
	w.must(err)
	w.must(os.Remove(filepath.Join(staging, string(r.Image.ID))))
	_, err = a.AppendUpload(w.ctx, w.admin, "own", 4, strings.NewReader("more"))
	kind(t, err, fault.Conflict)
	_, err = a.OpenStaged("../../etc/passwd")
	kind(t, err, fault.NotFound)
}
