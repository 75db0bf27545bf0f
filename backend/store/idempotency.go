package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// MaxIdempotentBody is the greatest answer that is kept to be repeated, in bytes.
const MaxIdempotentBody = 1 << 20

// IdempotencyKey is a request that must have its effect once, however often it is sent.
type IdempotencyKey struct {
	Tenant      id.Tenant
	User        id.User
	Key         string
	RequestHash string
	Status      int               // of the answer; 0: the request is still being worked on
	Header      map[string]string // of the answer, what is worth repeating
	Body        []byte
	Expires     time.Time
}

const idempotencyColumns = "tenant, user_id, key, request_hash, status, header, body, expires_at"

func scanIdempotencyKey(r row) (k IdempotencyKey, err error) {
	return k, r.Scan(&k.Tenant, &k.User, &k.Key, &k.RequestHash, &k.Status, decoded{&k.Header}, &k.Body, stamped{&k.Expires})
}

// BeginIdempotent takes the key for this request. won: the caller does the work and ends with FinishIdempotent or
// AbandonIdempotent, best in this same transaction. Not won: the key as the earlier request left it. fault.Conflict with code
// idempotency_key_reused: that was a different request.
func (t *Tx) BeginIdempotent(ctx context.Context, k *IdempotencyKey) (won bool, earlier IdempotencyKey, err error) {
	_, err = t.exec(ctx, "delete from idempotency_keys where tenant = $1 and user_id = $2 and key = $3 and expires_at < $4",
		k.Tenant, k.User, k.Key, stamp(now()))
	if err != nil {
		return false, earlier, err
	}
	n, err := t.exec(ctx, "insert into idempotency_keys ("+idempotencyColumns+") values ("+places(1, 8)+") on conflict do nothing",
		k.Tenant, k.User, k.Key, k.RequestHash, 0, "", []byte{}, stamp(k.Expires))
	if err != nil || n > 0 {
		return n > 0, earlier, err
	}
	busy := fault.New(fault.Unavailable, "idempotency_key_busy", "the same request is being answered at present; try again in a moment").After(retryAfter)
	earlier, err = one(ctx, &t.Reader, busy, scanIdempotencyKey, "select "+idempotencyColumns+
		" from idempotency_keys where tenant = $1 and user_id = $2 and key = $3", k.Tenant, k.User, k.Key)
	if err == nil && earlier.RequestHash != k.RequestHash {
		err = fault.New(fault.Conflict, "idempotency_key_reused", "this Idempotency-Key was used for a different request; use a new one")
	}
	return false, earlier, err
}

// FinishIdempotent keeps the answer for those who repeat the request.
func (t *Tx) FinishIdempotent(ctx context.Context, k *IdempotencyKey) error {
	if len(k.Body) > MaxIdempotentBody {
		return fault.New(fault.TooLarge, "answer_too_large", "the answer has %d bytes; at most %d can be kept", len(k.Body), MaxIdempotentBody)
	}
	return t.execOne(ctx, notFound("idempotency key", "idempotency_key", k.Key), `update idempotency_keys set status = $4, header = $5,
		body = $6 where tenant = $1 and user_id = $2 and key = $3`, k.Tenant, k.User, k.Key, k.Status, encode(k.Header), filled(k.Body))
}

// AbandonIdempotent gives the key free again, when the request had no effect.
func (t *Tx) AbandonIdempotent(ctx context.Context, k *IdempotencyKey) error {
	_, err := t.exec(ctx, "delete from idempotency_keys where tenant = $1 and user_id = $2 and key = $3 and status = 0", k.Tenant, k.User, k.Key)
	return err
}

// TrimIdempotent removes at most so many keys that expired before the time, and says how many.
func (t *Tx) TrimIdempotent(ctx context.Context, before time.Time, most int) (int, error) {
	return t.trim(ctx, "idempotency_keys", "tenant, user_id, key", "expires_at < $1", most, stamp(before))
}
