package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"novacron/backend/core/id"
	"novacron/test/rig"
)

// model is the machine of one VM of the platform, written down so that the same machine can be started without it.
type model struct {
	args   []string // as the platform started QEMU, with descriptors
	kernel string
	initrd string
	base   string // the image that the VM's disk rests on
	seed   string
	size   int64 // of the disk, in bytes
}

// modelOf makes a VM, reads its QEMU's command line and files, and copies what goes away with it.
func (b *bench) modelOf(p *platform) (model, error) {
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, _, err := p.boot(ctx, "model")
	if err != nil {
		return model{}, err
	}
	guests, err := rig.Guests(v)
	if err != nil || len(guests) != 1 {
		return model{}, fmt.Errorf("the model has %d processes, not one (%w)", len(guests), err)
	}
	m := model{args: guests[0].Args, size: 1 << 30}
	if err := m.files(guests[0].PID, b.dir, p.dir, v); err != nil {
		return model{}, err
	}
	return m, p.remove(ctx, v)
}

// files finds the files behind the process' descriptors.
func (m *model) files(pid int, dir, data string, v id.VM) error {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return err
	}
	for _, l := range links {
		to, err := os.Readlink(l)
		if err != nil {
			continue // closed meanwhile
		}
		switch filepath.Base(to) {
		case "kernel":
			m.kernel = to
		case "initrd":
			m.initrd = to
		case "disk":
			m.base = to
		}
	}
	if m.kernel == "" || m.initrd == "" || m.base == "" {
		return fmt.Errorf("kernel %q, initrd %q or image %q was not found behind the model's descriptors", m.kernel, m.initrd, m.base)
	}
	raw, err := os.ReadFile(filepath.Join(data, "vms", string(v), "seed.iso"))
	if err != nil {
		return err
	}
	m.seed = filepath.Join(dir, "seed.iso")
	return os.WriteFile(m.seed, raw, 0o600)
}

// overlay makes a fresh disk that rests on the image.
func (m model) overlay(ctx context.Context, name string) error {
	out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", m.base, name, strconv.FormatInt(m.size, 10)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make a disk: %w: %s", err, out)
	}
	return nil
}

// plain gives the model's command line with paths in place of descriptors, its files in dir and its NIC on the tap.
func (m model) plain(dir, tap string) ([]string, error) {
	var out []string
	for i := 0; i < len(m.args); i++ {
		a := m.args[i]
		if a == "-add-fd" {
			i++
			continue
		}
		if i > 0 {
			var err error
			if a, err = m.value(m.args[i-1], a, dir, tap); err != nil {
				return nil, err
			}
		}
		out = append(out, a)
	}
	return out, nil
}

func (m model) value(option, v, dir, tap string) (string, error) {
	switch option {
	case "-kernel":
		return m.kernel, nil
	case "-initrd":
		return m.initrd, nil
	case "-name":
		return "guest=bare,debug-threads=on", nil
	case "-chardev":
		return chardev(v, dir)
	case "-blockdev":
		return m.blockdev(v, dir)
	case "-netdev":
		var n map[string]any
		if err := json.Unmarshal([]byte(v), &n); err != nil {
			return "", err
		}
		delete(n, "fd")
		n["ifname"], n["script"], n["downscript"] = tap, "no", "no"
		raw, err := json.Marshal(n)
		return string(raw), err
	}
	return v, nil
}

// chardev turns the serial line into a file that is read as the platform's log of it is, and the other sockets into named ones.
func chardev(v, dir string) (string, error) {
	_, rest, ok := strings.Cut(v, "socket,id=")
	name, _, more := strings.Cut(rest, ",")
	if !ok || !more {
		return "", fmt.Errorf("the model has a chardev that the benchmark does not know: %s", v)
	}
	if name == "serial" {
		return "file,id=serial,path=" + filepath.Join(dir, "serial.log"), nil
	}
	return "socket,id=" + name + ",server=on,wait=off,path=" + filepath.Join(dir, name), nil
}

// blockdev puts the files back that stand behind descriptors: the seed, the image (read-only) and the disk.
func (m model) blockdev(v, dir string) (string, error) {
	var n map[string]any
	if err := json.Unmarshal([]byte(v), &n); err != nil {
		return "", err
	}
	file, ok := n["file"].(map[string]any)
	if !ok {
		return v, nil // a filter above another node
	}
	switch {
	case n["node-name"] == "seed":
		file["filename"] = m.seed
	case n["read-only"] == true:
		file["filename"] = m.base
	default:
		file["filename"] = filepath.Join(dir, "disk.qcow2")
	}
	raw, err := json.Marshal(n)
	return string(raw), err
}

// machine is one place where the model is started again and again: a folder and a tap of its own.
type machine struct {
	model
	dir, tap string
}

// bareMachines makes n of them.
func (b *bench) bareMachines(m model, n int) ([]machine, error) {
	var all []machine
	for i := range n {
		x := machine{m, filepath.Join(b.dir, fmt.Sprintf("bare-%d", i)), fmt.Sprintf("nb%x-%d", os.Getpid()&0xffff, i)}
		if err := os.MkdirAll(x.dir, 0o700); err != nil {
			return all, err
		}
		if out, err := exec.CommandContext(b.ctx, "ip", "tuntap", "add", x.tap, "mode", "tap").CombinedOutput(); err != nil {
			return all, fmt.Errorf("make a tap: %w: %s", err, out)
		}
		all = append(all, x)
		if out, err := exec.CommandContext(b.ctx, "ip", "link", "set", x.tap, "up").CombinedOutput(); err != nil {
			return all, fmt.Errorf("take a tap up: %w: %s", err, out)
		}
	}
	return all, nil
}

func endMachines(all []machine) {
	for _, x := range all {
		exec.Command("ip", "tuntap", "del", x.tap, "mode", "tap").Run() //nolint:errcheck // it was not made, then
	}
}

// fresh gives the machine a new disk and clears what the last run left.
func (x machine) fresh(ctx context.Context) error {
	for _, name := range []string{"disk.qcow2", "serial.log", "qmp", "agent"} {
		if err := os.Remove(filepath.Join(x.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return x.overlay(ctx, filepath.Join(x.dir, "disk.qcow2"))
}

// boot starts QEMU and returns how long it took to the guest's first line of userspace, and how to end it.
func (x machine) boot(ctx context.Context) (time.Duration, func(), error) {
	args, err := x.plain(x.dir, x.tap)
	if err != nil {
		return 0, nil, err
	}
	var words strings.Builder
	c := exec.Command(args[0], args[1:]...)
	c.Stderr, c.SysProcAttr = &words, &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := c.Start(); err != nil {
		return 0, nil, err
	}
	end := func() {
		c.Process.Kill() //nolint:errcheck // it has ended, then
		c.Wait()         //nolint:errcheck // it was killed
	}
	err = rig.WaitInFile(ctx, filepath.Join(x.dir, "serial.log"), rig.FirstLine)
	took := time.Since(began)
	if err != nil {
		end()
		return 0, nil, fmt.Errorf("bare QEMU: %w: %s", err, words.String())
	}
	return took, end, nil
}
