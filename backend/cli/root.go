// Package cli is the command line. It speaks to a server through the API client like any other user; only up, server, agent,
// doctor and admin touch this machine. It keeps no state but one file with the server's address and token.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Version is set by the linker.
var Version = "dev"

// Exit codes of the command: 1 for a failure, 2 for wrong words on the command line, 130 after Ctrl-C.
const (
	exitFailure   = 1
	exitUsage     = 2
	exitInterrupt = 130
)

// session is what every command shares: where to print, and how.
type session struct {
	in       io.Reader
	out, err io.Writer
	format   format
	tenant   string // to act in; empty: the account's own one
	// interrupted is closed by Ctrl-C.
	interrupted <-chan struct{}
}

// Main runs the command line and returns its exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &session{in: os.Stdin, out: os.Stdout, err: os.Stderr, format: asTable, interrupted: ctx.Done()}
	root := newRoot(s)
	root.SetArgs(args)
	err := unknownWord(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	return s.exitCode(err, ctx.Err() != nil)
}

// exitCode says what went wrong, and makes of it what a script sees.
func (s *session) exitCode(err error, interrupted bool) int {
	// Whoever interrupted a command need not be told so, only what goes on without it.
	said, silent := errors.AsType[exitStatus](err)
	if err != nil && !silent && !(interrupted && errors.Is(err, context.Canceled)) {
		fmt.Fprintln(s.err, "novacron:", sentence(err))
	}
	switch {
	case err == nil:
		return 0
	case interrupted:
		return exitInterrupt
	case silent:
		return int(said)
	case errors.As(err, new(usageError)):
		return exitUsage
	}
	return exitFailure
}

// exitStatus ends with this exit code, and without a word: why has been printed.
type exitStatus int

func (exitStatus) Error() string { return "already said" }

// errSilent is any failure whose story has been printed.
const errSilent = exitStatus(exitFailure)

// usageError marks a command line that was not understood.
type usageError struct{ error }

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "novacron",
		Short: "Turn Linux machines into one VM cloud",
		Long: "novacron turns any set of Linux machines into one VM cloud.\n\n" +
			"On a fresh machine `novacron up` starts everything in one process. Other commands speak to a server:\n" +
			"sign in once with `novacron login`, or set NOVACRON_URL and NOVACRON_TOKEN.\n\n" +
			"It exits with 0 when all was done, 1 when something was refused or failed, 2 when the command line is wrong and 130 after Ctrl-C. Answers go to\n" +
			"standard output, progress and refusals to standard error.",
		Version:       Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          func(c *cobra.Command, args []string) error { return noCommand(c, args) },
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetIn(s.in)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
	})
	root.PersistentFlags().VarP(&s.format, "output", "o", "how to print answers")
	root.PersistentFlags().StringVar(&s.tenant, "tenant", "", "act in the tenant of this `NAME` or id (default NOVACRON_TENANT, or the account's own one)")
	root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(
		&cobra.Group{ID: "use", Title: "Working with the cloud:"},
		&cobra.Group{ID: "run", Title: "Running the platform:"},
	)
	root.AddCommand(commands(s)...)
	return root
}

// unknownWord refuses a word that is no command behind one that only groups others. Cobra would print the group's help and succeed,
// and a script with a typing error would go on.
func unknownWord(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil || c.Runnable() {
		return nil // execution says what is wrong
	}
	c.InitDefaultHelpFlag()
	if c.ParseFlags(rest) != nil || c.Flags().NArg() == 0 {
		return nil
	}
	if help, err := c.Flags().GetBool("help"); err == nil && help {
		return nil
	}
	return noCommand(c, c.Flags().Args())
}

func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%q is no command; see `%s --help`", args[0], c.CommandPath())}
}

// atLeast takes one word or more.
func atLeast(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error { return missing(c, args, what) }
}

// missing says which of the words that a command needs is not there.
func missing(c *cobra.Command, args []string, what ...string) error {
	if len(args) < len(what) {
		return usageError{fmt.Errorf("say which %s; see `%s --help`", what[len(args)], c.CommandPath())}
	}
	return nil
}

// atMost takes so many words or fewer.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("%q is one word too many; see `%s --help`", args[n], c.CommandPath())}
		}
		return nil
	}
}

// exactArgs takes these words and no others.
func exactArgs(what ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := atMost(len(what))(c, args); err != nil {
			return err
		}
		return missing(c, args, what...)
	}
}
