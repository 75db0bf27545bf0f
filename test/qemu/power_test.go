package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// The power fails while a VM is being created: what had not reached the disk is gone, in files and in folders. What was acknowledged before is
// there, and so is what a guest had synced; the create is taken up or taken back and says which.
func TestPowerCut_inTheMiddleOfACreateLosesNothingThatWasAcknowledged(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := newWorld(t)
	d := newDrive(t, w)
	w.start()
	w.signIn()
	old := w.create("old")
	old.sh("echo kept > /root/file && sync")

	for step := range 3 {
		name := fmt.Sprintf("new-%d", step)
		a, err := w.CreateVM(w.ctx(), w.small(name), 0)
		if err != nil {
			t.Fatal(err)
		}
		w.reached(a.Operation.ID, step)
		d.powerCut(w)
		w.start()
		w.signInAgain() // a power cut may take sign-ins of the last moments
		ended, err := w.WaitOperation(w.ctx(), a.Operation.ID, func(wire.Operation) {})
		if err != nil {
			t.Fatalf("the create that was acknowledged before the power failed at step %d is lost: %v", step, err)
		}
		t.Logf("power cut at step %d: %s %+v", step, ended.Status, ended.Error)
		if !ended.Succeeded() && (ended.Error == nil || ended.Error.Message == "") {
			t.Errorf("the create is %s and does not say why", ended.Status)
		}
		if _, err := w.VM(w.ctx(), name); err == nil != ended.Succeeded() || err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("the create is %s, and its VM: %v", ended.Status, err)
		}
		w.equalsAPI()
	}
	for _, v := range w.all() {
		if v.Status != vm.StateRunning {
			guest{w, v.Name, "root"}.do(w.StartVM)
		}
		guest{w, v.Name, "root"}.sh("true")
	}
	if got := old.sh("cat /root/file"); got != "kept" {
		t.Errorf("what the guest had synced before the power failed reads %q", got)
	}
	w.equalsAPI()
}

// drive is a file system in a file. What the kernel has not written into the file yet is what a power cut takes.
type drive struct {
	t           testing.TB
	file, mount string
}

// newDrive makes a drive and moves the instance's data folder onto it.
func newDrive(t testing.TB, w *world) *drive {
	t.Helper()
	d := &drive{t, filepath.Join(w.dir, "drive"), filepath.Join(w.dir, "mount")}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", `truncate -s 8G "$0" && mkfs.ext4 -q "$0"`, d.file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs: %v %s", err, out)
	}
	if err := d.on(); err != nil {
		t.Skipf("no file can be mounted as a drive here: %v", err)
	}
	w.live(d.mount)
	return d
}

// on mounts the drive. Nothing but an fsync, and the kernel's own write-back after half a minute, brings anything onto it.
func (d *drive) on() error {
	out, err := exec.Command("mount", "-o", "loop,commit=300", d.file, d.mount).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// powerCut ends the platform and its guests, and leaves of the drive what is in its file at this moment. The run folder lies in memory.
func (d *drive) powerCut(w *world) {
	d.t.Helper()
	for _, p := range w.guests() {
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
	w.signal(syscall.SIGKILL)
	for _, p := range w.guests() { // those that it had started in the meantime
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
	kept := d.file + ".kept"
	if out, err := exec.Command("cp", "--sparse=always", d.file, kept).CombinedOutput(); err != nil {
		d.t.Fatalf("cp: %v %s", err, out)
	}
	until(d.t, soon, "nothing holds the drive any more", func() (bool, string) {
		err := syscall.Unmount(d.mount, 0)
		return err == nil, fmt.Sprint(err)
	})
	if err := os.Rename(kept, d.file); err != nil {
		d.t.Fatal(err)
	}
	if err := os.RemoveAll(w.paths.Run); err != nil {
		d.t.Fatal(err)
	}
	if err := d.on(); err != nil {
		d.t.Fatal(err)
	}
}
