package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/hypervisortest"
)

// agentVariable makes the test binary an agent that starts one guest and then waits to be killed.
const agentVariable = "NOVACRON_TEST_AGENT_RUN_DIR"

func TestMain(m *testing.M) {
	if run := os.Getenv(agentVariable); run != "" {
		playAgent(run)
	}
	os.Exit(m.Run())
}

func playAgent(run string) {
	var cfg hypervisor.Config
	d, err := New(Options{RunDir: run, Accel: "tcg"})
	if err == nil {
		d.step = dieAt(os.Getenv(dieVariable))
		err = json.NewDecoder(os.Stdin).Decode(&cfg)
	}
	if err == nil {
		_, err = d.Start(context.Background(), cfg)
	}
	fmt.Println("started", err)
	select {}
}

func (b *bench) start(cfg hypervisor.Config) *instance {
	b.t.Helper()
	i, err := b.driver.Start(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return i.(*instance)
}

// sees waits for text on the serial line.
func (b *bench) sees(i hypervisor.Instance, text string) {
	b.t.Helper()
	line, err := i.Console(b.t.Context(), hypervisor.Serial)
	if err != nil {
		b.t.Fatal(err)
	}
	timer := time.AfterFunc(2*time.Minute, func() { line.Close() })
	defer timer.Stop()
	defer line.Close()
	var seen strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := line.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			b.t.Fatalf("%q is not on the serial line (%v), but %q", text, err, seen.String())
		}
	}
}

func status(t *testing.T, pid int, key string) string {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("no %s in the status of process %d", key, pid)
	return ""
}

func TestGuest_isAProcessWithoutPrivileges(t *testing.T) {
	b := newBench(t)
	if b.uid == 0 {
		t.Skip("needs root to become another user")
	}
	cfg := b.config()
	pid := b.start(cfg).Info().PID
	user := fmt.Sprintf("%[1]d %[1]d %[1]d %[1]d", b.uid)
	for key, want := range map[string]string{"Uid": user, "Gid": user, "Groups": "", "NoNewPrivs": "1", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapInh": "0000000000000000", "Seccomp": "2"} {
		if got := status(t, pid, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if session, _, _ := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); int(session) != pid {
		t.Errorf("the guest is in the session %d, want one of its own", session)
	}
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if !strings.Contains(string(raw), "qemu-system-") || !strings.Contains(string(raw), string(cfg.VM)) {
		t.Errorf("the command line %q does not tell what it is", raw)
	}
	for _, dir := range []string{b.run, string(b.driver.folder(cfg.VM)), b.data} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s is open to others: %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestAgent_keepsItsPrivilegesAfterAStart(t *testing.T) {
	b := newBench(t)
	b.start(b.config())
	deadline := time.Now().Add(time.Minute)
	for threadsWithoutPrivileges(t) > 0 { // the one that forked ends by itself
		if time.Now().After(deadline) {
			t.Fatal("starting a guest took the privileges of a thread of the agent")
		}
		time.Sleep(time.Millisecond)
	}
}

func threadsWithoutPrivileges(t *testing.T) (count int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), "NoNewPrivs:\t1") {
			count++
		}
	}
	return count
}

func TestStart_leavesNothingBehindWhenADiskIsMissing(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	if err := os.Remove(cfg.Disks[0].File.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := b.driver.Start(t.Context(), cfg); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	b.wantNothing(cfg)
}

func (b *bench) wantNothing(cfg hypervisor.Config) {
	b.t.Helper()
	if left, _ := os.ReadDir(b.run); len(left) > 0 {
		b.t.Errorf("%d entries are left in the run folder", len(left))
	}
	if p, err := search(cfg.VM); err == nil {
		b.t.Errorf("process %d is left", p.pid)
	}
}

func TestStart_tellsInQEMUsWordsWhyItEnded(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	cfg.MachineType = "pc-q35-0.1"
	_, err := b.driver.Start(t.Context(), cfg)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Sentence(err), "unsupported machine type") {
		t.Errorf("got %v, %q", err, fault.Sentence(err))
	}
	b.wantNothing(cfg)
}

func TestStart_endsWithItsContext(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	if _, err := b.driver.Probe(t.Context()); err != nil { // so that the time below is the start's
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := b.driver.Start(ctx, cfg); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	b.wantNothing(cfg)
}

func TestMonitor_thatIsSilentCostsADeadlineAndKillWorks(t *testing.T) {
	b := newBench(t)
	i := b.start(b.config())
	if err := syscall.Kill(i.process.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := i.Status(ctx); !fault.Is(err, fault.Unavailable) {
		t.Errorf("status: got %v, want unavailable", err)
	}
	if err := i.Power(t.Context(), hypervisor.Kill); err != nil {
		t.Errorf("kill: %v", err)
	}
}

func TestKill_needsNoMonitorAfterARestartOfTheAgent(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	i := b.start(cfg)
	if err := syscall.Kill(i.process.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.drop()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.driver.Adopt(ctx, cfg.VM); !fault.Is(err, fault.Unavailable) {
		t.Errorf("adopt: got %v, want unavailable", err)
	}
	if err := b.driver.Kill(t.Context(), cfg.VM); err != nil {
		t.Errorf("kill: %v", err)
	}
	if err := b.driver.Clean(t.Context(), cfg.VM); err != nil {
		t.Errorf("clean: %v", err)
	}
}

func TestAdopt_afterTheAgentWasKilled(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	said := b.playAgent(cfg)
	if said != "started <nil>\n" {
		t.Fatalf("the agent said %q", said)
	}
	i, err := b.driver.Adopt(t.Context(), cfg.VM)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := i.Status(t.Context()); state != vm.SeenRunning {
		t.Errorf("the guest is %s, %v", state, err)
	}
	if err := i.Power(t.Context(), hypervisor.Kill); err != nil {
		t.Error(err)
	}
}

func TestAdopt_findsAProcessThatNobodyWroteDown(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	i := b.start(cfg)
	if err := i.update(func(r *record) { r.PID, r.Started = 0, 0 }); err != nil { // as between exec and the second record
		t.Fatal(err)
	}
	b.drop()
	again, err := b.driver.Adopt(t.Context(), cfg.VM)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Info().PID; got != i.process.pid {
		t.Errorf("adopted process %d, want %d", got, i.process.pid)
	}
}

func TestTake_refusesAnotherProcessOfTheSameNumber(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	i := b.start(cfg)
	r := i.snapshotRecord()
	if _, err := take(r.PID, r.Started+1, cfg.VM); err == nil {
		t.Error("a process that began at another moment was taken")
	}
	if _, err := take(os.Getpid(), 0, cfg.VM); err == nil {
		t.Error("a process that is no QEMU was taken")
	}
}

func TestAdopt_takesBackASaveThatWasCutOff(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	i := b.start(cfg)
	b.sees(i, hypervisortest.Banner)
	path := filepath.Join(b.data, "state")
	if err := i.update(func(r *record) { r.Saving = path }); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hypervisor.Partial(path), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := i.run(t.Context(), "stop", nil, nil); err != nil {
		t.Fatal(err)
	}
	b.drop()
	again, err := b.driver.Adopt(t.Context(), cfg.VM)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := again.Status(t.Context()); state != vm.SeenRunning {
		t.Errorf("the guest is %s, %v; want running", state, err)
	}
	if _, err := os.Stat(hypervisor.Partial(path)); err == nil {
		t.Error("half a state is left")
	}
}

func TestAdopt_finishesASaveThatHadItsName(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	i := b.start(cfg)
	path := filepath.Join(b.data, "state")
	if err := i.writeState(t.Context(), path); err != nil { // and then the agent dies before it ends the process
		t.Fatal(err)
	}
	b.drop()
	if _, err := b.driver.Adopt(t.Context(), cfg.VM); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the state is gone: %v", err)
	}
	cfg.Restore = &hypervisor.File{Path: path, Format: "raw"}
	b.start(cfg)
}

func TestRestore_ofAGuestThatGrew(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	cfg.MaxMemoryMiB = 512
	i := b.start(cfg)
	b.sees(i, hypervisortest.Banner)
	first, second := b.convert(b.raw(nil), "qcow2"), b.convert(b.raw(nil), "raw")
	for _, grow := range []func(){
		func() { cfg.Disks = append(cfg.Disks, first, second) },
		func() { cfg.Disks = append(cfg.Disks[:1:1], second) }, // leaves a gap among the ports
		func() { cfg.CPUs = 2 },
		func() { cfg.MemoryMiB += 2 * hypervisor.MemoryStepMiB },
	} {
		grow()
		if restart, err := i.Apply(t.Context(), cfg); err != nil || len(restart) > 0 {
			t.Fatalf("apply: %v, %q", err, restart)
		}
	}
	path := filepath.Join(b.data, "state")
	if err := i.Save(t.Context(), hypervisor.File{Path: path, Format: "raw"}); err != nil {
		t.Fatal(err)
	}
	other := cfg
	other.MemoryMiB += hypervisor.MemoryStepMiB
	other.Restore = &hypervisor.File{Path: path, Format: "raw"}
	if _, err := b.driver.Start(t.Context(), other); !fault.Is(err, fault.Conflict) {
		t.Errorf("into a machine with more memory: %v, want a conflict", err)
	}
	cfg.Restore = other.Restore
	i = b.start(cfg)
	if state, err := i.Status(t.Context()); state != vm.SeenRunning {
		t.Errorf("the guest is %s, %v", state, err)
	}
}

func TestStart_bootsFromAnOverlayOfAnOverlay(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	image := cfg.Disks[0].File
	image.ReadOnly = true
	top := image
	for n := range 2 {
		below := top
		path := filepath.Join(b.data, fmt.Sprintf("overlay%d", n))
		if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below.Path, path).CombinedOutput(); err != nil {
			t.Fatalf("qemu-img: %v: %s", err, out)
		}
		top = hypervisor.File{Path: path, Format: "qcow2", Backing: &below}
	}
	cfg.Disks[0].File = top
	if err := os.Chmod(image.Path, 0o444); err != nil {
		t.Fatal(err)
	}
	b.sees(b.start(cfg), hypervisortest.Banner)
}

func TestSerialLog_holdsWhatTheGuestWroteAndGivesItToTheNextAgent(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	cfg.SerialLog = filepath.Join(b.data, "serial.log")
	b.sees(b.start(cfg), hypervisortest.Banner)
	if raw, err := os.ReadFile(cfg.SerialLog); err != nil || !strings.Contains(string(raw), hypervisortest.Banner) {
		t.Errorf("the log holds %q, %v", raw, err)
	}
	b.drop()
	again, err := b.driver.Adopt(t.Context(), cfg.VM)
	if err != nil {
		t.Fatal(err)
	}
	b.sees(again, hypervisortest.Banner)
}

func TestMonitor_thatBrokeIsOpenedAgain(t *testing.T) {
	b := newBench(t)
	i := b.start(b.config())
	i.qmp.Close()
	if state, err := i.Status(t.Context()); state != vm.SeenRunning {
		t.Errorf("the guest is %s, %v", state, err)
	}
}

func TestDisk_thatIsFullPausesTheGuestUntilThereIsRoom(t *testing.T) {
	b := newBench(t)
	cfg := b.config()
	full := filepath.Join(b.data, "full")
	if err := os.Mkdir(full, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", full, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(full, syscall.MNT_DETACH) })
	below := cfg.Disks[0].File
	path := filepath.Join(full, "overlay")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below.Path, path).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	cfg.Disks[0].File = hypervisor.File{Path: path, Format: "qcow2", Backing: &below}
	i := b.start(cfg)
	b.sees(i, hypervisortest.Banner)
	line, err := i.Console(t.Context(), hypervisor.Serial)
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	if _, err := line.Write([]byte("abc" + hypervisortest.KeyWrite + hypervisortest.KeyRead)); err != nil {
		t.Fatal(err)
	}
	if e := <-i.Events(); e.Type != hypervisor.IOError || !strings.Contains(e.Reason, "full") {
		t.Fatalf("got %+v, want that the disk is full", e)
	}
	if state, err := i.Status(t.Context()); state != vm.SeenPaused {
		t.Errorf("the guest is %s, %v", state, err)
	}
	if err := syscall.Mount("tmpfs", full, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	if err := i.Power(t.Context(), hypervisor.Continue); err != nil {
		t.Fatal(err)
	}
	b.sees(i, "$0003")
}
