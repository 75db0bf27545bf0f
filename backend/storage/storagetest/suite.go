// Package storagetest holds the rules that every storage.Pool keeps. A pool joins by calling Run from a test of its own; what
// only one kind of pool can show, such as bytes on disk, is tested beside that pool.
package storagetest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/storage"
)

// World is an empty pool and what the suite needs around it.
type World struct {
	Pool       storage.Pool
	Image      string                             // digest of an image that is there
	ImageBytes int64                              // its virtual size, at most 16 MiB
	Half       func(v id.Volume)                  // leaves a half-made volume behind, as a crash does
	Reopen     func() storage.Pool                // opens the same pool anew, as after a restart; nil: the pool forgets
	Hold       func(v id.Volume) (release func()) // opens a volume as a running VM does; nil: cannot
}

const (
	mib    = int64(1) << 20
	absent = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// Run runs the suite. open makes a new world for each test.
func Run(t *testing.T, open func(t *testing.T) World) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, w World)
	}{
		{"makes a blank volume", blank},
		{"gives the same file when asked twice", twice},
		{"starts a volume from an image, with the image below it", fromImage},
		{"refuses an image that is not there", noImage},
		{"refuses a volume smaller than what it starts from", small},
		{"refuses fields out of bounds", bounds},
		{"makes a half-made volume anew", half},
		{"makes no volume anew that was lost", lost},
		{"lists whole and half-made volumes", list},
		{"refuses an older owner and obeys a newer one", epochs},
		{"grows and never shrinks", grow},
		{"removes a volume, and again", remove},
		{"copies a volume", fullClone},
		{"links a clone to its source", linked},
		{"links many clones to one source", manyLinked},
		{"removes source and clones in any order", removeLinked},
		{"refuses to link a clone of a volume with snapshots", linkedSnapshots},
		{"refuses to clone a volume that is not there", cloneAbsent},
		{"creates, reverts and deletes snapshots, each twice", snapshots},
		{"keeps volumes, epochs and snapshots over a restart", restart},
		{"refuses to change a volume that a process has open", held},
		{"counts what was promised", capacity},
		{"makes one volume when many ask for it at once", atOnce},
		{"stops when its caller gave up", canceled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func blank(t *testing.T, w World) {
	f, err := w.Pool.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib})
	must(t, err)
	if f.Path == "" || f.Format != "qcow2" || f.ReadOnly || f.Backing != nil {
		t.Fatalf("got %+v", f)
	}
}

func twice(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	a := ensure(t, w, v)
	v.SizeBytes *= 2 // a finished volume is never touched
	b := ensure(t, w, v)
	if a != b {
		t.Fatalf("first %s, then %s", a, b)
	}
	wantList(t, w, storage.Found{ID: v.ID, SizeBytes: 4 * mib, Whole: true})
}

func fromImage(t *testing.T, w World) {
	f, err := w.Pool.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes, Image: w.Image})
	must(t, err)
	if f.Backing == nil || !f.Backing.ReadOnly || f.Backing.Path == "" || f.Backing.Format == "" {
		t.Fatalf("below the volume stands %+v", f.Backing)
	}
}

func noImage(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, Image: absent}
	wantKind(t, fault.NotFound, second(w.Pool.Ensure(t.Context(), v)))
	wantList(t, w)
}

func small(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes - 512, Image: w.Image}
	wantKind(t, fault.Invalid, second(w.Pool.Ensure(t.Context(), v)))
	from := id.NewVolume()
	ensure(t, w, storage.Volume{ID: from, SizeBytes: 8 * mib})
	wantKind(t, fault.Invalid, second(w.Pool.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: from})))
	wantKind(t, fault.Invalid, second(w.Pool.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: from, Linked: true})))
}

func bounds(t *testing.T, w World) {
	good := storage.Volume{ID: id.NewVolume(), SizeBytes: mib}
	for name, spoil := range map[string]func(*storage.Volume){
		"no id":              func(v *storage.Volume) { v.ID = "" },
		"another kind of id": func(v *storage.Volume) { v.ID = id.Volume(id.NewVM()) },
		"a path":             func(v *storage.Volume) { v.ID = "../../etc" },
		"no size":            func(v *storage.Volume) { v.SizeBytes = 0 },
		"a negative size":    func(v *storage.Volume) { v.SizeBytes = -512 },
		"half a sector":      func(v *storage.Volume) { v.SizeBytes = 700 },
		"a huge size":        func(v *storage.Volume) { v.SizeBytes = 1 << 62 },
		"two sources":        func(v *storage.Volume) { v.Image, v.From = w.Image, id.NewVolume() },
		"itself as source":   func(v *storage.Volume) { v.From = v.ID },
		"a link to nothing":  func(v *storage.Volume) { v.Linked = true },
		"a strange digest":   func(v *storage.Volume) { v.Image = "sha256:../../x" },
	} {
		v := good
		spoil(&v)
		if err := second(w.Pool.Ensure(t.Context(), v)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	wantKind(t, fault.Invalid, w.Pool.Snapshot(t.Context(), good.ID, storage.SnapshotCreate, "-x"))
	wantKind(t, fault.Invalid, w.Pool.Snapshot(t.Context(), good.ID, "explode", "x"))
	wantKind(t, fault.Invalid, w.Pool.Grow(t.Context(), good.ID, -1))
	wantList(t, w)
}

func half(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	w.Half(v.ID)
	ensure(t, w, v)
	wantList(t, w, storage.Found{ID: v.ID, SizeBytes: 4 * mib, Whole: true})
}

// lost: a volume that was whole before is not made anew.
func lost(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, Made: true}
	wantKind(t, fault.NotFound, second(w.Pool.Ensure(t.Context(), v)))
	wantList(t, w)
	v.Made = false
	path := ensure(t, w, v)
	v.Made = true
	if again := ensure(t, w, v); again != path {
		t.Errorf("the volume that is there moved from %s to %s", path, again)
	}
}

func list(t *testing.T, w World) {
	whole, broken := id.NewVolume(), id.NewVolume()
	ensure(t, w, storage.Volume{ID: whole, SizeBytes: 2 * mib})
	w.Half(broken)
	wantList(t, w, storage.Found{ID: whole, SizeBytes: 2 * mib, Whole: true}, storage.Found{ID: broken})
	must(t, w.Pool.Remove(t.Context(), broken))
	wantList(t, w, storage.Found{ID: whole, SizeBytes: 2 * mib, Whole: true})
}

func epochs(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: mib, Epoch: 5}
	ensure(t, w, v)
	v.Epoch = 7
	ensure(t, w, v)
	v.Epoch = 6
	wantKind(t, fault.Precondition, second(w.Pool.Ensure(t.Context(), v)))
}

func grow(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	wantKind(t, fault.NotFound, w.Pool.Grow(t.Context(), v.ID, mib))
	ensure(t, w, v)
	must(t, w.Pool.Grow(t.Context(), v.ID, 700*mib))
	must(t, w.Pool.Grow(t.Context(), v.ID, 700*mib))
	must(t, w.Pool.Grow(t.Context(), v.ID, mib))
	wantList(t, w, storage.Found{ID: v.ID, SizeBytes: 700 * mib, Whole: true})
}

func remove(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: mib, Image: ""}
	must(t, w.Pool.Remove(t.Context(), v.ID))
	ensure(t, w, v)
	must(t, w.Pool.Remove(t.Context(), v.ID))
	must(t, w.Pool.Remove(t.Context(), v.ID))
	wantList(t, w)
}

func fullClone(t *testing.T, w World) {
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes, Image: w.Image}
	ensure(t, w, from)
	to := storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes + 600*mib, From: from.ID}
	ensure(t, w, to)
	must(t, w.Pool.Remove(t.Context(), from.ID))
	ensure(t, w, to)
	wantList(t, w, storage.Found{ID: to.ID, SizeBytes: to.SizeBytes, Whole: true})
}

func linked(t *testing.T, w World) {
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	ensure(t, w, from)
	to := storage.Volume{ID: id.NewVolume(), SizeBytes: 8 * mib, From: from.ID, Linked: true}
	a, b := ensure(t, w, to), ensure(t, w, from)
	if a == b || a != ensure(t, w, to) {
		t.Fatalf("the clone is %s, then %s, and the source %s", a, ensure(t, w, to), b)
	}
	wantList(t, w, storage.Found{ID: from.ID, SizeBytes: 4 * mib, Whole: true}, storage.Found{ID: to.ID, SizeBytes: 8 * mib, Whole: true})
}

func manyLinked(t *testing.T, w World) {
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	ensure(t, w, from)
	for range 40 { // more than any chain of files may be long
		ensure(t, w, storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: from.ID, Linked: true})
	}
}

func removeLinked(t *testing.T, w World) {
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	ensure(t, w, from)
	a := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: from.ID, Linked: true}
	ensure(t, w, a)
	b := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: a.ID, Linked: true}
	ensure(t, w, b)
	must(t, w.Pool.Remove(t.Context(), from.ID))
	ensure(t, w, a)
	must(t, w.Pool.Remove(t.Context(), a.ID))
	ensure(t, w, b)
	must(t, w.Pool.Remove(t.Context(), b.ID))
	wantList(t, w)
}

func linkedSnapshots(t *testing.T, w World) {
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	ensure(t, w, from)
	must(t, w.Pool.Snapshot(t.Context(), from.ID, storage.SnapshotCreate, "before"))
	to := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: from.ID, Linked: true}
	wantKind(t, fault.Conflict, second(w.Pool.Ensure(t.Context(), to)))
	wantList(t, w, storage.Found{ID: from.ID, SizeBytes: 4 * mib, Whole: true})
	to.Linked = false
	ensure(t, w, to)
}

func cloneAbsent(t *testing.T, w World) {
	for _, linked := range []bool{false, true} {
		v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: id.NewVolume(), Linked: linked}
		wantKind(t, fault.NotFound, second(w.Pool.Ensure(t.Context(), v)))
	}
	wantList(t, w)
}

func snapshots(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, Image: ""}
	wantKind(t, fault.NotFound, w.Pool.Snapshot(t.Context(), v.ID, storage.SnapshotCreate, "a"))
	ensure(t, w, v)
	wantKind(t, fault.NotFound, w.Pool.Snapshot(t.Context(), v.ID, storage.SnapshotRevert, "a"))
	for _, a := range []storage.SnapshotAction{storage.SnapshotCreate, storage.SnapshotRevert, storage.SnapshotDelete} {
		must(t, w.Pool.Snapshot(t.Context(), v.ID, a, "a"))
		must(t, w.Pool.Snapshot(t.Context(), v.ID, a, "a"))
	}
	wantKind(t, fault.NotFound, w.Pool.Snapshot(t.Context(), v.ID, storage.SnapshotRevert, "a"))
}

func restart(t *testing.T, w World) {
	if w.Reopen == nil {
		t.Skip("this pool lives in memory only")
	}
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes, Image: w.Image, Epoch: 3}
	to := storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes, From: v.ID, Linked: true}
	before := ensure(t, w, v)
	must(t, w.Pool.Snapshot(t.Context(), v.ID, storage.SnapshotCreate, "a"))
	w.Pool = w.Reopen()
	if after := ensure(t, w, v); after != before {
		t.Fatalf("the volume was %s and is %s", before, after)
	}
	wantKind(t, fault.Conflict, second(w.Pool.Ensure(t.Context(), to)))
	must(t, w.Pool.Snapshot(t.Context(), v.ID, storage.SnapshotDelete, "a"))
	ensure(t, w, to)
	w.Pool = w.Reopen()
	v.Epoch = 2
	wantKind(t, fault.Precondition, second(w.Pool.Ensure(t.Context(), v)))
	ensure(t, w, to)
}

func held(t *testing.T, w World) {
	if w.Hold == nil {
		t.Skip("this pool cannot see who has a volume open")
	}
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib}
	ensure(t, w, v)
	release := w.Hold(v.ID)
	wantKind(t, fault.Conflict, w.Pool.Grow(t.Context(), v.ID, 8*mib))
	wantKind(t, fault.Conflict, w.Pool.Snapshot(t.Context(), v.ID, storage.SnapshotCreate, "a"))
	for _, linked := range []bool{false, true} {
		c := storage.Volume{ID: id.NewVolume(), SizeBytes: 4 * mib, From: v.ID, Linked: linked}
		wantKind(t, fault.Conflict, second(w.Pool.Ensure(t.Context(), c)))
	}
	release()
	must(t, w.Pool.Grow(t.Context(), v.ID, 8*mib))
}

func capacity(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: 64 * mib}
	ensure(t, w, v)
	c, err := w.Pool.Capacity(t.Context())
	must(t, err)
	if c.Total <= 0 || c.Free <= 0 || c.Free > c.Total || c.Provisioned != 64*mib {
		t.Fatalf("got %+v", c)
	}
}

func atOnce(t *testing.T, w World) {
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: w.ImageBytes, Image: w.Image}
	var wait sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wait.Go(func() { errs[i] = second(w.Pool.Ensure(t.Context(), v)) })
	}
	wait.Wait()
	for _, err := range errs {
		must(t, err)
	}
	wantList(t, w, storage.Found{ID: v.ID, SizeBytes: w.ImageBytes, Whole: true})
}

func canceled(t *testing.T, w World) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := second(w.Pool.Ensure(ctx, storage.Volume{ID: id.NewVolume(), SizeBytes: mib})); err == nil {
		t.Fatal("a caller that gave up got a volume")
	}
	wantList(t, w)
}

func second[T any](_ T, err error) error { return err }

func ensure(t *testing.T, w World, v storage.Volume) (path string) {
	t.Helper()
	f, err := w.Pool.Ensure(t.Context(), v)
	must(t, err)
	return f.Path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, kind fault.Kind, err error) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("got %v, want a fault of kind %s", err, kind)
	}
}

// wantList compares what is there, without the bytes used, which differ from pool to pool.
func wantList(t *testing.T, w World, want ...storage.Found) {
	t.Helper()
	got, err := w.Pool.List(t.Context())
	must(t, err)
	for i := range got {
		got[i].UsedBytes = 0
	}
	byID := func(a, b storage.Found) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	if !slices.Equal(got, want) {
		t.Fatalf("the pool holds %+v, want %+v", got, want)
	}
}
