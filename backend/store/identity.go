package store

import (
	"context"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// UserByIdentity reads the account of somebody whom an OpenID provider knows. fault.NotFound: they have none yet.
func (r *Reader) UserByIdentity(ctx context.Context, issuer, subject string) (User, error) {
	return one(ctx, r, fault.New(fault.NotFound, "identity_not_found", "nobody signed in with this identity yet"), scanUser,
		"select "+userColumns+" from users u where u.id = (select i.user_id from identities i where i.issuer = $1 and i.subject = $2)"+r.lock, issuer, subject)
}

// HasIdentity reports whether an account has an identity at the provider.
func (r *Reader) HasIdentity(ctx context.Context, issuer string, u id.User) (bool, error) {
	return one(ctx, r, nil, func(row row) (has bool, err error) { return has, row.Scan(&has) },
		"select exists (select 1 from identities where issuer = $1 and user_id = $2)", issuer, u)
}

// DeleteIdentities unties an account from its identities at the provider and says how many there were.
func (t *Tx) DeleteIdentities(ctx context.Context, issuer string, u id.User) (int64, error) {
	return t.exec(ctx, "delete from identities where issuer = $1 and user_id = $2", issuer, u)
}

// InsertIdentity ties an identity to an account. fault.Conflict: it is tied to one already.
func (t *Tx) InsertIdentity(ctx context.Context, issuer, subject string, u id.User) error {
	n, err := t.exec(ctx, "insert into identities (issuer, subject, user_id, created_at) values ($1, $2, $3, $4) on conflict do nothing", issuer, subject, u, stamp(now()))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "identity_known", "this identity has an account already; sign in again")
	}
	return err
}
