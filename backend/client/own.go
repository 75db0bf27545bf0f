package client

import (
	"context"
	"net/http"

	"novacron/backend/core/wire"
)

// What people do with the account that is signed in.

// ChangeEmail asks for another e-mail address; the new one gets a link that confirms it.
func (c *Client) ChangeEmail(ctx context.Context, r wire.ChangeEmail) (out wire.Accepted, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/auth/change-email", body: r, out: &out})
	return out, err
}

// FactorStatus says whether two-factor authentication is on, and whether it must be.
func (c *Client) FactorStatus(ctx context.Context) (out wire.FactorStatus, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/auth/2fa/status", out: &out})
	return out, err
}

// SetupFactor makes a secret for an authenticator app. It counts from EnableFactor on.
func (c *Client) SetupFactor(ctx context.Context) (out wire.FactorSetup, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/auth/2fa/setup", out: &out})
	return out, err
}

// EnableFactor turns two-factor authentication on with a code of the app, and gives the backup codes once.
func (c *Client) EnableFactor(ctx context.Context, code string) (out wire.BackupCodes, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/auth/2fa/enable", body: wire.Code{Code: code}, out: &out})
	return out, err
}

// DisableFactor turns two-factor authentication off.
func (c *Client) DisableFactor(ctx context.Context, password string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/api/auth/2fa/disable", body: wire.PasswordOnly{Password: password}})
	return err
}

// Passkeys lists the account's passkeys. They are made in a browser.
func (c *Client) Passkeys(ctx context.Context) (out wire.List[wire.Passkey], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/auth/passkeys", out: &out})
	return out, err
}

// RemovePasskey ends one of the account's passkeys.
func (c *Client) RemovePasskey(ctx context.Context, passkey, password string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("/api/auth/passkeys", passkey, "remove"), body: wire.PasswordOnly{Password: password}})
	return err
}

// RenewBackupCodes makes new backup codes in place of the old ones.
func (c *Client) RenewBackupCodes(ctx context.Context, password string) (out wire.BackupCodes, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/auth/2fa/backup-codes", body: wire.PasswordOnly{Password: password}, out: &out})
	return out, err
}
