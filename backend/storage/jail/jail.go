// Package jail runs one program on a few files, so that a hostile image which takes the program over gains nothing: as root
// in mount, network, PID, IPC and host-name spaces of its own, under an unprivileged user, with an empty root that holds the
// system's libraries read-only and the given files; as an ordinary user in the same through a user namespace, where the
// system allows one. Memory, processor time, file size and wall time are bounded everywhere.
//
// The program is started through this same executable: init looks for the jail's name in os.Args, sets the walls up from
// inside and executes the program. Nothing else of the platform runs in that process.
package jail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"novacron/backend/core/fault"
)

// UID is the user and group of jailed programs when the platform runs as root. It has no name and owns nothing; guests have
// other ones.
const UID = 64099

// Limits of one jailed program. Zero values mean the defaults.
type Limits struct {
	MemoryBytes uint64        // address space; default 2 GiB
	CPU         time.Duration // processor time; default 30 minutes
	FileBytes   uint64        // largest file it may write; default 64 TiB
	Wall        time.Duration // default 1 hour
}

const (
	defaultMemory = 2 << 30
	defaultCPU    = 30 * time.Minute
	defaultFile   = 64 << 40
	defaultWall   = time.Hour
	maxOutput     = 64 << 10
	maxFiles      = 40
)

// File is a file that the program may use. It must be open with the rights that the program needs.
type File struct {
	Name  string // plain name; the program finds it as Path(Name)
	File  *os.File
	Write bool
}

// Path is where a jailed program finds the file of that name, given how the jail was set up (see Run).
type Path func(name string) string

// Run runs the program with the arguments that args gives and returns its standard output, at most 64 KiB of it. When ctx ends
// the program is killed. As root the files are given to UID for the time of the run.
func Run(ctx context.Context, program string, files []File, lim Limits, args func(Path) []string) ([]byte, error) {
	if len(files) > maxFiles {
		return nil, fault.New(fault.Unsupported, "disk_chain", "the disk is built from %d files and at most %d can be handled; make a full clone", len(files), maxFiles)
	}
	bin, err := exec.LookPath(program)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "program_missing", "%s is not installed on this node; install the package qemu-utils", program)
	}
	if bin, err = filepath.EvalSymlinks(bin); err != nil {
		return nil, fmt.Errorf("find %s: %w", program, err)
	}
	lim = lim.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, lim.Wall)
	defer cancel()
	if err := lend(files); err != nil {
		return nil, err
	}
	defer takeBack(files)
	for _, level := range levels() {
		out, err := attempt(ctx, level, bin, files, lim, args)
		if errors.Is(err, errNoWalls) {
			continue
		}
		return out, err
	}
	return nil, fault.New(fault.Internal, "jail", "no jail could be built on this node")
}

// errNoWalls: the kernel refuses this kind of jail to this user.
var errNoWalls = errors.New("the kernel refuses these namespaces")

// level is how strong the walls are.
type level int

const (
	asRoot   level = iota // all namespaces, another user
	asUser                // all namespaces inside a user namespace
	limitsOn              // resource limits only
)

func levels() []level {
	if os.Geteuid() == 0 {
		return []level{asRoot}
	}
	return []level{asUser, limitsOn}
}

func (l Limits) withDefaults() Limits {
	if l.MemoryBytes == 0 {
		l.MemoryBytes = defaultMemory
	}
	if l.CPU == 0 {
		l.CPU = defaultCPU
	}
	if l.FileBytes == 0 {
		l.FileBytes = defaultFile
	}
	if l.Wall == 0 {
		l.Wall = defaultWall
	}
	return l
}

// order is what the process inside gets to know, as its second argument.
type order struct {
	Level   level
	Program string
	Args    []string
	Files   []orderFile
	Limits  Limits
}

type orderFile struct {
	Name  string
	Path  string // on the machine; the inside checks that it still is the file of the descriptor
	Write bool
}

// Exit statuses of the inside before the program runs; qemu-img uses 0 to 3 and 63.
const (
	exitNoWalls = 120
	exitBroken  = 121
)

func attempt(ctx context.Context, lv level, bin string, files []File, lim Limits, args func(Path) []string) ([]byte, error) {
	o := order{Level: lv, Program: bin, Limits: lim, Args: args(pathOf(lv, files))}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	for _, f := range files {
		path, err := filepath.Abs(f.File.Name())
		if err != nil {
			return nil, err
		}
		o.Files = append(o.Files, orderFile{f.Name, path, f.Write})
		cmd.ExtraFiles = append(cmd.ExtraFiles, f.File)
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode the jail's order: %w", err)
	}
	var stdout, stderr capped
	cmd.Args = []string{argName, string(text)}
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = spaces(lv)
	cmd.WaitDelay = 5 * time.Second
	err = run(cmd)
	return stdout.Bytes(), explain(ctx, err, filepath.Base(bin), stderr.String())
}

// explain turns how the process ended into an error for the operator's log.
func explain(ctx context.Context, err error, name, stderr string) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s was stopped: %w", name, ctx.Err())
	case errors.Is(err, errNoWalls):
		return err
	case errors.As(err, &exit) && exit.ExitCode() == exitNoWalls:
		return errNoWalls
	}
	failed := &Failed{Program: name, Stderr: strings.TrimSpace(stderr), Cause: err}
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			failed.Signal = s.Signal()
		}
	}
	return failed
}

// Failed is a program that ended with an error. Stderr is the program's words: for the log, and for finding out why.
type Failed struct {
	Program string
	Stderr  string
	Signal  syscall.Signal // SIGXFSZ: it wrote too large a file; SIGKILL, SIGXCPU: too much processor time
	Cause   error
}

// Error gives the program's words.
func (f *Failed) Error() string { return fmt.Sprintf("%s: %v: %s", f.Program, f.Cause, f.Stderr) }

// Unwrap gives how the process ended.
func (f *Failed) Unwrap() error { return f.Cause }

// FileTooLarge reports whether the program ran into Limits.FileBytes. Where the signal is ignored, as under some service
// managers, the program meets an error instead.
func (f *Failed) FileTooLarge() bool {
	return f.Signal == syscall.SIGXFSZ || strings.Contains(f.Stderr, "File too large")
}

// DiskFull reports whether the program met a full disk.
func (f *Failed) DiskFull() bool { return strings.Contains(f.Stderr, "No space left on device") }

// capped keeps the first maxOutput bytes and swallows the rest, so that a talkative program neither blocks nor fills memory.
type capped struct{ bytes.Buffer }

// Write never fails.
func (c *capped) Write(b []byte) (int, error) {
	if room := maxOutput - c.Len(); room > 0 {
		c.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
