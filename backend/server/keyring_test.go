package server

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/session"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

var testSeal, _ = deriveSealer("a secret of thirty-two characters")

func ring(t *testing.T, db *store.DB, configured string) *keyring {
	t.Helper()
	k, err := openKeyring(t.Context(), db, testSeal, configured, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issue signs a token at a time from the present.
func issue(t *testing.T, k *keyring, in time.Duration) (token string, at time.Time) {
	t.Helper()
	at = time.Now().Add(in)
	token, _, err := k.keys.Issue(id.NewUser(), id.NewSession(), at)
	if err != nil {
		t.Fatal(err)
	}
	return token, at
}

func configuredKey(t *testing.T) (text, kid string) {
	t.Helper()
	key, err := session.MakeKey()
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(session.EncodeKey(key)), session.KeyID(&key.PublicKey)
}

func TestKeyring_isOneForAllServersAndSurvivesThem(t *testing.T) {
	db := storetest.SQLite(t)
	a, b := ring(t, db, ""), ring(t, db, "")
	token, at := issue(t, a, 0)
	if _, err := b.keys.Verify(token, at); err != nil {
		t.Errorf("a token of the other server: %v", err)
	}
	if rows, err := db.SigningKeys(t.Context()); err != nil || len(rows) != 1 {
		t.Errorf("got %d keys, %v; want one for both", len(rows), err)
	}
}

func TestKeyring_rotatesWithoutEndingAToken(t *testing.T) {
	db := storetest.SQLite(t)
	a, b := ring(t, db, ""), ring(t, db, "")
	old, _ := issue(t, a, 0)
	if err := a.rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	early, at := issue(t, a, 0)
	if _, err := b.keys.Verify(early, at); err != nil {
		t.Errorf("a token for a server that has not looked yet: %v", err)
	}
	if err := b.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	late, later := issue(t, a, 2*keyDelay)
	if _, err := b.keys.Verify(late, later); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if _, err := b.keys.Verify(old, time.Now()); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	if !bytes.Equal(a.keys.JWKS(), b.keys.JWKS()) || bytes.Count(a.keys.JWKS(), []byte("kid")) != 2 {
		t.Errorf("published: %s and %s, want the same two keys", a.keys.JWKS(), b.keys.JWKS())
	}
}

func TestKeyring_forgetsKeysThatMayBeKnown(t *testing.T) {
	db := storetest.SQLite(t)
	configured, kid := configuredKey(t)
	k := ring(t, db, configured)
	old, _ := issue(t, k, 0)
	if err := k.rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := k.keys.Verify(old, time.Now()); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token of a forgotten key: %v", err)
	}
	token, at := issue(t, k, 0)
	if _, err := ring(t, db, configured).keys.Verify(token, at); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if bytes.Contains(ring(t, db, configured).keys.JWKS(), []byte(kid)) {
		t.Error("the setting brought the forgotten key back")
	}
}

func TestKeyring_letsAConfiguredKeySign(t *testing.T) {
	db := storetest.SQLite(t)
	ring(t, db, "")
	configured, kid := configuredKey(t)
	k := ring(t, db, configured)
	ring(t, db, configured) // a second start adds nothing
	token, at := issue(t, k, 2*keyDelay)
	raw, err := base64.StdEncoding.DecodeString(configured)
	if err != nil {
		t.Fatal(err)
	}
	key, err := session.DecodeKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewKeys(key).Verify(token, at); err != nil {
		t.Errorf("another key than %s signed: %v", kid, err)
	}
	if rows, err := db.SigningKeys(t.Context()); err != nil || len(rows) != 2 {
		t.Errorf("got %d keys, %v; want two", len(rows), err)
	}
}

func TestKeyring_refusesToRotateWithoutEnd(t *testing.T) {
	k := ring(t, storetest.SQLite(t), "")
	for range maxKeys - 1 {
		if err := k.rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.rotate(t.Context(), false); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v after %d keys, want a refusal", err, maxKeys)
	}
}

func TestKeyring_makesTheNextKeyWhenTheNewestIsOld(t *testing.T) {
	db := storetest.SQLite(t)
	k := ring(t, db, "")
	rows, err := db.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := rows[0]
	old.KID, old.Created = "old", time.Now().Add(-keyAge)
	err = db.Tx(t.Context(), func(x *store.Tx) error {
		if err := x.ForgetSigningKey(t.Context(), rows[0].KID); err != nil {
			return err
		}
		key, _ := session.MakeKey()
		old.KID = session.KeyID(&key.PublicKey)
		old.Sealed = testSeal.seal(keyPurpose+old.KID, session.EncodeKey(key))
		return x.InsertSigningKey(t.Context(), &old)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if rows, err = db.SigningKeys(t.Context()); err != nil || len(rows) != 3 || !rows[0].Retired.IsZero() || rows[1].KID == "" {
		t.Errorf("got %d keys, %v; want one new key", len(rows), err)
	}
	if n := bytes.Count(k.keys.JWKS(), []byte("kid")); n != 2 {
		t.Errorf("%d keys verify, want the old and the new", n)
	}
}

func TestKeyring_saysWhenTheSecretIsAnothers(t *testing.T) {
	db := storetest.SQLite(t)
	ring(t, db, "")
	other, err := deriveSealer("another secret of 32 characters..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openKeyring(t.Context(), db, other, "", "", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("keys were opened with another secret")
	}
}
