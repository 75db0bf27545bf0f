package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// refreshCookie holds the refresh token of browsers. Scripts cannot read it, and it goes nowhere but to its own paths.
const (
	refreshCookie = "novacron_refresh"
	refreshPath   = "/api/auth"
	refreshLife   = 30 * 24 * time.Hour // as long as the session lives unless it is refreshed
)

// securePrefix keeps a page without TLS from planting a cookie: browsers take such a name with Secure only (RFC 6265bis). __Host- would
// ask for the path /, and send the refresh token to whatever else is served on this host.
const securePrefix = "__Secure-"

// signInAnswer carries the tokens of a sign-in.
type signInAnswer struct {
	Status    int
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      *wire.LoginAnswer
}

func (a *API) addAuth() {
	const tag = "Sign-in"
	add(a, anyone, "POST /api/auth/login", op("login", "Sign in", tag), a.login)
	short := op("loginShort", "Sign in: a short name of /api/auth/login", tag)
	add(a, anyone, "POST /auth/login", short, a.login)
	add(a, anyone, "POST /api/auth/setup", op("setup", "Make the first account with the one-time link, and sign in", tag), func(ctx context.Context, in *struct{ Body wire.Setup }) (*signInAnswer, error) {
		s, err := a.Accounts.Setup(ctx, in.Body, peer(ctx))
		return a.signedIn(ctx, s, err)
	})
	add(a, anyone, "POST /api/auth/refresh", op("refresh", "Exchange the refresh token for new tokens; 204 when there is none", tag), a.refresh)
	add(a, inPerson.unkept().enrolling(), "POST /api/auth/logout", op("logout", "Withdraw the token and end its session", tag), func(ctx context.Context, _ *struct{}) (*signInAnswer, error) {
		if err := a.Accounts.Logout(ctx, access(ctx)); err != nil {
			return nil, err
		}
		return &signInAnswer{Status: http.StatusNoContent, SetCookie: []http.Cookie{a.cookie(ctx, refreshCookie, "", -1)}}, nil
	})
	prove := op("prove", "Prove who is there once more, before what asks for it within ten minutes", tag)
	add(a, inPerson.unkept().enrolling(), "POST /api/auth/prove", prove, func(ctx context.Context, in *struct{ Body wire.Prove }) (*signInAnswer, error) {
		s, err := a.Accounts.Prove(ctx, caller(ctx), in.Body.Password, a.refreshToken(ctx, in.Body.RefreshToken), fromPage(ctx))
		return a.signedIn(ctx, s, err)
	})
	add(a, signedIn.enrolling(), "GET /api/auth/me", op("me", "Who am I?", tag), func(ctx context.Context, _ *struct{}) (*body[wire.User], error) {
		return answer(a.Accounts.Me(ctx, caller(ctx)))
	})
}

func (a *API) login(ctx context.Context, in *struct{ Body wire.Login }) (*signInAnswer, error) {
	if err := a.sameSite(ctx); err != nil {
		return nil, err
	}
	s, err := a.Accounts.Login(ctx, in.Body.Username, in.Body.Password, peer(ctx))
	return a.signedIn(ctx, s, err)
}

func (a *API) refresh(ctx context.Context, in *struct{ Body *wire.Refresh }) (*signInAnswer, error) {
	if err := a.sameSite(ctx); err != nil {
		return nil, err
	}
	given := ""
	if in.Body != nil {
		given = in.Body.RefreshToken
	}
	token := a.refreshToken(ctx, given)
	if token == "" {
		return &signInAnswer{Status: http.StatusNoContent}, nil
	}
	s, err := a.Accounts.Refresh(ctx, token, fromPage(ctx))
	return a.signedIn(ctx, s, err)
}

// refreshToken is that of the cookie, else the one that the body gives.
func (a *API) refreshToken(ctx context.Context, given string) string {
	return cmp.Or(a.shown(ctx, refreshCookie), given)
}

// fromPage reports whether a page of a browser asks: browsers send an Origin with every POST of one.
func fromPage(ctx context.Context) bool { return of(ctx).request.Header.Get("Origin") != "" }

// sameSite refuses pages of other origins: a sign-in from there would put this browser into somebody else's account.
func (a *API) sameSite(ctx context.Context) error {
	r := of(ctx).request
	if o := r.Header.Get("Origin"); o != "" && !a.allowed(o, r) {
		return fault.New(fault.Forbidden, "origin_refused", "pages of %.100s may not sign in here; add the origin to NOVACRON_ALLOWED_ORIGINS if they shall", o)
	}
	return nil
}

func (a *API) signedIn(ctx context.Context, s app.SignIn, err error) (*signInAnswer, error) {
	if err != nil {
		return nil, err
	}
	if s.Challenge != "" {
		return &signInAnswer{Status: http.StatusOK, Body: &wire.LoginAnswer{TwoFactorRequired: true, ChallengeToken: s.Challenge, Methods: s.Methods}}, nil
	}
	of(ctx).caller = s.User.Username
	out := &signInAnswer{Status: http.StatusOK, Body: &wire.LoginAnswer{AccessToken: s.Access, TokenType: "Bearer", ExpiresIn: int(s.Expires.Seconds()), User: &s.User, SecondFactorNeeded: s.Enrol}}
	r := of(ctx).request
	switch {
	case s.Refresh == "":
	case r.Header.Get("Cookie") == "" && r.Header.Get("Origin") == "":
		out.Body.RefreshToken = s.Refresh
		fallthrough
	default:
		out.SetCookie = []http.Cookie{a.cookie(ctx, refreshCookie, s.Refresh, int(refreshLife.Seconds()))}
	}
	return out, nil
}

func (a *API) cookie(ctx context.Context, name, value string, maxAge int) http.Cookie {
	return http.Cookie{Name: a.cookieName(ctx, name), Value: value, Path: refreshPath, MaxAge: maxAge, HttpOnly: true, Secure: a.underTLS(ctx), SameSite: http.SameSiteStrictMode}
}

// shown is the value of a cookie; empty: there is none.
func (a *API) shown(ctx context.Context, name string) string {
	c, err := of(ctx).request.Cookie(a.cookieName(ctx, name))
	if err != nil {
		return ""
	}
	return c.Value
}

func (a *API) cookieName(ctx context.Context, name string) string {
	if a.underTLS(ctx) {
		return securePrefix + name
	}
	return name
}

// underTLS reports whether browsers reach this server by TLS: its own, or that of a proxy in front.
func (a *API) underTLS(ctx context.Context) bool {
	u, err := url.Parse(a.PublicURL)
	return of(ctx).request.TLS != nil || err == nil && u.Scheme == "https"
}

func peer(ctx context.Context) app.Peer {
	e := of(ctx)
	return app.Peer{Address: strings.TrimPrefix(e.address.String(), "invalid IP"), Agent: e.request.UserAgent(), Request: e.id}
}
