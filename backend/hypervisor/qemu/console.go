package qemu

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
)

// typeTimeout is how long a guest may leave typed bytes unread before the reader's Write fails: it is paused, or it floods.
const typeTimeout = 5 * time.Second

// readSerial reads the line for as long as the process lives, whoever looks: a line that nobody reads would stop the guest.
func (i *instance) readSerial() {
	defer i.line.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := i.serial.Read(buf)
		i.line.Output(buf[:n])
		if err != nil {
			return
		}
	}
}

func (i *instance) typed(p []byte) (int, error) {
	i.typing.Lock()
	defer i.typing.Unlock()
	if err := i.serial.SetWriteDeadline(time.Now().Add(typeTimeout)); err != nil {
		return 0, err
	}
	n, err := i.serial.Write(p)
	if err != nil && !i.over() {
		err = fault.Wrap(err, fault.Unavailable, "serial_full", "the guest does not read what is typed; is it paused?")
	}
	return n, err
}

// Console opens the serial line or the screen. It may be called at any time.
func (i *instance) Console(ctx context.Context, kind hypervisor.ConsoleKind) (io.ReadWriteCloser, error) {
	if i.over() {
		return nil, exited(nil)
	}
	switch {
	case kind == hypervisor.Serial:
		line, err := i.line.Open()
		if err != nil {
			return nil, fault.Wrap(err, fault.Exhausted, "console_readers", "%s", err.Error())
		}
		return line, nil
	case kind != hypervisor.VNC:
		return nil, fault.New(fault.Invalid, "", "%q is no console; serial and vnc are", kind)
	case !i.Info().Config.Display:
		return nil, noDisplay()
	}
	return i.viewer(ctx)
}

func noDisplay() error {
	return fault.New(fault.Unsupported, "no_display", "this VM has no display; give it one and start it again, or use the serial console")
}

// viewer hands QEMU one end of a new connection to the screen. Who may look has been decided by the caller.
func (i *instance) viewer(ctx context.Context) (io.ReadWriteCloser, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	near, far := os.NewFile(uintptr(ends[0]), "vnc"), os.NewFile(uintptr(ends[1]), "vnc")
	defer near.Close()
	defer far.Close()
	name := fmt.Sprintf("vnc%d", time.Now().UnixNano()) // two viewers at once must not share a name
	if err := i.pass(ctx, "getfd", args{"fdname": name}, nil, far.Fd()); err != nil {
		return nil, err
	}
	if err := i.run(ctx, "add_client", args{"protocol": "vnc", "fdname": name, "skipauth": true}, nil); err != nil {
		return nil, err
	}
	return net.FileConn(near)
}

// maxScreenshot bounds a picture in bytes; an 8K screen of noise has some 100 MiB as PNG, and nothing like it is served.
const maxScreenshot = 32 << 20

// Screenshot gives the screen as PNG.
func (i *instance) Screenshot(ctx context.Context) ([]byte, error) {
	if i.over() {
		return nil, exited(nil)
	}
	if !i.Info().Config.Display {
		return nil, noDisplay()
	}
	fd, err := unix.MemfdCreate("screen", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "screen")
	defer file.Close()
	only, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_WRONLY, 0) // QEMU takes one for writing only
	if err != nil {
		return nil, err
	}
	defer only.Close()
	set, err := i.addSet(ctx, only)
	if err != nil {
		return nil, err
	}
	defer i.removeSet(context.WithoutCancel(ctx), set)
	if err := i.run(ctx, "screendump", args{"filename": setName(set), "format": "png"}, nil); err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.Size() > maxScreenshot {
		return nil, fault.New(fault.TooLarge, "", "the screen is too large for a picture")
	}
	return io.ReadAll(io.NewSectionReader(file, 0, maxScreenshot))
}
