package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"novacron/backend/core/id"
)

// Guest is a QEMU process of a VM, found among the processes of this machine by its command line.
type Guest struct {
	VM   id.VM
	PID  int
	Args []string
}

// Guests lists every QEMU of this machine that runs one of the VMs, in whatever namespace it is.
func Guests(vms ...id.VM) ([]Guest, error) {
	want := map[id.VM]bool{}
	for _, v := range vms {
		want[v] = true
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var out []Guest
	for _, d := range dirs {
		raw, err := os.ReadFile(filepath.Join(d, "cmdline"))
		if err != nil || len(raw) == 0 {
			continue // it ended meanwhile, or it is the kernel's
		}
		args := strings.Split(string(bytes.TrimRight(raw, "\x00")), "\x00")
		v := guestOf(args)
		pid, err := strconv.Atoi(filepath.Base(d))
		if err == nil && want[v] {
			out = append(out, Guest{v, pid, args})
		}
	}
	return out, nil
}

func guestOf(args []string) id.VM {
	if !strings.Contains(args[0], "qemu-system-") {
		return ""
	}
	for i, a := range args[:len(args)-1] {
		if a == "-name" {
			name, _, _ := strings.Cut(strings.TrimPrefix(args[i+1], "guest="), ",")
			return id.VM(name)
		}
	}
	return ""
}

// Kill ends the guest's process as kill -9 does.
func (g Guest) Kill() error { return syscall.Kill(g.PID, syscall.SIGKILL) }

// FirstLine is what the tiny image's guest says first.
const FirstLine = "novacron-tiny: userspace"

// lookPause is between two looks at a file that grows. It bounds the error of the times that are measured with it.
const lookPause = 2 * time.Millisecond

// WaitInFile returns once the file holds words.
func WaitInFile(ctx context.Context, name, words string) error {
	var size int64 = -1
	for {
		if fi, err := os.Stat(name); err == nil && fi.Size() != size {
			size = fi.Size()
			if raw, err := os.ReadFile(name); err == nil && bytes.Contains(raw, []byte(words)) {
				return nil
			}
		}
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
			raw, _ := os.ReadFile(name)
			return fmt.Errorf("%q does not stand in %s: %w; it ends with %q", words, name, context.Cause(ctx), raw[max(0, len(raw)-500):])
		}
	}
}

// SerialLog is the file that holds what a VM of the data folder said on its serial line.
func SerialLog(dir string, v id.VM) string { return filepath.Join(dir, "vms", string(v), "serial.log") }
