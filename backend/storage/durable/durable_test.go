package durable

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestSparseWriter_writesWhatItIsGivenAndLeavesHoles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var want []byte
		f := create(t)
		w := NewSparseWriter(f)
		for range 1 + r.IntN(20) {
			part := make([]byte, r.IntN(3*holeBytes))
			if r.IntN(2) == 0 {
				for i := range part {
					part[i] = byte(r.IntN(3))
				}
			}
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("round %d: wrote %d of %d, %v", round, n, len(part), err)
			}
			want = append(want, part...)
		}
		must(t, w.Close())
		if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("round %d: the file differs (%v)", round, err)
		}
	}
	f := create(t)
	w := NewSparseWriter(f)
	_, err := w.Write(make([]byte, 64<<20))
	must(t, err)
	must(t, w.Close())
	info, err := f.Stat()
	must(t, err)
	if info.Size() != 64<<20 || Allocated(info) > 1<<20 {
		t.Fatalf("%d bytes take %d", info.Size(), Allocated(info))
	}
}

func TestClone_copiesContentAndKeepsHoles(t *testing.T) {
	src, dst := create(t), create(t)
	_, err := src.WriteAt([]byte("begin"), 0)
	must(t, err)
	_, err = src.WriteAt([]byte("middle"), 10<<20)
	must(t, err)
	must(t, src.Truncate(64<<20))
	must(t, Clone(dst, src))
	a, _ := os.ReadFile(src.Name())
	b, _ := os.ReadFile(dst.Name())
	info, err := dst.Stat()
	must(t, err)
	if !bytes.Equal(a, b) || Allocated(info) > 1<<20 {
		t.Fatalf("the copy of %d bytes has %d and takes %d", len(a), len(b), Allocated(info))
	}
}

func TestWriteFile_replacesAndLeavesNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, s := range []string{"one", "two"} {
		must(t, WriteFile(path, []byte(s), 0o640))
		b, _ := os.ReadFile(path)
		info, err := os.Stat(path)
		must(t, err)
		if string(b) != s || info.Mode().Perm() != 0o640 {
			t.Fatalf("%q with mode %v", b, info.Mode().Perm())
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Fatalf("%v", entries)
	}
	if err := WriteFile(filepath.Join(path, "below"), nil, 0o600); !errors.Is(err, syscall.ENOTDIR) {
		t.Fatalf("got %v", err)
	}
}

func create(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
