package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/session"
	"novacron/backend/store"
)

// maxHashWaiters bounds the sign-ins that wait for their turn to be hashed; each hash takes 46 MiB and about 100 ms.
const maxHashWaiters = 64

// AccountDeps is what Accounts stands on. All but Params and Now must be given.
type AccountDeps struct {
	App      *App
	Store    *store.DB
	Sessions session.Store
	Keys     *session.Keys
	Params   auth.Params      // of new password hashes; zero: auth.DefaultParams
	Now      func() time.Time // nil: time.Now

	Seal          Sealer // encrypts second factors and queued mail; nil: neither can be used
	PublicURL     string // what links in mails begin with
	Registration  string // RegisterOpen, RegisterInvited or RegisterClosed; empty: RegisterOpen
	Mails         bool   // an SMTP server is set, so people can be asked to answer a mail
	RequireFactor bool   // every account needs a second factor
	OIDC          *OIDC  // where people may sign in beside here; nil: nowhere
}

// Accounts signs people in and out. Its methods may be called from several goroutines.
type Accounts struct {
	app      *App
	db       *store.DB
	sessions session.Store
	far      bool // asking them is a round trip
	keys     *session.Keys
	params   auth.Params
	now      func() time.Time
	slots    chan struct{} // one per hash that may run at once
	waiting  atomic.Int32

	standings standings
	trusted   trusted

	seal          Sealer
	publicURL     string
	registration  string
	mails         bool
	requireFactor bool
	webauthn      *webauthn.WebAuthn // nil: see passkeys
	oidc          *provider          // nil: none is set
}

// NewAccounts makes the verbs of accounts.
func NewAccounts(d AccountDeps) *Accounts {
	if d.Params == (auth.Params{}) {
		d.Params = auth.DefaultParams
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	var oidc *provider
	if d.OIDC != nil {
		oidc = newProvider(*d.OIDC)
	}
	far, ok := d.Sessions.(session.Far)
	return &Accounts{app: d.App, db: d.Store, sessions: d.Sessions, far: ok && far.Far(), keys: d.Keys, params: d.Params, now: d.Now,
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		seal:  d.Seal, publicURL: trimURL(d.PublicURL), registration: d.Registration, mails: d.Mails, requireFactor: d.RequireFactor, webauthn: newWebAuthn(d.PublicURL), oidc: oidc}
}

// Methods says how people can sign in.
func (a *Accounts) Methods() wire.SignInMethods {
	registration := a.registration
	if registration == "" {
		registration = RegisterOpen
	}
	return wire.SignInMethods{Passkeys: a.webauthn != nil, OIDC: a.oidc != nil, Registration: registration}
}

// Peer is where a sign-in comes from.
type Peer struct {
	Address string
	Agent   string // the client's name for itself
	Request string // id of the request
}

// SignIn is what a successful sign-in gives. With Challenge there is nothing else: VerifyLogin ends the sign-in. Refresh is empty where the session goes on with the one that it has.
type SignIn struct {
	Access  string
	Refresh string
	Expires time.Duration // of Access
	Session id.Session
	User    wire.User
	Enrol   bool // the account must turn a second factor on before anything else

	Challenge string
	Methods   []string // what ends the sign-in: totp, passkey, backup_code
}

// Access is a caller who showed a valid access token.
type Access struct {
	Caller  auth.Caller
	Token   string    // jti
	Expires time.Time // of the token
}

// JWKS is the public half of the signing keys.
func (a *Accounts) JWKS() []byte { return a.keys.JWKS() }

func wrongLogin() error {
	return fault.New(fault.Unauthenticated, "login_failed", "the user name or the password is wrong")
}

// Login signs in with the user name or e-mail address. Whether an account exists shows neither in the answer nor in its time.
func (a *Accounts) Login(ctx context.Context, login, password string, p Peer) (SignIn, error) {
	u, err := a.db.UserByLogin(ctx, login)
	known := err == nil && !u.Disabled && u.PasswordHash != "" // without one they sign in at the OpenID provider
	if err != nil && !fault.Is(err, fault.NotFound) {
		return SignIn{}, err
	}
	g := guardOf("login", login, u, p)
	if err := a.admit(ctx, g); err != nil {
		return SignIn{}, err
	}
	var ok, stale bool
	err = a.hashing(ctx, func() (err error) {
		if !known {
			auth.VerifyNobody(password, a.params)
			return nil
		}
		ok, stale, err = auth.Verify(u.PasswordHash, password, a.params)
		return err
	})
	switch {
	case err != nil:
		return SignIn{}, err
	case !ok:
		return SignIn{}, a.refuse(ctx, g, u, login, p)
	case stale:
		u = a.rehash(ctx, u, password)
	}
	return a.enter(ctx, g, u, p)
}

// refuse counts and records a sign-in in vain, the same for names that have no account.
func (a *Accounts) refuse(ctx context.Context, g guard, u store.User, login string, p Peer) error {
	c := p.as(u)
	if u.ID == "" {
		c.Name = "somebody"
	}
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		if err := a.admitOne(ctx, t, g); err != nil {
			return err
		}
		e := entry(c, "auth.login", u.Tenant, "", "login_failed", map[string]any{"known": u.ID != ""})
		if u.ID != "" {
			e.Subject = userSubject(u.ID)
		}
		if err := t.Audit(e); err != nil {
			return err
		}
		return a.failed(ctx, t, g)
	})
	if err != nil {
		return err
	}
	return wrongLogin()
}

// enter goes on with an account whose password was right, or for which the OpenID provider vouches.
func (a *Accounts) enter(ctx context.Context, g guard, u store.User, p Peer) (SignIn, error) {
	if err := a.letIn(ctx, g, u); err != nil {
		return SignIn{}, err
	}
	step, err := a.challenge(ctx, u)
	if err != nil || step.Challenge != "" {
		return step, err
	}
	return a.begin(ctx, u, p)
}

// enterProven is enter where a second factor was shown elsewhere.
func (a *Accounts) enterProven(ctx context.Context, g guard, u store.User, p Peer) (SignIn, error) {
	if err := a.letIn(ctx, g, u); err != nil {
		return SignIn{}, err
	}
	return a.begin(ctx, u, p)
}

func (a *Accounts) letIn(ctx context.Context, g guard, u store.User) error {
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		if !g.vouched {
			if err := a.admitOne(ctx, t, g); err != nil {
				return err
			}
		}
		return t.ClearFailures(ctx, g.here)
	})
	if err == nil && u.Unverified && a.mails {
		err = unverified()
	}
	return err
}

func unverified() *fault.Error {
	return fault.New(fault.Forbidden, "email_unverified", "open the link in the mail that was sent to you first; you can ask for another one")
}

func (a *Accounts) begin(ctx context.Context, u store.User, p Peer) (SignIn, error) {
	l, refresh, err := a.sessions.Begin(ctx, u.ID, p.Address, p.Agent)
	if err != nil {
		return SignIn{}, err
	}
	if err := a.welcome(ctx, u, p); err != nil {
		return SignIn{}, errors.Join(err, a.sessions.End(context.WithoutCancel(ctx), l.ID))
	}
	return a.grant(ctx, u.ID, l.ID, refresh)
}

// welcome records a sign-in, and tells the owner of one from a device or place that was not seen before. It comes after the session began:
// a change of the password that is not seen here ends the session with all others.
func (a *Accounts) welcome(ctx context.Context, u store.User, p Peer) error {
	network, agent := hashSecret(networkOf(p.Address)), hashSecret(p.Agent)
	return a.db.Tx(ctx, func(t *store.Tx) error {
		now, err := t.User(ctx, u.ID)
		if err := closed(now, err); err != nil {
			return err
		}
		if now.PasswordHash != u.PasswordHash {
			return fault.New(fault.Conflict, "password_changed", "the password was changed in the meantime; sign in again")
		}
		all, _, same, err := t.Devices(ctx, u.ID, network, agent)
		if err != nil {
			return err
		}
		if err := t.SeeDevice(ctx, u.ID, network, agent, a.now()); err != nil {
			return err
		}
		if err := audit(t, p.as(u), "auth.login", u.Tenant, userSubject(u.ID), map[string]any{"agent": tameAgent(p.Agent)}); err != nil {
			return err
		}
		if all == 0 || same > 0 || a.seal == nil {
			return nil
		}
		return a.post(ctx, t, notify.Device, u.Email, "device/"+string(id.NewToken()), notify.Data{Name: u.Username, Address: p.Address, Agent: p.Agent})
	})
}

// maxAgent bounds what is recorded of a client's name for itself.
const maxAgent = 200

func tameAgent(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxAgent)], "") }

func (a *Accounts) grant(ctx context.Context, i id.User, s id.Session, refresh string) (SignIn, error) {
	u, err := a.standing(ctx, place{user: i})
	if err != nil {
		return SignIn{}, err
	}
	token, _, err := a.keys.Issue(u.ID, s, a.now())
	if err != nil {
		return SignIn{}, err
	}
	return SignIn{Access: token, Refresh: refresh, Expires: session.AccessLifetime, Session: s, User: account(u.User), Enrol: a.enrols(u)}, nil
}

func account(u store.User) wire.User {
	return wire.User{ID: u.ID, Username: u.Username, Email: u.Email, Role: u.Role, Tenant: u.Tenant, Verified: !u.Unverified, Disabled: u.Disabled, CreatedAt: u.Created, Version: u.Version}
}

// rehash keeps the password under the present parameters. A failure costs nothing but another try at the next sign-in.
func (a *Accounts) rehash(ctx context.Context, u store.User, password string) store.User {
	before := u
	err := a.hashing(ctx, func() (err error) { u.PasswordHash, err = auth.Hash(password, a.params); return err })
	if err == nil {
		err = a.db.Tx(ctx, func(t *store.Tx) error { return t.UpdateUser(ctx, &u) })
	}
	if fault.Is(err, fault.Precondition) {
		// Another sign-in did the same, or the password was changed.
		now, again := a.db.User(ctx, u.ID)
		ok := false
		if again == nil {
			again = a.hashing(ctx, func() (err error) { ok, _, err = auth.Verify(now.PasswordHash, password, a.params); return err })
		}
		if again == nil && ok {
			return now
		}
	}
	if err != nil {
		a.app.log.Warn("password was not hashed anew", "caller", u.Username, "err", err)
		return before
	}
	return u
}

// hashing runs f when there is a core for it. Too many waiters are told to come back.
func (a *Accounts) hashing(ctx context.Context, f func() error) error {
	if a.waiting.Add(1) > maxHashWaiters {
		a.waiting.Add(-1)
		return fault.New(fault.Unavailable, "login_busy", "too many people sign in at this moment; try again in a few seconds").After(5 * time.Second)
	}
	defer a.waiting.Add(-1)
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.slots }()
	return f()
}

// Refresh exchanges a refresh token. page: a page of a browser asks, beside which another one may ask with the same token at the same time.
// Everybody else shows each token once.
func (a *Accounts) Refresh(ctx context.Context, token string, page bool) (SignIn, error) {
	grace := time.Duration(0)
	if page {
		grace = session.RefreshGrace
	}
	l, next, err := a.sessions.Refresh(ctx, token, grace)
	if err != nil {
		return SignIn{}, err
	}
	return a.grant(ctx, l.User, l.ID, next)
}

// user reads an account that may act.
func (a *Accounts) user(ctx context.Context, i id.User) (store.User, error) {
	u, err := a.db.User(ctx, i)
	return u, closed(u, err)
}

func closed(u store.User, err error) error {
	if fault.Is(err, fault.NotFound) || err == nil && u.Disabled {
		return fault.New(fault.Unauthenticated, "account_closed", "this account was closed; ask an administrator")
	}
	return err
}

// enrols reports whether the account must turn a second factor on before anything else.
func (a *Accounts) enrols(s store.Standing) bool {
	return (a.requireFactor || s.Requires) && !s.HasFactor
}

// caller is who acts for the account where it stands, with the rights of this moment.
func (a *Accounts) caller(s store.Standing, request, address string) auth.Caller {
	return auth.Caller{User: s.ID, Name: s.Username, Tenant: s.Acting, Role: s.As(), Rights: s.Rights, Enrolling: a.enrols(s), Request: request, Address: address}
}

// checked asks whether the token was withdrawn, and for the standing of its account.
func (a *Accounts) checked(ctx context.Context, c session.Claims, chosen string) (store.Standing, error) {
	p := place{c.User, chosen}
	if s, ok := a.kept(p); ok {
		return s, a.check(ctx, c)
	}
	// Each asks an engine of its own, so neither waits for the other.
	asked := make(chan error, 1)
	go func() { asked <- a.check(ctx, c) }()
	s, err := a.standing(ctx, p)
	return s, firstError(<-asked, err)
}

// Wish is a request before it is known who asks.
type Wish struct {
	Tenant  string // that it shall be about, by id or name; empty: the account's own one
	Request string // id of the request
	Address string // the client's
}

// Authenticate says who shows the access token, and acts in the tenant of the wish.
func (a *Accounts) Authenticate(ctx context.Context, token string, w Wish) (Access, error) {
	if isAPIToken(token) {
		return a.byToken(ctx, token, w)
	}
	c, err := a.keys.Verify(token, a.now())
	if err != nil {
		return Access{}, err
	}
	u, err := a.checked(ctx, c, w.Tenant)
	if err != nil {
		return Access{}, a.turnedAway(ctx, c.User, w, err)
	}
	return a.access(u, c, w), nil
}

func (a *Accounts) access(u store.Standing, c session.Claims, w Wish) Access {
	who := a.caller(u, w.Request, w.Address)
	who.Session, who.Chosen = c.Session, w.Tenant != ""
	return Access{Token: c.Token, Expires: c.Expires, Caller: who}
}

// turnedAway records that an account chose a tenant in which it may not act. It gives err, or why it could not be recorded.
func (a *Accounts) turnedAway(ctx context.Context, u id.User, w Wish, err error) error {
	if e := asFault(err); e == nil || e.Code != auth.NotMember().Code {
		return err
	}
	own, again := a.standing(ctx, place{user: u})
	if again != nil {
		return again
	}
	return firstError(a.app.Refused(ctx, a.caller(own, w.Request, w.Address), fmt.Sprintf("tenant %.80q", w.Tenant), err), err)
}

// Logout withdraws the token and ends its session.
func (a *Accounts) Logout(ctx context.Context, c Access) error {
	if err := a.sessions.Revoke(ctx, c.Token, c.Expires); err != nil {
		return err
	}
	return a.sessions.End(ctx, c.Caller.Session)
}

// Me is the caller's own account, with the tenant and the role in which it acts.
func (a *Accounts) Me(ctx context.Context, c auth.Caller) (wire.User, error) {
	u, err := a.user(ctx, c.User)
	out := account(u)
	out.Tenant, out.Role = c.Tenant, c.Role
	return out, err
}
