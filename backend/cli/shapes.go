package cli

import (
	"context"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/wire"
)

// signedIn makes a command that speaks to the server of the last sign-in.
func signedIn(s *session, c *cobra.Command, run func(c *cobra.Command, args []string, cl *client.Client) error) *cobra.Command {
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.client()
		if err != nil {
			return err
		}
		return run(c, args, cl)
	}
	return c
}

// showing makes a command that asks for one thing by its name or id, and shows what comes.
func showing[R ~string, T any](s *session, c *cobra.Command, ask func(*client.Client, context.Context, R) (T, error), show func(T) error) *cobra.Command {
	return signedIn(s, c, func(c *cobra.Command, args []string, cl *client.Client) error {
		v, err := ask(cl, c.Context(), R(args[0]))
		if err != nil {
			return err
		}
		return show(v)
	})
}

// listing makes a command that prints all there are as a table.
func listing[T any](s *session, short string, page func(*client.Client, context.Context, client.ListOptions) (wire.List[T], error), head []string, row func(T) []string) *cobra.Command {
	return signedIn(s, &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: short, Args: exactArgs()}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		all, err := allOf(c.Context(), cl, page, client.ListOptions{})
		if err != nil {
			return err
		}
		return list(s, all, head, row)
	})
}

// allOf reads a list page after page.
func allOf[T any](ctx context.Context, cl *client.Client, page func(*client.Client, context.Context, client.ListOptions) (wire.List[T], error), o client.ListOptions) ([]T, error) {
	o.Limit = 1000 // the most that the server gives at once
	return client.All(func(l client.ListOptions) (wire.List[T], error) { return page(cl, ctx, l) }, o)
}

// removing makes a command that removes one thing by its name or id; said has a %s for it.
func removing(s *session, c *cobra.Command, remove func(*client.Client, context.Context, string) error, said string) *cobra.Command {
	return signedIn(s, c, func(c *cobra.Command, args []string, cl *client.Client) error {
		if err := remove(cl, c.Context(), args[0]); err != nil {
			return err
		}
		return s.say(map[string]string{"name": args[0]}, said, args[0])
	})
}
