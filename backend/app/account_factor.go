package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// The second factor is TOTP (RFC 6238) with what every authenticator app takes: SHA-1, six digits, 30 seconds. A code of the step
// before or after is taken too, for clocks that differ; each step once.
const (
	totpStep     = 30 // seconds
	totpSkew     = 1  // steps
	qrPixels     = 256
	backupCodes  = 10
	backupBytes  = 15 // 120 random bits: from 112 on a plain hash keeps a code (ASVS 6.5.2)
	stepTries    = 5  // codes for one challenge
	codeWrong    = "the code is wrong or was used; take the next one that the app shows"
	maxCodeBytes = 64
)

// SetupFactor makes a TOTP secret, after proof: who turns a second factor on keeps everybody else out. It asks for nothing until a code of
// it was shown.
func (a *Accounts) SetupFactor(ctx context.Context, c auth.Caller) (out wire.FactorSetup, err error) {
	if a.seal == nil {
		return out, fault.New(fault.Internal, "seal_missing", "a second factor cannot be kept without the key that encrypts it")
	}
	if err := a.proven(ctx, c); err != nil {
		return out, err
	}
	u, err := a.user(ctx, c.User)
	if err != nil {
		return out, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "NovaCron", AccountName: u.Username, SecretSize: 20})
	if err != nil {
		return out, fmt.Errorf("make a TOTP secret: %w", err)
	}
	picture, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return out, fmt.Errorf("draw the QR code: %w", err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, picture); err != nil {
		return out, fmt.Errorf("draw the QR code: %w", err)
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		f, err := t.Factor(ctx, u.ID)
		if err == nil && f.Enabled {
			return fault.New(fault.Conflict, "second_factor_on", "two-factor authentication is on; turn it off before you set it up anew")
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return t.PutFactor(ctx, store.Factor{User: u.ID, Sealed: a.seal.Seal(FactorPurpose(string(u.ID)), []byte(key.Secret())), Created: a.now()})
	})
	return wire.FactorSetup{Secret: key.Secret(), URL: key.URL(), QR: buf.Bytes()}, err
}

// EnableFactor turns two-factor authentication on with a right code, and gives the backup codes once.
func (a *Accounts) EnableFactor(ctx context.Context, c auth.Caller, code string) (out wire.BackupCodes, err error) {
	u, err := a.user(ctx, c.User)
	if err != nil {
		return out, err
	}
	g := guardOf("code", "", u, Peer{Address: c.Address})
	if err := a.admit(ctx, g); err != nil {
		return out, err
	}
	wrong := false
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		wrong = false
		f, err := t.Factor(ctx, u.ID)
		if err != nil {
			return err
		}
		if f.Enabled {
			return fault.New(fault.Conflict, "second_factor_on", "two-factor authentication is on already")
		}
		if err := a.admitOne(ctx, t, g); err != nil {
			return err
		}
		if ok, err := a.spendTOTP(ctx, t, f, code); err != nil || !ok {
			wrong = err == nil
			if wrong {
				err = a.failed(ctx, t, g)
			}
			return err
		}
		if f, err = t.Factor(ctx, u.ID); err != nil { // with the step that was spent
			return err
		}
		f.Enabled = true
		if err := t.PutFactor(ctx, f); err != nil {
			return err
		}
		if err := audit(t, c, "2fa.enable", u.Tenant, userSubject(u.ID), nil); err != nil {
			return err
		}
		out, err = a.newCodes(ctx, t, u, c)
		return err
	})
	if err == nil && wrong {
		return wire.BackupCodes{}, fault.New(fault.Invalid, "code_wrong", codeWrong).On("code")
	}
	return out, err
}

// spendTOTP takes a code whose step was not taken before.
func (a *Accounts) spendTOTP(ctx context.Context, t *store.Tx, f store.Factor, code string) (bool, error) {
	secret, err := a.seal.Open(FactorPurpose(string(f.User)), f.Sealed)
	if err != nil {
		return false, fmt.Errorf("second factor of %s: %w", f.User, err)
	}
	code = strings.ReplaceAll(code, " ", "")
	at := a.now().Unix() / totpStep
	for step := at - totpSkew; step <= at+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(string(secret), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return false, fmt.Errorf("second factor of %s: %w", f.User, err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return t.SpendStep(ctx, f.User, step)
		}
	}
	return false, nil
}

// newCodes makes backup codes in place of all older ones, and tells the owner.
func (a *Accounts) newCodes(ctx context.Context, t *store.Tx, u store.User, c auth.Caller) (wire.BackupCodes, error) {
	out := wire.BackupCodes{Codes: make([]string, backupCodes)}
	hashes := make([]string, backupCodes)
	for i := range out.Codes {
		raw := make([]byte, backupBytes)
		rand.Read(raw)
		s := strings.ToLower(base32.StdEncoding.EncodeToString(raw)) // 24 characters
		out.Codes[i] = strings.Join([]string{s[:4], s[4:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
		hashes[i] = backupHash(u.ID, out.Codes[i])
	}
	if err := t.PutBackupCodes(ctx, u.ID, hashes); err != nil {
		return out, err
	}
	return out, a.post(ctx, t, notify.CodesMade, u.Email, "codes/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: c.Address})
}

func backupHash(u id.User, code string) string {
	return hashSecret(string(u) + "\x00" + strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code)))
}

// DisableFactor turns two-factor authentication off.
func (a *Accounts) DisableFactor(ctx context.Context, c auth.Caller, password string) error {
	u, err := a.reauthenticate(ctx, c, password)
	if err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		f, err := t.Factor(ctx, u.ID)
		if err != nil {
			return err
		}
		if err := t.DeleteFactor(ctx, u.ID); err != nil || !f.Enabled {
			return err
		}
		if err := audit(t, c, "2fa.disable", u.Tenant, userSubject(u.ID), nil); err != nil {
			return err
		}
		return a.post(ctx, t, notify.FactorOff, u.Email, "off/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: c.Address})
	})
}

// RenewCodes makes new backup codes.
func (a *Accounts) RenewCodes(ctx context.Context, c auth.Caller, password string) (out wire.BackupCodes, err error) {
	u, err := a.reauthenticate(ctx, c, password)
	if err != nil {
		return out, err
	}
	return out, a.db.Tx(ctx, func(t *store.Tx) error {
		s, err := t.Standing(ctx, u.ID, "")
		if err == nil && !s.HasFactor {
			return fault.New(fault.Conflict, "second_factor_off", "two-factor authentication is off; turn it on first")
		}
		if err != nil {
			return err
		}
		if err := audit(t, c, "2fa.backup_codes", u.Tenant, userSubject(u.ID), nil); err != nil {
			return err
		}
		out, err = a.newCodes(ctx, t, u, c)
		return err
	})
}

// FactorStatus says whether two-factor authentication is on.
func (a *Accounts) FactorStatus(ctx context.Context, c auth.Caller) (out wire.FactorStatus, err error) {
	s, err := a.standing(ctx, placeOf(c))
	if err != nil {
		return out, err
	}
	out.Enabled, out.Required = s.HasFactor, a.requireFactor || s.Requires
	if out.Methods, err = a.methods(ctx, c.User); err != nil {
		return out, err
	}
	out.BackupCodesLeft, err = a.db.CountBackupCodes(ctx, c.User)
	return out, err
}

// methods are the second factors that the account can show: totp, passkey, and backup_code with either.
func (a *Accounts) methods(ctx context.Context, u id.User) ([]string, error) {
	out := []string{}
	f, err := a.db.Factor(ctx, u)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if err == nil && f.Enabled {
		out = append(out, "totp")
	}
	keys, err := a.db.PasskeysOf(ctx, u)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		out = append(out, "passkey")
	}
	if len(out) > 0 {
		out = append(out, "backup_code")
	}
	return out, nil
}

// challenge begins the second step of a sign-in, if the account asks for one.
func (a *Accounts) challenge(ctx context.Context, u store.User) (s SignIn, err error) {
	if s.Methods, err = a.methods(ctx, u.ID); err != nil || len(s.Methods) == 0 {
		return s, err
	}
	return s, a.db.Tx(ctx, func(t *store.Tx) error {
		// Several sign-ins may be under way at once, so older challenges stay.
		s.Challenge, err = a.issueBeside(ctx, t, purposeStep, u.ID, "", stepLife)
		return err
	})
}

// VerifyLogin ends a sign-in with a code of the app or a backup code.
func (a *Accounts) VerifyLogin(ctx context.Context, challenge, code string, p Peer) (SignIn, error) {
	var u store.User
	var refused error
	hash := hashSecret(challenge)
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		u, refused = store.User{}, nil
		o, err := t.TryOneUse(ctx, purposeStep, hash, stepTries, a.now())
		if err != nil {
			return err
		}
		if u, err = t.User(ctx, o.User); err != nil {
			return err
		}
		g := guardOf("code", "", u, p)
		if refused = a.admitOne(ctx, t, g); refused != nil {
			return nil
		}
		ok, backup, err := a.spendCode(ctx, t, u, code)
		if err != nil {
			return err
		}
		if !ok {
			refused = fault.New(fault.Unauthenticated, "code_wrong", codeWrong).On("code")
			if err := t.Audit(entry(p.as(u), "auth.login", u.Tenant, userSubject(u.ID), "code_wrong", nil)); err != nil {
				return err
			}
			return a.failed(ctx, t, g)
		}
		if _, err := t.TakeOneUse(ctx, purposeStep, hash, a.now()); err != nil {
			return err
		}
		if !backup {
			return nil
		}
		left, err := t.CountBackupCodes(ctx, u.ID)
		if err != nil {
			return err
		}
		return a.post(ctx, t, notify.CodeUsed, u.Email, "code/"+hash, notify.Data{Name: u.Username, Address: p.Address, Left: left})
	})
	if fault.Is(err, fault.Unauthenticated) {
		return SignIn{}, fault.Wrap(err, fault.Unauthenticated, "challenge_ended", "this sign-in took too long or too many tries; begin again with the password")
	}
	if err != nil || refused != nil {
		return SignIn{}, firstError(err, refused)
	}
	if u.Disabled {
		return SignIn{}, wrongLogin()
	}
	return a.begin(ctx, u, p)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Accounts) spendCode(ctx context.Context, t *store.Tx, u store.User, code string) (ok, backup bool, err error) {
	if len(code) > maxCodeBytes {
		return false, false, nil
	}
	f, err := t.Factor(ctx, u.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return false, false, err
	}
	if err == nil && f.Enabled {
		if ok, err = a.spendTOTP(ctx, t, f, code); err != nil || ok {
			return ok, false, err
		}
	}
	ok, err = t.SpendBackupCode(ctx, u.ID, backupHash(u.ID, code))
	return ok, true, err
}
