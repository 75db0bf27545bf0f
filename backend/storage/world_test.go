package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/core/fault"
)

// disk has a boot sector and something in its middle.
func disk(size int) []byte {
	b := make([]byte, size)
	copy(b, "\xeb\x63")
	copy(b[510:], "\x55\xaa")
	copy(b[size/2:], "middle")
	return b
}

// convert makes a file of another format with qemu-img: "format options".
func convert(t *testing.T, raw []byte, format string) []byte {
	t.Helper()
	needQEMU(t)
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	must(t, os.WriteFile(from, raw, 0o600))
	name, option, _ := strings.Cut(format, " ")
	args := []string{"convert", "-f", "raw", "-O", name, from, to}
	switch {
	case option == "-c":
		args = append(args[:1:1], append([]string{"-c"}, args[1:]...)...)
	case option != "":
		args = append(args[:1:1], append([]string{"-o", option}, args[1:]...)...)
	}
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(to)
	must(t, err)
	return b
}

func newCache(t *testing.T) *Cache {
	t.Helper()
	c, err := OpenCache(Config{Root: filepath.Join(t.TempDir(), "images")})
	must(t, err)
	return c
}

func receive(t *testing.T, from, to *Cache, info Info) Info {
	t.Helper()
	b, err := from.Open(info.Digest)
	must(t, err)
	defer b.Close()
	if b.Size() != info.Bytes {
		t.Fatalf("%d bytes are sent and %d were told", b.Size(), info.Bytes)
	}
	last := int64(0)
	got, err := to.Receive(t.Context(), info.Digest, info.Bytes, b, func(done int64) { last = done })
	must(t, err)
	if got.Digest != info.Digest || last != info.Bytes || !to.Has(info.Digest) {
		t.Fatalf("received %s with progress %d of %d", got.Digest, last, info.Bytes)
	}
	return got
}

func wantBytes(t *testing.T, c *Cache, digest string, want []byte) {
	t.Helper()
	b, err := c.Open(digest)
	must(t, err)
	defer b.Close()
	if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the blob has %d bytes (%v) and %d were imported", len(got), err, len(want))
	}
}

// wantFiles compares the folder with the index: nothing of a failed import may stay.
func wantFiles(t *testing.T, c *Cache, want int) {
	t.Helper()
	entries, err := os.ReadDir(c.root)
	must(t, err)
	all, err := c.List()
	must(t, err)
	if len(entries) != want || len(all) != want {
		t.Errorf("the folder holds %v and the index %d images, want %d", entries, len(all), want)
	}
}

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func wantCode(t *testing.T, want string, err error) {
	t.Helper()
	if got := code(err); got != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func second[T any](_ T, err error) error { return err }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needQEMU(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("needs qemu-img, from the package qemu-utils")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
