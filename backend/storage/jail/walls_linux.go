package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	filesAt    = "/files"
	firstFD    = 3 // descriptors of order.Files start here
)

func pathOf(lv level, files []File) Path {
	return func(name string) string {
		for i, f := range files {
			if f.Name == name && lv == limitsOn {
				return "/proc/self/fd/" + strconv.Itoa(firstFD+i)
			}
		}
		return filepath.Join(filesAt, name)
	}
}

func spaces(lv level) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	switch lv {
	case asRoot:
		a.Cloneflags = namespaces
	case asUser:
		a.Cloneflags = namespaces | unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	return a
}

// run runs cmd to its end on a thread that is held for it, since the parent-death signal fires when the starting thread ends.
func run(cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := start(cmd); err != nil {
			ended <- err
			return
		}
		ended <- cmd.Wait()
	}()
	return <-ended
}

func start(cmd *exec.Cmd) error {
	err := cmd.Start()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%w: %w", errNoWalls, err)
	}
	return err
}

// lend gives the files to the jail's user; the data folder above them stays closed to it. A crash before takeBack leaves
// a file that only root and the jail's user may open, in a folder that only root may enter.
func lend(files []File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, f := range files {
		if !f.Write && readable(f.File) {
			continue
		}
		if err := f.File.Chown(UID, UID); err != nil {
			return fmt.Errorf("lend %s to the jail: %w", f.Name, err)
		}
	}
	return nil
}

func takeBack(files []File) {
	if os.Geteuid() != 0 {
		return
	}
	for _, f := range files {
		if !f.Write && readable(f.File) {
			continue
		}
		_ = f.File.Chown(0, 0) // the file stays usable for root whatever its owner
	}
}

// readable reports whether everybody may read the file, as with the files of the image cache.
func readable(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().Perm()&0o004 != 0
}

// build makes the empty root inside the new mount namespace and moves into it.
func build(o order) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	files, err := openFiles(o.Files)
	if err != nil {
		return err
	}
	// /tmp exists everywhere and nothing below it is needed: the files come as descriptors.
	const root = "/tmp"
	if err := unix.Mount("jail", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=64k,mode=0755"); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	if err := system(root); err != nil {
		return err
	}
	if err := bindFiles(root, o.Files, files); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// system binds the program's and libraries' folders read-only, and /dev/null, with which QEMU tries out file locks. Links of a merged /usr are repeated.
func system(root string) error {
	for _, dir := range []string{"/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null"} {
		info, err := os.Lstat(dir)
		if err != nil {
			continue
		}
		if info.Mode()&os.ModeSymlink != 0 {
			to, err := os.Readlink(dir)
			if err != nil {
				return err
			}
			if err := os.Symlink(to, root+dir); err != nil {
				return err
			}
			continue
		}
		if err := bind(dir, root+dir, info.IsDir(), false); err != nil {
			return err
		}
	}
	return nil
}

// openFiles finds the files in this namespace's mounts: the descriptors that were passed belong to the mounts outside, which
// cannot be bound. The path is believed only if it leads to the very file of the descriptor.
func openFiles(files []orderFile) ([]int, error) {
	var opened []int
	for i, f := range files {
		fd, err := unix.Open(f.Path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", f.Name, err)
		}
		var here, there unix.Stat_t
		if err := errors.Join(unix.Fstat(fd, &here), unix.Fstat(firstFD+i, &there)); err != nil {
			return nil, err
		}
		if here.Dev != there.Dev || here.Ino != there.Ino {
			return nil, fmt.Errorf("%s was replaced by another file", f.Name)
		}
		opened = append(opened, fd)
	}
	return opened, nil
}

func bindFiles(root string, files []orderFile, opened []int) error {
	for i, f := range files {
		from := "/proc/self/fd/" + strconv.Itoa(opened[i])
		if err := bind(from, filepath.Join(root, filesAt, f.Name), false, f.Write); err != nil {
			return fmt.Errorf("bind %s: %w", f.Name, err)
		}
	}
	return nil
}

func bind(from, to string, folder, write bool) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if folder {
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
	} else if err := os.WriteFile(to, nil, 0o644); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", to, err)
	}
	// A user namespace may not drop flags that the mount has, so those of the origin are kept.
	var st unix.Statfs_t
	if err := unix.Statfs(to, &st); err != nil {
		return err
	}
	flags := uintptr(st.Flags)&(unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NOATIME|unix.MS_NODIRATIME|unix.MS_RELATIME) | unix.MS_NOSUID
	if from != "/dev/null" {
		flags |= unix.MS_NODEV
	}
	if !write {
		flags |= unix.MS_RDONLY
	}
	if err := unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""); err != nil {
		return fmt.Errorf("restrict %s: %w", to, err)
	}
	return nil
}

// surrender gives up every right that is left: capabilities go with the user as root, and by dropping them otherwise.
func surrender(o order) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	switch o.Level {
	case asRoot:
		if err := syscall.Setgroups(nil); err != nil {
			return err
		}
		if err := syscall.Setresgid(UID, UID, UID); err != nil {
			return err
		}
		if err := syscall.Setresuid(UID, UID, UID); err != nil {
			return err
		}
	case asUser:
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
			return err
		}
	}
	// The change of user cleared the signal that kills this process with its parent.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}

func limit(l Limits) error {
	cpu := uint64(l.CPU.Seconds())
	for _, r := range []struct {
		what int
		n    uint64
	}{
		{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 256}, {unix.RLIMIT_CPU, max(cpu, 1)},
		{unix.RLIMIT_FSIZE, l.FileBytes}, {unix.RLIMIT_AS, l.MemoryBytes},
	} {
		if err := unix.Setrlimit(r.what, &unix.Rlimit{Cur: r.n, Max: r.n}); err != nil {
			return fmt.Errorf("limit %d: %w", r.what, err)
		}
	}
	return nil
}

func init() { runtime.LockOSThread(); inside(); runtime.UnlockOSThread() }
