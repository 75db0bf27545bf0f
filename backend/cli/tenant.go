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

func quotaFlags(c *cobra.Command, q *wire.Quota) {
	f := c.Flags()
	f.IntVar(&q.VMs, "vms", 0, "most VMs; 0: no limit")
	f.IntVar(&q.CPUs, "cpus", 0, "most vCPUs; 0: no limit")
	f.IntVar(&q.MemoryMiB, "memory", 0, "most memory in MiB; 0: no limit")
	f.IntVar(&q.DiskGiB, "disk", 0, "most disk in GiB; 0: no limit")
	f.IntVar(&q.Snapshots, "snapshots", 0, "most snapshots; 0: no limit")
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
			for flag, v := range map[string]struct{ asked, now *int }{"vms": {&q.VMs, &now.Quota.VMs}, "cpus": {&q.CPUs, &now.Quota.CPUs}, "memory": {&q.MemoryMiB, &now.Quota.MemoryMiB},
				"disk": {&q.DiskGiB, &now.Quota.DiskGiB}, "snapshots": {&q.Snapshots, &now.Quota.Snapshots}} {
				if !f.Changed(flag) {
					*v.asked = *v.now
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
