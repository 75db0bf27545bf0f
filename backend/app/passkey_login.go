package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// BeginPasskeyLogin gives what the browser asks its authenticator for: with the challenge of a sign-in by password one of that
// account's passkeys, else any passkey of this place.
func (a *Accounts) BeginPasskeyLogin(ctx context.Context, challenge string) (out wire.PasskeyChallenge, err error) {
	w, err := a.passkeys()
	if err != nil {
		return out, err
	}
	verify := webauthn.WithUserVerification(protocol.VerificationRequired)
	if challenge == "" {
		options, session, err := w.BeginDiscoverableLogin(verify)
		if err != nil {
			return out, fmt.Errorf("begin a sign-in by passkey: %w", err)
		}
		return a.offer(ctx, purposePasskey, "", options, session)
	}
	var h holder
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.TryOneUse(ctx, purposeStep, hashSecret(challenge), stepTries, a.now())
		if err != nil {
			return err
		}
		u, err := t.User(ctx, o.User)
		if err == nil {
			h, err = a.holder(ctx, &t.Reader, u)
		}
		return err
	})
	if fault.Is(err, fault.Unauthenticated) {
		return out, fault.Wrap(err, fault.Unauthenticated, "challenge_ended", "this sign-in took too long or too many tries; begin again with the password")
	}
	if err == nil && len(h.keys) == 0 {
		err = fault.New(fault.NotFound, "passkey_not_found", "this account has no passkey; use a code of the app or a backup code")
	}
	if err != nil {
		return out, err
	}
	options, session, err := w.BeginLogin(h, verify)
	if err != nil {
		return out, fmt.Errorf("begin a sign-in by passkey: %w", err)
	}
	return a.offer(ctx, purposePasskey, h.ID, options, session)
}

var errCloned = fault.New(fault.Unauthenticated, "passkey_cloned", "the counter of this passkey went back, so there may be a copy of it; sign in in another way and remove it")

// FinishPasskeyLogin ends a sign-in with a passkey. A sign counter that does not go forward is that of a copy of the authenticator, and
// lets nobody in.
func (a *Accounts) FinishPasskeyLogin(ctx context.Context, challenge string, credential json.RawMessage, p Peer) (SignIn, error) {
	w, err := a.passkeys()
	if err != nil {
		return SignIn{}, err
	}
	owner, session, err := a.taken(ctx, purposePasskey, challenge)
	if err != nil {
		return SignIn{}, err
	}
	refused := fault.New(fault.Unauthenticated, "passkey_refused", "this passkey is not known here; sign in in another way")
	parsed, err := protocol.ParseCredentialRequestResponseBytes(credential)
	if err != nil {
		return SignIn{}, refused
	}
	if owner == "" {
		owner = id.User(parsed.Response.UserHandle)
	}
	var u store.User
	var why error
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if u, why = t.User(ctx, owner); why != nil {
			return passing(why)
		}
		if why = a.assert(ctx, t, w, u, session, parsed); why == nil {
			return nil
		}
		result := "passkey_refused"
		if errors.Is(why, errCloned) {
			result = "passkey_cloned"
		}
		return errors.Join(passing(why), t.Audit(entry(p.as(u), "auth.login", u.Tenant, userSubject(u.ID), result, nil)))
	})
	switch {
	case err != nil:
		return SignIn{}, err
	case errors.Is(why, errCloned):
		return SignIn{}, errCloned
	case why != nil:
		return SignIn{}, refused
	case u.Disabled:
		return SignIn{}, refused
	case u.Unverified && a.mails:
		return SignIn{}, unverified()
	}
	return a.begin(ctx, u, p)
}

// passing is an error of the database, which is no fault of who signs in; nil for every other.
func passing(err error) error {
	if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Internal) {
		return err
	}
	return nil
}

// assert checks a passkey's answer under the lock of the account's passkeys, and keeps the new counter.
func (a *Accounts) assert(ctx context.Context, t *store.Tx, w *webauthn.WebAuthn, u store.User, session webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) error {
	h, err := a.holder(ctx, &t.Reader, u)
	if err != nil {
		return err
	}
	var used *webauthn.Credential
	if len(session.UserID) == 0 {
		used, err = w.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
			if id.User(handle) != u.ID {
				return nil, fault.New(fault.Unauthenticated, "", "not this account's")
			}
			return h, nil
		}, session, parsed)
	} else {
		used, err = w.ValidateLogin(h, session, parsed)
	}
	switch {
	case err != nil:
		return fault.Wrap(err, fault.Unauthenticated, "passkey_refused", "the answer of the passkey is not right")
	case used.Authenticator.CloneWarning:
		return errCloned
	}
	raw, err := json.Marshal(used)
	if err != nil {
		return fmt.Errorf("passkey: %w", err)
	}
	return t.UsePasskey(ctx, passkeyID(used.ID), raw, a.now())
}
