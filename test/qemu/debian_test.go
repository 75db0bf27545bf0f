package qemu

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/core/wire"
)

// The full Debian image that the platform builds: UEFI, systemd, cloud-init and the guest agent.
func TestDebian_bootsWithCloudInitAndItsAgent(t *testing.T) {
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
	g := w.create("trixie", func(r *wire.CreateVM) {
		r.Image, r.MemoryMiB, r.DiskGiB = "debian", 1024, 4
		r.UserData = "#cloud-config\nruncmd: [\"touch /run/by-cloud-init\"]\n"
	})
	g.user = "debian"
	until(t, 4*late, "the guest agent answers", func() (bool, string) {
		v := g.get()
		return v.GuestAgent && v.Hostname == "trixie" && len(v.Addresses) > 0, v.Hostname + " " + strings.Join(v.Addresses, " ")
	})
	g.says("test -d /sys/firmware/efi && hostname", "trixie")
	g.says("cloud-init status --wait >/dev/null; ls /run/by-cloud-init", "by-cloud-init")
	g.sh("echo old > file && sync")
	g.snapshot(wire.CreateSnapshot{Name: "quiesced", Quiesce: true})
	g.sh("echo new > file && sync")
	grace := 120
	g.stop(wire.StopVM{GraceS: &grace})
	g.revert("quiesced")
	g.do(w.StartVM)
	if got := g.sh("cat file"); got != "old" {
		t.Errorf("after the revert the file says %q", got)
	}
	w.equalsAPI()
}
