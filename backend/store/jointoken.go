package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// JoinToken lets one machine become a node. Only its hash is stored.
type JoinToken struct {
	Hash      string
	CreatedBy string
	Created   time.Time
	Expires   time.Time
	UsedBy    id.Node // empty: not used
	Used      time.Time
}

func scanJoinToken(r row) (j JoinToken, err error) {
	return j, r.Scan(&j.Hash, &j.CreatedBy, stamped{&j.Created}, stamped{&j.Expires}, &j.UsedBy, stamped{&j.Used})
}

const joinTokenColumns = "hash, created_by, created_at, expires_at, used_by, used_at"

// InsertJoinToken adds a token.
func (t *Tx) InsertJoinToken(ctx context.Context, j *JoinToken) error {
	j.Created = orNow(j.Created)
	_, err := t.exec(ctx, "insert into join_tokens (hash, created_by, created_at, expires_at, used_by) values ($1, $2, $3, $4, '')",
		j.Hash, j.CreatedBy, stamp(j.Created), stamp(j.Expires))
	return err
}

// UseJoinToken spends the token for the node, exactly once however many try. fault.Forbidden: it is unknown, spent or out
// of date. The node that spent it may repeat the call, for when the answer got lost.
func (t *Tx) UseJoinToken(ctx context.Context, hash string, n id.Node) (JoinToken, error) {
	refused := fault.New(fault.Forbidden, "join_token_refused", "the join token is unknown, used or out of date; make a new one with: novacron node token")
	at := stamp(now())
	return one(ctx, &t.Reader, refused, scanJoinToken, `update join_tokens set used_by = $2, used_at = coalesce(used_at, $3)
		where hash = $1 and expires_at > $3 and (used_by = '' or used_by = $2) returning `+joinTokenColumns, hash, n, at)
}

// TrimJoinTokens removes at most so many tokens that ended before the time, and says how many.
func (t *Tx) TrimJoinTokens(ctx context.Context, before time.Time, most int) (int, error) {
	return t.trim(ctx, "join_tokens", "hash", "expires_at < $1", most, stamp(before))
}
