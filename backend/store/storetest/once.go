package storetest

import (
	"fmt"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// testOnce: tokens and keys have one winner however many try at once.
func testOnce(t *testing.T, s *suite) {
	const n = 20
	soon := time.Now().Add(time.Hour)
	s.tx(func(x *store.Tx) error { return x.InsertJoinToken(s.ctx, &store.JoinToken{Hash: "j", Expires: soon}) })
	joined := together(n, func(int) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error { _, err := x.UseJoinToken(s.ctx, "j", id.NewNode()); return err })
	})
	same(t, "nodes that spent the join token, and that were refused", []int{count(joined, succeeded), count(joined, hasKind(fault.Forbidden))}, []int{1, n - 1})

	past := time.Now().Add(-time.Minute)
	s.tx(func(x *store.Tx) error { return x.InsertJoinToken(s.ctx, &store.JoinToken{Hash: "old", Expires: past}) })
	s.refused("a join token out of date", fault.Forbidden, "join_token_refused", func(x *store.Tx) error { _, err := x.UseJoinToken(s.ctx, "old", id.NewNode()); return err })

	s.idempotency(soon)
	s.settings(n)
}

func (s *suite) idempotency(expires time.Time) {
	t := s.t
	k := store.IdempotencyKey{Tenant: s.tenant, User: "usr-1", Key: "abc", RequestHash: "h1", Expires: expires}
	wins := make([]bool, 20)
	errs := together(len(wins), func(i int) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error {
			won, _, err := x.BeginIdempotent(s.ctx, &k)
			if wins[i] = won; !won || err != nil {
				return err
			}
			done := k
			done.Status, done.Body, done.Header = 202, []byte("made"), map[string]string{"Location": "/x"}
			return x.FinishIdempotent(s.ctx, &done)
		})
	})
	won := 0
	for _, w := range wins {
		if w {
			won++
		}
	}
	same(t, "requests that won the key, and that met no error", []int{won, count(errs, succeeded)}, []int{1, len(wins)})
	s.tx(func(x *store.Tx) error {
		_, earlier, err := x.BeginIdempotent(s.ctx, &k)
		same(t, "the kept answer", []any{earlier.Status, string(earlier.Body), earlier.Header["Location"]}, []any{202, "made", "/x"})
		return err
	})
	other := k
	other.RequestHash = "h2"
	s.refused("the key with another request", fault.Conflict, "idempotency_key_reused", func(x *store.Tx) error { _, _, err := x.BeginIdempotent(s.ctx, &other); return err })
	old := store.IdempotencyKey{Key: "old", RequestHash: "h1", Expires: time.Now().Add(-time.Second)}
	for range 2 { // one that expired can be won again
		s.tx(func(x *store.Tx) error {
			won, _, err := x.BeginIdempotent(s.ctx, &old)
			same(t, "an expired key is won", won, true)
			return err
		})
	}
	s.tx(func(x *store.Tx) error { return x.AbandonIdempotent(s.ctx, &old) })
	s.tx(func(x *store.Tx) error {
		same(t, "keys trimmed", must[int](t)(x.TrimIdempotent(s.ctx, expires.Add(time.Second), 10)), 1)
		return nil
	})
}

func (s *suite) settings(n int) {
	t := s.t
	got := make([]string, n)
	errs := together(n, func(i int) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error {
			b, err := x.InitSetting(s.ctx, "cluster_id", fmt.Append(nil, i))
			got[i] = string(b)
			return err
		})
	})
	same(t, "servers that met no error, and ids they agreed on", []int{count(errs, succeeded), len(toSet(got))}, []int{n, 1})
	s.tx(func(x *store.Tx) error { return x.SetSetting(s.ctx, "ca", []byte{0, 255}) })
	same(t, "a setting", must[[]byte](t)(s.db.Setting(s.ctx, "ca")), []byte{0, 255})
	_, err := s.db.Setting(s.ctx, "none")
	wantFault(t, "a setting that was never set", err, fault.NotFound, "setting_not_found")

	s.tx(func(x *store.Tx) error {
		return x.InsertSigningKey(s.ctx, &store.SigningKey{KID: "k1", Sealed: []byte{1, 2}})
	})
	s.tx(func(x *store.Tx) error { return x.RetireSigningKey(s.ctx, "k1") })
	keys := must[[]store.SigningKey](t)(s.db.SigningKeys(s.ctx))
	same(t, "a retired key", []any{keys[0].Sealed, keys[0].Retired.IsZero()}, []any{[]byte{1, 2}, false})
	s.tx(func(x *store.Tx) error { return x.ForgetSigningKey(s.ctx, "k1") })
	keys = must[[]store.SigningKey](t)(s.db.SigningKeys(s.ctx))
	same(t, "a forgotten key", []any{keys[0].KID, len(keys[0].Sealed), keys[0].Retired.IsZero()}, []any{"k1", 0, false})
}
