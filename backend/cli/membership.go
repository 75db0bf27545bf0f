package cli

import (
	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

func accountTenants(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{Use: "tenants", Short: "List the tenants that you may act in, with --tenant or NOVACRON_TENANT", Args: exactArgs()}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		all, err := cl.OwnMemberships(c.Context())
		if err != nil {
			return err
		}
		return s.memberships(all)
	})
}

func (s *session) memberships(all wire.List[wire.Membership]) error {
	return list(s, all.Items, []string{"TENANT", "ROLE", "OWN", "ID"}, func(m wire.Membership) []string {
		return []string{m.TenantName, string(m.Role), yesNo(m.Own), string(m.Tenant)}
	})
}

func userTenants(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{Use: "tenants NAME", Short: "List the tenants that somebody may act in", Args: exactArgs("user")}, func(c *cobra.Command, args []string, cl *client.Client) error {
		all, err := cl.Memberships(c.Context(), args[0])
		if err != nil {
			return err
		}
		return s.memberships(all)
	})
}

func userJoin(s *session) *cobra.Command {
	var role string
	c := signedIn(s, &cobra.Command{Use: "join NAME TENANT", Short: "Let somebody act in one more tenant, or give another role there", Args: exactArgs("user", "tenant"),
		Example: "  novacron user join ana lab --role developer"}, func(c *cobra.Command, args []string, cl *client.Client) error {
		m, err := cl.PutMembership(c.Context(), args[0], args[1], wire.PutMembership{Role: auth.Role(role)})
		if err != nil {
			return err
		}
		return s.say(m, "%s acts in %s as %s.", args[0], m.TenantName, m.Role)
	})
	c.Flags().StringVar(&role, "role", string(auth.Developer), "role in that tenant; `novacron role list` shows them")
	return c
}

func userLeave(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{Use: "leave NAME TENANT", Short: "End what somebody may do in a tenant that is not the own one", Args: exactArgs("user", "tenant")}, func(c *cobra.Command, args []string, cl *client.Client) error {
		if err := cl.DeleteMembership(c.Context(), args[0], args[1]); err != nil {
			return err
		}
		return s.say(map[string]string{"name": args[0], "tenant": args[1]}, "%s acts in %s no more.", args[0], args[1])
	})
}
