package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

func vmConsoleCommand(s *session) *cobra.Command {
	var take, watch bool
	c := signedIn(s, &cobra.Command{
		Use:   "console VM",
		Short: "Type on the serial line; Ctrl-] leaves",
		Long: "Join the terminal with the VM's serial line. What the guest said before is shown first. Ctrl-] leaves.\n" +
			"If somebody else types there, you are told who; --watch looks on, --take takes the keyboard over.",
		Args: exactArgs("VM"), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		w := wire.ConsoleWish{Kind: "serial", Mode: "ask"}
		switch {
		case take && watch:
			return usageError{errors.New("--take and --watch exclude each other")}
		case take:
			w.Mode = "take"
		case watch:
			w.Mode = "watch"
		}
		line, err := cl.OpenConsole(c.Context(), args[0], w)
		if err != nil {
			return consoleRefusal(err)
		}
		in, ok := s.in.(*os.File)
		if ok && isTerminal(in) {
			fmt.Fprintf(s.err, "On the serial line of %s. Ctrl-] leaves.\r\n", args[0])
			defer fmt.Fprintf(s.err, "\r\nLeft the serial line of %s.\r\n", args[0])
		}
		if !ok {
			return pipeConsole(c.Context(), s.in, s.out, line)
		}
		return terminalConsole(c.Context(), in, s.out, line)
	})
	c.Flags().BoolVar(&take, "take", false, "take the keyboard from whoever types")
	c.Flags().BoolVar(&watch, "watch", false, "look on without typing")
	return c
}

// consoleRefusal adds the two flags that get past a console in use.
func consoleRefusal(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == "console_in_use" {
		return fmt.Errorf("%s; --watch looks on, --take takes it over", f.Message)
	}
	return err
}

func vmTunnelCommand(s *session) *cobra.Command {
	var patience time.Duration
	c := &cobra.Command{
		Use:   "tunnel VM PORT",
		Short: "Join standard input and output with a TCP port of the guest",
		Long:  "Join standard input and output with a TCP port of the guest, through the server. It is what `vm ssh` runs underneath.",
		Args:  exactArgs("VM", "port"), ValidArgsFunction: s.complete(vmNames),
		RunE: func(c *cobra.Command, args []string) error {
			var port int
			if _, err := fmt.Sscanf(args[1], "%d", &port); err != nil || port < 1 || port > 65535 {
				return usageError{fmt.Errorf("%q is no port; give a number from 1 to 65535", args[1])}
			}
			cl, err := s.client()
			if err != nil {
				return err
			}
			conn, err := s.dialGuest(c.Context(), cl, args[0], port, patience)
			if err != nil {
				return err
			}
			return tunnel(s.in, s.out, conn)
		},
	}
	c.Flags().DurationVar(&patience, "patience", 0, "how long to wait for the port to answer, for a guest that still boots")
	return c
}

// dialGuest opens a tunnel, and tries again for a while when nothing answers yet: the server says so with a 503 or when the first
// byte is asked for.
func (s *session) dialGuest(ctx context.Context, cl *client.Client, ref string, port int, patience time.Duration) (*client.Console, error) {
	began, said := time.Now(), false
	for {
		conn, err := cl.OpenConsole(ctx, ref, wire.ConsoleWish{Kind: "tcp", Port: port})
		if err == nil || !fault.Is(err, fault.Unavailable) || time.Since(began) > patience {
			return conn, err
		}
		if !said {
			fmt.Fprintf(s.err, "Waiting for port %d of the guest to answer.\n", port)
			said = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(dialPause):
		}
	}
}

// dialPause is between two tries to reach a guest that boots.
const dialPause = 2 * time.Second

// tunnel copies both ways until the guest closes.
func tunnel(in io.Reader, out io.Writer, conn *client.Console) error {
	go func() {
		if _, err := io.Copy(conn, in); err != nil {
			conn.Close()
		}
	}()
	_, err := io.Copy(out, conn)
	conn.Close()
	return err
}

func vmSSHCommand(s *session) *cobra.Command {
	var user, identity string
	c := signedIn(s, &cobra.Command{
		Use:   "ssh VM [-- COMMAND...]",
		Short: "Sign in to the guest with ssh, through the server",
		Long: "Run ssh to the guest through the server, so that it works for every VM that this account may use, on whatever node and behind\n" +
			"whatever NAT. The guest's host key is remembered per VM under ~/.config/novacron. The exit code is that of the command in the guest, or\n" +
			"255 when ssh could not run it.",
		Example: "  novacron vm ssh web-1\n  novacron vm ssh web-1 --user debian -- uname -a",
		Args:    atLeast("VM"), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		v, err := cl.VM(c.Context(), args[0])
		if err != nil {
			return err
		}
		if d := v.Actions[vm.VerbConsole]; !d.Allowed { // else ssh would add two lines that nobody understands
			return fmt.Errorf("%s: %s", v.Name, d.Why)
		}
		argv, err := sshArgv(v, user, identity)
		if err != nil {
			return err
		}
		return runSSH(c, s, append(argv, args[1:]...))
	})
	c.Flags().StringVarP(&user, "user", "l", "root", "user in the guest")
	c.Flags().StringVarP(&identity, "identity", "i", "", "private key file; else ssh's own and NovaCron's")
	return c
}

// sshPatience is how long vm ssh waits for a guest that still boots: a full cloud image takes over a minute without KVM.
const sshPatience = 3 * time.Minute

// sshArgv gives the arguments of ssh. The id stands in a command line that ssh hands to a shell, and the name where ssh takes options, so
// neither is believed from a server that says other things in their place.
func sshArgv(v wire.VM, user, identity string) ([]string, error) {
	if err := vm.CheckName(v.Name); err != nil || !id.Is(string(v.ID)) {
		return nil, fmt.Errorf("the server answers with a VM named %q with id %q, which no VM can have; is it a NovaCron server?", v.Name, v.ID)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	own, _, err := ownKey()
	if err != nil {
		return nil, err
	}
	if identity == "" {
		identity = own
	}
	known := filepath.Join(filepath.Dir(own), "known_hosts")
	return []string{
		"-o", fmt.Sprintf("ProxyCommand='%s' vm tunnel --patience %s %s %%p", proxyQuote.Replace(self), sshPatience, v.ID),
		"-o", "HostKeyAlias=" + string(v.ID),
		"-o", "UserKnownHostsFile=" + known,
		"-o", "StrictHostKeyChecking=accept-new",
		"-i", identity,
		"-l", user, v.Name,
	}, nil
}

// proxyQuote keeps a path in single quotes whole, through the shell and through what ssh itself puts in place of percent signs.
var proxyQuote = strings.NewReplacer("'", `'\''`, "%", "%%")

func runSSH(c *cobra.Command, s *session, argv []string) error {
	bin, err := exec.LookPath("ssh")
	if err != nil {
		return errors.New("ssh is not installed; install the package openssh-client")
	}
	cmd := exec.CommandContext(c.Context(), bin, argv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.in, s.out, s.err
	if err := cmd.Run(); err != nil {
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			return exitStatus(max(ended.ExitCode(), exitFailure)) // ssh has said why; -1 when a signal ended it
		}
		return err
	}
	return nil
}
