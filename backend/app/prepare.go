package app

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// The tenant and the network that are there from the first start.
const (
	FirstTenant      = "default"
	DefaultSubnet    = "10.80.0.0/16" // 65,533 guests
	defaultMTU       = 1500
	defaultTenantKey = "first_tenant"
)

// Prepare makes what every platform has: the first tenant, the default network, and the staging folder. It may be repeated, also
// by several servers at once. subnet is for the first start only; empty: DefaultSubnet.
func (a *App) Prepare(ctx context.Context, subnet string) error {
	if subnet == "" {
		subnet = DefaultSubnet
	}
	p, err := netip.ParsePrefix(subnet)
	if err != nil || !p.Addr().Is4() || p.Bits() > 29 || p.Bits() < 8 {
		return fault.New(fault.Invalid, "subnet_invalid", "the default network needs an IPv4 subnet from /8 to /29, not %q", subnet).On("subnet")
	}
	if a.d.Staging != "" {
		if err := os.MkdirAll(a.d.Staging, 0o700); err != nil {
			return fmt.Errorf("make the staging folder: %w", err)
		}
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Lock(ctx, "prepare"); err != nil {
			return err
		}
		if err := a.firstTenant(ctx, t); err != nil {
			return err
		}
		if err := t.FillSkeletons(ctx); err != nil {
			return err
		}
		_, err := t.NetworkByName(ctx, "", defaultNetwork)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return err
		}
		gateway := p.Masked().Addr().Next().String()
		return t.InsertNetwork(ctx, &store.Network{
			ID: id.NewNetwork(), Name: defaultNetwork, Bridge: defaultNetwork, Subnet: p.Masked().String(), Gateway: gateway,
			DNS: []string{gateway}, MTU: defaultMTU, Created: a.now(),
		})
	})
}

func (a *App) firstTenant(ctx context.Context, t *store.Tx) error {
	_, err := t.TenantByName(ctx, FirstTenant)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return err
	}
	return t.InsertTenant(ctx, &store.Tenant{ID: id.NewTenant(), Name: FirstTenant, Created: a.now()})
}

// Local gives the caller for what the platform does in the first tenant by itself, such as the first VM.
func (a *App) Local(ctx context.Context, name string) (auth.Caller, error) {
	t, err := a.db.TenantByName(ctx, FirstTenant)
	if err != nil {
		return auth.Caller{}, err
	}
	c := auth.Platform(name)
	c.Tenant = t.ID
	return c, nil
}
