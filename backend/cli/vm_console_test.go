package cli

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"

	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// ssh hands its ProxyCommand to a shell and takes a destination that begins with a hyphen for an option.
func TestSSHArgv_refusesAVMThatWouldRunACommandHere(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	named := func(i id.VM, name string) (v wire.VM) {
		v.ID, v.Name = i, name
		return v
	}
	for _, v := range []wire.VM{
		named("vm-1; touch /tmp/x", "web-1"), named("$(reboot)", "web-1"), named(id.NewVM(), "-oProxyCommand=reboot"), named(id.NewVM(), ""),
	} {
		if argv, err := sshArgv(v, "root", ""); err == nil {
			t.Errorf("id %q, name %q: got %q", v.ID, v.Name, argv)
		}
	}
	if _, err := sshArgv(named(id.NewVM(), "web-1"), "root", ""); err != nil {
		t.Error(err)
	}
}

func TestProxyQuote_keepsAPathWhole(t *testing.T) {
	if got, want := proxyQuote.Replace(`/home/o'brien/100%/novacron`), `/home/o'\''brien/100%%/novacron`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSSH_endsAsTheCommandInTheGuestDid(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -9 $$": exitFailure} {
		if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		c := &cobra.Command{}
		c.SetContext(t.Context())
		s := &session{out: io.Discard, err: io.Discard}
		if got := s.exitCode(runSSH(c, s, nil), false); got != want {
			t.Errorf("where ssh does %q: exit code %d", script, got)
		}
	}
}
