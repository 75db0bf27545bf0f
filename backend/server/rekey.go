package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// The installation's key changes in three steps, each of which may be repeated after a crash and by any server:
//
//	begin   the new key is stored, sealed with the old one, and the old one sealed with it: from here on a server that was started
//	        with either holds both, and seals with the new one
//	sweep   every stored secret is sealed again, a batch at a time
//	finish  both sealed keys are removed, and with them all that the old one could open
//
// Between sweep and finish the operator puts the new key where the old one stood. Nothing has to be restarted for it.

const (
	keyChange     = "secret_key_change" // setting
	keyChangeLock = "secret_key"
	rekeyBatch    = 100 // rows in one transaction

	// rekeyDelay is how long after the beginning every server seals with the new key, and no transaction that sealed with the old one
	// is under way.
	rekeyDelay = keyDelay
)

// change is a change of keys that is under way.
type change struct {
	From, To      string // ids of the keys
	Begun         time.Time
	Forward, Back []byte // the new key sealed with the old one, and the old one sealed with the new one
}

func readChange(ctx context.Context, r *store.Reader) (*change, error) {
	raw, err := r.Setting(ctx, keyChange)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	var c change
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	return &c, err
}

// follow learns of a change from the database.
func (s *sealer) follow(ctx context.Context) error {
	if s.db == nil {
		return nil
	}
	c, err := readChange(ctx, &s.db.Reader)
	if err != nil || c == nil {
		return err
	}
	return s.take(c)
}

// take holds both keys of a change.
func (s *sealer) take(c *change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.id == c.To && s.other != nil && s.other.id == c.From {
		return nil
	}
	held, sealed, purpose := s.current, c.Forward, c.To
	switch s.current.id {
	case c.From:
	case c.To:
		sealed, purpose = c.Back, c.From
	default:
		return errOtherKey
	}
	raw, err := held.open(keyChange+"/"+purpose, sealed)
	if err != nil {
		return err
	}
	var found secretKey
	if err := json.Unmarshal(raw, &found); err != nil {
		return err
	}
	key, err := parseSecretKey(found.Value, found.Derived)
	if err != nil {
		return err
	}
	if s.current, s.other = key, held; held.id == c.To {
		s.current, s.other = held, key
	}
	return nil
}

// begin stores a new key, unless a change is under way, and gives the one that is.
func (s *sealer) begin(ctx context.Context) (*change, error) {
	var c *change
	err := s.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Lock(ctx, keyChangeLock); err != nil {
			return err
		}
		var err error
		if c, err = readChange(ctx, &t.Reader); err != nil || c != nil {
			return err
		}
		old, _ := s.keys()
		if c, err = old.changeTo(time.Now()); err != nil {
			return err
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if err := t.SetSetting(ctx, keyChange, raw); err != nil {
			return err
		}
		return t.Audit(store.AuditEntry{Actor: localActor, Action: "secrets.rotate", Subject: "secret_key/" + c.To, Result: "ok"})
	})
	if err != nil {
		return nil, err
	}
	return c, s.take(c)
}

const localActor = "admin socket"

// changeTo makes a new key and the change from k to it.
func (k *secretKey) changeTo(now time.Time) (*change, error) {
	next, err := k.newSecretKey()
	if err != nil {
		return nil, err
	}
	newer, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	older, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return &change{From: k.id, To: next.id, Begun: now.UTC(), Forward: k.seal(keyChange+"/"+next.id, newer), Back: next.seal(keyChange+"/"+k.id, older)}, nil
}

// purposes says, per table of sealed rows, what a row's secret is bound to.
var purposes = map[store.SealedTable]func(row string) string{
	store.SealedSigningKeys: func(kid string) string { return keyPurpose + kid },
	store.SealedSettings:    func(key string) string { return key },
	store.SealedFactors:     app.FactorPurpose,
	store.SealedMails:       func(string) string { return app.MailPurpose },
}

// sweep seals again what is not sealed with the current key. It gives how many rows it sealed and how many no key opens.
func (s *sealer) sweep(ctx context.Context) (sealed, dark int, err error) {
	for _, table := range store.SealedTables {
		for after, more := "", true; more; {
			var n, d int
			if after, n, d, err = s.sweepBatch(ctx, table, after); err != nil {
				return sealed, dark, fmt.Errorf("encrypt %s again: %w", table, err)
			}
			sealed, dark, more = sealed+n, dark+d, after != ""
		}
	}
	return sealed, dark, nil
}

// sweepBatch seals the rows behind after again and gives where the next batch begins; empty: there is none.
func (s *sealer) sweepBatch(ctx context.Context, table store.SealedTable, after string) (next string, sealed, dark int, err error) {
	current, _ := s.keys()
	err = s.db.Tx(ctx, func(t *store.Tx) error {
		next, sealed, dark = "", 0, 0
		rows, err := t.SealedRows(ctx, table, after, rekeyBatch)
		if err != nil {
			return err
		}
		for _, r := range rows {
			purpose := purposes[table](r.ID)
			if _, err := current.open(purpose, r.Sealed); err == nil {
				continue
			}
			secret, err := s.openHeld(purpose, r.Sealed)
			if err != nil {
				dark++
				continue
			}
			done, err := t.Reseal(ctx, table, r, current.seal(purpose, secret))
			if err != nil {
				return err
			}
			if done {
				sealed++
			}
		}
		if len(rows) == rekeyBatch {
			next = rows[len(rows)-1].ID
		}
		return nil
	})
	return next, sealed, dark, err
}

// secretKeyChange tells what is known of the key and of a change that is under way.
func (s *Server) secretKeyChange(ctx context.Context) (wire.SecretKeyChange, error) {
	if err := s.seal.follow(ctx); err != nil {
		return wire.SecretKeyChange{}, err
	}
	c, err := readChange(ctx, &s.db.Reader)
	if err != nil {
		return wire.SecretKeyChange{}, err
	}
	out := wire.SecretKeyChange{Underway: c != nil, Shared: s.o.DatabaseURL != "", Derived: s.o.secretKeyFile() == ""}
	if name := s.o.secretKeyFile(); name != "" {
		if out.File, err = filepath.Abs(name); err != nil {
			return out, err
		}
	}
	current, other := s.seal.keys()
	if out.Key = current.Value; c != nil && other != nil {
		out.Old = other.Value
	}
	return out, nil
}

// rotateSecretKey begins a change of the key, or goes on with the one that is under way, and returns when everything is sealed with
// the new key.
func (s *Server) rotateSecretKey(ctx context.Context) (wire.SecretKeyChange, error) {
	if _, err := s.seal.begin(ctx); err != nil {
		return wire.SecretKeyChange{}, err
	}
	n, dark, err := s.seal.sweep(ctx)
	if err != nil {
		return wire.SecretKeyChange{}, err
	}
	out, err := s.secretKeyChange(ctx)
	out.Sealed, out.Dark = n, dark
	return out, err
}

// finishSecretKey ends a change: what servers sealed with the old key until they heard of the new one is sealed again, and nothing
// opens with the old one any more.
func (s *Server) finishSecretKey(ctx context.Context) (wire.SecretKeyChange, error) {
	c, err := readChange(ctx, &s.db.Reader)
	if err == nil && c == nil {
		err = fault.New(fault.Conflict, "secret_key_change", "no change of the key is under way; `novacron secrets rotate` begins one")
	}
	if err == nil {
		err = s.seal.take(c)
	}
	if err != nil {
		return wire.SecretKeyChange{}, err
	}
	select {
	case <-time.After(time.Until(c.Begun.Add(s.rekeyDelay))):
	case <-ctx.Done():
		return wire.SecretKeyChange{}, ctx.Err()
	case <-s.stopping:
		return wire.SecretKeyChange{}, errors.New("the server stops; repeat the command when it runs again")
	}
	return s.endChange(ctx, c)
}

func (s *Server) endChange(ctx context.Context, c *change) (wire.SecretKeyChange, error) {
	n, dark, err := s.seal.sweep(ctx)
	if err != nil {
		return wire.SecretKeyChange{}, err
	}
	err = s.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.DropSetting(ctx, keyChange); err != nil {
			return err
		}
		return t.Audit(store.AuditEntry{Actor: localActor, Action: "secrets.rotated", Subject: "secret_key/" + c.To, Result: "ok"})
	})
	return wire.SecretKeyChange{Sealed: n, Dark: dark}, err
}
