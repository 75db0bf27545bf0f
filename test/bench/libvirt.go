package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"novacron/test/rig"
)

// libvirt is a session libvirtd of the benchmark's own: another user, other folders and sockets than any that the machine runs.
type libvirt struct {
	model
	dir    string
	user   uint32
	daemon *exec.Cmd
}

// nobody is who runs it: the session mode, which keeps everything below its own folders, is not to be had for root.
const nobody = 65534

// libvirt starts one, or says why not.
func (b *bench) libvirt(m model) (l *libvirt, why string) {
	for _, tool := range []string{"libvirtd", "virsh"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, tool + " is not installed"
		}
	}
	if os.Geteuid() != 0 {
		return nil, "it needs root, to run it as another user"
	}
	l = &libvirt{model: m, user: nobody}
	if err := l.open(b.ctx); err != nil {
		l.end()
		return nil, err.Error()
	}
	return l, ""
}

func (l *libvirt) open(ctx context.Context) (err error) {
	// Not below the benchmark's folder, which is closed to others; and short, for the sockets.
	if l.dir, err = os.MkdirTemp("", "nclv"); err != nil {
		return err
	}
	if err := l.copies(); err != nil {
		return err
	}
	l.daemon = l.command(context.Background(), "libvirtd", "--timeout", "0")
	if err := l.daemon.Start(); err != nil {
		return err
	}
	for range 100 {
		if err = l.virsh(ctx, "list"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	// Not measured: the first start asks QEMU what it can.
	var warm []time.Duration
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	return l.once(ctx, &warm)
}

// copies puts the model's files where the other user can read them.
func (l *libvirt) copies() error {
	for _, f := range []struct {
		from *string
		name string
	}{{&l.kernel, "kernel"}, {&l.initrd, "initrd"}, {&l.base, "image"}, {&l.seed, "seed.iso"}} {
		to := filepath.Join(l.dir, f.name)
		if out, err := exec.Command("cp", "--sparse=always", *f.from, to).CombinedOutput(); err != nil {
			return fmt.Errorf("copy %s: %w: %s", *f.from, err, out)
		}
		*f.from = to
	}
	for _, d := range []string{"run", "home"} {
		if err := os.Mkdir(filepath.Join(l.dir, d), 0o700); err != nil {
			return err
		}
	}
	out, err := exec.Command("chown", "-R", strconv.Itoa(nobody), l.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("give the files away: %w: %s", err, out)
	}
	return nil
}

func (l *libvirt) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := exec.LookPath(name)
	if err != nil {
		path = name
	}
	c := exec.CommandContext(ctx, path, args...)
	home, run := filepath.Join(l.dir, "home"), filepath.Join(l.dir, "run")
	c.Dir = l.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + run, "XDG_CONFIG_HOME=" + home, "XDG_CACHE_HOME=" + home, "XDG_DATA_HOME=" + home}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: l.user, Gid: l.user}}
	return c
}

func (l *libvirt) virsh(ctx context.Context, args ...string) error {
	out, err := l.command(ctx, "virsh", append([]string{"-q", "-c", "qemu:///session"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("virsh %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// once makes the machine with its disk, and takes it away again.
func (l *libvirt) once(ctx context.Context, into *[]time.Duration) error {
	log, disk := filepath.Join(l.dir, "serial.log"), filepath.Join(l.dir, "disk.qcow2")
	for _, name := range []string{log, disk} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	xml := filepath.Join(l.dir, "machine.xml")
	if err := l.write(xml); err != nil {
		return err
	}
	began := time.Now()
	made := l.command(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", l.base, disk, strconv.FormatInt(l.size, 10))
	if out, err := made.CombinedOutput(); err != nil {
		return fmt.Errorf("make a disk: %w: %s", err, out)
	}
	if err := l.virsh(ctx, "create", xml); err != nil {
		return err
	}
	err := rig.WaitInFile(ctx, log, rig.FirstLine)
	took := time.Since(began)
	if err = errors.Join(err, l.virsh(context.WithoutCancel(ctx), "destroy", "bench")); err != nil {
		return err
	}
	*into = append(*into, took)
	return nil
}

// end takes everything away.
func (l *libvirt) end() {
	if l.daemon != nil && l.daemon.Process != nil {
		l.virsh(context.Background(), "destroy", "bench") //nolint:errcheck // it is not there as a rule
		l.daemon.Process.Signal(syscall.SIGTERM)          //nolint:errcheck // it has ended, then
		l.daemon.Wait()                                   //nolint:errcheck // it was told to
	}
	os.RemoveAll(l.dir)
}

// option gives the value behind an option of the model's command line.
func (m model) option(name string) string {
	for i, a := range m.args[:len(m.args)-1] {
		if a == name {
			return m.args[i+1]
		}
	}
	return ""
}

// write describes the model's machine to libvirt. The NIC's other end is user-mode: a session may not open taps.
func (l *libvirt) write(name string) error {
	kind := "qemu"
	if strings.HasPrefix(l.option("-accel"), "kvm") {
		kind = "kvm"
	}
	machineType, _, _ := strings.Cut(l.option("-machine"), ",")
	var out bytes.Buffer
	err := domain.Execute(&out, map[string]any{
		"Kind": kind, "Machine": machineType, "CPU": l.option("-cpu"), "KiB": guestMiB << 10, "Emulator": l.args[0],
		"Kernel": l.kernel, "Initrd": l.initrd, "Cmdline": l.option("-append"), "Dir": l.dir, "Seed": l.seed,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o644)
}

var domain = template.Must(template.New("domain").Parse(`<domain type="{{.Kind}}">
  <name>bench</name>
  <memory unit="KiB">{{.KiB}}</memory>
  <vcpu current="1">2</vcpu>
  <iothreads>1</iothreads>
  <os>
    <type arch="x86_64" machine="{{.Machine}}">hvm</type>
    <kernel>{{.Kernel}}</kernel>
    <initrd>{{.Initrd}}</initrd>
    <cmdline>{{.Cmdline}}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode="custom" match="exact" check="none"><model fallback="forbid">{{.CPU}}</model></cpu>
  <clock offset="utc"><timer name="hpet" present="no"/></clock>
  <devices>
    <emulator>{{.Emulator}}</emulator>
    <disk type="file" device="disk"><driver name="qemu" type="qcow2" discard="unmap" iothread="1"/><source file="{{.Dir}}/disk.qcow2"/><target dev="vda" bus="virtio"/></disk>
    <disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="{{.Seed}}"/><target dev="vdb" bus="virtio"/><readonly/></disk>
    <controller type="usb" model="none"/>
    <interface type="user"><model type="virtio"/><rom enabled="no"/></interface>
    <serial type="file"><source path="{{.Dir}}/serial.log"/><target port="0"/></serial>
    <channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0"/></channel>
    <rng model="virtio"><backend model="builtin"/></rng>
    <memballoon model="virtio" autodeflate="on" freePageReporting="on"/>
    <panic model="isa"/>
  </devices>
</domain>
`))
