package server

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/session"
	"novacron/backend/store"
)

// The life of a signing key.
const (
	keyringPoll = 5 * time.Second                     // how often the other servers' rotations are looked for
	keyDelay    = 4 * keyringPoll                     // before a new key signs: by then every server verifies it
	keyAge      = 90 * 24 * time.Hour                 // when the next key is made by itself
	keyLinger   = session.AccessLifetime + 2*keyDelay // a retired key verifies until the last token that it signed has ended
	maxKeys     = 8                                   // that verify at once; rotating faster is a mistake
	keyringLock = "signing_keys"
	keyPurpose  = "signing_key/" // + kid: what a sealed key is for
)

// keyring keeps the keys that sign access tokens in the database, sealed, one ring for all servers.
type keyring struct {
	db   *store.DB
	seal *sealer
	log  *slog.Logger
	keys *session.Keys

	mu     sync.Mutex                 // of what stands below, and of taking turns in follow
	opened map[string]*rsa.PrivateKey // by kid
	newest time.Time
}

// openKeyring reads the ring. configured is a key that shall sign, as in NOVACRON_SIGNING_KEY; empty: the first server makes one. shared is the
// secret of a service whose HS256 tokens are taken; empty: there is none.
func openKeyring(ctx context.Context, db *store.DB, seal *sealer, configured, shared string, log *slog.Logger) (*keyring, error) {
	k := &keyring{db: db, seal: seal, log: log, keys: new(session.Keys), opened: map[string]*rsa.PrivateKey{}}
	if shared != "" {
		if err := k.keys.Share([]byte(shared)); err != nil {
			return nil, fmt.Errorf("NOVACRON_HS256_SECRET: %w; `openssl rand -hex 32` makes one", err)
		}
	}
	if err := k.ensure(ctx, configured); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	live, err := k.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	k.keys.Replace(live)
	return k, nil
}

// parseSigningKey reads NOVACRON_SIGNING_KEY.
func parseSigningKey(text string) (*rsa.PrivateKey, error) {
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("NOVACRON_SIGNING_KEY is not base64; `novacron secrets init` makes one")
	}
	key, err := session.DecodeKey(der)
	if err != nil {
		return nil, fmt.Errorf("NOVACRON_SIGNING_KEY: %w; `novacron secrets init` makes one", err)
	}
	return key, nil
}

// ensure puts the configured key into the ring unless it was ever there, or a first one into an empty ring.
func (k *keyring) ensure(ctx context.Context, configured string) error {
	if configured == "" {
		return k.add(ctx, false, func(rows []store.SigningKey) bool { return !slices.ContainsFunc(rows, signs) })
	}
	key, err := parseSigningKey(configured)
	if err != nil {
		return err
	}
	return k.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Lock(ctx, keyringLock); err != nil {
			return err
		}
		rows, err := t.SigningKeys(ctx)
		if err != nil {
			return err
		}
		kid := session.KeyID(&key.PublicKey)
		if slices.ContainsFunc(rows, func(r store.SigningKey) bool { return r.KID == kid }) {
			return nil
		}
		return k.insert(ctx, t, key, rows)
	})
}

// read gives the keys that verify, the newest last.
func (k *keyring) read(ctx context.Context) ([]session.SigningKey, error) {
	rows, err := k.db.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	var live []session.SigningKey
	for _, r := range slices.Backward(rows) {
		if !verifies(r, time.Now()) {
			continue
		}
		key, err := k.open(r)
		if err != nil {
			return nil, err
		}
		live = append(live, session.SigningKey{PrivateKey: key, From: r.Created.Add(keyDelay)})
		k.newest = r.Created
	}
	if len(live) == 0 {
		return nil, errors.New("the database holds none that signs")
	}
	return live, nil
}

func verifies(r store.SigningKey, now time.Time) bool {
	return len(r.Sealed) > 0 && (r.Retired.IsZero() || now.Sub(r.Retired) < keyLinger)
}

func (k *keyring) open(r store.SigningKey) (*rsa.PrivateKey, error) {
	if key, ok := k.opened[r.KID]; ok {
		return key, nil
	}
	der, err := k.seal.open(keyPurpose+r.KID, r.Sealed)
	if err != nil {
		return nil, err
	}
	key, err := session.DecodeKey(der)
	if err == nil {
		k.opened[r.KID] = key
	}
	return key, err
}

// run follows the ring in the database until stop closes, and makes the next key when the newest has become old.
func (k *keyring) run(stop <-chan struct{}) {
	tick := time.NewTicker(keyringPoll)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if err := k.follow(context.Background()); err != nil {
			k.log.Debug("signing keys were not looked at", "err", err) // the database's absence is reported by those who need it
		}
	}
}

func (k *keyring) follow(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.seal.follow(ctx); err != nil {
		return err
	}
	live, err := k.read(ctx)
	if err != nil {
		return err
	}
	k.keys.Replace(live)
	if time.Since(k.newest) < keyAge {
		return nil
	}
	return k.add(ctx, false, func(rows []store.SigningKey) bool {
		return !slices.ContainsFunc(rows, func(r store.SigningKey) bool { return signs(r) && time.Since(r.Created) < keyAge })
	})
}

// rotate makes a new key, which signs after keyDelay. With forget the others are removed, and with them every access token that they
// signed: those who hold one refresh it.
func (k *keyring) rotate(ctx context.Context, forget bool) error {
	if err := k.add(ctx, forget, func([]store.SigningKey) bool { return true }); err != nil {
		return err
	}
	return k.follow(ctx)
}

func signs(r store.SigningKey) bool { return r.Retired.IsZero() && len(r.Sealed) > 0 }

// add makes a new key if wanted says so of the ring as it stands.
func (k *keyring) add(ctx context.Context, forget bool, wanted func([]store.SigningKey) bool) error {
	// Making a key takes a while, and most starts need none.
	if rows, err := k.db.SigningKeys(ctx); err != nil || !wanted(rows) {
		return err
	}
	key, err := session.MakeKey()
	if err != nil {
		return err
	}
	return k.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Lock(ctx, keyringLock); err != nil {
			return err
		}
		rows, err := t.SigningKeys(ctx)
		if err != nil || !wanted(rows) {
			return err
		}
		if forget {
			for _, r := range rows {
				if err := t.ForgetSigningKey(ctx, r.KID); err != nil {
					return err
				}
			}
			rows = nil
		}
		return k.insert(ctx, t, key, rows)
	})
}

// insert makes key the newest and retires the others.
func (k *keyring) insert(ctx context.Context, t *store.Tx, key *rsa.PrivateKey, rows []store.SigningKey) error {
	live := 0
	for _, r := range rows {
		if verifies(r, time.Now()) {
			live++
		}
		if !r.Retired.IsZero() {
			continue
		}
		if err := t.RetireSigningKey(ctx, r.KID); err != nil {
			return err
		}
	}
	if live >= maxKeys {
		return fault.New(fault.Conflict, "keys_rotated", "the signing keys were rotated %d times just now; wait a quarter of an hour, or remove the old ones with --forget-old", live-1)
	}
	kid := session.KeyID(&key.PublicKey)
	return t.InsertSigningKey(ctx, &store.SigningKey{KID: kid, Sealed: k.seal.seal(keyPurpose+kid, session.EncodeKey(key))})
}
