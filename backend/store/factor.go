package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Factor is an account's second factor: a TOTP secret, sealed with the installation's key.
type Factor struct {
	User     id.User
	Sealed   []byte
	Enabled  bool  // a code was shown once; until then it asks nobody for anything
	LastStep int64 // the time step of the last accepted code: it and those before it are spent
	Created  time.Time
}

func scanFactor(r row) (f Factor, err error) {
	return f, r.Scan(&f.User, &f.Sealed, &f.Enabled, &f.LastStep, stamped{&f.Created})
}

// Factor reads the second factor of an account. fault.NotFound: it has none.
func (r *Reader) Factor(ctx context.Context, u id.User) (Factor, error) {
	return one(ctx, r, fault.New(fault.NotFound, "second_factor_missing", "this account has no second factor; set one up first"), scanFactor,
		"select user_id, sealed, enabled, last_step, created_at from second_factors where user_id = $1"+r.lock, u)
}

// PutFactor stores the second factor in place of any other.
func (t *Tx) PutFactor(ctx context.Context, f Factor) error {
	_, err := t.exec(ctx, `insert into second_factors (user_id, sealed, enabled, last_step, created_at) values ($1, $2, $3, $4, $5)
		on conflict (user_id) do update set sealed = excluded.sealed, enabled = excluded.enabled, last_step = excluded.last_step, created_at = excluded.created_at`,
		f.User, f.Sealed, f.Enabled, f.LastStep, stamp(orNow(f.Created)))
	return err
}

// SpendStep accepts a code of the time step once. False: it or a later one was accepted before.
func (t *Tx) SpendStep(ctx context.Context, u id.User, step int64) (bool, error) {
	n, err := t.exec(ctx, "update second_factors set last_step = $2 where user_id = $1 and last_step < $2", u, step)
	return n == 1, err
}

// DeleteFactor removes the TOTP secret, and the backup codes unless there are passkeys; absent is success.
func (t *Tx) DeleteFactor(ctx context.Context, u id.User) error {
	if _, err := t.exec(ctx, "delete from second_factors where user_id = $1", u); err != nil {
		return err
	}
	return t.dropUnneededCodes(ctx, u)
}

// DeleteFactors removes every second factor of an account: the TOTP secret, the passkeys and the backup codes; absent is success.
func (t *Tx) DeleteFactors(ctx context.Context, u id.User) error {
	for _, table := range []string{"second_factors", "passkeys", "backup_codes"} {
		if _, err := t.exec(ctx, "delete from "+table+" where user_id = $1", u); err != nil {
			return err
		}
	}
	return nil
}

// PutBackupCodes stores the hashes of backup codes in place of all that were there.
func (t *Tx) PutBackupCodes(ctx context.Context, u id.User, hashes []string) error {
	if _, err := t.exec(ctx, "delete from backup_codes where user_id = $1", u); err != nil {
		return err
	}
	for _, h := range hashes {
		if _, err := t.exec(ctx, "insert into backup_codes (user_id, hash) values ($1, $2)", u, h); err != nil {
			return err
		}
	}
	return nil
}

// SpendBackupCode accepts a code once. False: it is unknown or was used.
func (t *Tx) SpendBackupCode(ctx context.Context, u id.User, hash string) (bool, error) {
	n, err := t.exec(ctx, "delete from backup_codes where user_id = $1 and hash = $2", u, hash)
	return n == 1, err
}

// CountBackupCodes says how many are left.
func (r *Reader) CountBackupCodes(ctx context.Context, u id.User) (int, error) {
	return one(ctx, r, nil, func(row row) (n int, err error) { return n, row.Scan(&n) }, "select count(*) from backup_codes where user_id = $1", u)
}
