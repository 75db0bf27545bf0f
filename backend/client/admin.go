package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// Admin speaks to a server on this machine over its local socket, which only its owner and root may open.
type Admin struct {
	c    *Client
	path string
}

// NewAdmin makes a client for the socket at path. It connects to nothing yet.
func NewAdmin(path string) *Admin {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
	}
	return &Admin{path: path, c: &Client{base: &url.URL{Scheme: "http", Host: "local"}, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}}
}

func (a *Admin) do(ctx context.Context, method, p string, body, out any) error {
	_, err := a.c.do(ctx, call{method: method, path: p, body: body, out: out, open: true})
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Forbidden, "admin_socket", "the socket of the server may only be used by its owner and root; run this as that user")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fault.Wrap(err, fault.Unavailable, "server_unreachable", "no server of this user runs on this machine with this data folder; start it with `novacron up`, or do this as the user that did")
	case err != nil && connection(err):
		return fmt.Errorf("local socket %s: %w", a.path, err)
	}
	return err
}

// Status says what runs.
func (a *Admin) Status(ctx context.Context) (out wire.ServerStatus, err error) {
	return out, a.do(ctx, http.MethodGet, "/status", nil, &out)
}

// CreateUser makes an account without a mail round trip.
func (a *Admin) CreateUser(ctx context.Context, r wire.CreateUser) (out wire.User, err error) {
	return out, a.do(ctx, http.MethodPost, "/users", r, &out)
}

// SetupLink makes a one-time link for the first sign-in. fault.Conflict: there is an administrator already.
func (a *Admin) SetupLink(ctx context.Context) (out wire.SetupLink, err error) {
	return out, a.do(ctx, http.MethodPost, "/setup-link", nil, &out)
}

// EndSessions signs everybody out of every session.
func (a *Admin) EndSessions(ctx context.Context) error {
	return a.do(ctx, http.MethodPost, "/end-sessions", nil, nil)
}

// RotateKeys makes a new key that signs access tokens. With forget the old ones are removed, and with them all access tokens.
func (a *Admin) RotateKeys(ctx context.Context, forget bool) error {
	return a.do(ctx, http.MethodPost, "/rotate-keys", wire.RotateKeys{ForgetOld: forget}, nil)
}

// SecretKey reads the key that encrypts secrets at rest.
func (a *Admin) SecretKey(ctx context.Context) (out wire.SecretKeyChange, err error) {
	return out, a.do(ctx, http.MethodGet, "/secret-key", nil, &out)
}

// RotateSecretKey begins a change of that key, or goes on with the one that is under way. It returns when everything is encrypted with
// the new one.
func (a *Admin) RotateSecretKey(ctx context.Context) (out wire.SecretKeyChange, err error) {
	return out, a.do(ctx, http.MethodPost, "/secret-key/rotate", nil, &out)
}

// FinishSecretKey ends the change: nothing opens with the old key any more.
func (a *Admin) FinishSecretKey(ctx context.Context) (out wire.SecretKeyChange, err error) {
	return out, a.do(ctx, http.MethodPost, "/secret-key/finish", nil, &out)
}

// Mails lists the newest mails.
func (a *Admin) Mails(ctx context.Context) (out wire.MailList, err error) {
	return out, a.do(ctx, http.MethodGet, "/mails", nil, &out)
}

// TestMail queues a mail that says nothing but that it arrived.
func (a *Admin) TestMail(ctx context.Context, to string) (out wire.Mail, err error) {
	return out, a.do(ctx, http.MethodPost, "/mails/test", wire.TestMail{To: to}, &out)
}

// RetryMail puts a mail back into the queue.
func (a *Admin) RetryMail(ctx context.Context, mail string) error {
	return a.do(ctx, http.MethodPost, path("/mails", mail)+"/retry", nil, nil)
}

// VerifyAudit checks the whole audit log.
func (a *Admin) VerifyAudit(ctx context.Context) (out wire.AuditCheck, err error) {
	return out, a.do(ctx, http.MethodPost, "/audit/verify", nil, &out)
}

// Down ends the server and, with guests, every guest on this machine. It returns when the server has taken the order.
func (a *Admin) Down(ctx context.Context, guests bool) error {
	return a.do(ctx, http.MethodPost, "/down", wire.Down{Guests: guests}, nil)
}
