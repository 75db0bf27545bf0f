package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// Login signs in and keeps the tokens.
func (c *Client) Login(ctx context.Context, username, password string) (wire.User, error) {
	var out wire.LoginAnswer
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/api/auth/login", body: wire.Login{Username: username, Password: password}, out: &out, open: true})
	if err != nil {
		return wire.User{}, err
	}
	if out.User == nil {
		return wire.User{}, &TwoFactor{Challenge: out.ChallengeToken}
	}
	c.keep(out)
	return *out.User, nil
}

// TwoFactor says that the account asks for a code; VerifyLogin takes it.
type TwoFactor struct{ Challenge string }

// Error implements error.
func (*TwoFactor) Error() string { return "this account asks for a code of its authenticator app" }

// VerifyLogin ends a sign-in with a code of the authenticator app or a backup code, and keeps the tokens.
func (c *Client) VerifyLogin(ctx context.Context, challenge, code string) (wire.User, error) {
	var out wire.LoginAnswer
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/api/auth/2fa/verify-login", body: wire.VerifyLogin{ChallengeToken: challenge, Code: code}, out: &out, open: true})
	if err != nil || out.User == nil {
		return wire.User{}, err
	}
	c.keep(out)
	return *out.User, nil
}

// Setup makes the first account with the one-time link's token and signs in.
func (c *Client) Setup(ctx context.Context, s wire.Setup) (wire.User, error) {
	var out wire.LoginAnswer
	if _, err := c.do(ctx, call{method: http.MethodPost, path: "/api/auth/setup", body: s, out: &out, open: true}); err != nil {
		return wire.User{}, err
	}
	if out.User == nil {
		return wire.User{}, fault.New(fault.Unavailable, "answer_unknown", "the server gave no account; is it a NovaCron server of this version?")
	}
	c.keep(out)
	return *out.User, nil
}

// Prove shows the server once more who is there, for what asks for it within the next ten minutes. The tokens are new ones afterwards.
func (c *Client) Prove(ctx context.Context, password string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	release, err := c.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	var out wire.LoginAnswer
	raw, err := encode(wire.Prove{Password: password, RefreshToken: c.tokens.Refresh})
	if err != nil {
		return err
	}
	if _, err := c.once(ctx, call{method: http.MethodPost, path: "/api/auth/prove", out: &out}, raw, c.tokens.Access); err != nil {
		return err
	}
	c.set(out)
	if c.Saved != nil {
		c.Saved(c.tokens)
	}
	return nil
}

func (c *Client) keep(a wire.LoginAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(a)
}

func (c *Client) set(a wire.LoginAnswer) {
	c.tokens.Access, c.tokens.Expires = a.AccessToken, time.Now().Add(time.Duration(a.ExpiresIn)*time.Second)
	if a.RefreshToken != "" {
		c.tokens.Refresh = a.RefreshToken
	}
}

// hold takes the sign-in for an exchange of its tokens, as the last program that did so left it.
func (c *Client) hold(ctx context.Context) (release func(), err error) {
	if c.Hold == nil {
		return func() {}, nil
	}
	t, release, err := c.Hold(ctx)
	if err == nil {
		c.tokens = t
	}
	return release, err
}

// refresh exchanges the refresh token, unless somebody did since used was the access token.
func (c *Client) refresh(ctx context.Context, used string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens.Access != used {
		return nil
	}
	release, err := c.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if c.tokens.Access != used {
		return nil
	}
	if c.tokens.Refresh == "" {
		return fault.New(fault.Unauthenticated, "signed_out", "there is nothing to refresh with; sign in with `novacron login`")
	}
	var out wire.LoginAnswer
	body := wire.Refresh{RefreshToken: c.tokens.Refresh}
	raw, err := encode(body)
	if err != nil {
		return err
	}
	if _, err := c.once(ctx, call{method: http.MethodPost, path: "/api/auth/refresh", out: &out, open: true}, raw, ""); err != nil {
		return err
	}
	c.set(out)
	if c.Saved != nil {
		c.Saved(c.tokens)
	}
	return nil
}

// Logout withdraws the tokens and ends the session.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/api/auth/logout"})
	if err == nil {
		c.mu.Lock()
		c.tokens = Tokens{}
		c.mu.Unlock()
	}
	return err
}

// Me is the account that is signed in.
func (c *Client) Me(ctx context.Context) (out wire.User, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/auth/me", out: &out})
	return out, err
}

// CreateUser makes an account; administrators only.
func (c *Client) CreateUser(ctx context.Context, r wire.CreateUser) (out wire.User, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/v1/users", body: r, out: &out})
	return out, err
}

// User is one account, by id or name.
func (c *Client) User(ctx context.Context, ref string) (out wire.User, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/users", ref), out: &out})
	return out, err
}

// Users is a page of the accounts.
func (c *Client) Users(ctx context.Context, l ListOptions) (out wire.List[wire.User], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/users", query: l.values(), out: &out})
	return out, err
}

// Health asks whether the server answers; it needs no sign-in.
func (c *Client) Health(ctx context.Context) (out wire.Health, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/health", out: &out, open: true})
	return out, err
}

// Ready asks whether the server can do its work; it needs no sign-in. A server that is not ready answers with the reasons.
func (c *Client) Ready(ctx context.Context) (out wire.Ready, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/ready", out: &out, open: true})
	return out, err
}

// ListOptions is what every list takes. The zero value is the first page in the list's own order.
type ListOptions struct {
	Limit  int
	Cursor string
	Sort   string            // a field, "-" in front for descending
	Filter map[string]string // by field
}

func (l ListOptions) values() url.Values {
	v := url.Values{}
	for k, f := range l.Filter {
		if f != "" {
			v.Set(k, f)
		}
	}
	setInt(v, "limit", l.Limit)
	set(v, "cursor", l.Cursor)
	set(v, "sort", l.Sort)
	return v
}

// All reads every page of a list: All(func(l ListOptions) ... { return c.VMs(ctx, l) }, options).
func All[T any](page func(ListOptions) (wire.List[T], error), l ListOptions) ([]T, error) {
	var all []T
	if l.Limit == 0 {
		l.Limit = 1000 // the server's cap
	}
	for {
		p, err := page(l)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if p.NextCursor == "" || len(p.Items) == 0 {
			return all, nil
		}
		l.Cursor = p.NextCursor
	}
}
