package api

import (
	"context"
	"net/http"

	"novacron/backend/app"
	"novacron/backend/core/auth"
)

// Bare serves the table as the caller, without sign-in, rules and limits: what those cost is measured against it.
func (a *API) Bare(c auth.Caller) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &exchange{id: newRequestID(""), address: clientAddress(r, a.TrustedProxies), request: r}
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
		rec := &recorder{ResponseWriter: w}
		defer a.logged(r, rec, e, a.Now())
		a.secure(rec, r)
		a.bounded(rec, r.WithContext(context.WithValue(r.Context(), callerKey{}, app.Access{Caller: c})), true)
	})
}
