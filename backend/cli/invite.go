package cli

import (
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

func userInvite(s *session) *cobra.Command {
	var r wire.CreateInvite
	var role string
	c := signedIn(s, &cobra.Command{Use: "invite ADDRESS", Short: "Invite somebody to make an account; the link is mailed, and shown once", Args: exactArgs("address"),
		Example: "  novacron user invite ana@example.org --role operator --into lab"},
		func(c *cobra.Command, args []string, cl *client.Client) error {
			r.Email, r.Role = args[0], auth.Role(role)
			i, err := cl.Invite(c.Context(), r)
			if err != nil {
				return err
			}
			return s.say(i, "Invited %s as %s into %s, until %s.\n\n%s", i.Email, i.Role, i.TenantName, i.ExpiresAt.Local().Format(time.DateTime), i.URL)
		})
	c.Flags().StringVar(&role, "role", string(auth.Developer), "built-in or own role; `novacron role list` shows them")
	c.Flags().StringVar(&r.Tenant, "into", "", "name or id of the tenant that the account will have (default: the first tenant)")
	return c
}

func userInvitations(s *session) *cobra.Command {
	c := listing(s, "List the invitations that nobody has used yet", (*client.Client).Invites, []string{"TO", "ROLE", "TENANT", "BY", "ENDS", "ID"}, func(i wire.Invite) []string {
		return []string{i.Email, string(i.Role), i.TenantName, i.InvitedBy, i.ExpiresAt.Local().Format(time.DateTime), string(i.ID)}
	})
	c.Use, c.Aliases = "invitations", nil
	return c
}

func userUninvite(s *session) *cobra.Command {
	return removing(s, &cobra.Command{Use: "uninvite ID", Short: "Withdraw an invitation: nobody makes an account with it any more", Args: exactArgs("invitation")},
		(*client.Client).Uninvite, "Invitation %s is withdrawn.")
}
