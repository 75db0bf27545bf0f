package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/wire"
)

func accountCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Change the account that is signed in", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(accountEmail(s), accountProve(s), accountFactor(s), accountPasskey(s), accountTenants(s))
	return c
}

// confirmed makes a command that asks for the password once more.
func confirmed(s *session, c *cobra.Command, run func(c *cobra.Command, args []string, cl *client.Client, password string) error) *cobra.Command {
	var fromStdin bool
	signedIn(s, c, func(c *cobra.Command, args []string, cl *client.Client) error {
		password, err := s.password("Password: ", fromStdin)
		if err != nil {
			return err
		}
		return run(c, args, cl, password)
	})
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return c
}

func accountEmail(s *session) *cobra.Command {
	return confirmed(s, &cobra.Command{
		Use: "email ADDRESS", Short: "Ask for another e-mail address", Args: exactArgs("address"),
		Long: "Ask for another e-mail address. The new address gets a link; when it is opened the account has the new address, and the old one is told.",
	}, func(c *cobra.Command, args []string, cl *client.Client, password string) error {
		out, err := cl.ChangeEmail(c.Context(), wire.ChangeEmail{Email: args[0], Password: password})
		if err != nil {
			return err
		}
		return s.say(out, "A mail was sent to %s; open the link in it within an hour.", args[0])
	})
}

func accountProve(s *session) *cobra.Command {
	return confirmed(s, &cobra.Command{
		Use: "prove", Short: "Prove once more who is there, for what asks for it within ten minutes", Args: exactArgs(),
		Long: "Prove once more who is there, for what asks for it within ten minutes: deleting accounts and tenants, making administrators, and API tokens that can\ndo so. In a terminal these ask by themselves; a sign-in counts as well.",
	}, func(c *cobra.Command, _ []string, cl *client.Client, password string) error {
		if err := cl.Prove(c.Context(), password); err != nil {
			return err
		}
		return s.say(map[string]bool{"proven": true}, "You may go on.")
	})
}

func accountFactor(s *session) *cobra.Command {
	c := &cobra.Command{Use: "factor", Short: "Turn the second factor on and off", Args: cobra.NoArgs}
	c.AddCommand(
		signedIn(s, &cobra.Command{Use: "status", Short: "Is it on, and must it be?", Args: exactArgs()}, func(c *cobra.Command, _ []string, cl *client.Client) error {
			st, err := cl.FactorStatus(c.Context())
			if err != nil {
				return err
			}
			return s.show(st, "on", yesNo(st.Enabled), "ways", strings.Join(st.Methods, " "), "required", yesNo(st.Required), "backup codes left", fmt.Sprint(st.BackupCodesLeft))
		}),
		factorOn(s),
		confirmed(s, &cobra.Command{Use: "off", Short: "Turn it off", Args: exactArgs()}, func(c *cobra.Command, _ []string, cl *client.Client, password string) error {
			if err := cl.DisableFactor(c.Context(), password); err != nil {
				return err
			}
			return s.say(struct{}{}, "Two-factor authentication is off.")
		}),
		confirmed(s, &cobra.Command{Use: "codes", Short: "Make new backup codes in place of the old ones", Args: exactArgs()}, func(c *cobra.Command, _ []string, cl *client.Client, password string) error {
			out, err := cl.RenewBackupCodes(c.Context(), password)
			if err != nil {
				return err
			}
			return s.sayCodes(out)
		}),
	)
	return c
}

func accountPasskey(s *session) *cobra.Command {
	c := &cobra.Command{Use: "passkey", Short: "List and remove passkeys; the console adds them", Args: cobra.NoArgs}
	c.AddCommand(
		signedIn(s, &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the account's passkeys", Args: exactArgs()}, func(c *cobra.Command, _ []string, cl *client.Client) error {
			all, err := cl.Passkeys(c.Context())
			if err != nil {
				return err
			}
			return list(s, all.Items, []string{"NAME", "CREATED", "LAST USED", "ID"}, func(k wire.Passkey) []string {
				used := "never"
				if k.LastUsedAt != nil {
					used = k.LastUsedAt.Local().Format(time.DateTime)
				}
				return []string{k.Name, k.CreatedAt.Local().Format(time.DateTime), used, k.ID}
			})
		}),
		confirmed(s, &cobra.Command{Use: "remove ID", Short: "Remove a passkey", Args: exactArgs("passkey")}, func(c *cobra.Command, args []string, cl *client.Client, password string) error {
			if err := cl.RemovePasskey(c.Context(), args[0], password); err != nil {
				return err
			}
			return s.say(map[string]string{"id": args[0]}, "The passkey is removed.")
		}),
	)
	return c
}

func factorOn(s *session) *cobra.Command {
	var code string
	c := signedIn(s, &cobra.Command{
		Use: "on", Short: "Turn it on with an authenticator app", Args: exactArgs(),
		Long:    "Without --code, make a secret and print it for the app. With --code, turn the second factor on: the code shows that the app has the secret.",
		Example: "  novacron account factor on\n  novacron account factor on --code 123456",
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		if code == "" {
			setup, err := cl.SetupFactor(c.Context())
			if err != nil {
				return err
			}
			return s.say(setup, "Put this secret into the app: %s\n(%s)\nThen turn the second factor on with a code of the app: novacron account factor on --code CODE", setup.Secret, setup.URL)
		}
		out, err := cl.EnableFactor(c.Context(), code)
		if err != nil {
			return err
		}
		return s.sayCodes(out)
	})
	c.Flags().StringVar(&code, "code", "", "code that the app shows for the secret")
	return c
}

func (s *session) sayCodes(codes wire.BackupCodes) error {
	return s.say(codes, "Two-factor authentication is on. Each of these codes is good once without the app; they are not shown again:\n%s", strings.Join(codes.Codes, "\n"))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
