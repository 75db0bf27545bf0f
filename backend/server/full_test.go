package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

// smallDisk mounts a file system of its own with so many MiB.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small file system to fill it")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", mib)); err != nil {
		t.Skipf("needs a mount of tmpfs, which this place refuses: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk writes a file until nothing more fits, and gives its path.
func fillDisk(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "somebody-elses-file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 1<<10; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return f.Name()
}

// lockedBuffer is a log that several goroutines write and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// until waits for a condition for at most a minute.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestServer_onAFullDiskStopsAndDeletesAndMakesNothingNew(t *testing.T) {
	dir := smallDisk(t, 160)
	log := &lockedBuffer{}
	s, c := startLogged(t, dir, slog.New(slog.NewTextHandler(log, nil)))
	defer s.Close()
	admin(t, s, c)
	for _, name := range []string{"stops", "goes", "stays"} {
		if _, err := c.CreateVM(t.Context(), vmWish(name), 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	filler := fillDisk(t, dir)

	refused := func(name string) bool {
		_, err := c.CreateVM(t.Context(), vmWish(name), 30*time.Second)
		return code(err) == "database_full" && strings.Contains(fault.Sentence(err), "disk of the database is full") && strings.Contains(fault.Sentence(err), "delete VMs")
	}
	until(t, "a create is refused with the sentence", func() bool { return refused("new-" + fmt.Sprint(time.Now().UnixNano())) })
	for i := range 10 {
		if !refused(fmt.Sprint("more-", i)) {
			t.Error("a further create was not refused")
		}
	}
	if _, err := c.CreateSnapshot(t.Context(), "stays", wire.CreateSnapshot{Name: "s"}, 0); code(err) != "database_full" {
		t.Errorf("a snapshot: %v, want it refused", err)
	}
	if a, err := c.StopVM(t.Context(), "stops", wire.StopVM{Force: true}, 30*time.Second); err != nil || !a.Operation.Succeeded() {
		t.Errorf("a forced stop on a full disk: %+v, %v", a.Operation, err)
	}
	if a, err := c.DeleteVM(t.Context(), "goes", 30*time.Second); err != nil || !a.Operation.Succeeded() {
		t.Errorf("a delete on a full disk: %+v, %v", a.Operation, err)
	}
	r, err := c.Ready(t.Context())
	if err != nil || !r.Ready || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "full") {
		t.Errorf("ready says %+v, %v; want yes, and that the disk is full", r, err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n > 0 {
		t.Errorf("%d lines of level ERROR:\n%s", n, log.String())
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, "there is room again", func() bool {
		r, err := c.Ready(t.Context())
		return err == nil && r.Ready && len(r.Reasons) == 0
	})
	if a, err := c.CreateVM(t.Context(), vmWish("again"), 30*time.Second); err != nil || !a.Operation.Succeeded() {
		t.Errorf("a create with room again: %+v, %v", a.Operation, err)
	}
}

// code is the code of the problem that the API answered with.
func code(err error) string {
	f, _ := errors.AsType[*fault.Error](err)
	if f == nil {
		return ""
	}
	return f.Code
}

func vmWish(name string) wire.CreateVM {
	return wire.CreateVM{Name: name, CPUs: 1, MemoryMiB: 64, DiskGiB: 1}
}

// admin signs the client in as the first administrator.
func admin(t *testing.T, s *server.Server, c *client.Client) {
	t.Helper()
	link, err := s.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Setup(t.Context(), wire.Setup{Token: link.Token, Username: "ana", Email: "ana@example.org", Password: password}); err != nil {
		t.Fatal(err)
	}
}
