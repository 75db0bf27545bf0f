package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
)

// Paths are the folders of one instance. Two instances with different data folders share nothing: run folder, bridge,
// nftables table and guest users all derive from the data folder's path.
type Paths struct {
	Data string // as set; mode 0700
	Run  string // sockets and process state; short, because a socket's path may have 107 bytes at most
	Tag  string // 8 hex digits that name the instance
}

// PathsFor derives the folders from the data folder. It makes nothing.
func PathsFor(data string) Paths {
	sum := sha256.Sum256([]byte(data))
	tag := hex.EncodeToString(sum[:4])
	return Paths{Data: data, Run: filepath.Join(runBase(), tag), Tag: tag}
}

func runBase() string {
	if os.Geteuid() == 0 {
		return "/run/novacron"
	}
	// A guest outlives the sign-in that started it, so $XDG_RUNTIME_DIR, which ends with the last session, would lose its sockets.
	return "/tmp/novacron-" + strconv.Itoa(os.Geteuid())
}

// AdminSocket is where the server listens for commands of this machine's administrator.
func (p Paths) AdminSocket() string { return filepath.Join(p.Run, "admin.sock") }

// FirstUID is the first of the 65,536 user ids that this instance gives to guests: above 2^28, where neither people nor the usual
// sub-id ranges are, and spread by the instance's tag so that two instances do not meet.
func (p Paths) FirstUID() int {
	n, _ := strconv.ParseUint(p.Tag[:4], 16, 32)
	return 1<<28 + int(n&0x3fff)<<16
}

// Take makes the folders, 0700 and owned by this process' user, refuses what somebody else could have prepared, and takes the data
// folder for this process. release gives it back and removes the run folder when no guest is left in it.
func (p Paths) Take() (release func(), err error) {
	if err := os.MkdirAll(p.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder %s cannot be made (%w); set NOVACRON_DATA_DIR to a folder that this user may write", p.Data, err)
	}
	if err := private(p.Data, true); err != nil {
		return nil, err
	}
	unlock, err := p.Lock()
	if err != nil {
		return nil, err
	}
	// Behind the lock: the process before this one removes the folder before it gives the lock back.
	if err := p.makeRun(); err != nil {
		unlock()
		return nil, err
	}
	return func() { p.removeRun(); unlock() }, nil
}

func (p Paths) makeRun() error {
	base := filepath.Dir(p.Run)
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("run folder %s: %w", base, err)
	}
	if err := private(base, false); err != nil {
		return err
	}
	if err := os.Mkdir(p.Run, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("run folder %s: %w", p.Run, err)
	}
	return private(p.Run, true)
}

// removeRun removes the socket that a killed server left and then the folders, which the system keeps as long as something is in them.
func (p Paths) removeRun() {
	for _, name := range []string{p.AdminSocket(), p.guests(), p.Run} {
		_ = os.Remove(name) // as a rule the first is not there; the others stay while guests run
	}
}

// guests is the folder of the sockets and records of guests.
func (p Paths) guests() string { return filepath.Join(p.Run, "vm") }

// private refuses a folder that is a link or another user's, and closes it to others where tighten is set.
func private(dir string, tighten bool) error {
	fi, err := owned(dir, tighten)
	if err != nil {
		return err
	}
	if tighten && fi.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("%s is open to other users and cannot be closed to them (%w); close it with `chmod 700`, or choose another data folder", dir, err)
		}
	}
	return nil
}

// owned refuses what is no folder of this process' user. follow allows a link to one: an administrator may keep the data folder on
// another disk.
func owned(dir string, follow bool) (os.FileInfo, error) {
	fi, err := os.Lstat(dir)
	if err == nil && follow && fi.Mode()&os.ModeSymlink != 0 {
		fi, err = os.Stat(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached (%w); choose another data folder", dir, err)
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("%s is no folder; move it away or choose another data folder", dir)
	}
	if uid := fi.Sys().(*syscall.Stat_t).Uid; int(uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s belongs to user %d, and this is user %d; do this as that user, or choose another data folder", dir, uid, os.Geteuid())
	}
	return fi, nil
}

// Lock makes sure that one process only serves the data folder, which is there already. The kernel drops the lock when the process ends,
// however it ends.
func (p Paths) Lock() (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(p.Data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder %s cannot be written (%w); set NOVACRON_DATA_DIR to a folder that this user may write", p.Data, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fault.Wrap(err, fault.Conflict, "data_folder_in_use", "data folder %s is in use by process %d; stop that one, or set NOVACRON_DATA_DIR and other ports for a second instance", p.Data, p.holder())
	}
	// In this order, so that its first line is a process whenever holder reads it.
	pid := strconv.Itoa(os.Getpid()) + "\n"
	f.WriteAt([]byte(pid), 0)
	f.Truncate(int64(len(pid)))
	return func() { f.Close() }, nil
}

// holder is the process that took the data folder last; 0: none that is known.
func (p Paths) holder() int {
	raw, err := os.ReadFile(filepath.Join(p.Data, "lock"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// freeBytes is what an unprivileged process may still write under dir.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
