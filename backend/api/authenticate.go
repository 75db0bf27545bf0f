package api

import (
	"net/http"
	"strings"

	"novacron/backend/app"
	"novacron/backend/core/fault"
)

// authenticate says who shows the request's token.
func (a *API) authenticate(r *http.Request) (app.Access, error) {
	token, err := bearer(r)
	if err != nil {
		return app.Access{}, err
	}
	return a.Accounts.Authenticate(r.Context(), token, requestID(r.Context()), peer(r.Context()).Address)
}

func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", fault.New(fault.Unauthenticated, "token_missing", "sign in first: send the access token as `Authorization: Bearer …`")
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fault.New(fault.Unauthenticated, "token_invalid", "the Authorization header is not one `Bearer` and a token")
	}
	return token, nil
}
