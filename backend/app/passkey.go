package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// A passkey stands for two factors: the authenticator that one has, and the finger or PIN that it asks for, which is always
// demanded. So it ends a sign-in that began with the password, and makes one without.
const (
	purposePasskeyNew = "passkey-new"
	purposePasskey    = "passkey"
	maxPasskeys       = 20 // of one account
)

// newWebAuthn binds passkeys to the public URL. nil: browsers make none for an address in place of a name.
func newWebAuthn(publicURL string) *webauthn.WebAuthn {
	u, err := url.Parse(publicURL)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: strings.ToLower(u.Hostname()), RPDisplayName: "NovaCron", RPOrigins: []string{u.Scheme + "://" + u.Host},
		// Attestation tells the make of an authenticator. Nothing here depends on it, so nobody is asked to show it.
		AttestationPreference:  protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		return nil
	}
	return w
}

func (a *Accounts) passkeys() (*webauthn.WebAuthn, error) {
	if a.webauthn == nil {
		return nil, fault.New(fault.Unsupported, "passkeys_unsupported", "browsers make passkeys for a name only; set NOVACRON_PUBLIC_URL to a URL with one, not with an address")
	}
	return a.webauthn, nil
}

// holder is an account as the ceremonies see it.
type holder struct {
	store.User
	keys []store.Passkey
}

// WebAuthnID and its siblings implement webauthn.User. The handle is the account's id, which is random and tells nothing.
func (h holder) WebAuthnID() []byte          { return []byte(h.ID) }
func (h holder) WebAuthnName() string        { return h.Username }
func (h holder) WebAuthnDisplayName() string { return h.Username }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, 0, len(h.keys))
	for _, k := range h.keys {
		var c webauthn.Credential
		if json.Unmarshal(k.Credential, &c) == nil {
			out = append(out, c)
		}
	}
	return out
}

func (a *Accounts) holder(ctx context.Context, r *store.Reader, u store.User) (holder, error) {
	keys, err := r.PasskeysOf(ctx, u.ID)
	return holder{u, keys}, err
}

// BeginPasskey asks for the password and gives what the browser makes a passkey from.
func (a *Accounts) BeginPasskey(ctx context.Context, c auth.Caller, password string) (out wire.PasskeyChallenge, err error) {
	w, err := a.passkeys()
	if err != nil {
		return out, err
	}
	u, err := a.reauthenticate(ctx, c, password)
	if err != nil {
		return out, err
	}
	h, err := a.holder(ctx, &a.db.Reader, u)
	if err != nil {
		return out, err
	}
	if len(h.keys) >= maxPasskeys {
		return out, fault.New(fault.Exhausted, "too_many_passkeys", "you have %d passkeys, which is the most; remove one", len(h.keys))
	}
	options, session, err := w.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return out, fmt.Errorf("begin a passkey: %w", err)
	}
	return a.offer(ctx, purposePasskeyNew, u.ID, options, session)
}

// offer keeps the ceremony's state for its one answer.
func (a *Accounts) offer(ctx context.Context, purpose string, u id.User, options any, session *webauthn.SessionData) (out wire.PasskeyChallenge, err error) {
	state, err := json.Marshal(session)
	if err != nil {
		return out, fmt.Errorf("passkey: %w", err)
	}
	if out.Options, err = json.Marshal(options); err != nil {
		return out, fmt.Errorf("passkey: %w", err)
	}
	return out, a.db.Tx(ctx, func(t *store.Tx) error {
		out.ChallengeToken, err = a.issueBeside(ctx, t, purpose, u, string(state), stepLife)
		return err
	})
}

// taken is the ceremony that a challenge token began. It is good once, whatever the answer is.
func (a *Accounts) taken(ctx context.Context, purpose, token string) (u id.User, s webauthn.SessionData, err error) {
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.TakeOneUse(ctx, purpose, hashSecret(token), a.now())
		if err != nil {
			return err
		}
		u = o.User
		return json.Unmarshal([]byte(o.Content), &s)
	})
	if fault.Is(err, fault.Unauthenticated) {
		err = fault.Wrap(err, fault.Unauthenticated, "challenge_ended", "this took too long or was answered already; begin again")
	}
	return u, s, err
}

// FinishPasskey keeps the passkey that the browser made. The first second factor of an account comes with backup codes.
func (a *Accounts) FinishPasskey(ctx context.Context, c auth.Caller, r wire.NewPasskey) (out wire.PasskeyMade, err error) {
	w, err := a.passkeys()
	if err != nil {
		return out, err
	}
	if err := checkLabel("passkey", r.Name); err != nil {
		return out, err
	}
	owner, session, err := a.taken(ctx, purposePasskeyNew, r.ChallengeToken)
	if err != nil {
		return out, err
	}
	refused := fault.New(fault.Invalid, "passkey_refused", "the browser's answer is not a passkey for this account and address; begin again").On("credential")
	parsed, err := protocol.ParseCredentialCreationResponseBytes(r.Credential)
	if err != nil || owner != c.User {
		return out, refused
	}
	u, err := a.user(ctx, c.User)
	if err != nil {
		return out, err
	}
	made, err := w.CreateCredential(holder{User: u}, session, parsed)
	if err != nil {
		return out, refused
	}
	credential, err := json.Marshal(made)
	if err != nil {
		return out, fmt.Errorf("passkey: %w", err)
	}
	k := store.Passkey{ID: passkeyID(made.ID), User: u.ID, Name: r.Name, Credential: credential, Created: a.now()}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		out = wire.PasskeyMade{Passkey: passkeyView(k)}
		before, err := t.Standing(ctx, u.ID, "")
		if err != nil {
			return err
		}
		if err := t.InsertPasskey(ctx, &k); err != nil {
			return err
		}
		if err := audit(t, c, "passkey.add", u.Tenant, userSubject(u.ID), map[string]any{"name": k.Name}); err != nil {
			return err
		}
		if !before.HasFactor {
			codes, err := a.newCodes(ctx, t, u, c)
			if err != nil {
				return err
			}
			out.BackupCodes = codes.Codes
		}
		return a.post(ctx, t, notify.PasskeyAdded, u.Email, "passkey/"+k.ID, notify.Data{Name: u.Username, Address: c.Address})
	})
	return out, err
}

func passkeyID(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func passkeyView(k store.Passkey) wire.Passkey {
	return wire.Passkey{ID: k.ID, Name: k.Name, CreatedAt: k.Created, LastUsedAt: timeOrNil(k.Used)}
}

// Passkeys lists the caller's passkeys.
func (a *Accounts) Passkeys(ctx context.Context, c auth.Caller) (wire.List[wire.Passkey], error) {
	all, err := a.db.PasskeysOf(ctx, c.User)
	return mapped(store.List[store.Passkey]{Items: all, Total: len(all)}, passkeyView), err
}

// RemovePasskey ends one of the caller's passkeys, but not the last that keeps a required second factor, nor the only way in.
func (a *Accounts) RemovePasskey(ctx context.Context, c auth.Caller, passkey, password string) error {
	u, err := a.reauthenticate(ctx, c, password)
	if err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		// Two removals at once must not each find the other's passkey still there.
		if err := t.Lock(ctx, "passkeys/"+string(u.ID)); err != nil {
			return err
		}
		if err := t.DeletePasskey(ctx, u.ID, passkey); err != nil {
			return err
		}
		if err := a.keepsWays(ctx, t, c, u); err != nil {
			return err
		}
		if err := audit(t, c, "passkey.remove", u.Tenant, userSubject(u.ID), map[string]any{"id": passkey}); err != nil {
			return err
		}
		return a.post(ctx, t, notify.PasskeyRemoved, u.Email, "passkey-removed/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: c.Address})
	})
}

// keepsWays refuses what has left the account without a second factor where it needs one, or without any way to sign in.
func (a *Accounts) keepsWays(ctx context.Context, t *store.Tx, c auth.Caller, u store.User) error {
	s, err := t.Standing(ctx, u.ID, placeOf(c).chosen)
	if err != nil || s.HasFactor {
		return err
	}
	if a.requireFactor || s.Requires {
		return fault.New(fault.Conflict, "last_factor", "a second factor is needed here and this passkey is your only one; add another passkey or turn the authenticator app on first")
	}
	if u.PasswordHash != "" {
		return nil
	}
	linked := false
	if a.oidc != nil {
		linked, err = t.HasIdentity(ctx, a.oidc.set.Issuer, u.ID)
	}
	if err == nil && !linked {
		err = fault.New(fault.Conflict, "last_way_in", "this account has no password and signs in at no provider, so this passkey is its only way in; add another passkey first")
	}
	return err
}
