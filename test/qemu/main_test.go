// Package qemu tests the whole platform with real guests: the built program is started as a process with a data folder, ports, bridge and
// firewall table of its own, and is spoken to as a person would, through its API, its command line and its guests' consoles. What a
// single package promises is tested beside that package; here stand the stories that only the assembled platform can tell.
//
// KVM is used where it works; everything also passes, slower, in software emulation. NOVACRON_TEST_LONG=1 adds what takes
// minutes.
package qemu

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"novacron/test/rig"
)

var (
	program  string // the built novacron
	root     string // of the repository
	missing  string // why no guest can be run here; empty: they can
	longRun  = os.Getenv("NOVACRON_TEST_LONG") == "1"
	arch     = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	tinyFile string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "novacron-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if root, err = filepath.Abs("../.."); err != nil {
		return 1, err
	}
	// The tests of an ordinary user start the same program.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	program = filepath.Join(dir, "novacron")
	tinyFile = filepath.Join(root, "build", "images", "tiny-"+arch+".tar")
	if missing = whyNoGuests(); missing == "" {
		if err := install(program); err != nil {
			return 1, err
		}
	}
	if missing == "" && os.Geteuid() == 0 {
		if err := startReaper(); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}

// install builds the program, or copies the one that is built already: the repository may be closed to the ordinary user of a test.
func install(program string) error {
	built, err := rig.Build(filepath.Dir(program))
	if err != nil || built == program {
		return err
	}
	raw, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	return os.WriteFile(program, raw, 0o755)
}

// reaper is told the data folder of every instance, one per line.
var reaper io.Writer = io.Discard

// startReaper starts a shell that outlives this process and takes down what instances are left when it ended without its clean-ups, as it
// does after a panic and when go test's own time is over.
func startReaper() error {
	c := exec.Command("sh", "-c", `dirs=; while read -r dir; do dirs="$dirs $dir"; done; for dir in $dirs; do [ -d "$dir" ] && NOVACRON_DATA_DIR="$dir" "$0" down; mountpoint -q "${dir%/data}" && umount "${dir%/data}"; done`, program)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	reaper = in
	return c.Start()
}

func whyNoGuests() string {
	if _, err := exec.LookPath("qemu-system-" + arch); err != nil {
		return "qemu-system-" + arch + " is not installed; scripts/setup.sh installs it"
	}
	if _, err := os.Stat(tinyFile); err != nil {
		return "the tiny image is not built; run `make build`"
	}
	return ""
}

func needGuests(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots real guests; run without -short")
	}
	if missing != "" {
		t.Skip(missing)
	}
}

// needRoot skips what looks at bridges, namespaces or other users.
func needRoot(t *testing.T) {
	t.Helper()
	needGuests(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: it looks at bridges, mounts or other users")
	}
}
