package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/session"
	"novacron/backend/store"
)

// tokenPrefix marks API tokens, for people and for programs that look for leaked secrets.
const tokenPrefix = "novacron_"

// Bounds of API tokens.
const (
	maxAPITokens  = 100 // of one account
	maxTokenLife  = 366 * 24 * time.Hour
	tokenNotedFor = time.Minute // the time of the last use is written once in this time
)

// CreateToken makes an API token. Its secret is in this answer and nowhere else.
func (a *Accounts) CreateToken(ctx context.Context, c auth.Caller, w wire.CreateToken) (out wire.Token, err error) {
	if err := checkLabel("token", w.Name); err != nil {
		return out, err
	}
	for _, s := range w.Scopes {
		if !slices.Contains(auth.Actions, s) {
			return out, fault.New(fault.Invalid, "scope_unknown", "there is no action %.80q; GET /api/v1/roles lists those of your role", s).On("scopes")
		}
	}
	if w.Scopes != nil && len(w.Scopes) == 0 {
		return out, fault.New(fault.Invalid, "scope_empty", "a token without any scope is of no use; name some actions, or leave scopes out for all that you may do").On("scopes")
	}
	now := a.now().UTC()
	if w.ExpiresAt != nil && (!w.ExpiresAt.After(now) || w.ExpiresAt.After(now.Add(maxTokenLife))) {
		return out, fault.New(fault.Invalid, "expires_at_invalid", "a token ends within a year from now; leave expires_at out for one that does not end").On("expires_at")
	}
	if destroys(c, w) {
		if err := a.proven(ctx, c); err != nil {
			return out, err
		}
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	secret := tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	k := store.APIToken{ID: id.NewToken(), User: c.User, Name: w.Name, Scopes: w.Scopes, Hash: hashSecret(secret), Created: now}
	if c.Chosen {
		k.Tenant = c.Tenant
	}
	if w.ExpiresAt != nil {
		k.Expires = *w.ExpiresAt
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Lock(ctx, "tokens/"+string(c.User)); err != nil {
			return err
		}
		all, err := t.APITokensOf(ctx, c.User)
		if err != nil {
			return err
		}
		if len(all) >= maxAPITokens {
			return fault.New(fault.Exhausted, "too_many_tokens", "you have %d tokens, which is the most; delete one", len(all))
		}
		if err := t.InsertAPIToken(ctx, &k); err != nil {
			return err
		}
		return audit(t, c, "token.create", c.Tenant, "token/"+string(k.ID), map[string]any{"name": k.Name, "scopes": k.Scopes, "expires_at": w.ExpiresAt})
	})
	out = tokenView(k)
	out.Secret = secret
	return out, err
}

func tokenView(k store.APIToken) wire.Token {
	return wire.Token{ID: k.ID, Name: k.Name, Tenant: k.Tenant, Scopes: k.Scopes, CreatedAt: k.Created, ExpiresAt: timeOrNil(k.Expires), LastUsedAt: timeOrNil(k.Used)}
}

// Tokens lists the caller's API tokens.
func (a *Accounts) Tokens(ctx context.Context, c auth.Caller) (wire.List[wire.Token], error) {
	all, err := a.db.APITokensOf(ctx, c.User)
	return mapped(store.List[store.APIToken]{Items: all, Total: len(all)}, tokenView), err
}

// DeleteToken ends one of the caller's API tokens.
func (a *Accounts) DeleteToken(ctx context.Context, c auth.Caller, k id.Token) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.DeleteAPIToken(ctx, c.User, k); err != nil {
			return err
		}
		return audit(t, c, "token.delete", c.Tenant, "token/"+string(k), nil)
	})
}

// byToken says who shows an API token. It acts where it was made; its role is the account's there at this moment, less what the token
// leaves out.
func (a *Accounts) byToken(ctx context.Context, secret string, w Wish) (Access, error) {
	now := a.now()
	if len(secret) > session.MaxTokenBytes {
		return Access{}, errToken()
	}
	k, err := a.db.APITokenByHash(ctx, hashSecret(secret), now)
	if fault.Is(err, fault.NotFound) {
		return Access{}, errToken()
	}
	if err != nil {
		return Access{}, err
	}
	u, err := a.standing(ctx, place{k.User, string(k.Tenant)})
	if err != nil {
		return Access{}, a.turnedAway(ctx, k.User, w, err)
	}
	if w.Tenant != "" && w.Tenant != string(u.Acting) && store.Fold(w.Tenant) != store.Fold(u.ActingName) {
		return Access{}, fault.New(fault.Forbidden, "token_tenant", "this API token acts in the tenant %s alone; make one while you act in the other", u.ActingName)
	}
	if now.Sub(k.Used) > tokenNotedFor {
		if err := a.db.Tx(ctx, func(t *store.Tx) error { return t.UseAPIToken(ctx, k.ID, now) }); err != nil {
			return Access{}, err
		}
	}
	who := a.caller(u, w.Request, w.Address)
	who.Token, who.Chosen, who.Scoped, who.Scope = k.ID, k.Tenant != "", k.Scopes != nil, k.Scopes
	return Access{Token: string(k.ID), Expires: now.Add(session.AccessLifetime), Caller: who}, nil
}

func errToken() error {
	return fault.New(fault.Unauthenticated, "token_invalid", "this API token is unknown, was deleted or has ended; make another one")
}

func isAPIToken(token string) bool { return strings.HasPrefix(token, tokenPrefix) }
