package dir

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
)

// pool is a Pool with an image.
type pool struct {
	*Pool
	cfg    Config
	digest string
}

func newPool(t *testing.T, root string) *pool {
	t.Helper()
	c, digest := cache(t, t.TempDir())
	cfg := Config{Root: root, Images: c}
	p, err := Open(cfg)
	must(t, err)
	must(t, os.Chmod(root, 0o700))
	return &pool{p, cfg, digest}
}

func (p *pool) reopen(t *testing.T) *Pool {
	t.Helper()
	again, err := Open(p.cfg)
	must(t, err)
	return again
}

func (p *pool) ensure(t *testing.T, v storage.Volume) hypervisor.File {
	t.Helper()
	f, err := p.Ensure(t.Context(), v)
	must(t, err)
	return f
}

// cache holds one raw image, with "the image" at 1 MiB.
func cache(t testing.TB, root string) (*storage.Cache, string) {
	t.Helper()
	c, err := storage.OpenCache(storage.Config{Root: filepath.Join(root, "images")})
	must(t, err)
	raw := make([]byte, imageSize)
	copy(raw[510:], "\x55\xaa")
	copy(raw[mib:], "the image")
	info, err := c.Import(context.Background(), bytes.NewReader(raw), storage.ImportOptions{})
	must(t, err)
	return c, info.Digest
}

// hold opens a volume as QEMU does, with a lock on its first byte of rights.
func hold(t *testing.T, p *Pool, v id.Volume) func() {
	t.Helper()
	m, err := p.get(v)
	must(t, err)
	f, err := os.OpenFile(filepath.Join(p.volumeDir(v), m.Disk), os.O_RDWR, 0)
	must(t, err)
	must(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: 101, Len: 1}))
	return func() { f.Close() }
}

func options(f hypervisor.File) map[string]any {
	o := map[string]any{"driver": f.Format, "file": map[string]any{"driver": "file", "filename": f.Path}}
	if f.Backing != nil {
		o["backing"] = options(*f.Backing)
	} else if f.Format == "qcow2" {
		o["backing"] = nil
	}
	return o
}

func read(t *testing.T, f hypervisor.File, off int64, n int) string {
	t.Helper()
	text, err := json.Marshal(options(f))
	must(t, err)
	raw := filepath.Join(t.TempDir(), "raw")
	out, err := exec.Command("qemu-img", "convert", "-O", "raw", "json:"+string(text), raw).CombinedOutput()
	if err != nil {
		t.Fatalf("read %s: %v\n%s", f.Path, err, out)
	}
	defer os.Remove(raw)
	file, err := os.Open(raw)
	must(t, err)
	defer file.Close()
	b := make([]byte, n)
	_, err = file.ReadAt(b, off)
	must(t, err)
	return string(b)
}

func write(t *testing.T, f hypervisor.File, off int64, s string) {
	t.Helper()
	text, err := json.Marshal(options(f))
	must(t, err)
	content := filepath.Join(t.TempDir(), "content")
	must(t, os.WriteFile(content, []byte(s), 0o600))
	out, err := exec.Command("qemu-io", "-c", "write -s "+content+" "+strconv.FormatInt(off, 10)+" "+strconv.Itoa(len(s)), "json:"+string(text)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "wrote") {
		t.Fatalf("write %s: %v\n%s", f.Path, err, out)
	}
}

func needQEMU(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("needs qemu-img, from the package qemu-utils")
	}
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	es, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
