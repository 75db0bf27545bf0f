package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

func userCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "List and change accounts (administrators)", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(listing(s, "List accounts", (*client.Client).Users, []string{"NAME", "EMAIL", "ROLE", "ID"}, func(u wire.User) []string {
		return []string{u.Username, u.Email, string(u.Role), string(u.ID)}
	}), createUserCommand(s, "create NAME", "Create an account", "", func(c *cobra.Command, r wire.CreateUser) (wire.User, error) {
		cl, err := s.client()
		if err != nil {
			return wire.User{}, err
		}
		return cl.CreateUser(c.Context(), r)
	}), userInvite(s), userInvitations(s), userUninvite(s), userSet(s), userTenants(s), userJoin(s), userLeave(s), confirmed(s, &cobra.Command{Use: "reset-factor NAME", Short: "Take the second factors of somebody who has lost them away; asks for your own password", Args: exactArgs("user")},
		func(c *cobra.Command, args []string, cl *client.Client, password string) error {
			if err := cl.ResetFactor(c.Context(), args[0], password); err != nil {
				return err
			}
			return s.say(map[string]string{"name": args[0]}, "Account %s has no second factor any more and is signed out everywhere.", args[0])
		}), removing(s, &cobra.Command{Use: "delete NAME", Short: "Delete an account; what it made stays with its tenant", Args: exactArgs("user")}, (*client.Client).DeleteUser, "Account %s is deleted."))
	return c
}

func userSet(s *session) *cobra.Command {
	var role, tenant string
	var disabled bool
	c := signedIn(s, &cobra.Command{Use: "set NAME", Short: "Change an account's role or tenant, or close it; what is left out stays", Args: exactArgs("user"),
		Example: "  novacron user set ana --role operator\n  novacron user set eve --disabled"},
		func(c *cobra.Command, args []string, cl *client.Client) error {
			var r wire.UpdateUser
			if role != "" {
				r.Role = new(auth.Role(role))
			}
			if tenant != "" {
				r.Tenant = &tenant
			}
			if c.Flags().Changed("disabled") {
				r.Disabled = &disabled
			}
			u, err := cl.UpdateUser(c.Context(), args[0], r, 0)
			if err != nil {
				return err
			}
			return s.say(u, "Account %s is changed.", u.Username)
		})
	c.Flags().StringVar(&role, "role", "", "built-in or own role; `novacron role list` shows them")
	c.Flags().StringVar(&tenant, "tenant", "", "name or id of the tenant")
	c.Flags().BoolVar(&disabled, "disabled", false, "close the account and end its sessions; --disabled=false opens it again")
	return c
}

// createUserCommand is used for the API and for the local socket. Where no role is the usual one it has to be said.
func createUserCommand(s *session, use, short string, usual auth.Role, create func(*cobra.Command, wire.CreateUser) (wire.User, error)) *cobra.Command {
	var r wire.CreateUser
	var role string
	var fromStdin bool
	c := &cobra.Command{
		Use: use, Short: short, Args: exactArgs("name"),
		RunE: func(c *cobra.Command, args []string) error {
			if r.Email == "" {
				return usageError{fmt.Errorf("say the account's address with --email; see `%s --help`", c.CommandPath())}
			}
			if role == "" {
				return usageError{fmt.Errorf("say what the account may do with --role; `novacron role list` lists the roles")}
			}
			password, err := s.password("Password for "+printable(args[0])+": ", fromStdin)
			if err != nil {
				return err
			}
			r.Username, r.Role, r.Password = args[0], auth.Role(role), password
			u, err := create(c, r)
			if err != nil {
				return err
			}
			return s.say(u, "Created %s (%s).", u.Username, u.Role)
		},
	}
	c.Flags().StringVar(&r.Email, "email", "", "e-mail address")
	c.Flags().StringVar(&role, "role", string(usual), "built-in or own role")
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return c
}
