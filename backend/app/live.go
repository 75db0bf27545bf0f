package app

import (
	"context"
	"slices"
	"strings"

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
	var places []store.Place
	var tokens []id.Token
	for _, c := range callers {
		places = append(places, storePlace(c))
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
	standings, err := a.db.Standings(ctx, distinctPlaces(places))
	if err != nil {
		return nil, err
	}
	kept, err := a.db.APITokensKept(ctx, distinct(tokens), a.now())
	if err != nil {
		return nil, err
	}
	out := make([]error, len(callers))
	for i, c := range callers {
		switch s, known := standings[storePlace(c)]; {
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
	if !known && !c.Chosen {
		return closed(s.User, fault.New(fault.NotFound, "", "the account is gone"))
	}
	if err := closed(s.User, nil); err != nil {
		return err
	}
	now := a.caller(s, "", "")
	now.Chosen, now.Scoped, now.Scope = c.Chosen, c.Scoped, c.Scope
	if !auth.SameRights(now, c) || c.Chosen && auth.MayAct(now, s.Tenant, s.Member != "") != nil {
		return fault.New(fault.Unauthenticated, "rights_changed", "what this account may do was changed; connect again")
	}
	return nil
}

func storePlace(c auth.Caller) store.Place {
	p := placeOf(c)
	return store.Place{User: p.user, Tenant: id.Tenant(p.chosen)}
}

func distinctPlaces(all []store.Place) []store.Place {
	slices.SortFunc(all, func(x, y store.Place) int {
		return strings.Compare(string(x.User+"/")+string(x.Tenant), string(y.User+"/")+string(y.Tenant))
	})
	return slices.Compact(all)
}

func distinct[T ~string](all []T) []T {
	slices.Sort(all)
	return slices.Compact(all)
}
