package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// chain is what is kept of a sign-in's refresh tokens, the tokens themselves as hashes. A token has three parts, with a dot between them: the
// sign-in's id, the family, which is the same in all tokens of the sign-in and in no other, and a secret of its own. So a token that was
// exchanged is known however often its followers were exchanged since, though only the last two are kept.
type chain struct {
	current  string // of the token that is good
	previous string // of the one before; empty: there was none
	salt     string // that led from the one before to the one that is good
	family   string // of the part in common; empty: the sign-in's tokens have none yet
	rotated  time.Time
}

// claim is what a presented token turns out to be.
type claim int

const (
	foreign claim = iota // it was never given out
	good
	twin   // it was good a moment ago, and may be shown by another page of the browser that exchanged it, or by one that did not hear the answer
	stolen // it was exchanged before
)

// judge says what the presented token, without the sign-in's id, is. It is no twin when grace has passed since the exchange.
func (c chain) judge(text string, now time.Time, grace time.Duration) claim {
	switch presented := hashOf(text); {
	case same(presented, c.current):
		return good
	case same(presented, c.previous) && now.Sub(c.rotated) < grace:
		return twin
	case same(presented, c.previous), same(hashOf(familyOf(text)), c.family):
		return stolen
	}
	return foreign
}

// begun is the chain of a first token.
func begun(text string) chain { return chain{current: hashOf(text), family: hashOf(familyOf(text))} }

// behind is the chain once the good token was exchanged for the one that the salt leads to.
func (c chain) behind(text, salt string, now time.Time) chain {
	next := begun(successor(text, salt))
	next.previous, next.salt, next.rotated = c.current, salt, now
	return next
}

// past is previous, salt and family in one text, for engines that keep them so.
func (c chain) past() string { return c.previous + " " + c.salt + " " + c.family }

// read takes previous, salt and family out of what past gave; earlier versions left the later ones out.
func (c *chain) read(past string) {
	parts := append(strings.SplitN(past, " ", 3), "", "")
	c.previous, c.salt, c.family = parts[0], parts[1], parts[2]
}

// firstToken makes the token that a sign-in begins with, without its id.
func firstToken() string {
	family, _ := secret()
	own, _ := secret()
	return family + "." + own
}

// successor is the refresh token that follows the presented one. It takes both to know it: the presented one, of which the store has a
// hash only, and the salt, which is drawn for this exchange and never leaves the store. So the same can be answered again while nobody
// can tell the next one from the one before. Tokens without a family, those of earlier versions, are followed by the first of one.
func successor(presented, salt string) string {
	derive := func(what string) string {
		mac := hmac.New(sha256.New, []byte(salt))
		mac.Write([]byte(what + presented))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	family := familyOf(presented)
	if family == "" {
		family = derive("family\x00")
	}
	return family + "." + derive("")
}

// familyOf is the part that all tokens of a sign-in have; empty: the token has none.
func familyOf(text string) string {
	family, _, ok := strings.Cut(text, ".")
	if !ok {
		return ""
	}
	return family
}
