package qemu

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/hypervisortest"
)

// firmwareConfig is a machine whose firmware finds nothing to start and says so on the serial line.
func (b *bench) firmwareConfig(arch vm.Arch, secure bool) hypervisor.Config {
	b.t.Helper()
	if _, err := findFirmware(arch, secure); err != nil {
		b.t.Skipf("needs UEFI firmware: %v", err)
	}
	if _, err := exec.LookPath("qemu-system-" + string(arch)); err != nil {
		b.t.Skipf("needs qemu-system-%s", arch)
	}
	cfg := b.config()
	cfg.Arch, cfg.Firmware, cfg.Secure, cfg.MemoryMiB = arch, vm.UEFI, secure, 256
	cfg.Disks[0] = b.convert(b.raw(nil), "qcow2")
	vars, err := b.driver.MakeVars(b.t.Context(), filepath.Join(b.data, "vars"), arch, secure)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg.Vars = vars
	return cfg
}

func TestUEFI_starts(t *testing.T) {
	b := newBench(t)
	b.sees(b.start(b.firmwareConfig(vm.X86_64, false)), "BdsDxe")
}

func TestUEFI_startsWithSecureBootTPMAndDisplay(t *testing.T) {
	b := newBench(t)
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Skip("needs swtpm")
	}
	cfg := b.firmwareConfig(vm.X86_64, true)
	cfg.Display, cfg.TPMDir = true, filepath.Join(b.data, "tpm")
	i := b.start(cfg)
	b.sees(i, "BdsDxe")
	if states, err := filepath.Glob(filepath.Join(cfg.TPMDir, "*.permall")); err != nil || len(states) != 1 {
		t.Errorf("the vTPM has kept nothing: %v, %v", states, err)
	}
	tpm := i.snapshotRecord().TPM
	if got, want := status(t, tpm, "Uid"), status(t, i.process.pid, "Uid"); got != want {
		t.Errorf("the vTPM is user %s, the guest %s", got, want)
	}
	if err := i.Power(t.Context(), hypervisor.Kill); err != nil {
		t.Fatal(err)
	}
	if err := b.driver.Clean(t.Context(), cfg.VM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); alive(tpm); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the vTPM outlives its guest")
		}
	}
	b.sees(b.start(cfg), "BdsDxe") // with the state of the first start
}

// alive reports whether the process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && len(raw) > 0
}

func TestARM64_startsUnderUEFI(t *testing.T) {
	b := newBench(t)
	cfg := b.firmwareConfig(vm.AArch64, false)
	cfg.MaxCPUs = 1
	cd := b.convert(b.raw(nil), "raw")
	cd.CDROM = true
	cfg.Disks = append(cfg.Disks, cd)
	cfg.Display = true
	b.sees(b.start(cfg), "UEFI firmware")
}

func TestUEFI_snapshotCoversTheVariables(t *testing.T) {
	b := newBench(t)
	i := b.start(b.firmwareConfig(vm.X86_64, false))
	b.sees(i, "BdsDxe")
	for _, action := range []hypervisor.SnapshotAction{hypervisor.SnapshotCreate, hypervisor.SnapshotLoad, hypervisor.SnapshotDelete} {
		if err := i.Snapshot(t.Context(), hypervisor.SnapshotRequest{Action: action, Tag: "snap-one", Memory: true}); err != nil {
			t.Fatalf("%s: %v", action, err)
		}
		have, err := i.tags(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := have["fw-vars"]["snap-one"]; ok != (action != hypervisor.SnapshotDelete) {
			t.Errorf("after %s the variables' snapshot is there: %t", action, ok)
		}
	}
}

func TestCDROM_isWhatTheGuestStartsFrom(t *testing.T) {
	b := newBench(t)
	if _, err := exec.LookPath("genisoimage"); err != nil {
		t.Skip("needs genisoimage to make a CD that boots")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "boot"), hypervisortest.Sector, 0o600); err != nil {
		t.Fatal(err)
	}
	iso := filepath.Join(b.data, "cd")
	if out, err := exec.Command("genisoimage", "-quiet", "-b", "boot", "-no-emul-boot", "-boot-load-size", "4", "-o", iso, dir).CombinedOutput(); err != nil {
		t.Fatalf("genisoimage: %v: %s", err, out)
	}
	cfg := b.config()
	cfg.Disks[0] = b.convert(b.raw(nil), "qcow2")
	cfg.Disks = append(cfg.Disks, hypervisor.Disk{ID: id.NewVolume(), CDROM: true, BootIndex: 1, File: hypervisor.File{Path: iso, Format: "raw"}})
	b.sees(b.start(cfg), hypervisortest.Banner)
}

func TestTap_isPassedAtStartAndToARunningGuest(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	for range 2 {
		tap := "nct" + string(cfg.VM[len(cfg.VM)-8:]) + fmt.Sprint(len(cfg.NICs))
		if out, err := exec.Command("ip", "tuntap", "add", "dev", tap, "mode", "tap", "user", fmt.Sprint(b.uid), "vnet_hdr").CombinedOutput(); err != nil {
			t.Skipf("needs the right to make network devices: %s", out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "link", "del", tap).Run() })
		cfg.NICs = append(cfg.NICs, hypervisor.NIC{ID: id.NewNIC(), MAC: fmt.Sprintf("52:54:00:00:01:%02x", len(cfg.NICs)), Tap: tap})
	}
	all := cfg.NICs
	cfg.NICs = all[:1]
	i := b.start(cfg)
	b.sees(i, hypervisortest.Banner)
	for _, nics := range [][]hypervisor.NIC{all, all[:1], all, all[1:]} {
		cfg.NICs = nics
		if restart, err := i.Apply(t.Context(), cfg); err != nil || len(restart) > 0 {
			t.Fatalf("apply %d NICs: %v, %q", len(nics), err, restart)
		}
	}
}

func TestTap_thatIsMissingIsSaid(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	cfg.NICs = []hypervisor.NIC{{ID: id.NewNIC(), MAC: "52:54:00:00:01:01", Tap: "nct-no-such"}}
	if _, err := b.driver.Start(t.Context(), cfg); err == nil {
		t.Error("a guest without its network device was started")
	}
	if _, err := os.Stat("/sys/class/net/nct-no-such"); err == nil {
		t.Error("the start made a network device")
	}
	b.wantNothing(cfg)
}

func TestForwards_changeWhileTheGuestRuns(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	forward := func(port int) []vm.Forward { return []vm.Forward{{Protocol: "tcp", HostPort: port, GuestPort: 22}} }
	user := hypervisor.UserNet{Subnet: "10.9.0.0/24", Gateway: "10.9.0.1", DNS: "10.9.0.2", Address: "10.9.0.15", Hostname: "guest"}
	cfg.NICs = []hypervisor.NIC{{ID: id.NewNIC(), MAC: "52:54:00:00:01:01", User: &user}}
	i := b.start(cfg)
	port := freePort(t)
	for _, forwards := range [][]vm.Forward{forward(port), nil} {
		next := user
		next.Forwards = forwards
		cfg.NICs = []hypervisor.NIC{{ID: cfg.NICs[0].ID, MAC: cfg.NICs[0].MAC, User: &next}}
		if restart, err := i.Apply(t.Context(), cfg); err != nil || len(restart) > 0 {
			t.Fatalf("apply: %v, %q", err, restart)
		}
		if open := accepts(port); open != (forwards != nil) {
			t.Errorf("with %v the port is open: %t", forwards, open)
		}
	}
}

// TestStart_addsLittleToBareQEMU reports how long exec to monitor takes here. The limit is loose: what it must find is a wait
// that does not belong there.
func TestStart_addsLittleToBareQEMU(t *testing.T) {
	b := newBench(t)
	if _, err := b.driver.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	fastest := time.Hour
	for range 5 {
		cfg := b.config()
		began := time.Now()
		i := b.start(cfg)
		fastest = min(fastest, time.Since(began))
		if err := i.Power(t.Context(), hypervisor.Kill); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("Start took %s", fastest)
	if fastest > 5*time.Second {
		t.Errorf("the fastest of five starts took %s", fastest)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func accepts(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		c.Close()
	}
	return err == nil
}

func TestDirect_startsAKernelOutOfAClosedFolder(t *testing.T) {
	b := newBench(t)
	kernel, err := os.ReadFile("testdata/multiboot.bin")
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.config()
	cfg.Firmware, cfg.Cmdline = vm.Direct, "console=ttyS0"
	cfg.Kernel = hypervisor.File{Path: filepath.Join(b.data, "kernel"), Format: "raw"}
	cfg.Initrd = hypervisor.File{Path: filepath.Join(b.data, "initrd"), Format: "raw"}
	for path, content := range map[string][]byte{cfg.Kernel.Path: kernel, cfg.Initrd.Path: []byte("and an initrd\x00")} {
		if err := os.WriteFile(path, content, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	b.sees(b.start(cfg), "READY and an initrd")
}
