package app

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/store"
)

// replyLifetime is how long the answer to an Idempotency-Key is repeated.
const replyLifetime = 24 * time.Hour

// Reply is an answer that can be given again.
type Reply struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Once takes an Idempotency-Key for the caller's request, whose content hash stands for. nil: the caller of Once does the
// work and ends with Keep or Forget; a server that dies meanwhile holds the key for at most hold. Otherwise it is the answer
// of the first time. fault.Conflict: the key was used for another request. fault.Unavailable: the first is still at work.
func (a *App) Once(ctx context.Context, c auth.Caller, key, hash string, hold time.Duration) (*Reply, error) {
	var won bool
	var earlier store.IdempotencyKey
	err := a.db.Tx(ctx, func(t *store.Tx) (err error) {
		won, earlier, err = t.BeginIdempotent(ctx, claim(c, key, hash, a.now().Add(hold)))
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case won:
		return nil, nil
	case earlier.Status == 0:
		return nil, fault.New(fault.Unavailable, "idempotency_key_busy", "the same request is being answered at present; try again in a moment").After(time.Second)
	}
	return &Reply{Status: earlier.Status, Header: earlier.Header, Body: earlier.Body}, nil
}

// Keep stores the answer for those who repeat the request.
func (a *App) Keep(ctx context.Context, c auth.Caller, key, hash string, r Reply) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		k := claim(c, key, hash, a.now().Add(replyLifetime))
		k.Status, k.Header, k.Body = r.Status, r.Header, r.Body
		// The claim's short life ends and the answer's long one begins.
		if err := t.AbandonIdempotent(ctx, k); err != nil {
			return err
		}
		if _, _, err := t.BeginIdempotent(ctx, k); err != nil {
			return err
		}
		return t.FinishIdempotent(ctx, k)
	})
}

// Forget gives the key free again, when the request had no effect.
func (a *App) Forget(ctx context.Context, c auth.Caller, key string) error {
	return a.db.Tx(ctx, func(t *store.Tx) error { return t.AbandonIdempotent(ctx, claim(c, key, "", time.Time{})) })
}

func claim(c auth.Caller, key, hash string, expires time.Time) *store.IdempotencyKey {
	return &store.IdempotencyKey{Tenant: c.Tenant, User: c.User, Key: key, RequestHash: hash, Expires: expires}
}
