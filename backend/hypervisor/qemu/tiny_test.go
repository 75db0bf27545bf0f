package qemu

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// tiny makes a machine of the platform's own small Linux, which make build leaves in build/images.
func (b *bench) tiny(arch vm.Arch) hypervisor.Config {
	b.t.Helper()
	dir := filepath.Join("..", "..", "..", "build", "images", "tiny-"+string(arch))
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		b.t.Skipf("needs %s, which make build makes", dir)
	}
	var manifest struct{ Cmdline string }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		b.t.Fatal(err)
	}
	cfg := b.config()
	cfg.Arch, cfg.Firmware, cfg.Cmdline = arch, vm.Direct, manifest.Cmdline
	cfg.MemoryMiB, cfg.MaxMemoryMiB, cfg.MaxCPUs = 128, 512, 2
	cfg.Disks[0] = b.convert(filepath.Join(dir, "disk.raw"), "qcow2")
	cfg.Disks[0].SizeBytes = 22 << 20
	for name, file := range map[string]*hypervisor.File{"kernel": &cfg.Kernel, "initrd": &cfg.Initrd} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			b.t.Fatal(err)
		}
		*file = hypervisor.File{Path: filepath.Join(b.data, name), Format: "raw"}
		if err := os.WriteFile(file.Path, content, 0o444); err != nil {
			b.t.Fatal(err)
		}
	}
	return cfg
}

// shell runs commands on the serial line.
type shell struct {
	t    *testing.T
	line io.ReadWriteCloser
	seen strings.Builder
	next int
}

func (b *bench) shell(i hypervisor.Instance) *shell {
	b.t.Helper()
	b.sees(i, "novacron-tiny: ready")
	line, err := i.Console(b.t.Context(), hypervisor.Serial)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { line.Close() })
	return &shell{t: b.t, line: line}
}

// run gives what the command prints, up to the mark behind it. The mark is typed in two halves, so that its echo is none.
func (s *shell) run(command string) string {
	s.t.Helper()
	s.next++
	mark := strings.Repeat("=", s.next) + "."
	if _, err := io.WriteString(s.line, "echo begin; "+command+"; echo 'e'nd"+mark+"\n"); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { s.line.Close() })
	defer timer.Stop()
	buf := make([]byte, 4096)
	for !strings.Contains(s.seen.String(), "end"+mark) {
		n, err := s.line.Read(buf)
		s.seen.Write(buf[:n])
		if err != nil {
			s.t.Fatalf("%s: %v, seen %q", command, err, s.seen.String())
		}
	}
	all, _, _ := strings.Cut(s.seen.String(), "end"+mark)
	return all[strings.LastIndex(all, "begin")+len("begin"):]
}

// eventually repeats the command until it prints what matches.
func (s *shell) eventually(command, want string) {
	s.t.Helper()
	matches := regexp.MustCompile(want)
	var got string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		if got = s.run(command + "; sleep 0.1"); matches.MatchString(got) {
			return
		}
	}
	s.t.Fatalf("%s prints %q, want %s", command, got, want)
}

func (s *shell) memoryMiB() (out int) {
	s.t.Helper()
	got := s.run("free -m | grep Mem")
	if _, err := fmt.Sscanf(strings.TrimSpace(got), "Mem: %d", &out); err != nil {
		s.t.Fatalf("free prints %q", got)
	}
	return out
}

func TestTiny_followsEveryChange(t *testing.T) {
	b := newBench(t)
	cfg := b.tiny(vm.X86_64)
	cfg.NICs = []hypervisor.NIC{{ID: id.NewNIC(), MAC: "52:54:00:00:02:01", User: &hypervisor.UserNet{Subnet: "10.9.0.0/24", Gateway: "10.9.0.1", DNS: "10.9.0.2", Address: "10.9.0.15", Hostname: "tiny-1"}}}
	i := b.start(cfg)
	sh := b.shell(i)
	apply := func(edit func()) {
		t.Helper()
		edit()
		if restart, err := i.Apply(t.Context(), cfg); err != nil || len(restart) > 0 {
			t.Fatalf("apply: %v, %q", err, restart)
		}
	}
	sh.eventually("ls /sys/bus/virtio/drivers/virtio_balloon", `virtio\d`)
	sh.eventually("cat /sys/class/misc/hw_random/rng_current", `virtio_rng`)
	extra := b.convert(b.raw([]byte("marker")), "qcow2")
	apply(func() { cfg.Disks = append(cfg.Disks, extra) })
	sh.eventually("head -c 6 /dev/vdb", "marker")
	sh.eventually("cat /sys/block/vdb/serial", strings.TrimPrefix(string(extra.ID), "vol-"))
	apply(func() { cfg.Disks[1].SizeBytes = 8 << 20 })
	sh.eventually("cat /sys/block/vdb/size", `\b16384\b`)
	apply(func() { cfg.Disks = slices.Clone(cfg.Disks[:1]) })
	sh.eventually("ls /sys/block | grep -c vdb", `\b0\b`)
	apply(func() { cfg.CPUs = 2 })
	sh.eventually("nproc", `\b2\b`)
	before := sh.memoryMiB()
	apply(func() { cfg.MemoryMiB = 256 })
	for deadline := time.Now().Add(2 * time.Minute); sh.memoryMiB() < before+120; { // less what the kernel keeps to manage it
		if time.Now().After(deadline) {
			t.Fatalf("the guest sees %d MiB, before 128 MiB were added %d", sh.memoryMiB(), before)
		}
	}
	second := hypervisor.NIC{ID: id.NewNIC(), MAC: "52:54:00:00:02:02", User: &hypervisor.UserNet{Subnet: "10.8.0.0/24", Gateway: "10.8.0.1", DNS: "10.8.0.2", Address: "10.8.0.15"}}
	apply(func() { cfg.NICs = append(cfg.NICs[:1:1], second) })
	sh.eventually("ip addr", `10\.8\.0\.15`)
	b.wantAgent(i)

	// And all that it became goes to disk and comes back.
	path := filepath.Join(b.data, "state")
	if err := i.Save(t.Context(), hypervisor.File{Path: path, Format: "raw"}); err != nil {
		t.Fatal(err)
	}
	cfg.Restore = &hypervisor.File{Path: path, Format: "raw"}
	i = b.start(cfg)
	line, err := i.Console(t.Context(), hypervisor.Serial)
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	sh = &shell{t: t, line: line}
	sh.eventually("nproc", `\b2\b`)
	if err := i.Power(t.Context(), hypervisor.Shutdown); err != nil {
		t.Fatal(err)
	}
	for e := range i.Events() {
		if e.Type == hypervisor.PoweredOff {
			return
		}
	}
	t.Error("the guest did not obey ACPI")
}

// wantAgent asks the real agent inside.
func (b *bench) wantAgent(i *instance) {
	b.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		guest, err := i.Guest(b.t.Context())
		if err == nil && slices.Contains(guest.Addresses, "10.9.0.15") {
			break
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the guest agent says %+v, %v", guest, err)
		}
	}
	if err := i.Thaw(b.t.Context()); err != nil {
		b.t.Errorf("thaw of what is not frozen: %v", err)
	}
	if err := i.Freeze(b.t.Context()); err != nil && !fault.Is(err, fault.Unsupported) {
		b.t.Errorf("freeze: %v", err)
	}
	if err := i.Thaw(b.t.Context()); err != nil {
		b.t.Errorf("thaw: %v", err)
	}
}

func TestTiny_startsOnARM64(t *testing.T) {
	b := newBench(t)
	cfg := b.tiny(vm.AArch64)
	cfg.MaxCPUs, cfg.MaxMemoryMiB = 1, 0
	i := b.start(cfg)
	if got := b.shell(i).run("uname -m"); !strings.Contains(got, "aarch64") {
		t.Errorf("the guest is %q", got)
	}
}
