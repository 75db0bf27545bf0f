package app

import (
	"context"
	"sync"

	"novacron/backend/session"
)

// Recognize is Authenticate for who makes an answer before the session's engine has said whether the token was withdrawn, and sends
// nothing of it until then: asking an engine over the network costs a good part of a short request. confirm waits for its word and may
// be called once; nil: the token is known to be good. Only a token that passed when it was last asked for here is trusted so far, so
// that a withdrawn one causes work once.
func (a *Accounts) Recognize(ctx context.Context, token string, w Wish) (who Access, confirm func() error, err error) {
	if a.far && !isAPIToken(token) {
		c, err := a.keys.Verify(token, a.now())
		if err != nil {
			return Access{}, nil, err
		}
		if u, ok := a.kept(place{c.User, w.Tenant}); ok && a.trusted.has(c.Token) {
			asked := make(chan error, 1)
			go func() { asked <- a.check(ctx, c) }()
			return a.access(u, c, w), func() error { return <-asked }, nil
		}
	}
	who, err = a.Authenticate(ctx, token, w)
	return who, nil, err
}

// check asks whether the token was withdrawn, and remembers the answer for Recognize.
func (a *Accounts) check(ctx context.Context, c session.Claims) error {
	err := a.sessions.Check(ctx, c)
	a.trusted.note(c.Token, err == nil)
	return err
}

// maxTrusted is how many tokens are remembered; beyond it all are forgotten.
const maxTrusted = 4096

// trusted are the tokens that were good when they were last asked for.
type trusted struct {
	mu   sync.Mutex
	jtis map[string]struct{}
}

func (p *trusted) has(jti string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.jtis[jti]
	return ok
}

func (p *trusted) note(jti string, good bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !good {
		delete(p.jtis, jti)
		return
	}
	if p.jtis == nil || len(p.jtis) >= maxTrusted {
		p.jtis = map[string]struct{}{}
	}
	p.jtis[jti] = struct{}{}
}
