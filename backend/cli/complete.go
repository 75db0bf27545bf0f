package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
)

// What the shell is offered: one question to the server, bounded so that a key press never waits for long.
const (
	completeTimeout = 2 * time.Second
	completeMost    = 100
)

// names asks for what a word of the command line may be; before are the words in front of it.
type names func(ctx context.Context, cl *client.Client, before []string, prefix string) ([]string, error)

// complete offers names for each word of a command in turn, and nothing behind the last.
func (s *session) complete(words ...names) cobra.CompletionFunc {
	return func(c *cobra.Command, before []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(before) >= len(words) || words[len(before)] == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.offer(c, words[len(before)], before, prefix)
	}
}

// completeAll offers the same names for every word.
func (s *session) completeAll(n names) cobra.CompletionFunc {
	return func(c *cobra.Command, before []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return s.offer(c, n, before, prefix)
	}
}

// completeFlag offers names for the value of flags.
func (s *session) completeFlag(c *cobra.Command, n names, flags ...string) {
	for _, f := range flags {
		if err := c.RegisterFlagCompletionFunc(f, s.completeAll(n)); err != nil {
			panic("cli: " + err.Error()) // the flag is not there: a mistake in this package
		}
	}
}

func (s *session) offer(c *cobra.Command, n names, before []string, prefix string) (fit []string, _ cobra.ShellCompDirective) {
	cl, err := s.connection() // one that does not wait for a limit
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
	defer cancel()
	all, err := n(ctx, cl, before, prefix)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, name := range all {
		if strings.HasPrefix(name, prefix) {
			fit = append(fit, printable(name))
		}
	}
	return fit, cobra.ShellCompDirectiveNoFileComp
}

func vmNames(ctx context.Context, cl *client.Client, _ []string, prefix string) (out []string, err error) {
	page, err := cl.VMs(ctx, client.ListOptions{Limit: completeMost, Filter: map[string]string{"name": prefix}})
	for _, v := range page.Items {
		out = append(out, v.Name)
	}
	return out, err
}

func nodeNames(ctx context.Context, cl *client.Client, _ []string, _ string) (out []string, err error) {
	page, err := cl.Nodes(ctx, client.ListOptions{Limit: completeMost})
	for _, n := range page.Items {
		out = append(out, n.Name)
	}
	return out, err
}

func imageNames(ctx context.Context, cl *client.Client, _ []string, _ string) (out []string, err error) {
	page, err := cl.Images(ctx, client.ListOptions{Limit: completeMost})
	for _, i := range page.Items {
		out = append(out, i.Name)
	}
	return out, err
}

func networkNames(ctx context.Context, cl *client.Client, _ []string, _ string) (out []string, err error) {
	page, err := cl.Networks(ctx, client.ListOptions{Limit: completeMost})
	for _, n := range page.Items {
		out = append(out, n.Name)
	}
	return out, err
}

func operationIDs(ctx context.Context, cl *client.Client, _ []string, _ string) (out []string, err error) {
	page, err := cl.Operations(ctx, client.ListOptions{Limit: completeMost})
	for _, o := range page.Items {
		out = append(out, string(o.ID))
	}
	return out, err
}

// snapshotNames, diskIDs and nicIDs are those of the VM in front.
func snapshotNames(ctx context.Context, cl *client.Client, before []string, _ string) (out []string, err error) {
	all, err := cl.Snapshots(ctx, before[0])
	for _, v := range all.Items {
		out = append(out, v.Name)
	}
	return out, err
}

func diskIDs(ctx context.Context, cl *client.Client, before []string, _ string) (out []string, err error) {
	v, err := cl.VM(ctx, before[0])
	for _, d := range v.Disks {
		out = append(out, string(d.ID))
	}
	return out, err
}

func nicIDs(ctx context.Context, cl *client.Client, before []string, _ string) (out []string, err error) {
	v, err := cl.VM(ctx, before[0])
	for _, n := range v.NICs {
		out = append(out, string(n.ID))
	}
	return out, err
}
