package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
)

// startTPM starts the vTPM's process under the guest's user and gives the near end of its socket. The process ends by itself
// when QEMU does, because QEMU has the only other end.
func (d *Driver) startTPM(cfg hypervisor.Config, dir folder, r *record) (*os.File, error) {
	state, err := openTPMState(cfg)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	near, far := os.NewFile(uintptr(ends[0]), "tpm"), os.NewFile(uintptr(ends[1]), "tpm")
	defer far.Close()
	// The folder is entered by descriptor: its parents are closed to the guest's user.
	cmd := exec.Command(d.binary("swtpm"), "socket", "--tpm2", "--terminate", "--tpmstate", "dir=/proc/self/fd/3,mode=0600",
		"--ctrl", "type=unixio,clientfd=4", "--flags", "not-need-init,startup-clear")
	cmd.Dir, cmd.Env, cmd.ExtraFiles = "/", []string{"PATH=/usr/bin:/bin"}, []*os.File{state, far}
	p, err := spawn(cmd, cfg.UID)
	if err != nil {
		near.Close()
		return nil, fault.Wrap(err, fault.Unsupported, "no_tpm", "this node cannot run a vTPM; install swtpm or take the vTPM off the VM")
	}
	r.TPM = p.pid
	if r.TPMAt, err = startTime(p.pid); err != nil {
		near.Close()
		return nil, fault.Wrap(err, fault.Unavailable, "tpm_start", "the VM's vTPM ended at once: %s", lastLine(p.errors.all()))
	}
	return near, nil
}

// openTPMState makes the folder of the vTPM's state and gives it to the guest's user.
func openTPMState(cfg hypervisor.Config) (*os.File, error) {
	if err := os.MkdirAll(cfg.TPMDir, 0o700); err != nil {
		return nil, err
	}
	state, err := os.OpenFile(cfg.TPMDir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil || processUser(cfg.UID) == 0 {
		return state, err
	}
	// The entries too: a VM whose user has changed must still reach them.
	names, err := state.Readdirnames(-1)
	for _, name := range names {
		if err == nil {
			err = unix.Fchownat(int(state.Fd()), name, cfg.UID, cfg.UID, unix.AT_SYMLINK_NOFOLLOW)
		}
	}
	if err == nil {
		err = state.Chown(cfg.UID, cfg.UID)
	}
	if err != nil {
		state.Close()
		return nil, fmt.Errorf("give the vTPM's state to its user: %w", err)
	}
	return state, nil
}

// endTPM ends a vTPM whose QEMU is gone, if it still runs and is that process.
func endTPM(r record) {
	if r.TPM == 0 {
		return
	}
	fd, err := unix.PidfdOpen(r.TPM, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	started, err := startTime(r.TPM)
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(r.TPM) + "/comm")
	if err == nil && started == r.TPMAt && strings.TrimSpace(string(name)) == "swtpm" {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // gone already is as good
	}
}
