package app

import (
	"context"
	"encoding/json"
	"fmt"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// quotaCode tells a refusal by a quota from others.
const quotaCode = "quota_exceeded"

// TenantQuota is Deps.Quota by the quotas that stand with the tenants. The lock that it runs under makes creates of one tenant
// count one after the other, on any number of servers.
func TenantQuota(ctx context.Context, t *store.Tx, tenant id.Tenant, more store.VMTotals) error {
	row, err := t.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	limits, err := quotaOf(row)
	if err != nil || limits == (wire.Quota{}) {
		return err
	}
	used, err := t.CountVMs(ctx, tenant)
	if err != nil {
		return err
	}
	for _, l := range []struct {
		noun             string
		limit, has, more int
	}{
		{"VMs", limits.VMs, used.VMs, more.VMs},
		{"vCPUs", limits.CPUs, used.CPUs, more.CPUs},
		{"MiB of memory", limits.MemoryMiB, used.MemoryMiB, more.MemoryMiB},
		{"GiB of disk", limits.DiskGiB, used.DiskGiB, more.DiskGiB},
		{"addresses", limits.Addresses, used.Addresses, more.Addresses},
		{"snapshots", limits.Snapshots, used.Snapshots, more.Snapshots},
	} {
		if l.limit > 0 && l.more > 0 && l.has+l.more > l.limit {
			return fault.New(fault.Exhausted, quotaCode, "tenant %s has %d of %d %s, and this needs %d more; delete something or ask an administrator for a larger quota",
				row.Name, l.has, l.limit, l.noun, l.more)
		}
	}
	return nil
}

func quotaOf(t store.Tenant) (q wire.Quota, err error) {
	if len(t.Quota) == 0 {
		return q, nil
	}
	if err := json.Unmarshal(t.Quota, &q); err != nil {
		return q, fmt.Errorf("quota of tenant %s: %w", t.ID, err)
	}
	return q, nil
}

func quotaText(q wire.Quota) json.RawMessage {
	raw, _ := json.Marshal(q) // numbers only: cannot fail
	return raw
}
