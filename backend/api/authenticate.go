package api

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"novacron/backend/app"
	"novacron/backend/core/fault"
)

// authenticate says who shows the request's token. soon: the answer may be made while it is being asked whether the token was withdrawn;
// nothing of it goes out before confirm, where that is not nil, has said that it was not.
func (a *API) authenticate(r *http.Request, soon bool) (who app.Access, confirm func() error, err error) {
	token, err := bearer(r)
	if err != nil {
		return app.Access{}, nil, err
	}
	chosen := r.Header.Values(tenantHeader)
	if len(chosen) > 1 || len(chosen) == 1 && (chosen[0] == "" || len(chosen[0]) > maxTenantRef) {
		return app.Access{}, nil, fault.New(fault.Invalid, "tenant_header_invalid", "the header %s names one tenant, by id or name", tenantHeader)
	}
	wanted := wish(r.Context(), strings.Join(chosen, ""))
	if soon {
		return a.Accounts.Recognize(r.Context(), token, wanted)
	}
	who, err = a.Accounts.Authenticate(r.Context(), token, wanted)
	return who, nil, err
}

// soon reports whether an answer may be made before it is known that it may be sent: reading changes nothing. Streams are sent as they
// are made, and what ?wait holds would be held in vain.
func soon(r *http.Request, rt route) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !rt.slow && !rt.rule.anyone && !strings.Contains(r.URL.RawQuery, "wait=")
}

// held is an answer that waits for a last word.
type held struct {
	before  http.Header // of the answer, to go back to
	confirm func() error
	refuse  func(error) // answers instead
}

// settle asks for the last word before the first byte, and reports whether the answer goes out.
func (w *recorder) settle() bool {
	h := w.held
	if h == nil {
		return !w.refused
	}
	w.held = nil
	if err := h.confirm(); err != nil {
		clear(w.Header())
		maps.Copy(w.Header(), h.before)
		h.refuse(err)
		w.refused = true
		return false
	}
	return true
}

// tenantHeader says in which tenant a request acts.
const (
	tenantHeader = "Novacron-Tenant"
	maxTenantRef = 100 // bytes of an id or a name
)

// tenantParameter describes the header to those who read the description.
var tenantParameter = &huma.Param{Name: tenantHeader, In: "header", Description: "Tenant to act in, by id or name; absent: the account's own one",
	Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(maxTenantRef)}}

func wish(ctx context.Context, tenant string) app.Wish {
	return app.Wish{Tenant: tenant, Request: requestID(ctx), Address: peer(ctx).Address}
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
