package qemu

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// A data folder on a disk that is too small: what does not fit is refused or taken back, with a sentence, and what runs goes on.
func TestFullDisk_failsClearlyAndLeavesNothing(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := newWorld(t)
	disk := filepath.Join(w.dir, "disk")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1500m,mode=0700"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	w.live(disk)
	w.start()
	w.signIn()
	g := w.create("web", func(r *wire.CreateVM) { r.MemoryMiB = 256 })
	g.sh("true")

	filler := filepath.Join(disk, "filler")
	fill := func(leave int64) {
		t.Helper()
		var st syscall.Statfs_t
		if err := syscall.Statfs(disk, &st); err != nil {
			t.Fatal(err)
		}
		free := int64(st.Bavail) * st.Bsize
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, free-leave); err != nil {
			t.Fatal(err)
		}
	}
	fill(24 << 20) // the databases and the journals still breathe

	big := filepath.Join(w.dir, "big")
	noise := make([]byte, 64<<20) // zeros would take no room
	rand.NewChaCha8([32]byte{}).Read(noise)
	if err := os.WriteFile(big, append(bootSector("big"), noise...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := w.cli("", "image", "import", "big", big)
	saysDisk(t, "an import", err)
	g.sh("head -c 60000000 /dev/urandom > /tmp/noise") // in memory, which does not fit then
	_, err = w.CreateSnapshot(w.ctx(), g.name, wire.CreateSnapshot{Name: "memory", Memory: true}, wait)
	saysDisk(t, "a snapshot with memory", err)
	if _, err = w.CreateVM(w.ctx(), w.small("another"), wait); err == nil { // what is left may do for a VM that has written nothing yet
		guest{w, "another", "root"}.delete()
	} else {
		saysDisk(t, "a create", err)
	}
	g.reaches(vm.StateRunning)
	g.sh("true")
	w.settle()

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if list, err := w.Snapshots(w.ctx(), g.name); err != nil || len(list.Items) > 0 {
		t.Errorf("snapshots after the failures: %v, %v", list.Items, err)
	}
	w.create("another").sh("true") // with room again everything goes
	for _, v := range w.all() {
		if v.Name != "web" && v.Name != "another" {
			t.Errorf("%s is there", v.Name)
		}
	}
	if _, err := w.Image(w.ctx(), "big"); err == nil {
		a, err := w.DeleteImage(w.ctx(), "big", wait)
		w.must(a.Operation, err)
	}
	w.equalsAPI()
}

// saysDisk holds that err tells of the disk, in a sentence for people.
func saysDisk(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s on a full disk was done", what)
		return
	}
	t.Logf("%s: %v", what, err)
	text := strings.ToLower(err.Error())
	if !strings.Contains(text, "disk") && !strings.Contains(text, "space") && !strings.Contains(text, "room") || strings.Contains(text, "internal error") {
		t.Errorf("%s on a full disk says %q, not that the disk is full", what, err)
	}
}

// An ordinary user has no bridge and no other users to give to guests, and is told so.
func TestOrdinaryUser_runsGuestsWithUserModeNetworking(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := newWorld(t)
	const uid = 65534 // nobody: ssh wants a user that has a name
	w.wrap = []string{"setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups", "--inh-caps=-all"}
	open(t, w.dir, uid)
	w.paths.Run = fmt.Sprintf("/tmp/novacron-%d/%s", uid, w.paths.Tag)
	w.start()
	if !strings.Contains(w.out.String(), "user-mode networking") {
		t.Error("up does not say that there is user-mode networking only")
	}
	w.signIn()
	port := freePorts(t, 1)[0]
	g := w.create("mine", func(r *wire.CreateVM) { r.Forwards = []wire.Forward{{HostPort: port, GuestPort: 22}} })
	if got := g.sh("cat /etc/hostname"); got != "mine" {
		t.Errorf("host name is %q", got)
	}
	said, err := hear(fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil || !strings.HasPrefix(said, "SSH-2.0-") {
		t.Errorf("the forwarded port says %q, %v", said, err)
	}
	w.restart(syscall.SIGKILL)
	g.sh("true")
}

// open gives a folder and what is in it to the user, and lets them through to it.
func open(t testing.TB, dir string, uid int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, uid, uid)
	})
	if err != nil {
		t.Fatal(err)
	}
	for up := filepath.Dir(dir); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
