package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// oidcCookie ties a sign-in at the OpenID provider to the browser that began it. It is Lax: the provider sends the browser back from
// another site.
const (
	oidcCookie = "novacron_oidc"
	oidcPath   = "/api/auth/oidc"
	oidcLife   = 300 // seconds
)

// sent sends a browser elsewhere.
type sent struct {
	Status    int
	Location  string        `header:"Location"`
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (a *API) addOIDC() {
	const tag = "Sign-in"
	add(a, anyone, "GET /api/auth/methods", op("signInMethods", "The ways to sign in", tag), func(context.Context, *struct{}) (*body[wire.SignInMethods], error) {
		return answer(a.Accounts.Methods(), nil)
	})
	begin := op("beginOIDC", "Go to the OpenID provider to sign in", tag)
	begin.DefaultStatus = http.StatusFound
	add(a, anyone, "GET /api/auth/oidc/login", begin, func(ctx context.Context, _ *struct{}) (*sent, error) {
		browser := rand.Text()
		to, err := a.Accounts.BeginOIDC(ctx, browser)
		if err != nil {
			return a.refuseOIDC(ctx, err)
		}
		return &sent{http.StatusFound, to, []http.Cookie{a.browserCookie(ctx, browser, oidcLife)}}, nil
	})
	add(a, inPerson, "GET /api/auth/oidc/link", op("oidcLink", "Does the account sign in at the OpenID provider?", tag), func(ctx context.Context, _ *struct{}) (*body[wire.OIDCLink], error) {
		return answer(a.Accounts.OIDCLink(ctx, caller(ctx)))
	})
	add(a, inPerson.unkept(), "POST /api/auth/oidc/link", op("linkOIDC", "Begin to link the account to the OpenID provider", tag), a.linkOIDC)
	add(a, inPerson.unkept(), "POST /api/auth/oidc/unlink", op("unlinkOIDC", "Unlink the account from the OpenID provider", tag), func(ctx context.Context, in *struct{ Body wire.PasswordOnly }) (*struct{}, error) {
		return nil, a.Accounts.Unlink(ctx, caller(ctx), in.Body.Password)
	})
	end := op("finishOIDC", "Come back from the OpenID provider", tag)
	end.DefaultStatus = http.StatusFound
	add(a, anyone, "GET /api/auth/oidc/callback", end, a.finishOIDC)
}

// begunLink carries the cookie by which the browser is known when it comes back.
type begunLink struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      wire.OIDCBegun
}

func (a *API) linkOIDC(ctx context.Context, in *struct{ Body wire.PasswordOnly }) (*begunLink, error) {
	browser := rand.Text()
	to, err := a.Accounts.BeginLink(ctx, caller(ctx), in.Body.Password, browser)
	if err != nil {
		return nil, err
	}
	return &begunLink{[]http.Cookie{a.browserCookie(ctx, browser, oidcLife)}, wire.OIDCBegun{URL: to}}, nil
}

func (a *API) browserCookie(ctx context.Context, value string, maxAge int) http.Cookie {
	c := a.cookie(ctx, oidcCookie, value, maxAge)
	c.Path, c.SameSite = oidcPath, http.SameSiteLaxMode
	return c
}

// finishOIDC ends on a page of the console: the first one, which finds the refresh cookie, or the one that asks for the second factor.
func (a *API) finishOIDC(ctx context.Context, in *struct {
	State string `query:"state" maxLength:"512"`
	Code  string `query:"code" maxLength:"4096"`
	Error string `query:"error" maxLength:"100"`
}) (*sent, error) {
	if in.Error != "" || in.Code == "" {
		return a.refuseOIDC(ctx, fault.New(fault.Unauthenticated, "oidc_refused", "the OpenID provider did not sign you in (%.100q); begin again", in.Error))
	}
	s, err := a.Accounts.FinishOIDC(ctx, in.State, in.Code, a.shown(ctx, oidcCookie), peer(ctx))
	if err != nil {
		return a.refuseOIDC(ctx, err)
	}
	out := &sent{http.StatusFound, a.page(), []http.Cookie{a.browserCookie(ctx, "", -1)}}
	if s.Access == "" && s.Challenge == "" {
		out.Location += "settings/security"
		return out, nil
	}
	if s.Challenge != "" {
		// Behind the #, which browsers send to nobody.
		out.Location += "auth/login#" + url.Values{"challenge_token": {s.Challenge}, "methods": {strings.Join(s.Methods, " ")}}.Encode()
		return out, nil
	}
	of(ctx).caller = s.User.Username
	out.SetCookie = append(out.SetCookie, a.cookie(ctx, refreshCookie, s.Refresh, int(refreshLife.Seconds())))
	return out, nil
}

// refuseOIDC sends a browser to the sign-in page with the code of the refusal, which the page has a sentence for: a person followed a
// link and shall not end on a problem for programs. Programs get the problem.
func (a *API) refuseOIDC(ctx context.Context, err error) (*sent, error) {
	if !strings.Contains(of(ctx).request.Header.Get("Accept"), "text/html") {
		return nil, err
	}
	note(ctx, err)
	to := a.page() + "auth/login?" + url.Values{"refused": {problemOf(ctx, err).Code}}.Encode()
	return &sent{http.StatusFound, to, []http.Cookie{a.browserCookie(ctx, "", -1)}}, nil
}

// page is the console's first page.
func (a *API) page() string { return strings.TrimRight(a.PublicURL, "/") + "/" }
