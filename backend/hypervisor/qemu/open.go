package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
)

// opener turns the sources of a launch into descriptors.
type opener struct {
	dir   folder
	tpm   *os.File // the near end of the vTPM's socket
	state *os.File // the saved state
}

// all opens every source, or none.
func (o opener) all(sources []source) ([]*os.File, error) {
	var files []*os.File
	for _, s := range sources {
		file, err := o.open(s)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (o opener) open(s source) (*os.File, error) {
	switch s.Kind {
	case readOnly, readWrite:
		return openFile(s.Kind, s.Path)
	case listener:
		return listen(o.dir.path(s.Path))
	case tap:
		return openTap(s.Path)
	case vhost:
		return os.OpenFile("/dev/vhost-net", os.O_RDWR, 0)
	case tpmSocket:
		return o.tpm, nil
	case state:
		return o.state, nil
	}
	panic("a descriptor of an unknown kind was asked for: " + string(s.Kind))
}

// openFile opens a disk or another file of a guest with the agent's rights.
func openFile(kind sourceKind, path string) (*os.File, error) {
	flag := os.O_RDONLY
	if kind == readWrite {
		flag = os.O_RDWR
	}
	file, err := os.OpenFile(path, flag|unix.O_NONBLOCK, 0) // a FIFO in place of a disk must not hold the agent up
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.NotFound, "file_missing", "a file of this VM is missing on the node; see the node's log for which")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "file_open", "a file of this VM cannot be opened on the node; see the node's log for which")
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && info.Mode()&fs.ModeDevice == 0 {
		err = fmt.Errorf("%s is neither a file nor a block device", path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := unix.SetNonblock(int(file.Fd()), false); err != nil { // Fd alone would do in today's runtime; QEMU must not depend on that
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// listen makes a listening socket that QEMU accepts on. The agent can connect before QEMU has started.
func listen(path string) (*os.File, error) {
	if len(path) > 107 {
		return nil, fault.New(fault.Invalid, "run_dir_long", "the run folder's path is too long for sockets; choose a shorter one")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 4)); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), file.Close())
	}
	return file, nil
}

// openTap attaches to the tap device that the fabric made.
func openTap(name string) (*os.File, error) {
	if _, err := os.Stat("/sys/class/net/" + name); err != nil { // attaching to a name that is not there would make a device
		return nil, fault.Wrap(err, fault.NotFound, "tap_missing", "the network device of this VM is missing on the node; start the VM again")
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "tap_open", "the node cannot open its network devices; see its log")
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fault.Wrap(err, fault.Unavailable, "tap_open", "the network device of this VM is in use or cannot be opened; see the node's log")
	}
	return os.NewFile(uintptr(fd), name), nil
}
