package qemu

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/qmp"
)

func TestTranslate_saysOnceWhatHappened(t *testing.T) {
	for name, c := range map[string]struct {
		quiet  bool
		events []string // name and data
		want   []hypervisor.EventType
	}{
		"a pause":                         {false, []string{"STOP", "RESUME"}, []hypervisor.EventType{hypervisor.Stopped, hypervisor.Resumed}},
		"a power-off":                     {false, []string{`SHUTDOWN {"guest":true,"reason":"guest-shutdown"}`, "STOP"}, []hypervisor.EventType{hypervisor.PoweredOff}},
		"the end of the process":          {false, []string{`SHUTDOWN {"guest":false,"reason":"host-qmp-quit"}`}, nil},
		"a panic":                         {false, []string{`GUEST_PANICKED {"action":"pause"}`, `GUEST_PANICKED {"action":"pause"}`, "STOP"}, []hypervisor.EventType{hypervisor.Panicked}},
		"a full disk":                     {false, []string{`BLOCK_IO_ERROR {"action":"stop","nospace":true}`, `BLOCK_IO_ERROR {"action":"stop","nospace":true}`, "STOP", "RESUME"}, []hypervisor.EventType{hypervisor.IOError, hypervisor.Resumed}},
		"an error that the guest is told": {false, []string{`BLOCK_IO_ERROR {"action":"report"}`}, nil},
		"a reboot":                        {false, []string{`RESET {"guest":true,"reason":"guest-reset"}`}, []hypervisor.EventType{hypervisor.Rebooted}},
		"a snapshot that is loaded":       {true, []string{"STOP", `RESET {"guest":false,"reason":"snapshot-load"}`, "RESUME"}, nil},
		"the agent":                       {false, []string{`VSERPORT_CHANGE {"open":true,"id":"agent0"}`, `VSERPORT_CHANGE {"open":false,"id":"agent0"}`}, []hypervisor.EventType{hypervisor.AgentUp, hypervisor.AgentDown}},
		"another channel":                 {false, []string{`VSERPORT_CHANGE {"open":true,"id":"other"}`}, nil},
		"nonsense":                        {false, []string{`SHUTDOWN {"guest":1}`, "SOMETHING_NEW"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			i := &instance{quiet: c.quiet}
			var got []hypervisor.EventType
			for _, e := range c.events {
				name, data, _ := strings.Cut(e, " ")
				if out, ok := i.translate(qmp.Event{Name: name, Data: json.RawMessage(data)}); ok {
					got = append(got, out.Type)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRunState_knowsEveryStateOfQEMU(t *testing.T) {
	for _, status := range []string{"debug", "inmigrate", "internal-error", "io-error", "paused", "postmigrate", "prelaunch", "finish-migrate", "restore-vm", "running", "save-vm", "shutdown", "suspended", "watchdog", "guest-panicked", "colo"} {
		if runState(status) == "" {
			t.Errorf("%s has no run state", status)
		}
	}
	if runState("shutdown") != vm.SeenStopped || runState("running") != vm.SeenRunning {
		t.Error("off and running are confused")
	}
}

func TestParseStartTime_isNotFooledByTheName(t *testing.T) {
	fields := strings.Repeat("1 ", 18) + "4711 1 1"
	for _, name := range []string{"(qemu)", "(a) S 1)", "() ) )"} {
		if got, err := parseStartTime([]byte("12 " + name + " S " + fields)); err != nil || got != 4711 {
			t.Errorf("behind the name %s: got %d, %v", name, got, err)
		}
	}
	if _, err := parseStartTime([]byte("12 (qemu) S 1")); err == nil {
		t.Error("a short line was accepted")
	}
}

func TestState_isReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	want := saved{VM: "vm-1", MachineType: "m", CPUs: 2, Layout: layout{Ports: 7, Port: map[string]int{"dev-x": 3}}}
	file, err := newState(path, want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("memory"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		t.Fatal(err)
	}
	file.Close()
	file, got, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rest := make([]byte, 6)
	if _, err := file.Read(rest); err != nil || string(rest) != "memory" || got.Layout.Port["dev-x"] != 3 || got.CPUs != 2 {
		t.Errorf("got %+v and %q, %v", got, rest, err)
	}
}

func FuzzReadState(f *testing.F) {
	head := func(size uint32, body string) []byte {
		return append(append(binary.BigEndian.AppendUint32([]byte(stateMagic), size), body...), make([]byte, stateHead)...)
	}
	f.Add(head(2, "{}"))
	f.Add(head(1<<31, "{}"))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = readState(bytes.NewReader(raw))
	})
}

func TestLastLine_isWhatTheProgramSaid(t *testing.T) {
	for given, want := range map[string]string{
		"qemu-system-x86_64: unsupported machine type\nUse -machine help to list supported machines": "unsupported machine type",
		"qemu-system-x86_64: warning: a\nqemu-system-x86_64: b":                                      "b",
		"Killed": "Killed",
		"qemu-system-x86_64: -chardev socket,id=serial,fd=4: info: QEMU waiting for connection on: unix:/run/x":                              "",
		"qemu-system-x86_64: a\nqemu-system-x86_64: -chardev socket,id=serial,fd=4: info: QEMU waiting for connection on: unix:/run/x\nhint": "a",
		"": "",
		"qemu: " + strings.Repeat("x", maxWords+9): strings.Repeat("x", maxWords),
	} {
		if got := lastLine(given); got != want {
			t.Errorf("of %.40q: got %.40q, want %.40q", given, got, want)
		}
	}
}

// fakeGroups makes a tree that looks like the kernel's.
func fakeGroups(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := cgroupMount
	cgroupMount = root
	t.Cleanup(func() { cgroupMount = old })
	return root
}

func TestGroups_preferVersion2(t *testing.T) {
	root := fakeGroups(t, map[string]string{
		"cgroup.controllers": "memory pids cpu", "cgroup.subtree_control": "memory pids cpu",
		"nc/cgroup.subtree_control": "memory pids cpu", "memory/cgroup.procs": "",
	})
	d := &Driver{options: Options{CgroupRoot: "nc"}}
	cfg := resolved()
	groups := d.makeGroups(cfg)
	if want := filepath.Join(root, "nc", string(cfg.VM)); !slices.Equal(groups, []string{want}) {
		t.Fatalf("got %v, want %s", groups, want)
	}
	for file, want := range map[string]string{"memory.max": strconv.FormatInt(int64(256+12+overheadMiB)<<20, 10), "pids.max": "257", "cpu.weight": "100"} {
		if raw, err := os.ReadFile(filepath.Join(groups[0], file)); err != nil || string(raw) != want {
			t.Errorf("%s holds %q (%v), want %s", file, raw, err, want)
		}
	}
	if missing := d.missingGroups(); missing != nil {
		t.Errorf("missing: %v", missing)
	}
}

func TestGroups_useVersion1WhereThatIsAllThereIs(t *testing.T) {
	root := fakeGroups(t, map[string]string{"memory/cgroup.procs": "", "pids/cgroup.procs": "", "cpu/cgroup.procs": "", "unified/cgroup.controllers": ""})
	d := &Driver{options: Options{CgroupRoot: "nc"}}
	cfg := resolved()
	groups := d.makeGroups(cfg)
	if len(groups) != 3 || groups[0] != filepath.Join(root, "memory", "nc", string(cfg.VM)) {
		t.Fatalf("got %v", groups)
	}
	if raw, err := os.ReadFile(filepath.Join(groups[2], "cpu.shares")); err != nil || string(raw) != "1024" {
		t.Errorf("cpu.shares holds %q, %v", raw, err)
	}
}

// However many vCPUs there are: the agent that guests wait for must not starve.
func TestGroups_aboveTheVMsWeighAsMuchAsTheHostsProcessors(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		at    string // folder of the controller
		file  string
		one   int
	}{
		"version 1": {map[string]string{"cpu/cgroup.procs": "", "cpu/nc/cpu.shares": "1024", "cpu/nc/tag/cpu.shares": "1024"}, "cpu", "cpu.shares", 1024},
		"version 2": {map[string]string{"cgroup.controllers": "cpu", "cgroup.subtree_control": "cpu", "nc/cgroup.subtree_control": "cpu", "nc/tag/cgroup.subtree_control": "cpu",
			"nc/cpu.weight": "100", "nc/tag/cpu.weight": "100"}, "", "cpu.weight", 100},
	} {
		root := fakeGroups(t, c.files)
		d := &Driver{options: Options{CgroupRoot: "nc/tag"}}
		large := resolved()
		large.CPUs = 2 * runtime.NumCPU()
		d.makeGroups(large)
		for _, group := range []string{"nc", "nc/tag"} {
			if raw, err := os.ReadFile(filepath.Join(root, c.at, group, c.file)); err != nil || string(raw) != strconv.Itoa(c.one*runtime.NumCPU()) {
				t.Errorf("%s: %s of %s holds %q (%v), want %d", name, c.file, group, raw, err, c.one*runtime.NumCPU())
			}
		}
		if raw, err := os.ReadFile(filepath.Join(root, c.at, c.file)); err == nil {
			t.Errorf("%s: the host's own group was changed to %s", name, raw)
		}
	}
}

// The kernel's own groups: what a real VM leaves is nothing.
func TestGroups_ofAnInstanceGoWithItsLastVM(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make control groups")
	}
	d := &Driver{log: slog.New(slog.DiscardHandler), options: Options{CgroupRoot: "novacron/" + filepath.Base(t.TempDir()) + strconv.Itoa(os.Getpid())}}
	first, second := resolved(), resolved()
	second.VM = id.NewVM()
	one, two := d.makeGroups(first), d.makeGroups(second)
	if len(one) == 0 {
		t.Skip("this machine has no control groups to make")
	}
	d.removeGroups(one)
	for _, g := range two {
		if _, err := os.Stat(g); err != nil {
			t.Errorf("the group of the other VM: %v", err)
		}
	}
	d.removeGroups(two)
	for _, g := range two {
		if _, err := os.Stat(filepath.Dir(g)); err == nil {
			t.Errorf("%s is left", filepath.Dir(g))
		}
	}
}

func TestGroups_areSaidToBeMissing(t *testing.T) {
	fakeGroups(t, nil)
	d := &Driver{options: Options{CgroupRoot: "nc"}}
	if missing := d.missingGroups(); len(missing) != 1 || !strings.Contains(missing[0], "memory, pids, cpu") {
		t.Errorf("got %q", missing)
	}
}
