package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

func roleCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "role", Short: "List roles and make own ones", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(
		signedIn(s, &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List roles and what they may do", Args: exactArgs()},
			func(c *cobra.Command, _ []string, cl *client.Client) error {
				all, err := cl.Roles(c.Context())
				if err != nil {
					return err
				}
				return list(s, all.Items, []string{"NAME", "TENANTS", "ACTIONS", "DESCRIPTION"}, func(r wire.Role) []string {
					return []string{string(r.Name), reachOf(r), words(r.Actions), r.Description}
				})
			}),
		roleCreate(s), roleSet(s),
		removing(s, &cobra.Command{Use: "delete NAME", Short: "Delete an own role that nobody has", Args: exactArgs("role")}, (*client.Client).DeleteRole, "Role %s is deleted."),
	)
	return c
}

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return strings.Join(out, " ")
}

func reachOf(r wire.Role) string {
	if r.Tenants == auth.NamedTenants {
		return words(r.TenantIDs)
	}
	return string(r.Tenants)
}

// rightsFlags are what a role allows and whose things it is about.
type rightsFlags struct {
	actions, tenants []string
	description      string
}

func (f *rightsFlags) register(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.actions, "action", nil, "action that it allows, for example vm.read; may be repeated")
	c.Flags().StringSliceVar(&f.tenants, "tenant", nil, "own, all, or the name of a tenant that it is about; may be repeated (default: own)")
	c.Flags().StringVar(&f.description, "description", "", "what it is for")
}

// reach is what the API takes for --tenant.
func (f *rightsFlags) reach() (auth.Reach, []string) {
	if len(f.tenants) == 1 && (f.tenants[0] == string(auth.OwnTenant) || f.tenants[0] == string(auth.AllTenants)) {
		return auth.Reach(f.tenants[0]), nil
	}
	return auth.NamedTenants, f.tenants
}

func (f *rightsFlags) list() []auth.Action {
	out := make([]auth.Action, len(f.actions))
	for i, a := range f.actions {
		out[i] = auth.Action(a)
	}
	return out
}

func roleCreate(s *session) *cobra.Command {
	var f rightsFlags
	c := signedIn(s, &cobra.Command{Use: "create NAME", Short: "Make a role of actions and the tenants that they reach", Args: exactArgs("name"),
		Example: "  novacron role create auditor --action audit.read --action vm.read --tenant all"},
		func(c *cobra.Command, args []string, cl *client.Client) error {
			if len(f.actions) == 0 {
				return usageError{errors.New("say what the role allows with --action; `novacron role list` shows all actions at the role administrator")}
			}
			r := wire.CreateRole{Name: auth.Role(args[0]), Description: f.description, Actions: f.list()}
			if len(f.tenants) > 0 {
				r.Tenants, r.TenantIDs = f.reach()
			}
			out, err := cl.CreateRole(c.Context(), r)
			if err != nil {
				return err
			}
			return s.say(out, "Created role %s.", out.Name)
		})
	f.register(c)
	return c
}

func roleSet(s *session) *cobra.Command {
	var f rightsFlags
	c := signedIn(s, &cobra.Command{Use: "set NAME", Short: "Change an own role, from the next request on of everybody who has it; what is left out stays", Args: exactArgs("role")},
		func(c *cobra.Command, args []string, cl *client.Client) error {
			var r wire.UpdateRole
			if len(f.actions) > 0 {
				r.Actions = new(f.list())
			}
			if len(f.tenants) > 0 {
				reach, ids := f.reach()
				r.Tenants = &reach
				if reach == auth.NamedTenants {
					r.TenantIDs = &ids
				}
			}
			if c.Flags().Changed("description") {
				r.Description = &f.description
			}
			out, err := cl.UpdateRole(c.Context(), args[0], r, 0)
			if err != nil {
				return err
			}
			return s.say(out, "Role %s is changed.", out.Name)
		})
	f.register(c)
	return c
}
