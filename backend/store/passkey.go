package store

import (
	"context"
	"encoding/json"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Passkey is a WebAuthn credential of an account. It holds no secret: the private key is with the authenticator.
type Passkey struct {
	ID         string // the credential's id, in base64url
	User       id.User
	Name       string
	Credential json.RawMessage // public key, flags, sign counter
	Created    time.Time
	Used       time.Time // zero: never
}

const passkeyColumns = "id, user_id, name, credential, created_at, used_at"

func scanPasskey(r row) (k Passkey, err error) {
	var credential []byte
	err = r.Scan(&k.ID, &k.User, &k.Name, &credential, stamped{&k.Created}, stamped{&k.Used})
	k.Credential = credential
	return k, err
}

// PasskeysOf reads an account's passkeys, the oldest first.
func (r *Reader) PasskeysOf(ctx context.Context, u id.User) ([]Passkey, error) {
	return many(ctx, r, scanPasskey, "select "+passkeyColumns+" from passkeys where user_id = $1 order by created_at, id"+r.lock, u)
}

// InsertPasskey adds a passkey. fault.Conflict: it is some account's already.
func (t *Tx) InsertPasskey(ctx context.Context, k *Passkey) error {
	k.Created = orNow(k.Created)
	n, err := t.exec(ctx, "insert into passkeys ("+passkeyColumns+") values ("+places(1, 6)+") on conflict do nothing",
		k.ID, k.User, k.Name, string(k.Credential), stamp(k.Created), stamp(k.Used))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "passkey_known", "this passkey is registered already; use another one")
	}
	return err
}

// UsePasskey keeps a passkey's new sign counter and when it was used. fault.NotFound: it is not there any more.
func (t *Tx) UsePasskey(ctx context.Context, passkey string, credential json.RawMessage, at time.Time) error {
	return t.execOne(ctx, errPasskey(), "update passkeys set credential = $2, used_at = $3 where id = $1", passkey, string(credential), stamp(at))
}

// DeletePasskey removes an account's passkey, and the backup codes with the last second factor. fault.NotFound: there is none.
func (t *Tx) DeletePasskey(ctx context.Context, u id.User, passkey string) error {
	if err := t.execOne(ctx, errPasskey(), "delete from passkeys where id = $1 and user_id = $2", passkey, u); err != nil {
		return err
	}
	return t.dropUnneededCodes(ctx, u)
}

func errPasskey() *fault.Error {
	return fault.New(fault.NotFound, "passkey_not_found", "you have no such passkey; list them to see their ids")
}

// dropUnneededCodes removes the backup codes of an account that has no second factor left.
func (t *Tx) dropUnneededCodes(ctx context.Context, u id.User) error {
	_, err := t.exec(ctx, `delete from backup_codes where user_id = $1 and not exists (select 1 from passkeys p where p.user_id = $1)
		and not exists (select 1 from second_factors f where f.user_id = $1 and f.enabled = $2)`, u, true)
	return err
}
