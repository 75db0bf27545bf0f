package dir

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/image"
	"novacron/backend/storage"
	"novacron/backend/storage/storagetest"
)

const (
	mib       = int64(1) << 20
	imageSize = 4 * mib
)

func TestPool_keepsTheRulesOfPools(t *testing.T) {
	needQEMU(t)
	storagetest.Run(t, func(t *testing.T) storagetest.World {
		p := newPool(t, t.TempDir())
		return storagetest.World{
			Pool: p.Pool, Image: p.digest, ImageBytes: imageSize,
			Half:   func(v id.Volume) { must(t, os.MkdirAll(p.volumeDir(v), 0o700)) },
			Reopen: func() storage.Pool { return p.reopen(t) },
			Hold:   func(v id.Volume) func() { return hold(t, p.Pool, v) },
		}
	})
}

func TestEnsure_makesOverlaysThatQEMUFindsCleanAndReadsThrough(t *testing.T) {
	needQEMU(t)
	p := newPool(t, t.TempDir())
	for _, size := range []int64{imageSize, imageSize + 512, 512 << 20, 513 << 20, 64 << 40} {
		f := p.ensure(t, storage.Volume{ID: id.NewVolume(), SizeBytes: size, Image: p.digest})
		if out, err := exec.Command("qemu-img", "check", "-f", "qcow2", f.Path).CombinedOutput(); err != nil {
			t.Errorf("size %d: %v\n%s", size, err, out)
		}
		if size > 1<<30 {
			continue // too large a file to read it through qemu-img here
		}
		if got := read(t, f, 1*mib, 9); got != "the image" {
			t.Errorf("size %d: the volume reads %q", size, got)
		}
	}
}

func TestEnsure_keepsFilesClosedToOthers(t *testing.T) {
	p := newPool(t, t.TempDir())
	f := p.ensure(t, storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest})
	for path, want := range map[string]os.FileMode{f.Path: 0o600, filepath.Dir(f.Path): 0o700, p.root: 0o700, filepath.Dir(f.Backing.Path): 0o700} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

func TestLinkedClone_sharesTheContentAndNoWrites(t *testing.T) {
	needQEMU(t)
	p := newPool(t, t.TempDir())
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest}
	write(t, p.ensure(t, from), 0, "before")
	to := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID, Linked: true}
	write(t, p.ensure(t, to), 0, "clone!")
	write(t, p.ensure(t, from), 0, "source")
	next := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID, Linked: true}
	for v, want := range map[storage.Volume]string{from: "source", to: "clone!", next: "source"} {
		if got := read(t, p.ensure(t, v), 0, 6); got != want {
			t.Errorf("%s reads %q, want %q", v.ID, got, want)
		}
		if got := read(t, p.ensure(t, v), mib, 9); got != "the image" {
			t.Errorf("below %s stands %q", v.ID, got)
		}
	}
}

func TestLinkedClone_leavesNoBaseBehindWhenTheLastIsRemoved(t *testing.T) {
	p := newPool(t, t.TempDir())
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest}
	to := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID, Linked: true}
	p.ensure(t, from)
	p.ensure(t, to)
	if err := p.images.Remove(p.digest); !fault.Is(err, fault.Conflict) {
		t.Errorf("removing the image below a base: got %v", err)
	}
	must(t, p.Remove(t.Context(), from.ID))
	if names := entries(t, p.dir("bases")); len(names) != 1 {
		t.Fatalf("with one clone left the bases are %v", names)
	}
	must(t, p.Remove(t.Context(), to.ID))
	if names := append(entries(t, p.dir("bases")), entries(t, p.dir("volumes"))...); len(names) != 0 {
		t.Fatalf("%v stay behind", names)
	}
	must(t, p.images.Remove(p.digest))
}

func TestLinkedClone_refusesAChainThatIsTooLong(t *testing.T) {
	needQEMU(t)
	p := newPool(t, t.TempDir())
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: mib}
	var err error
	made := 0
	for ; err == nil && made < 2*maxChain; made++ {
		write(t, p.ensure(t, from), 0, "x") // a source that was written to needs a base of its own
		_, err = p.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: mib, From: from.ID, Linked: true})
	}
	if !fault.Is(err, fault.Unsupported) || made != maxChain {
		t.Fatalf("clone %d gave %v", made, err)
	}
	write(t, p.ensure(t, from), 0, "still there")
}

// A crash is a copy of the folder between two steps: here the step itself is stopped by a file in its way.
func TestLinkedClone_losesNothingInACrashBetweenItsSteps(t *testing.T) {
	needQEMU(t)
	for name, crash := range map[string]func(p *pool, from storage.Volume, m meta) error{
		"after the base was made": func(p *pool, from storage.Volume, m meta) error {
			frozen := m
			frozen.Disk = firstDisk
			return p.second(p.dir("bases", tempPrefix+"base-x"), "base-x", filepath.Join(p.volumeDir(from.ID), m.Disk), frozen)
		},
		"after the source's new file was written": func(p *pool, from storage.Volume, m meta) error {
			frozen := m
			frozen.Disk = firstDisk
			if err := p.second(p.dir("bases", tempPrefix+"base-x"), "base-x", filepath.Join(p.volumeDir(from.ID), m.Disk), frozen); err != nil {
				return err
			}
			return writeDisk(filepath.Join(p.volumeDir(from.ID), "disk-base-x.qcow2"), p.empty(m.SizeBytes, meta{Base: "base-x"}))
		},
		"after the source moved": func(p *pool, from storage.Volume, m meta) error {
			return p.stand(storage.Volume{ID: id.NewVolume(), From: from.ID}, m, "base-x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, t.TempDir())
			from := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest}
			write(t, p.ensure(t, from), 0, "before")
			m, err := p.get(from.ID)
			must(t, err)
			must(t, crash(p, from, m))
			p.Pool = p.reopen(t)
			if got := read(t, p.ensure(t, from), 0, 6); got != "before" {
				t.Fatalf("the source reads %q", got)
			}
			to := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID, Linked: true}
			if got := read(t, p.ensure(t, to), 0, 6); got != "before" {
				t.Fatalf("the clone reads %q", got)
			}
			if bases := entries(t, p.dir("bases")); len(bases) != 1 {
				t.Fatalf("the bases are %v", bases)
			}
			if files := entries(t, p.volumeDir(from.ID)); len(files) != 2 {
				t.Fatalf("the source's folder holds %v", files)
			}
		})
	}
}

func TestFullClone_isIndependentAndLargerWhenAsked(t *testing.T) {
	needQEMU(t)
	for _, flatten := range []bool{false, true} {
		p := newPool(t, t.TempDir())
		from := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest}
		write(t, p.ensure(t, from), 0, "before")
		if flatten { // a source that stands on a base
			p.ensure(t, storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID, Linked: true})
		}
		to := storage.Volume{ID: id.NewVolume(), SizeBytes: 2 * imageSize, From: from.ID}
		f := p.ensure(t, to)
		write(t, p.ensure(t, from), 0, "after!")
		must(t, p.Remove(t.Context(), from.ID))
		if a, b := read(t, f, 0, 6), read(t, f, mib, 9); a != "before" || b != "the image" {
			t.Errorf("flatten %v: the copy reads %q and %q", flatten, a, b)
		}
		if got := read(t, f, 2*imageSize-4, 4); got != "\x00\x00\x00\x00" {
			t.Errorf("flatten %v: behind the source's end stands %q", flatten, got)
		}
	}
}

func TestSnapshot_revertBringsTheOldContentBack(t *testing.T) {
	needQEMU(t)
	p := newPool(t, t.TempDir())
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest}
	f := p.ensure(t, v)
	write(t, f, 0, "old")
	must(t, p.Snapshot(t.Context(), v.ID, storage.SnapshotCreate, "s"))
	write(t, f, 0, "new")
	must(t, p.Snapshot(t.Context(), v.ID, storage.SnapshotRevert, "s"))
	if got := read(t, f, 0, 3); got != "old" {
		t.Fatalf("after the revert the volume reads %q", got)
	}
}

func TestDrivers_neverFollowTheHeaderOfADiskFile(t *testing.T) {
	needQEMU(t)
	p := newPool(t, t.TempDir())
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, bytes.Repeat([]byte("secret!\n"), 1<<17), 0o644))
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: p.digest}
	f := p.ensure(t, from)
	// A guest that took its QEMU over rewrites the header of its own disk.
	evil, err := image.NewQCOW2(imageSize, secret, image.Raw)
	must(t, err)
	must(t, os.WriteFile(f.Path, evil, 0o600))
	p.ensure(t, storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID, Linked: true})
	copied := p.ensure(t, storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, From: from.ID})
	if got := read(t, copied, 0, 7); got == "secret!" {
		t.Fatal("the copy holds a file of the machine")
	}
}

func TestEnsure_onAFullDiskSaysSoAndLeavesNothingBehind(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	images := t.TempDir()
	small := t.TempDir()
	if err := unix.Mount("small", small, "tmpfs", 0, "size=512k"); err != nil {
		t.Skip("needs to mount a small file system: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	c, digest := cache(t, images)
	p, err := Open(Config{Root: filepath.Join(small, "pool"), Images: c})
	must(t, err)
	for err == nil {
		_, err = p.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: digest})
	}
	if !fault.Is(err, fault.Exhausted) || !strings.Contains(fault.Sentence(err), "free") {
		t.Fatalf("got %v", err)
	}
	found, err := p.List(t.Context())
	must(t, err)
	for _, f := range found {
		if !f.Whole {
			t.Errorf("%s stays behind", f.ID)
		}
	}
	if names := entries(t, p.dir("volumes")); len(names) != len(found) || len(found) == 0 {
		t.Errorf("the folder holds %v and the list %d volumes", names, len(found))
	}
	must(t, p.Remove(t.Context(), found[0].ID))
	_, err = p.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: digest})
	must(t, err)
}

func TestOpen_sweepsWhatACrashLeft(t *testing.T) {
	p := newPool(t, t.TempDir())
	v := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize}
	p.ensure(t, v)
	must(t, os.MkdirAll(p.dir("volumes", tempPrefix+string(id.NewVolume())), 0o700))
	must(t, os.MkdirAll(p.dir("bases", tempPrefix+"base-y"), 0o700))
	must(t, os.WriteFile(filepath.Join(p.volumeDir(v.ID), ".tmp-123"), nil, 0o600))
	p.Pool = p.reopen(t)
	if a, b, c := entries(t, p.dir("volumes")), entries(t, p.dir("bases")), entries(t, p.volumeDir(v.ID)); len(a) != 1 || len(b) != 0 || len(c) != 2 {
		t.Fatalf("%v %v %v stay behind", a, b, c)
	}
}

func BenchmarkEnsure_overlay(b *testing.B) {
	c, digest := cache(b, b.TempDir())
	p, err := Open(Config{Root: b.TempDir(), Images: c})
	must(b, err)
	for b.Loop() {
		_, err := p.Ensure(b.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: 10 << 30, Image: digest})
		must(b, err)
	}
}

func TestEnsure_worksAtAnyLengthOfPath(t *testing.T) {
	needQEMU(t)
	root := t.TempDir()
	for len(root) < 1500 {
		root = filepath.Join(root, strings.Repeat("x", 200))
	}
	must(t, os.MkdirAll(root, 0o700))
	c, digest := cache(t, root)
	p, err := Open(Config{Root: filepath.Join(root, "pool"), Images: c})
	must(t, err)
	w := &pool{Pool: p, digest: digest}
	from := storage.Volume{ID: id.NewVolume(), SizeBytes: imageSize, Image: digest}
	write(t, w.ensure(t, from), 0, "here")
	must(t, p.Grow(t.Context(), from.ID, 2*imageSize))
	must(t, p.Snapshot(t.Context(), from.ID, storage.SnapshotCreate, "s"))
	must(t, p.Snapshot(t.Context(), from.ID, storage.SnapshotDelete, "s"))
	linked := w.ensure(t, storage.Volume{ID: id.NewVolume(), SizeBytes: 2 * imageSize, From: from.ID, Linked: true})
	if a, b := read(t, linked, 0, 4), read(t, linked, mib, 9); a != "here" || b != "the image" {
		t.Fatalf("the clone reads %q and %q", a, b)
	}
}
