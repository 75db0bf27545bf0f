package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// officeDisk keeps an office's images and uploads in memory.
type officeDisk struct{ o *office }

func (d officeDisk) Image(ctx context.Context, digest string) (io.ReadSeekCloser, error) {
	return d.o.image(ctx, "", digest)
}

func (d officeDisk) DropImage(_ context.Context, digest string) error {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	delete(d.o.images, digest)
	return nil
}

func (d officeDisk) Staged(ctx context.Context, i id.Image) (io.ReadSeekCloser, error) {
	return d.o.image(ctx, "", string(i))
}

func (d officeDisk) Stage(_ context.Context, u id.Upload, offset int64, body io.Reader) (int64, error) {
	raw, err := io.ReadAll(io.LimitReader(body, 4))
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	d.o.images[fmt.Sprintf("%s@%d", u, offset)] = raw
	if string(raw) == "full" {
		return 2, fault.New(fault.Exhausted, "disk_full", "the disk is full")
	}
	return int64(len(raw)), err
}

// disks are three servers; peers is how the first reaches the others.
func disks(t *testing.T) (a, b *office, peers *Peers, r *rows) {
	t.Helper()
	here := newOffice(t)
	a, b = officeOf(t, here.ca), officeOf(t, here.ca)
	r = &rows{held: map[id.Node]Held{}}
	for _, o := range []*office{here, a, b} {
		r.say(id.NewNode(), o, 1)
	}
	return a, b, peersOf(t, here, r), r
}

func TestPeers_findAnImageOnWhicheverServerHasIt(t *testing.T) {
	_, b, peers, _ := disks(t)
	raw, digest := someImage()
	_, err := peers.Image(t.Context(), digest)
	wantKind(t, err, fault.NotFound)
	_, err = peers.Image(t.Context(), "sha256:../../identity.pem")
	wantKind(t, err, fault.Invalid)
	b.images[digest] = raw
	f, err := peers.Image(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err != nil || size != int64(len(raw)) {
		t.Errorf("the size is %d (%v), want %d", size, err, len(raw))
	}
	for _, from := range []int64{int64(len(raw)) - 7, 1 << 20, 0} {
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, raw[from:]) {
			t.Errorf("from byte %d: %d bytes, %v, want %d", from, len(got), err, len(raw)-int(from))
		}
	}
}

func TestPeers_anImageThatMayBeOnAServerOutOfReachIsUnavailable(t *testing.T) {
	a, _, peers, _ := disks(t)
	_, digest := someImage()
	a.hub.Close()
	began := time.Now()
	_, err := peers.Image(t.Context(), digest)
	wantKind(t, err, fault.Unavailable)
	if took := time.Since(began); took > peerDial+busy || !strings.Contains(fault.Sentence(err), string(a.server)) {
		t.Errorf("after %v: %v; want the name of the server", took, err)
	}
}

func TestPeers_dropAnImageEverywhereOrSayWhereNot(t *testing.T) {
	a, b, peers, _ := disks(t)
	raw, digest := someImage()
	a.images[digest], b.images[digest] = raw, raw
	if err := peers.DropImage(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	if _, err := peers.Image(t.Context(), digest); !fault.Is(err, fault.NotFound) {
		t.Errorf("after the drop: %v", err)
	}
	b.hub.Close()
	if err := peers.DropImage(t.Context(), digest); !fault.Is(err, fault.Unavailable) {
		t.Errorf("with a server out of reach: %v", err)
	}
}

func TestPeers_stageBytesWhereThoseBeforeAre(t *testing.T) {
	a, b, peers, _ := disks(t)
	u := id.NewUpload()
	for body, want := range map[string]int64{"four": 4, "full": 2} {
		written, err := peers.Stage(t.Context(), b.server, u, 7, strings.NewReader(body))
		if written != want || (err != nil) != (body == "full") {
			t.Errorf("%q: %d bytes, %v; want %d", body, written, err, want)
		}
		if got := string(b.images[fmt.Sprintf("%s@7", u)]); got != body || len(a.images) > 0 {
			t.Errorf("the server has %q, want %q; the other has %v", got, body, a.images)
		}
	}
	_, err := peers.Stage(t.Context(), id.NewServer(), u, 7, strings.NewReader("four"))
	wantKind(t, err, fault.Unavailable)
	image := id.NewImage()
	b.images[string(image)] = []byte("the bytes so far")
	f, err := peers.Staged(t.Context(), b.server, image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != "the bytes so far" {
		t.Errorf("got %q, %v", got, err)
	}
}
