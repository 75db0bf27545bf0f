package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/wire"
)

func tenantCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "tenant", Short: "List and change tenants", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(
		listing(s, "List tenants: all for administrators, else the own one", (*client.Client).Tenants, []string{"NAME", "VMS", "VCPU", "MEMORY", "DISK", "SECOND FACTOR", "ID"}, func(t wire.Tenant) []string {
			return []string{t.Name, share(t.Used.VMs, t.Quota.VMs), share(t.Used.CPUs, t.Quota.CPUs), share(t.Used.MemoryMiB, t.Quota.MemoryMiB) + " MiB",
				share(t.Used.DiskGiB, t.Quota.DiskGiB) + " GiB", requirement(t), string(t.ID)}
		}),
		tenantCreate(s), tenantSet(s),
		removing(s, &cobra.Command{Use: "delete NAME", Short: "Delete a tenant that has nothing left", Args: exactArgs("tenant")}, (*client.Client).DeleteTenant, "Tenant %s is deleted."),
	)
	return c
}

// share is what is used of what may be.
func share(used, quota int) string {
	if quota == 0 {
		return fmt.Sprint(used)
	}
	return fmt.Sprintf("%d/%d", used, quota)
}

func requirement(t wire.Tenant) string {
	if t.RequireFactor {
		return "required"
	}
	return "optional"
}

// limit is one bound of a quota and the flag that sets it.
type limit struct {
	flag, usage string
	value       *int
}

func limits(q *wire.Quota) []limit {
	return []limit{
		{"vms", "most VMs", &q.VMs}, {"cpus", "most vCPUs", &q.CPUs}, {"memory", "most memory in MiB", &q.MemoryMiB}, {"disk", "most disk in GiB", &q.DiskGiB},
		{"addresses", "most IPv4 addresses", &q.Addresses}, {"snapshots", "most snapshots", &q.Snapshots},
	}
}

func quotaFlags(c *cobra.Command, q *wire.Quota) {
	for _, l := range limits(q) {
		c.Flags().IntVar(l.value, l.flag, 0, l.usage+"; 0: no limit")
	}
}

func tenantCreate(s *session) *cobra.Command {
	var r wire.CreateTenant
	c := signedIn(s, &cobra.Command{Use: "create NAME", Short: "Make a tenant", Args: exactArgs("name")}, func(c *cobra.Command, args []string, cl *client.Client) error {
		r.Name = args[0]
		t, err := cl.CreateTenant(c.Context(), r)
		if err != nil {
			return err
		}
		return s.say(t, "Created tenant %s.", t.Name)
	})
	quotaFlags(c, &r.Quota)
	c.Flags().BoolVar(&r.RequireFactor, "require-second-factor", false, "its accounts do nothing until they turn a second factor on")
	return c
}

func tenantSet(s *session) *cobra.Command {
	var q wire.Quota
	var name string
	var factor bool
	c := signedIn(s, &cobra.Command{Use: "set NAME", Short: "Change a tenant's name, quota and what it requires; what is left out stays", Args: exactArgs("tenant")},
		func(c *cobra.Command, args []string, cl *client.Client) error {
			now, err := cl.Tenant(c.Context(), args[0])
			if err != nil {
				return err
			}
			f := c.Flags()
			asked := limits(&q)
			for i, l := range limits(&now.Quota) {
				if !f.Changed(l.flag) {
					*asked[i].value = *l.value
				}
			}
			r := wire.UpdateTenant{Quota: &q}
			if name != "" {
				r.Name = &name
			}
			if f.Changed("require-second-factor") {
				r.RequireFactor = &factor
			}
			t, err := cl.UpdateTenant(c.Context(), args[0], r, now.Version)
			if err != nil {
				return err
			}
			return s.say(t, "Tenant %s is changed.", t.Name)
		})
	quotaFlags(c, &q)
	c.Flags().StringVar(&name, "name", "", "new name")
	c.Flags().BoolVar(&factor, "require-second-factor", false, "its accounts do nothing until they turn a second factor on")
	return c
}
