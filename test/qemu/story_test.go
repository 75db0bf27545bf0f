package qemu

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// A guest's disks and memory through time: one VM, in the order in which its owner would come to these wishes.
func TestSnapshots_bringBackFilesAndMemory(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	g := w.create("web")
	g.sh("echo old > /root/file") // not synced: that is what the frozen file system is for
	g.snapshot(wire.CreateSnapshot{Name: "disk", Quiesce: true})
	g.sh("echo new > /root/file && sync")
	g.sh("touch /tmp/in-memory")
	g.snapshot(wire.CreateSnapshot{Name: "memory", Memory: true})
	g.sh("rm /tmp/in-memory && echo newest > /root/file && sync")
	before := uptime(t, g.sh("cat /proc/uptime"))

	g.revert("memory")
	g.reaches(vm.StateRunning)
	if got := g.sh("cat /root/file; ls /tmp/in-memory 2>/dev/null; true"); got != "new\n/tmp/in-memory" {
		t.Errorf("after the revert with memory the guest has %q", got)
	}
	if now := uptime(t, g.sh("cat /proc/uptime")); now < 1 || now > before+soon.Seconds() {
		t.Errorf("uptime is %.0f s after the revert, it was %.0f s before: the guest did not go on", now, before)
	}

	_, err := w.RevertSnapshot(w.ctx(), g.name, "disk", wait)
	refused(t, err, "vm_revert_refused") // a running system cannot lose its disk under itself
	g.stop(wire.StopVM{})
	g.revert("disk")
	g.do(w.StartVM)
	if got := g.sh("cat /root/file; ls /tmp/in-memory 2>/dev/null; true"); got != "old" {
		t.Errorf("after the revert of the disk the guest has %q", got)
	}
	for _, name := range []string{"disk", "memory"} {
		a, err := w.DeleteSnapshot(w.ctx(), g.name, name, wait)
		w.must(a.Operation, err)
	}
	if got := g.sh("cat /root/file"); got != "old" {
		t.Errorf("after the snapshots were deleted the guest has %q", got)
	}
	w.equalsAPI()
}

func TestPower_everyWayUpAndDown(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	g := w.create("web")
	g.sh("touch /tmp/here && sync")

	before := uptime(t, g.sh("cat /proc/uptime"))
	g.do(w.SuspendVM)
	g.reaches(vm.StateSuspended)
	if g.pid() != 0 {
		t.Error("a suspended guest has a process")
	}
	w.equalsAPI()
	w.restart(syscall.SIGINT) // what is suspended outlives the platform too
	g.do(w.ResumeVM)
	if now := uptime(t, g.sh("ls /tmp/here >/dev/null && cat /proc/uptime")); now < before {
		t.Errorf("uptime is %.0f s after the resume, it was %.0f s", now, before)
	}

	g.do(w.PauseVM)
	g.reaches(vm.StatePaused)
	g.do(w.ResumeVM)
	g.sh("ls /tmp/here")

	pid := g.pid()
	a, err := w.RestartVM(w.ctx(), g.name, wire.StopVM{}, wait)
	w.must(a.Operation, err)
	g.sh("test ! -e /tmp/here")
	if g.pid() == pid {
		t.Error("a restart kept the process")
	}

	g.stop(wire.StopVM{})
	if v := g.get(); v.Status != vm.StateStopped {
		t.Errorf("after a stop it is %s (%s)", v.Status, v.StatusReason)
	}
	g.do(w.StartVM)

	g.try("poweroff") // the guest's own wish is as good as its owner's
	g.reaches(vm.StateStopped)
	g.do(w.StartVM)
	g.sh("true")

	if err := syscall.Kill(g.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if v := g.reaches(vm.StateError); v.StatusReason == "" {
		t.Error("the error has no reason")
	}
	g.do(w.StartVM)
	g.sh("true")
	w.equalsAPI()
	g.delete()
	w.equalsAPI()
}

func TestClones_fullAndLinked(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	src := w.create("source")
	src.sh("echo mine > /root/file && sync")
	src.stop(wire.StopVM{})
	for name, linked := range map[string]bool{"full": false, "linked": true} {
		a, err := w.CloneVM(w.ctx(), src.name, wire.CloneVM{Name: name, Linked: linked}, wait)
		w.must(a.Operation, err)
	}
	_, err := w.DeleteVM(w.ctx(), src.name, wait)
	if err == nil || !strings.Contains(err.Error(), "linked") {
		t.Fatalf("delete of the source of a linked clone: %v, want a refusal that names it", err)
	}
	for _, name := range []string{"full", "linked"} {
		clone := guest{w, name, "root"}
		clone.do(w.StartVM)
		if got := clone.sh("cat /root/file; cat /etc/hostname; echo changed > /root/file; sync"); got != "mine\n"+name {
			t.Errorf("%s has %q", name, got)
		}
	}
	src.do(w.StartVM)
	if got := src.sh("cat /root/file"); got != "mine" {
		t.Errorf("a clone changed its source: %q", got)
	}
	if got := src.get().LinkedClones; len(got) != 1 || got[0] != "linked" {
		t.Errorf("linked clones are %v", got)
	}
	for _, name := range []string{"linked", "full", "source"} {
		guest{w, name, "root"}.delete()
	}
	w.equalsAPI()
	if left := names(w.data + "/bases"); len(left) > 0 {
		t.Errorf("bases are left: %v", left)
	}
}

func TestUpdate_reachesTheRunningGuest(t *testing.T) {
	needRoot(t)
	t.Parallel()
	w := up(t)
	g := w.create("web")
	g.sh("true")
	boot := g.get().Disks[0].ID

	two := 2
	g.update(wire.UpdateVM{Disks: []wire.DiskChange{{ID: boot, SizeGiB: &two}}})
	g.says("cat /sys/block/vda/size", fmt.Sprint(2<<30/512))

	v := g.update(wire.UpdateVM{AddDisks: []wire.NewDisk{{SizeGiB: 3}}})
	g.says("cat /sys/block/vdc/size", fmt.Sprint(3<<30/512))
	g.update(wire.UpdateVM{RemoveDisks: []id.Volume{v.Disks[1].ID}})
	g.says("ls /sys/block/vdc 2>&1", "No such file")

	v = g.update(wire.UpdateVM{AddNICs: []string{"default"}})
	g.says("ip -4 addr show eth1", v.NICs[1].Address+"/")
	g.update(wire.UpdateVM{RemoveNICs: []id.NIC{v.NICs[1].ID}})
	g.says("ls /sys/class/net/eth1 2>&1", "No such file")

	memory := 256
	v = g.update(wire.UpdateVM{CPUs: &two, MemoryMiB: &memory})
	if len(v.RestartRequired) == 0 {
		g.says("nproc", "2")
	} else {
		g.do(func(ctx context.Context, ref string, d time.Duration) (wire.VMAnswer, error) {
			return w.RestartVM(ctx, ref, wire.StopVM{}, d)
		})
		g.says("nproc", "2")
	}
	name := "renamed"
	if _, err := w.UpdateVM(w.ctx(), g.name, wire.UpdateVM{Name: &name}, 0, wait); err != nil {
		t.Fatal(err)
	}
	g.name = name
	g.sh("true")
	w.equalsAPI()
}
