package app

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// OIDC is the OpenID provider that people may sign in at.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string // empty: a public client
	Groups       []Group
	Factors      []string // values of acr and amr that say that a second factor was used; nil: none does
}

// Group says what members of a provider's group are here. The first that fits counts; "*" fits everybody.
type Group struct {
	Name   string
	Role   auth.Role
	Tenant string // name; empty: the first tenant
}

// ParseGroups reads "admins=administrator, cloud=developer@team-a, *=viewer".
func ParseGroups(text string) ([]Group, error) {
	var out []Group
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		i := strings.LastIndex(part, "=")
		if i <= 0 || i == len(part)-1 {
			return nil, fmt.Errorf("%q is not a group and its role; write it like admins=administrator or cloud=developer@team-a", part)
		}
		role, tenant, _ := strings.Cut(part[i+1:], "@")
		out = append(out, Group{Name: part[:i], Role: auth.Role(role), Tenant: tenant})
	}
	return out, nil
}

// Bounds of a sign-in at the provider.
const (
	purposeOIDC   = "oidc"
	providerTime  = 10 * time.Second // for each call to the provider
	maxSubject    = 255              // bytes, by OpenID Connect Core 2
	usernameTries = 20               // user names that are tried for a new account
)

// provider finds the provider out once it is needed, and again until it answers: the platform starts without it.
type provider struct {
	set   OIDC
	turn  chan struct{} // holds one value, for whoever asks the provider; the others wait as long as their callers do
	found *oidc.Provider
}

func newProvider(set OIDC) *provider { return &provider{set: set, turn: make(chan struct{}, 1)} }

func (p *provider) get(ctx context.Context) (*oidc.Provider, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.found != nil {
		return p.found, nil
	}
	// The provider keeps its context for the keys that it asks for later, so this caller's end must not be theirs.
	found, err := oidc.NewProvider(p.calls(context.WithoutCancel(ctx)), p.set.Issuer)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "oidc_unreachable", "the OpenID provider does not answer as one; try again later, or sign in with a password").After(5 * time.Second)
	}
	p.found = found
	return found, nil
}

// calls bounds what go-oidc and oauth2 ask of the provider.
func (p *provider) calls(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, &http.Client{Timeout: providerTime})
}

func (a *Accounts) oauth(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: a.oidc.set.ClientID, ClientSecret: a.oidc.set.ClientSecret, Endpoint: found.Endpoint(),
		RedirectURL: a.publicURL + "/api/auth/oidc/callback", Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups"}}
}

// oidcState is what the server remembers of a sign-in that went to the provider.
type oidcState struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE (RFC 7636)
	Browser  string `json:"browser"`  // hash of the cookie of the browser that began

	// The account that is to be linked, and the session that asked for it; empty: somebody signs in.
	Link    id.User    `json:"link,omitempty"`
	Session id.Session `json:"session,omitempty"`
}

func (a *Accounts) withOIDC() error {
	if a.oidc == nil {
		return fault.New(fault.NotFound, "oidc_off", "nobody signs in at an OpenID provider here; sign in with a password")
	}
	return nil
}

// HasOIDC reports whether people can sign in at an OpenID provider.
func (a *Accounts) HasOIDC() bool { return a.oidc != nil }

// BeginOIDC gives the provider's address to send the browser to. browser is a secret that the same browser shows at the end, so that
// nobody is signed in to somebody else's account.
func (a *Accounts) BeginOIDC(ctx context.Context, browser string) (string, error) {
	if err := a.withOIDC(); err != nil {
		return "", err
	}
	return a.toProvider(ctx, oidcState{Browser: hashSecret(browser)})
}

// toProvider keeps what the answer is to be judged by and gives the address to send the browser to.
func (a *Accounts) toProvider(ctx context.Context, s oidcState) (string, error) {
	found, err := a.oidc.get(ctx)
	if err != nil {
		return "", err
	}
	s.Nonce, s.Verifier = randomSecret(), oauth2.GenerateVerifier()
	content, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("oidc: %w", err)
	}
	var state string
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		state, err = a.issueBeside(ctx, t, purposeOIDC, "", string(content), stepLife)
		return err
	})
	return a.oauth(found).AuthCodeURL(state, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), err
}

// claims are what the provider says of somebody.
type claims struct {
	Subject  string   `json:"sub"`
	Username string   `json:"preferred_username"`
	Email    string   `json:"email"`
	Verified bool     `json:"email_verified"`
	Groups   []string `json:"groups"`
	ACR      spoken   `json:"acr"` // how the person was authenticated: a class (OpenID Connect Core 2)
	AMR      spoken   `json:"amr"` // and its methods (RFC 8176)
}

// spoken is a text or a list of texts. Providers differ in which they send; what is neither says nothing.
type spoken []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *spoken) UnmarshalJSON(raw []byte) error {
	var text string
	var list []string
	switch {
	case json.Unmarshal(raw, &text) == nil:
		*s = spoken{text}
	case json.Unmarshal(raw, &list) == nil:
		*s = list
	}
	return nil
}

// strong reports whether the provider says that it asked for a second factor.
func (p *provider) strong(who claims) bool {
	return slices.ContainsFunc(p.set.Factors, func(f string) bool { return slices.Contains(who.ACR, f) || slices.Contains(who.AMR, f) })
}

// FinishOIDC takes the provider's answer and signs in. The account is made at the first sign-in, and follows the groups at each. The zero
// SignIn: the answer was for BeginLink, and the account is linked.
func (a *Accounts) FinishOIDC(ctx context.Context, state, code, browser string, p Peer) (SignIn, error) {
	if err := a.withOIDC(); err != nil {
		return SignIn{}, err
	}
	s, who, err := a.identify(ctx, state, code, browser)
	if err != nil {
		return SignIn{}, err
	}
	if s.Link != "" {
		return SignIn{}, a.tie(ctx, s, who, p)
	}
	var u store.User
	err = a.db.Tx(ctx, func(t *store.Tx) (err error) {
		u, err = a.follow(ctx, t, who, p)
		return err
	})
	if fault.Is(err, fault.Forbidden) {
		err = firstError(a.db.Tx(ctx, func(t *store.Tx) error {
			return t.Audit(entry(auth.Caller{Name: "somebody", Address: p.Address, Request: p.Request}, "auth.login", "", "", "oidc_refused", map[string]any{"subject": who.Subject}))
		}), err)
	}
	if err != nil {
		return SignIn{}, err
	}
	g := guardOf("login", u.Username, u, p)
	g.vouched = true
	if a.oidc.strong(who) {
		return a.enterProven(ctx, g, u, p)
	}
	return a.enter(ctx, g, u, p)
}

// identify spends the state, exchanges the code, and checks the ID token.
func (a *Accounts) identify(ctx context.Context, state, code, browser string) (s oidcState, who claims, err error) {
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.TakeOneUse(ctx, purposeOIDC, hashSecret(state), a.now())
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(o.Content), &s)
	})
	switch {
	case fault.Is(err, fault.Unauthenticated), err == nil && subtle.ConstantTimeCompare([]byte(hashSecret(browser)), []byte(s.Browser)) != 1:
		return s, who, fault.New(fault.Unauthenticated, "oidc_state", "this sign-in took too long, was used, or began in another browser; begin again")
	case err != nil:
		return s, who, err
	}
	found, err := a.oidc.get(ctx)
	if err != nil {
		return s, who, err
	}
	ctx = a.oidc.calls(ctx)
	refused := func(err error) error {
		return fault.Wrap(err, fault.Unauthenticated, "oidc_refused", "what the OpenID provider sent does not prove who you are; begin again")
	}
	tokens, err := a.oauth(found).Exchange(ctx, code, oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return s, who, refused(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	checked, err := found.Verifier(&oidc.Config{ClientID: a.oidc.set.ClientID, Now: a.now}).Verify(ctx, raw)
	if err != nil {
		return s, who, refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(checked.Nonce), []byte(s.Nonce)) != 1 {
		return s, who, refused(fmt.Errorf("nonce of %s", checked.Subject))
	}
	if err := checked.Claims(&who); err != nil || who.Subject == "" || len(who.Subject) > maxSubject {
		return s, who, refused(fmt.Errorf("claims: %w", err))
	}
	return s, who, nil
}

// follow gives the account of an identity the role and tenant of its groups, and makes the account if there is none.
func (a *Accounts) follow(ctx context.Context, t *store.Tx, who claims, p Peer) (u store.User, err error) {
	i := slices.IndexFunc(a.oidc.set.Groups, func(g Group) bool { return g.Name == "*" || slices.Contains(who.Groups, g.Name) })
	if i < 0 {
		return u, fault.New(fault.Forbidden, "oidc_no_role", "none of your groups at the OpenID provider gives access here; ask an administrator")
	}
	g := a.oidc.set.Groups[i]
	if g.Tenant == "" {
		g.Tenant = FirstTenant
	}
	n, err := t.TenantByName(ctx, g.Tenant)
	if err != nil {
		return u, err
	}
	if err := t.Lock(ctx, "accounts"); err != nil {
		return u, err
	}
	u, err = t.UserByIdentity(ctx, a.oidc.set.Issuer, who.Subject)
	switch {
	case fault.Is(err, fault.NotFound):
		return a.adopt(ctx, t, who, g.Role, n.ID, p)
	case err != nil:
		return u, err
	case u.Disabled:
		return u, fault.New(fault.Forbidden, "account_closed", "this account was closed; ask an administrator")
	case u.PasswordHash != "": // it was there before it was linked, and its role and tenant were given here
		return u, nil
	case u.Role == g.Role && u.Tenant == n.ID:
		return u, nil
	}
	before := u
	u.Role, u.Tenant = g.Role, n.ID
	if err := t.UpdateUser(ctx, &u); err != nil {
		return u, err
	}
	if err := keepAnAdministrator(ctx, t, before); err != nil {
		return u, err
	}
	return u, audit(t, p.as(u), "user.update", u.Tenant, userSubject(u.ID), map[string]any{"by": "OpenID groups",
		"before": map[string]any{"role": before.Role, "tenant": before.Tenant}, "after": map[string]any{"role": u.Role, "tenant": u.Tenant}})
}

// adopt makes the account of an identity. An address that has an account already is not taken over: whoever governs the provider would
// get that account.
func (a *Accounts) adopt(ctx context.Context, t *store.Tx, who claims, role auth.Role, tenant id.Tenant, p Peer) (store.User, error) {
	u := store.User{ID: id.NewUser(), Tenant: tenant, Email: who.Email, Role: role, Created: a.now()}
	if !who.Verified || auth.CheckEmail(who.Email) != nil {
		return u, fault.New(fault.Forbidden, "oidc_email", "the OpenID provider does not vouch for an e-mail address of yours; confirm one there first")
	}
	wanted := who.Username
	if auth.CheckUsername(wanted) != nil {
		wanted, _, _ = strings.Cut(who.Email, "@")
	}
	if auth.CheckUsername(wanted) != nil {
		wanted = "user"
	}
	var err error
	for try := range usernameTries {
		if u.Username = wanted; try > 0 {
			u.Username = fmt.Sprintf("%.50s-%d", wanted, try+1)
		}
		if err = t.InsertUser(ctx, &u); err == nil || !fault.Is(err, fault.Conflict) || asFault(err).Code == "email_taken" {
			break
		}
	}
	if err != nil {
		return u, err
	}
	if err := t.InsertIdentity(ctx, a.oidc.set.Issuer, who.Subject, u.ID); err != nil {
		return u, err
	}
	return u, audit(t, p.as(u), "user.register", u.Tenant, userSubject(u.ID), map[string]any{"username": u.Username, "role": u.Role, "issuer": a.oidc.set.Issuer})
}
