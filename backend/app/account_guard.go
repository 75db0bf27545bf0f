package app

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// Who guesses is slowed, and nobody is locked out: tries in vain are counted per account and network, and only tries from that
// network wait. Guesses that come from many networks are counted per account too, but what that count makes wait are only
// networks that the account never signed in from: the owner at home goes on.
const (
	freeTries    = 5 // in vain, before the first wait
	freeTriesAll = 50
	toldTries    = 10 // in vain, from anywhere, of which the owner is told once until failuresKept without any has gone by
	firstWait    = 2 * time.Second
	longestWait  = 15 * time.Minute
	failuresKept = time.Hour // after the last one
)

func waitAfter(failures, free int64) time.Duration {
	if failures < free {
		return 0
	}
	return min(firstWait<<min(failures-free, 20), longestWait)
}

// networkOf is the part of an address that one attacker has: all addresses of a /24 or, in IPv6, a /64.
func networkOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "local"
	}
	bits := 24
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return "local"
	}
	return p.String()
}

// guard is one account, or one name that is none, as seen from one network.
type guard struct {
	here, all string // keys
	network   string
	address   string
	user      store.User // as it was before the try; without an id: there is no such account
	vouched   bool       // nothing was guessed: somebody else says who it is
}

// guardOf counts what was typed as a login under just that, whether or not it is an account's user name or address: under the account's id
// the waits would tell which names belong together. Where nothing was typed the account is known already.
func guardOf(what, login string, u store.User, p Peer) guard {
	who := store.Fold(login)
	if who == "" {
		who = string(u.ID)
	}
	n := networkOf(p.Address)
	return guard{here: hashSecret(strings.Join([]string{what, who, n}, "\x00")), all: hashSecret(strings.Join([]string{what, who}, "\x00")), network: hashSecret(n), address: p.Address, user: u}
}

// admit refuses a try that comes too early.
func (a *Accounts) admit(ctx context.Context, g guard) error { return a.admitIn(ctx, &a.db.Reader, g) }

func (a *Accounts) admitIn(ctx context.Context, r *store.Reader, g guard) error {
	now := a.now()
	here, err := r.Failures(ctx, g.here, now)
	if err != nil {
		return err
	}
	all, err := r.Failures(ctx, g.all, now)
	if err != nil {
		return err
	}
	_, known, _, err := r.Devices(ctx, g.user.ID, g.network, "")
	if err != nil {
		return err
	}
	until := here.Until
	if known == 0 && all.Until.After(until) {
		until = all.Until
	}
	if wait := until.Sub(now); wait > 0 {
		return fault.New(fault.RateLimited, "too_many_tries", "too many tries in vain; try again in %d seconds, or from where you signed in before", int((wait+time.Second-1)/time.Second)).After(wait)
	}
	return nil
}

// admitOne is admit for the end of a try, right or wrong, until the end of the transaction. Of many tries at once each has found the way
// free: those that come to their end behind the last free one are refused, so that they tell as little as if they had come later.
func (a *Accounts) admitOne(ctx context.Context, t *store.Tx, g guard) error {
	for _, key := range []string{g.all, g.here} {
		if err := t.Lock(ctx, "failures/"+key); err != nil {
			return err
		}
	}
	return a.admitIn(ctx, &t.Reader, g)
}

// failed counts a try in vain that admitOne let through, and tells the owner of many.
func (a *Accounts) failed(ctx context.Context, t *store.Tx, g guard) error {
	now := a.now()
	for _, k := range []struct {
		key  string
		free int64
	}{{g.all, freeTriesAll}, {g.here, freeTries}} {
		f, err := t.Failures(ctx, k.key, now)
		if err != nil {
			return err
		}
		f.Count++
		f.Until = now.Add(waitAfter(f.Count, k.free))
		if err := t.SetFailures(ctx, k.key, f, now.Add(failuresKept)); err != nil {
			return err
		}
		if k.key == g.all && f.Count == toldTries {
			if err := a.tellOfGuesses(ctx, t, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// welcomeBack lets who has read the account's mail sign in from here as if it had been so before: guesses of others in this network, or from
// everywhere, make the owner wait no longer.
func (a *Accounts) welcomeBack(ctx context.Context, t *store.Tx, u store.User, p Peer) error {
	for _, login := range []string{u.Username, u.Email} {
		if err := t.ClearFailures(ctx, guardOf("login", login, u, p).here); err != nil {
			return err
		}
	}
	return t.SeeDevice(ctx, u.ID, hashSecret(networkOf(p.Address)), hashSecret(""), a.now())
}

func (a *Accounts) tellOfGuesses(ctx context.Context, t *store.Tx, g guard) error {
	if u := g.user; u.ID == "" || u.Disabled || u.Unverified || a.seal == nil {
		return nil
	}
	return a.post(ctx, t, notify.Guessed, g.user.Email, "guessed/"+string(id.NewToken()), notify.Data{Name: g.user.Username, Address: g.address})
}

// slow counts an event against a bound of its own, for what a stranger can make happen to an address, such as mail.
func (a *Accounts) slow(ctx context.Context, t *store.Tx, key string, free int64) (ok bool, err error) {
	now := a.now()
	if err := t.Lock(ctx, "failures/"+key); err != nil {
		return false, err
	}
	f, err := t.Failures(ctx, key, now)
	if err != nil || f.Until.After(now) {
		return false, err
	}
	f.Count++
	f.Until = now.Add(waitAfter(f.Count, free))
	return true, t.SetFailures(ctx, key, f, now.Add(failuresKept))
}
