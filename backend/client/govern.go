package client

import (
	"context"
	"net/http"

	"novacron/backend/core/wire"
)

// Roles is every role that the caller may see.
func (c *Client) Roles(ctx context.Context) (out wire.List[wire.Role], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/roles", out: &out})
	return out, err
}

// Role is one role.
func (c *Client) Role(ctx context.Context, name string) (out wire.Role, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/roles", name), out: &out})
	return out, err
}

// CreateRole makes an own role.
func (c *Client) CreateRole(ctx context.Context, r wire.CreateRole) (out wire.Role, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/v1/roles", body: r, out: &out})
	return out, err
}

// UpdateRole changes an own role. version 0: whatever it is now.
func (c *Client) UpdateRole(ctx context.Context, name string, r wire.UpdateRole, version int64) (out wire.Role, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: path("/api/v1/roles", name), body: r, version: version, out: &out})
	return out, err
}

// DeleteRole removes an own role that nobody has.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/roles", name)})
	return err
}

// UpdateUser changes an account's role or tenant, or closes it. version 0: whatever it is now.
func (c *Client) UpdateUser(ctx context.Context, ref string, r wire.UpdateUser, version int64) (out wire.User, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: path("/api/v1/users", ref), body: r, version: version, out: &out})
	return out, err
}

// DeleteUser removes an account.
func (c *Client) DeleteUser(ctx context.Context, ref string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/users", ref)})
	return err
}

// ResetFactor takes the second factors of somebody who has lost them away. password is the caller's own.
func (c *Client) ResetFactor(ctx context.Context, ref, password string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("/api/v1/users", ref, "reset-second-factor"), body: wire.PasswordOnly{Password: password}})
	return err
}

// Invites is a page of the invitations that nobody has used yet.
func (c *Client) Invites(ctx context.Context, l ListOptions) (out wire.List[wire.Invite], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/invites", query: l.values(), out: &out})
	return out, err
}

// Invite makes an invitation. Its link is in this answer only.
func (c *Client) Invite(ctx context.Context, r wire.CreateInvite) (out wire.InviteMade, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/v1/invites", body: r, out: &out})
	return out, err
}

// Uninvite withdraws an invitation.
func (c *Client) Uninvite(ctx context.Context, invite string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/invites", invite)})
	return err
}

// Tenants is a page of the tenants: all for administrators, else the own one.
func (c *Client) Tenants(ctx context.Context, l ListOptions) (out wire.List[wire.Tenant], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/tenants", query: l.values(), out: &out})
	return out, err
}

// Tenant is one tenant, by id or name.
func (c *Client) Tenant(ctx context.Context, ref string) (out wire.Tenant, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/tenants", ref), out: &out})
	return out, err
}

// CreateTenant makes a tenant.
func (c *Client) CreateTenant(ctx context.Context, r wire.CreateTenant) (out wire.Tenant, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/v1/tenants", body: r, out: &out})
	return out, err
}

// UpdateTenant changes a tenant. version 0: whatever it is now.
func (c *Client) UpdateTenant(ctx context.Context, ref string, r wire.UpdateTenant, version int64) (out wire.Tenant, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: path("/api/v1/tenants", ref), body: r, version: version, out: &out})
	return out, err
}

// DeleteTenant removes a tenant that has nothing left.
func (c *Client) DeleteTenant(ctx context.Context, ref string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/tenants", ref)})
	return err
}

// OwnMemberships are the tenants that the account may act in, its own one first.
func (c *Client) OwnMemberships(ctx context.Context) (out wire.List[wire.Membership], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/auth/memberships", out: &out})
	return out, err
}

// Memberships are the tenants that somebody may act in, the own one first.
func (c *Client) Memberships(ctx context.Context, ref string) (out wire.List[wire.Membership], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/users", ref, "memberships"), out: &out})
	return out, err
}

// PutMembership lets somebody act in one more tenant, or gives another role there.
func (c *Client) PutMembership(ctx context.Context, ref, tenant string, r wire.PutMembership) (out wire.Membership, err error) {
	_, err = c.do(ctx, call{method: http.MethodPut, path: path("/api/v1/users", ref, "memberships", tenant), body: r, out: &out})
	return out, err
}

// DeleteMembership ends what somebody may do in a tenant; absent is success.
func (c *Client) DeleteMembership(ctx context.Context, ref, tenant string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/users", ref, "memberships", tenant)})
	return err
}
