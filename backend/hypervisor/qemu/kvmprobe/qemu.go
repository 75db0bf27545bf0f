package kvmprobe

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed boot.bin
var boot []byte

const (
	bootTimeout = 5 * time.Second // a boot sector under KVM takes 0.2 s
	bootStatus  = 33              // see boot.S
)

// tryQEMU starts a boot sector under the firmware, with the processor that guests get. It finds what a few instructions cannot:
// features that the model needs and KVM lacks, and code that hangs behind the firmware.
func tryQEMU(ctx context.Context, options Options) string {
	if runtime.GOARCH != "amd64" { // arm64 lends its own processor and has no firmware built in
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	disk, err := bootDisk()
	if err != nil {
		return "the trial with QEMU cannot be prepared: " + err.Error()
	}
	defer disk.Close()
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, options.QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-accel", "kvm",
		"-cpu", options.CPUModel+",enforce", "-m", "32", "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
		"-add-fd", "fd=3,set=1", "-blockdev", "driver=raw,node-name=d,read-only=on,file.driver=file,file.filename=/dev/fdset/1",
		"-device", "virtio-blk-pci,drive=d,bootindex=1")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{disk}, &limited{to: &words}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == bootStatus {
		return ""
	}
	if ctx.Err() != nil {
		return "a guest was started with KVM and hung behind its firmware"
	}
	why := firstLine(words.String())
	if _, feature, ok := strings.Cut(why, "doesn't support requested feature: "); ok {
		return fmt.Sprintf("KVM here lacks a feature of the CPU model %s that guests get (%s)", options.CPUModel, feature)
	}
	return fmt.Sprintf("QEMU cannot start a guest of the CPU model %s with KVM here: %s", options.CPUModel, why)
}

// bootDisk is the boot sector and enough behind it to look like a disk.
func bootDisk() (*os.File, error) {
	fd, err := unix.MemfdCreate("boot", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	disk := os.NewFile(uintptr(fd), "boot")
	if _, err = disk.Write(boot); err == nil {
		err = disk.Truncate(1 << 20)
	}
	if err == nil { // a descriptor for reading only, as the set wants it
		var again *os.File
		if again, err = os.Open(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
			disk.Close()
			return again, nil
		}
	}
	return nil, errors.Join(err, disk.Close())
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if _, words, ok := strings.Cut(line, ": "); ok {
		line = words
	}
	return line[:min(len(line), 200)]
}

// limited keeps the beginning of what is written.
type limited struct{ to *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 4096 - l.to.Len(); room > 0 {
		l.to.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
