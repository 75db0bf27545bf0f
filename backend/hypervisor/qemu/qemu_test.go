package qemu

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/hypervisortest"
)

// bench is one host with closed folders, as in production: where the tests run as root, guests are another user who can enter
// neither.
type bench struct {
	t      *testing.T
	run    string
	data   string
	uid    int
	driver *Driver
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("starts QEMU, which -short leaves out")
	}
	for _, program := range []string{"qemu-system-x86_64", "qemu-img"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s", program)
		}
	}
	run, err := os.MkdirTemp("/tmp", "nc-run-") // short: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, run: run, data: filepath.Join(t.TempDir(), "closed")}
	if err := os.Mkdir(b.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		b.uid = 64123
	}
	b.driver = b.newDriver()
	t.Cleanup(b.close)
	return b
}

func (b *bench) newDriver() *Driver {
	b.t.Helper()
	d, err := New(Options{RunDir: b.run, Accel: "tcg", Log: slog.New(slog.NewTextHandler(b.t.Output(), nil))})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// close ends every guest that a test has left.
func (b *bench) close() {
	all, err := folders(b.run)
	if err != nil {
		b.t.Error(err)
	}
	for _, vm := range all {
		if p, err := search(vm); err == nil {
			if err := p.kill(); err != nil {
				b.t.Error(err)
			}
		}
	}
	b.driver.Close()
	for _, vm := range all {
		if err := b.driver.Clean(b.t.Context(), vm); err != nil && b.t.Context().Err() == nil {
			b.t.Error(err)
		}
	}
	if err := os.RemoveAll(b.run); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) drop() *Driver {
	b.driver.Close()
	b.driver = b.newDriver()
	return b.driver
}

func (b *bench) convert(raw, format string) hypervisor.Disk {
	b.t.Helper()
	vol := id.NewVolume()
	path := filepath.Join(b.data, string(vol))
	if out, err := exec.Command("qemu-img", "convert", "-q", "-f", "raw", "-O", format, raw, path).CombinedOutput(); err != nil {
		b.t.Fatalf("qemu-img: %v: %s", err, out)
	}
	return hypervisor.Disk{ID: vol, File: hypervisor.File{Path: path, Format: format}, SizeBytes: 1 << 20}
}

// raw makes a file of 1 MiB that begins with the content.
func (b *bench) raw(content []byte) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "raw")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<20); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *bench) config() hypervisor.Config {
	b.t.Helper()
	disk := b.convert(b.raw(hypervisortest.Sector), "qcow2")
	disk.BootIndex = 1
	return hypervisor.Config{
		VM: id.NewVM(), Name: "guest", UID: b.uid, Arch: vm.X86_64, Firmware: vm.BIOS, CPUs: 1, MaxCPUs: 2, MemoryMiB: 32,
		Disks: []hypervisor.Disk{disk},
	}
}

func (b *bench) crash(t *testing.T, vm id.VM) {
	t.Helper()
	r, err := b.driver.folder(vm).load()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestQEMU(t *testing.T) {
	hypervisortest.Run(t, func(t *testing.T) *hypervisortest.Machine {
		b := newBench(t)
		return &hypervisortest.Machine{
			Driver: b.driver,
			Drop:   func() hypervisor.Driver { return b.drop() },
			Config: func(*testing.T) hypervisor.Config { return b.config() },
			Disk:   func(_ *testing.T, format string) hypervisor.Disk { return b.convert(b.raw(nil), format) },
			Crash:  b.crash,
		}
	})
}
