package app

import (
	"context"
	"time"

	"github.com/ccojocar/zxcvbn-go"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// Who may register.
const (
	RegisterOpen    = "open"    // everybody; each account has a tenant of its own
	RegisterInvited = "invited" // with a one-use invitation
	RegisterClosed  = "closed"
)

// openQuota is the tenant of an account that made itself.
var openQuota = wire.Quota{VMs: 5, CPUs: 8, MemoryMiB: 16 << 10, DiskGiB: 100, Addresses: 10, Snapshots: 20}

// Purposes of one-use secrets, and how long they are good.
const (
	purposeVerify = "verify"
	purposeReset  = "reset"
	purposeStep   = "2fa"
	purposeProof  = "proof"
	verifyLife    = 24 * time.Hour
	resetLife     = 30 * time.Minute
	stepLife      = 5 * time.Minute
)

// minEntropy is how many bits of guessing a password must cost by zxcvbn's estimate, which knows dictionaries, names, dates, keyboards
// and the passwords that leaked most. 25 bits are above all of the latter.
const minEntropy = 25

// maxEstimated bounds the estimate's work: what stands behind makes no password weaker.
const maxEstimated = 64

// checkPassword refuses what is too short, or easy to guess for somebody who knows the account.
func checkPassword(password string, names ...string) error {
	if err := auth.CheckPassword(password, names...); err != nil {
		return err
	}
	r := []rune(password)
	if zxcvbn.PasswordStrength(string(r[:min(len(r), maxEstimated)]), append(names, "novacron")).Entropy < minEntropy {
		return fault.New(fault.Invalid, "password_guessable", "this password is among those that are guessed first; a few words that have nothing to do with each other are good").On("password")
	}
	return nil
}

// Register makes an account for whoever asks. Whether the e-mail address has one already is told to that address only. Registered:
// whether a mail must be answered before the first sign-in.
func (a *Accounts) Register(ctx context.Context, w wire.Register, p Peer) (wire.Registered, error) {
	out := wire.Registered{VerificationRequired: a.mails, Message: "a mail was sent to this address; open the link in it, then sign in"}
	if !a.mails {
		out.Message = "you can sign in now"
	}
	switch {
	case a.registration == RegisterClosed:
		return out, fault.New(fault.Forbidden, "registration_closed", "nobody can register here; ask an administrator for an account")
	case a.registration == RegisterInvited && w.Invite == "":
		return out, fault.New(fault.Forbidden, "invitation_needed", "registering needs an invitation here; ask an administrator for one").On("invite")
	}
	if err := checkAccount(w.Username, w.Email, w.Password); err != nil {
		return out, err
	}
	defer even(ctx, time.Now())
	var hash string
	err := a.hashing(ctx, func() (err error) { hash, err = auth.Hash(w.Password, a.params); return err })
	if err != nil {
		return out, err
	}
	return out, a.db.Tx(ctx, func(t *store.Tx) error { return a.register(ctx, t, w, hash, p) })
}

func (a *Accounts) register(ctx context.Context, t *store.Tx, w wire.Register, hash string, p Peer) error {
	u := store.User{ID: id.NewUser(), Username: w.Username, Email: w.Email, PasswordHash: hash, Role: auth.Developer, Unverified: true, Created: a.now()}
	c := auth.Caller{User: u.ID, Name: u.Username, Address: p.Address, Request: p.Request}
	if err := a.place(ctx, t, c, &u, w.Invite); err != nil {
		return err
	}
	// The address before the name: the name's refusal must not tell that the address would have been taken.
	owner, err := t.UserByLogin(ctx, w.Email)
	if err == nil && store.Fold(owner.Email) == store.Fold(w.Email) {
		return a.tell(ctx, t, owner)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if u.Tenant == "" {
		n := store.Tenant{ID: id.NewTenant(), Name: w.Username, Quota: quotaText(openQuota), Created: a.now()}
		if _, err := t.TenantByName(ctx, n.Name); err == nil {
			n.Name = w.Username + " " + string(n.ID[len(n.ID)-6:]) // a tenant that an administrator named so
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		if err := t.InsertTenant(ctx, &n); err != nil {
			return err
		}
		u.Tenant = n.ID
	}
	if err := t.InsertUser(ctx, &u); err != nil {
		return err
	}
	if err := audit(t, c, "user.register", u.Tenant, userSubject(u.ID), map[string]any{"username": u.Username}); err != nil {
		return err
	}
	return a.sendVerification(ctx, t, u)
}

// tell writes to the owner of an address that somebody registered with it.
func (a *Accounts) tell(ctx context.Context, t *store.Tx, owner store.User) error {
	ok, err := a.slow(ctx, t, hashSecret("taken\x00"+string(owner.ID)), 1)
	if err != nil || !ok {
		return err
	}
	return a.post(ctx, t, notify.Taken, owner.Email, "taken/"+string(id.NewToken()), notify.Data{Name: owner.Username})
}

func (a *Accounts) sendVerification(ctx context.Context, t *store.Tx, u store.User) error {
	secret, err := a.issue(ctx, t, purposeVerify, u.ID, u.Email, verifyLife)
	if err != nil {
		return err
	}
	return a.post(ctx, t, notify.Verify, u.Email, "verify/"+hashSecret(secret), notify.Data{Name: u.Username, Link: a.link("/auth/verify-email", secret), Ends: "24 hours"})
}

// VerifyEmail takes the secret of the mail.
func (a *Accounts) VerifyEmail(ctx context.Context, token string, p Peer) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		o, err := t.TakeOneUse(ctx, purposeVerify, hashSecret(token), a.now())
		if err != nil {
			return err
		}
		u, err := t.User(ctx, o.User)
		if err != nil {
			return err
		}
		if store.Fold(u.Email) != store.Fold(o.Content) {
			return fault.New(fault.Conflict, "email_changed", "the account has another e-mail address by now; ask for another link")
		}
		u.Unverified = false
		if err := t.UpdateUser(ctx, &u); err != nil {
			return err
		}
		return audit(t, p.as(u), "user.verify_email", u.Tenant, userSubject(u.ID), nil)
	})
}

// ResendVerification sends the mail again. Whatever stands behind the address, the answer is the same.
func (a *Accounts) ResendVerification(ctx context.Context, email string) error {
	return a.write(ctx, email, func(t *store.Tx, u store.User, known bool) error {
		if known && u.Unverified {
			return a.sendVerification(ctx, t, u)
		}
		_, err := a.issue(ctx, t, "none", "", "", resetLife) // the same work
		return err
	})
}

// write does what sends mail to an address, at most some times an hour for one address. Every address costs the same.
func (a *Accounts) write(ctx context.Context, email string, f func(t *store.Tx, u store.User, known bool) error) error {
	if err := auth.CheckEmail(email); err != nil {
		return err
	}
	defer even(ctx, time.Now())
	return a.db.Tx(ctx, func(t *store.Tx) error {
		ok, err := a.slow(ctx, t, hashSecret("mail\x00"+store.Fold(email)), 3)
		if err != nil || !ok {
			return err
		}
		u, err := t.UserByLogin(ctx, email)
		known := err == nil && store.Fold(u.Email) == store.Fold(email) && !u.Disabled
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return f(t, u, known)
	})
}

// ForgotPassword sends a link to choose a new password. The answer does not tell whether there is an account.
func (a *Accounts) ForgotPassword(ctx context.Context, email string) error {
	return a.write(ctx, email, func(t *store.Tx, u store.User, known bool) error {
		if !known || u.PasswordHash == "" { // without a password they sign in at the OpenID provider
			secret, err := a.issue(ctx, t, "none", "", "", resetLife) // the same work
			if err != nil {
				return err
			}
			return a.post(ctx, t, notify.NoAccount, email, "reset/"+hashSecret(secret), notify.Data{})
		}
		secret, err := a.issue(ctx, t, purposeReset, u.ID, "", resetLife)
		if err != nil {
			return err
		}
		return a.post(ctx, t, notify.Reset, u.Email, "reset/"+hashSecret(secret), notify.Data{Name: u.Username, Link: a.link("/auth/reset-password", secret), Ends: "30 minutes"})
	})
}
