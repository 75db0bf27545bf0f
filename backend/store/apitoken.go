package store

import (
	"context"
	"slices"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// APIToken acts for its account until it ends or is deleted. Only its hash is stored.
type APIToken struct {
	ID      id.Token
	User    id.User
	Tenant  id.Tenant     // where it acts; empty: in the own tenant of its account
	Name    string        // unique for the user
	Scopes  []auth.Action // nil: all that the account may do
	Hash    string
	Created time.Time
	Expires time.Time // zero: never
	Used    time.Time // zero: never; kept to the minute
}

const apiTokenColumns = "id, user_id, tenant, name, scopes, hash, created_at, expires_at, used_at"

func scanAPIToken(r row) (k APIToken, err error) {
	return k, r.Scan(&k.ID, &k.User, &k.Tenant, &k.Name, decoded{&k.Scopes}, &k.Hash, stamped{&k.Created}, stamped{&k.Expires}, stamped{&k.Used})
}

// InsertAPIToken adds a token. fault.Conflict with code token_name_taken: the user has one of this name.
func (t *Tx) InsertAPIToken(ctx context.Context, k *APIToken) error {
	k.Created = orNow(k.Created)
	n, err := t.exec(ctx, "insert into api_tokens (id, user_id, tenant, name, scopes, hash, created_at, expires_at) values ("+places(1, 8)+") on conflict do nothing",
		k.ID, k.User, k.Tenant, k.Name, encode(k.Scopes), k.Hash, stamp(k.Created), stamp(k.Expires))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "token_name_taken", "you have a token named %q; pick another name or delete that one", k.Name).On("name")
	}
	return err
}

// APITokenByHash reads a token that has not ended. fault.NotFound: there is none.
func (r *Reader) APITokenByHash(ctx context.Context, hash string, at time.Time) (APIToken, error) {
	return one(ctx, r, fault.New(fault.NotFound, "token_not_found", "there is no such token"), scanAPIToken,
		"select "+apiTokenColumns+" from api_tokens where hash = $1 and (expires_at is null or expires_at > $2)", hash, stamp(at))
}

// APITokensOf lists a user's tokens by name.
func (r *Reader) APITokensOf(ctx context.Context, u id.User) ([]APIToken, error) {
	return many(ctx, r, scanAPIToken, "select "+apiTokenColumns+" from api_tokens where user_id = $1 order by name", u)
}

// APITokensKept says which of the tokens are there and have not ended.
func (r *Reader) APITokensKept(ctx context.Context, tokens []id.Token, at time.Time) (map[id.Token]bool, error) {
	kept := map[id.Token]bool{}
	for part := range slices.Chunk(tokens, inList) {
		found, err := many(ctx, r, func(row row) (k id.Token, err error) { return k, row.Scan(&k) },
			"select id from api_tokens where (expires_at is null or expires_at > $1) and id in ("+places(2, len(part))+")", append([]any{stamp(at)}, anys(part)...)...)
		if err != nil {
			return nil, err
		}
		for _, k := range found {
			kept[k] = true
		}
	}
	return kept, nil
}

// UseAPIToken notes when a token was used.
func (t *Tx) UseAPIToken(ctx context.Context, k id.Token, at time.Time) error {
	_, err := t.exec(ctx, "update api_tokens set used_at = $2 where id = $1", k, stamp(at))
	return err
}

// TellTokenEnds gives at most so many tokens that are good now, end before until, and were not given by it before: each goes to one caller.
func (t *Tx) TellTokenEnds(ctx context.Context, now, until time.Time, most int) ([]APIToken, error) {
	return many(ctx, &t.Reader, scanAPIToken, `update api_tokens set told_at = $1 where told_at is null and id in
		(select id from api_tokens where told_at is null and expires_at > $1 and expires_at <= $2 order by expires_at, id limit $3) returning `+apiTokenColumns,
		stamp(now), stamp(until), most)
}

// DeleteAPIToken removes a user's token. fault.NotFound: there is none.
func (t *Tx) DeleteAPIToken(ctx context.Context, u id.User, k id.Token) error {
	return t.execOne(ctx, notFound("token", "token", k), "delete from api_tokens where id = $1 and user_id = $2", k, u)
}

// DeleteAPITokensOf removes all tokens of a user.
func (t *Tx) DeleteAPITokensOf(ctx context.Context, u id.User) error {
	_, err := t.exec(ctx, "delete from api_tokens where user_id = $1", u)
	return err
}
