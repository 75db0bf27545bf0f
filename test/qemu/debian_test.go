package qemu

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// The full Debian image that the platform builds: UEFI, systemd, cloud-init and the guest agent, through all that its owner may wish for.
func TestDebian_bootsWithCloudInitAndFollowsItsOwner(t *testing.T) {
	needRoot(t)
	if !longRun {
		t.Skip("takes minutes; run with NOVACRON_TEST_LONG=1, as make test-qemu does")
	}
	file := filepath.Join(root, "build", "images", "debian-"+arch+".qcow2")
	if _, err := os.Stat(file); err != nil {
		t.Skip("the Debian image is not built; images/debian/build.sh builds it")
	}
	w := up(t)
	w.mustCLI("", "image", "import", "debian", file, "--firmware", "uefi")
	secret := rand.Text()
	_, lacking := exec.LookPath("swtpm")
	if lacking != nil {
		t.Log("swtpm is not installed: the guest gets no TPM")
	}
	begun := time.Now()
	g := w.create("deb", func(r *wire.CreateVM) {
		r.Image, r.CPUs, r.MemoryMiB, r.DiskGiB = "debian", 2, 1024, 4
		r.TPM = lacking == nil
		r.UserData = "#cloud-config\nruncmd: [\"touch /run/by-cloud-init\"]\npassword: " + secret + "\nchpasswd: {expire: false}\n"
	})
	g.user = "debian"
	g.greets()
	t.Logf("the guest agent answered %s after the create", time.Since(begun).Round(time.Second))
	g.says("test -d /sys/firmware/efi && hostname", "deb")
	if lacking == nil {
		g.says("ls /dev/tpm0", "tpm0")
	}
	g.says("cloud-init status --wait >/dev/null; ls /run/by-cloud-init", "by-cloud-init")
	t.Logf("cloud-init had finished %s after the create", time.Since(begun).Round(time.Second))

	line := g.serial()
	line.types("")
	line.sees("deb login:")
	line.types("debian")
	line.sees("Password:")
	line.types(secret)
	line.sees("debian@deb:")
	line.types("id -un | tr a-z A-Z")
	line.sees("DEBIAN")

	six := 6
	v := g.update(wire.UpdateVM{Disks: []wire.DiskChange{{ID: g.get().Disks[0].ID, SizeGiB: &six}}, AddNICs: []string{"default"}})
	g.says("cat /sys/block/vda/size", fmt.Sprint(six<<30/512))
	g.says("cat /sys/class/net/*/address", v.NICs[1].MAC)

	g.sh("echo old > file && sync")
	before := uptime(t, g.sh("cat /proc/uptime"))
	g.do(w.SuspendVM)
	g.reaches(vm.StateSuspended)
	g.do(w.ResumeVM)
	if now := uptime(t, g.sh("cat file /proc/uptime | tail -n 1")); now < before || now > before+late.Seconds() {
		t.Errorf("uptime is %.0f s after the resume, it was %.0f s", now, before)
	}
	g.says("ls /run/by-cloud-init", "by-cloud-init") // /run is memory

	g.snapshot(wire.CreateSnapshot{Name: "quiesced", Quiesce: true})
	g.sh("echo new > file && sync")
	grace := 120
	g.stop(wire.StopVM{GraceS: &grace})
	g.revert("quiesced")
	gone, err := w.DeleteSnapshot(w.ctx(), g.name, "quiesced", wait)
	w.must(gone.Operation, err)
	a, err := w.CloneVM(w.ctx(), g.name, wire.CloneVM{Name: "copy", Linked: true, Start: true}, wait)
	w.must(a.Operation, err)
	g.do(w.StartVM)
	if got := g.sh("cat file"); got != "old" {
		t.Errorf("after the revert the file says %q", got)
	}
	clone := guest{w, "copy", "debian"}
	clone.greets()
	if got := clone.sh("cat file; hostname"); got != "old\ncopy" {
		t.Errorf("the clone says %q", got)
	}
	w.equalsAPI()
}

// greets waits until the guest's own agent tells its name and an address.
func (g guest) greets() {
	g.w.t.Helper()
	until(g.w.t, 4*late, "the guest agent of "+g.name+" answers", func() (bool, string) {
		v := g.get()
		return v.GuestAgent && v.Hostname == g.name && len(v.Addresses) > 0, v.Hostname + " " + strings.Join(v.Addresses, " ")
	})
}
