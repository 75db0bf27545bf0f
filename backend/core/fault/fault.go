// Package fault is the one error type that crosses layers. It serves three readers: Kind for programs, Message (one
// sentence with the fact and the way out) for the user, and the wrapped cause for the operator's log.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind tells a program what went wrong. The API maps it to a status; nothing else does.
type Kind string

// The kinds, with the HTTP status that the API answers.
const (
	Invalid         Kind = "invalid"         // 422: the request cannot be meant so
	Unauthenticated Kind = "unauthenticated" // 401
	Forbidden       Kind = "forbidden"       // 403
	NotFound        Kind = "not_found"       // 404, also for what another tenant owns
	Conflict        Kind = "conflict"        // 409: the state does not allow it, or the name is taken
	Precondition    Kind = "precondition"    // 412: If-Match names an older version
	TooLarge        Kind = "too_large"       // 413
	Exhausted       Kind = "exhausted"       // 409: no room on any node, or the quota is used up
	RateLimited     Kind = "rate_limited"    // 429
	Canceled        Kind = "canceled"        // 409: somebody cancelled the operation
	Unsupported     Kind = "unsupported"     // 422: this host, guest or build cannot do it
	Unavailable     Kind = "unavailable"     // 503: a part is gone, try again
	Internal        Kind = "internal"        // 500: a bug, or a broken machine
)

// Error is a failure with its three readers' parts.
type Error struct {
	Kind    Kind
	Code    string        // short stable name for programs, for example "vm_name_taken"; empty: the kind
	Message string        // one sentence for the user: the fact and the way out; never a secret or a host path
	Field   string        // the request field at fault, as in JSON ("disks[0].size_gib"); may be empty
	Retry   time.Duration // when trying again makes sense; 0: not said
	Cause   error         // for the operator's log only
}

// Error gives the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a fault of the kind with a formatted sentence.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault of the kind that hides cause from the user and shows it to the operator.
func Wrap(cause error, kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// On names the request field at fault and returns e.
func (e *Error) On(field string) *Error { e.Field = field; return e }

// After says when trying again makes sense and returns e.
func (e *Error) After(d time.Duration) *Error { e.Retry = d; return e }

// KindOf gives the kind of the first fault in err's chain, Internal if there is none, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is a fault of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Sentence is what a user may read of err: the fault's message, or a plain sentence that hides everything else.
func Sentence(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "something went wrong inside NovaCron; the log of the server has the cause"
}
