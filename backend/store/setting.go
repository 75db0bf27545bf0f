package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
)

// MaxSetting is the greatest size of a setting in bytes.
const MaxSetting = 1 << 20

// Setting reads a value that the platform keeps for itself, such as "cluster_id". fault.NotFound: it was never set.
func (r *Reader) Setting(ctx context.Context, key string) ([]byte, error) {
	return one(ctx, r, notFound("setting", "setting", key), scanBytes, "select value from settings where key = $1"+r.lock, key)
}

func scanBytes(r row) (b []byte, err error) { return b, r.Scan(&b) }

// SetSetting stores a value.
func (t *Tx) SetSetting(ctx context.Context, key string, value []byte) error {
	if len(value) > MaxSetting {
		return fault.New(fault.TooLarge, "setting_too_large", "setting %s has %d bytes; at most %d fit", key, len(value), MaxSetting)
	}
	_, err := t.exec(ctx, `insert into settings (key, value, updated_at) values ($1, $2, $3)
		on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`, key, filled(value), stamp(now()))
	return err
}

// InitSetting stores a value unless there is one, and gives the one that is stored: several servers that start at once agree.
func (t *Tx) InitSetting(ctx context.Context, key string, value []byte) ([]byte, error) {
	_, err := t.exec(ctx, "insert into settings (key, value, updated_at) values ($1, $2, $3) on conflict do nothing", key, filled(value), stamp(now()))
	if err != nil {
		return nil, err
	}
	return t.Setting(ctx, key)
}

// DropSetting removes a value; absent is success.
func (t *Tx) DropSetting(ctx context.Context, key string) error {
	_, err := t.exec(ctx, "delete from settings where key = $1", key)
	return err
}

// filled is b, never nil, which the drivers would store as null.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// SigningKey is a key that signs access tokens, sealed with the key that encrypts secrets at rest.
type SigningKey struct {
	KID     string
	Sealed  []byte // empty: forgotten, so that no setting brings it back
	Created time.Time
	Retired time.Time // zero: it may sign; else it only verifies
}

func scanSigningKey(r row) (k SigningKey, err error) {
	return k, r.Scan(&k.KID, &k.Sealed, stamped{&k.Created}, stamped{&k.Retired})
}

// SigningKeys reads all signing keys, the newest first.
func (r *Reader) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	return many(ctx, r, scanSigningKey, "select kid, sealed, created_at, retired_at from signing_keys order by created_at desc, kid")
}

// InsertSigningKey adds a key. Take Tx.Lock("signing_keys") and look at SigningKeys first, so that servers that start at once
// make one key.
func (t *Tx) InsertSigningKey(ctx context.Context, k *SigningKey) error {
	k.Created = orNow(k.Created)
	_, err := t.exec(ctx, "insert into signing_keys (kid, sealed, created_at, retired_at) values ($1, $2, $3, $4)", k.KID, k.Sealed,
		stamp(k.Created), stamp(k.Retired))
	return err
}

// RetireSigningKey lets a key verify only. See also ForgetSigningKey.
func (t *Tx) RetireSigningKey(ctx context.Context, kid string) error {
	return t.execOne(ctx, notFound("signing key", "signing_key", kid), "update signing_keys set retired_at = $2 where kid = $1 and retired_at is null", kid, stamp(now()))
}

// ForgetSigningKey removes a key, with all tokens that it signed, and remembers its name; absent is success.
func (t *Tx) ForgetSigningKey(ctx context.Context, kid string) error {
	_, err := t.exec(ctx, "update signing_keys set sealed = $2, retired_at = coalesce(retired_at, $3) where kid = $1", kid, []byte{}, stamp(now()))
	return err
}
