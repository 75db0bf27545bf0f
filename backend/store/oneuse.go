package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// OneUse is a secret that is good once: the link in a mail, the second step of a sign-in. Only its hash is stored.
type OneUse struct {
	Hash     string
	Purpose  string // a secret of one purpose is unknown to all others
	User     id.User
	Content  string // JSON of the purpose's own
	Attempts int64  // of TryOneUse
	Expires  time.Time
}

const oneUseColumns = "hash, purpose, user_id, content, attempts, expires_at"

func scanOneUse(r row) (o OneUse, err error) {
	return o, r.Scan(&o.Hash, &o.Purpose, &o.User, &o.Content, &o.Attempts, stamped{&o.Expires})
}

func errOneUse() *fault.Error {
	return fault.New(fault.Unauthenticated, "token_used", "this link or code was used or has ended; ask for another one")
}

// InsertOneUse adds a secret.
func (t *Tx) InsertOneUse(ctx context.Context, o OneUse) error {
	_, err := t.exec(ctx, "insert into one_use ("+oneUseColumns+") values ("+places(1, 6)+")", o.Hash, o.Purpose, o.User, o.Content, o.Attempts, stamp(o.Expires))
	return err
}

// RenewOneUse adds a secret, or lets the one that is there live as long as this one.
func (t *Tx) RenewOneUse(ctx context.Context, o OneUse) error {
	_, err := t.exec(ctx, "insert into one_use ("+oneUseColumns+") values ("+places(1, 6)+") on conflict (hash) do update set expires_at = excluded.expires_at",
		o.Hash, o.Purpose, o.User, o.Content, o.Attempts, stamp(o.Expires))
	return err
}

// HasOneUse reports whether a secret is good, without spending it.
func (r *Reader) HasOneUse(ctx context.Context, purpose, hash string, at time.Time) (bool, error) {
	return one(ctx, r, nil, func(row row) (ok bool, err error) { return ok, row.Scan(&ok) },
		"select exists (select 1 from one_use where hash = $1 and purpose = $2 and expires_at > $3)", hash, purpose, stamp(at))
}

// TakeOneUse spends a secret: of any number of callers one gets it, if its transaction commits. fault.Unauthenticated: it is unknown,
// spent or out of date.
func (t *Tx) TakeOneUse(ctx context.Context, purpose, hash string, at time.Time) (OneUse, error) {
	return one(ctx, &t.Reader, errOneUse(), scanOneUse, "delete from one_use where hash = $1 and purpose = $2 and expires_at > $3 returning "+oneUseColumns,
		hash, purpose, stamp(at))
}

// TryOneUse counts a try with a secret that stays until TakeOneUse. fault.Unauthenticated: as there, or it was tried most times.
func (t *Tx) TryOneUse(ctx context.Context, purpose, hash string, most int, at time.Time) (OneUse, error) {
	return one(ctx, &t.Reader, errOneUse(), scanOneUse, `update one_use set attempts = attempts + 1 where hash = $1 and purpose = $2 and expires_at > $3
		and attempts < $4 returning `+oneUseColumns, hash, purpose, stamp(at), most)
}

// DropOneUse removes a user's secrets of a purpose: a newer one takes their place.
func (t *Tx) DropOneUse(ctx context.Context, u id.User, purpose string) error {
	_, err := t.exec(ctx, "delete from one_use where user_id = $1 and purpose = $2", u, purpose)
	return err
}

// TrimAccounts removes what has expired at the time: one-use secrets, invitations, failures and API tokens; and mails that ended before mails. It takes
// at most so many rows of each kind, and says how many of the kind that had the most.
func (t *Tx) TrimAccounts(ctx context.Context, at, mails time.Time, most int) (gone int, err error) {
	for _, x := range []struct {
		table, key, condition string
		at                    time.Time
	}{
		{"one_use", "hash", "expires_at <= $1", at}, {"invites", "id", "expires_at <= $1", at}, {"signin_failures", "key", "expires_at <= $1", at},
		{"api_tokens", "id", "expires_at <= $1", at}, {"mails", "id", "ended_at <= $1", mails},
	} {
		n, err := t.trim(ctx, x.table, x.key, x.condition, most, stamp(x.at))
		if err != nil {
			return gone, err
		}
		gone = max(gone, n)
	}
	return gone, nil
}

// Failures is how often somebody tried in vain.
type Failures struct {
	Count int64
	Until time.Time // no try is looked at before
}

// Failures reads what is counted under the key; the zero value: nothing.
func (r *Reader) Failures(ctx context.Context, key string, at time.Time) (Failures, error) {
	return one(ctx, r, nil, func(row row) (f Failures, err error) { return f, row.Scan(&f.Count, stamped{&f.Until}) },
		"select failures, until from signin_failures where key = $1 and expires_at > $2", key, stamp(at))
}

// SetFailures counts under the key until expires.
func (t *Tx) SetFailures(ctx context.Context, key string, f Failures, expires time.Time) error {
	_, err := t.exec(ctx, `insert into signin_failures (key, failures, until, expires_at) values ($1, $2, $3, $4)
		on conflict (key) do update set failures = excluded.failures, until = excluded.until, expires_at = excluded.expires_at`,
		key, f.Count, stamp(f.Until), stamp(expires))
	return err
}

// ClearFailures forgets what was counted under the key.
func (t *Tx) ClearFailures(ctx context.Context, key string) error {
	_, err := t.exec(ctx, "delete from signin_failures where key = $1", key)
	return err
}

// Devices counts where the account has signed in from: anywhere at all, from the network, and from the network with the agent.
func (r *Reader) Devices(ctx context.Context, u id.User, network, agent string) (all, there, same int, err error) {
	_, err = one(ctx, r, nil, func(row row) (x struct{}, err error) { return x, row.Scan(&all, &there, &same) },
		`select count(*), coalesce(sum(case when network = $2 then 1 else 0 end), 0),
		coalesce(sum(case when network = $2 and agent = $3 then 1 else 0 end), 0) from devices where user_id = $1`, u, network, agent)
	return all, there, same, err
}

// maxDevices are kept per account, the newest.
const maxDevices = 50

// SeeDevice remembers where the account signed in from.
func (t *Tx) SeeDevice(ctx context.Context, u id.User, network, agent string, at time.Time) error {
	_, err := t.exec(ctx, `insert into devices (user_id, network, agent, seen_at) values ($1, $2, $3, $4)
		on conflict (user_id, network, agent) do update set seen_at = excluded.seen_at`, u, network, agent, stamp(at))
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `delete from devices where user_id = $1 and seen_at < (select min(seen_at) from
		(select seen_at from devices where user_id = $1 order by seen_at desc limit $2) as newest)`, u, maxDevices)
	return err
}
