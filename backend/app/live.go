package app

import (
	"context"
	"reflect"
	"slices"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/session"
	"novacron/backend/store"
)

// Live says of each caller who was let in earlier why it may not go on; nil: its session or API token, its account and its rights still
// stand. Many callers cost little more than one.
func (a *Accounts) Live(ctx context.Context, callers []auth.Caller) ([]error, error) {
	var sessions []id.Session
	var users []id.User
	var tokens []id.Token
	for _, c := range callers {
		users = append(users, c.User)
		if c.Session != "" {
			sessions = append(sessions, c.Session)
		}
		if c.Token != "" {
			tokens = append(tokens, c.Token)
		}
	}
	signedIn, err := a.sessions.Alive(ctx, distinct(sessions))
	if err != nil {
		return nil, err
	}
	standings, err := a.db.Standings(ctx, distinct(users))
	if err != nil {
		return nil, err
	}
	kept, err := a.db.APITokensKept(ctx, distinct(tokens), a.now())
	if err != nil {
		return nil, err
	}
	out := make([]error, len(callers))
	for i, c := range callers {
		switch s, known := standings[c.User]; {
		case c.Session != "" && !signedIn[c.Session]:
			out[i] = session.ErrEnded()
		case c.Token != "" && !kept[c.Token]:
			out[i] = errToken()
		default:
			out[i] = a.stands(c, s, known)
		}
	}
	return out, nil
}

// stands compares a caller with its account as it is now.
func (a *Accounts) stands(c auth.Caller, s store.Standing, known bool) error {
	missing := error(nil)
	if !known {
		missing = fault.New(fault.NotFound, "", "the account is gone")
	}
	if err := closed(s.User, missing); err != nil {
		return err
	}
	if now := a.caller(s, "", ""); now.Role != c.Role || now.Tenant != c.Tenant || now.Enrolling != c.Enrolling || !reflect.DeepEqual(now.Rights, c.Rights) {
		return fault.New(fault.Unauthenticated, "rights_changed", "what this account may do was changed; connect again")
	}
	return nil
}

func distinct[T ~string](all []T) []T {
	slices.Sort(all)
	return slices.Compact(all)
}
