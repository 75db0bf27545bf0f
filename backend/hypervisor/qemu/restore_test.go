package qemu

import (
	"bufio"
	"encoding/json"
	"errors"
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

// dieVariable names the line of a restore at which an agent played by playAgent kills itself.
const dieVariable = "NOVACRON_TEST_AGENT_DIES_AT"

// dieAt is the step of an agent that is to die.
func dieAt(line string) func(string) error {
	return func(what string) error {
		if what == line {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}
}

// restoreLines are the lines of a restore, in order, with whether the saved memory is still on the disk behind a failure there. The
// last three cannot fail.
var restoreLines = []struct {
	name  string
	fails bool
}{
	{"note that the memory was read", true}, {"take the name away", true}, {"make that last", true},
	{"take the content away", false}, {"forget the file", false}, {"go on", false},
}

// suspended starts a guest, counts three keys into its memory and saves it.
func (b *bench) suspended() hypervisor.Config {
	b.t.Helper()
	cfg := b.config()
	i := b.start(cfg)
	b.sees(i, hypervisortest.Banner)
	b.types(i, "abc", "#0003")
	cfg.Restore = &hypervisor.File{Path: filepath.Join(b.data, "state"), Format: "raw"}
	if err := i.Save(b.t.Context(), *cfg.Restore); err != nil {
		b.t.Fatal(err)
	}
	return cfg
}

// types writes keys to the serial line and waits for the guest to say how many it has seen.
func (b *bench) types(i hypervisor.Instance, keys, count string) {
	b.t.Helper()
	line, err := i.Console(b.t.Context(), hypervisor.Serial)
	if err != nil {
		b.t.Fatal(err)
	}
	defer line.Close()
	if _, err := line.Write([]byte(keys + hypervisortest.KeyCount)); err != nil {
		b.t.Fatal(err)
	}
	b.sees(i, count)
}

// wantNoState holds that nothing is left from which the memory could be read a second time.
func (b *bench) wantNoState(cfg hypervisor.Config) {
	b.t.Helper()
	for _, path := range []string{cfg.Restore.Path, hypervisor.Partial(cfg.Restore.Path)} {
		if _, err := os.Stat(path); err == nil {
			b.t.Errorf("%s is left", filepath.Base(path))
		}
	}
}

func TestRestore_thatFailsKeepsTheMemory(t *testing.T) {
	for _, line := range restoreLines {
		if !line.fails {
			continue
		}
		t.Run(line.name, func(t *testing.T) {
			b := newBench(t)
			cfg := b.suspended()
			b.driver.step = func(what string) error {
				if what == line.name {
					return errors.New("no room")
				}
				return nil
			}
			if _, err := b.driver.Start(t.Context(), cfg); !fault.Is(err, fault.Unavailable) && err == nil {
				t.Fatal("the start succeeded")
			}
			b.wantNothing(cfg)
			if _, err := os.Stat(cfg.Restore.Path); err != nil {
				t.Fatalf("the memory is lost: %v", err)
			}
			b.driver.step = func(string) error { return nil }
			b.types(b.start(cfg), "de", "#0005")
			b.wantNoState(cfg)
		})
	}
}

func TestRestore_survivesAFullRunFolder(t *testing.T) {
	b := newBench(t)
	cfg := b.suspended()
	full := filepath.Join(b.run, string(cfg.VM))
	if err := os.Mkdir(full, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", full, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(full, syscall.MNT_DETACH) })
	b.driver.step = func(what string) error {
		if what != "note that the memory was read" {
			return nil
		}
		_ = os.WriteFile(filepath.Join(full, "others"), make([]byte, 128<<10), 0o600) // as much as there is room for
		return nil
	}
	if _, err := b.driver.Start(t.Context(), cfg); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	if _, err := os.Stat(cfg.Restore.Path); err != nil {
		t.Errorf("the memory is lost: %v", err)
	}
}

func TestRestore_isFinishedByTheNextAgent(t *testing.T) {
	for _, line := range restoreLines {
		t.Run(line.name, func(t *testing.T) {
			b := newBench(t)
			cfg := b.suspended()
			if said := b.playAgent(cfg, dieVariable+"="+line.name); said != "" {
				t.Fatalf("the agent lived on and said %q", said)
			}
			i, err := b.driver.Adopt(t.Context(), cfg.VM)
			if err != nil {
				t.Fatal(err)
			}
			b.wantNoState(cfg)
			if state, err := i.Status(t.Context()); state == vm.SeenPaused && err == nil { // died right before it went on: the actor's part
				err = i.Power(t.Context(), hypervisor.Continue)
				if err != nil {
					t.Fatal(err)
				}
			}
			b.types(i, "de", "#0005")
		})
	}
}

// A later save goes to the same path. An agent that adopts then must not take it for the file that was read long ago.
func TestSave_isNotTakenForTheFileThatWasRead(t *testing.T) {
	b := newBench(t)
	cfg := b.suspended()
	i := b.start(cfg)
	if err := i.update(func(r *record) { r.Restored = cfg.Restore.Path }); err != nil { // could not be forgotten
		t.Fatal(err)
	}
	if err := i.writeState(t.Context(), cfg.Restore.Path); err != nil { // and then the agent dies
		t.Fatal(err)
	}
	b.drop()
	if _, err := b.driver.Adopt(t.Context(), cfg.VM); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	b.types(b.start(cfg), "de", "#0005")
}

// playAgent lets another process start the guest and returns what it said before it was killed.
func (b *bench) playAgent(cfg hypervisor.Config, env ...string) string {
	b.t.Helper()
	agent := exec.Command("/proc/self/exe")
	agent.Env = append(append(os.Environ(), agentVariable+"="+b.run), env...)
	raw, err := json.Marshal(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	agent.Stdin = strings.NewReader(string(raw))
	out, err := agent.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		b.t.Fatal(err)
	}
	said, _ := bufio.NewReader(out).ReadString('\n') // or it has died
	agent.Process.Kill()
	_ = agent.Wait() // it was killed
	return said
}

func TestStart_thatFailsClosesWhatItOpened(t *testing.T) {
	b := newBench(t)
	if _, err := b.driver.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := b.suspended()
	cases := map[string]func(*hypervisor.Config){
		"a disk is missing behind a saved state": func(c *hypervisor.Config) { c.Disks[0].File.Path += "-gone" },
		"a state of another machine":             func(c *hypervisor.Config) { c.MemoryMiB *= 2 },
		"a machine type that QEMU does not have": func(c *hypervisor.Config) { c.Restore, c.MachineType = nil, "pc-q35-0.1" },
	}
	if _, err := exec.LookPath("swtpm"); err == nil {
		cases["a disk is missing behind a vTPM"] = func(c *hypervisor.Config) {
			c.Restore, c.TPMDir = nil, filepath.Join(b.data, "tpm")
			c.Disks[0].File.Path += "-gone"
		}
	}
	for name, edit := range cases {
		t.Run(name, func(t *testing.T) {
			c := cfg
			c.Disks = append([]hypervisor.Disk(nil), cfg.Disks...)
			edit(&c)
			before := descriptors(t)
			for range 5 {
				if _, err := b.driver.Start(t.Context(), c); err == nil {
					t.Fatal("the start succeeded")
				}
			}
			deadline := time.Now().Add(time.Minute)
			for descriptors(t) > before { // the watchers of ended processes close theirs a moment later
				if time.Now().After(deadline) {
					t.Fatalf("five failed starts left %d descriptors open", descriptors(t)-before)
				}
				time.Sleep(time.Millisecond)
			}
			b.wantNothing(c)
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
