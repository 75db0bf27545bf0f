// Package session keeps what may expire: sign-ins and their refresh tokens, revoked access tokens, rate-limit windows and
// one-use tickets. SQL keeps them in a database, Redis in an engine made for such things; sessiontest says what both owe. Access tokens themselves are signed, not stored: Keys issues and verifies them. The package
// deliberately knows no password and no role; app joins it with the accounts.
package session

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/rate"
)

// Lifetimes and bounds.
const (
	AccessLifetime = 15 * time.Minute    // of an access token: how long a stolen one is of use
	LoginLifetime  = 30 * 24 * time.Hour // of a sign-in that is not refreshed
	LongestLogin   = 90 * 24 * time.Hour // of one that is: then the password is asked for again
	RefreshGrace   = 10 * time.Second    // within this a page's token that was exchanged is answered as before: two pages refresh at once, and answers get lost
	TicketLifetime = 30 * time.Second    // of a console ticket
	MaxLogins      = 100                 // sign-ins of one account at once; the oldest gives way
	MaxTicketBytes = 4 << 10             // of a ticket's content
	maxNoteBytes   = 256                 // of the user agent kept with a sign-in
	MaxTokenBytes  = 4 << 10             // of a presented token of any kind
)

// The parts that package auth describes.
type (
	Login       = auth.Login
	Logins      = auth.Sessions
	Claims      = auth.Claims
	Revocations = auth.Revocations
)

// Limiter counts events in sliding windows.
type Limiter interface {
	// Take counts n events under key, at least one, or as many of them as the limit allows; the verdict says whether that was all. A
	// refused event is not counted: whoever waits as long as the verdict says gets in.
	Take(ctx context.Context, key string, limit rate.Limit, n int) (rate.Verdict, error)
}

// Tickets are secrets that are good for one use.
type Tickets interface {
	// IssueTicket keeps content behind a fresh secret for TicketLifetime.
	IssueTicket(ctx context.Context, content []byte) (ticket string, err error)
	// IssueTicketFor is IssueTicket with a lifetime of its own.
	IssueTicketFor(ctx context.Context, content []byte, lifetime time.Duration) (ticket string, err error)
	// RedeemTicket gives the content back once; used, ended and unknown tickets are fault.Unauthenticated.
	RedeemTicket(ctx context.Context, ticket string) ([]byte, error)
}

// Alive tells of many sign-ins at once.
type Alive interface {
	// Alive says which of the sign-ins have not ended.
	Alive(ctx context.Context, sessions []id.Session) (map[id.Session]bool, error)
}

// ErrEnded is what Check says of a sign-in that has ended.
func ErrEnded() error { return errSignIn("this session has ended") }

// Store is all of it.
type Store interface {
	Logins
	Alive
	Revocations
	Limiter
	Tickets
	// Prune removes what has expired. Nothing that has expired is ever given out, pruned or not.
	Prune(ctx context.Context) error
}

// Engine is a Store with a connection to what keeps it.
type Engine interface {
	Store
	// Engine names it in sentences: SQLite, PostgreSQL or Redis.
	Engine() string
	// Ping asks it for an answer; fault.Unavailable says why there is none.
	Ping(ctx context.Context) error
	Close() error
}

// Far is an engine that may be another process: a question to it is a round trip, during which other work can be done.
type Far interface {
	// Far says whether it is.
	Far() bool
}

// endOf is when a sign-in ends that is refreshed now.
func endOf(created, now time.Time) time.Time {
	if longest := created.Add(LongestLogin); longest.Before(now.Add(LoginLifetime)) {
		return longest
	}
	return now.Add(LoginLifetime)
}

func errSignIn(why string) error {
	return fault.New(fault.Unauthenticated, "signed_out", "%s; sign in again", why)
}

func errStolen() error {
	return fault.New(fault.Unauthenticated, "refresh_reused", "this refresh token was used before, so somebody else may have it; the session was ended, sign in again")
}

func errTicket() error {
	return fault.New(fault.Unauthenticated, "ticket_invalid", "this ticket was used or has ended; ask for another one")
}

func errNoSession(s id.Session) error {
	return fault.New(fault.NotFound, "session_not_found", "there is no session %s; it may have ended", s)
}
