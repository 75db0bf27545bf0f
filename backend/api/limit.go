package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/rate"
)

// countAddress counts requests to the paths whose limit is per address. It answers and reports false when it is too many.
func (a *API) countAddress(w http.ResponseWriter, r *http.Request) bool {
	name, limit := a.addressLimit(r.URL.Path)
	if name == "" {
		return true
	}
	return take(w, r, a.count, name+":"+rate.Key(of(r.Context()).address), limit, "requests of this kind from your address")
}

func (a *API) addressLimit(path string) (name string, l rate.Limit) {
	switch strings.TrimSuffix(path, "/") {
	case "/api/auth/login", "/auth/login", "/api/auth/setup":
		return "login", a.Limits.Login
	case "/api/auth/register", "/auth/register":
		return "register", a.Limits.Register
	case "/api/auth/2fa/verify-login", "/api/auth/passkeys/login/finish":
		return "code", a.Limits.Login
	case "/api/auth/oidc/login", "/api/auth/oidc/callback":
		return "oidc", a.Limits.Login
	case "/api/auth/forgot-password", "/api/auth/resend-verification":
		return "mail", a.Limits.Register
	case "/api/auth/reset-password", "/api/auth/verify-email", "/api/auth/confirm-email":
		return "link", a.Limits.Login
	}
	return "", rate.Limit{}
}

// countUser counts requests to /api, per user or, without a valid token, per address. The probes of load balancers do not
// count, and what has a limit of its own neither.
func (a *API) countUser(w http.ResponseWriter, r *http.Request, c app.Access, err error) bool {
	if name, _ := a.addressLimit(r.URL.Path); name != "" || quiet(r) || !strings.HasPrefix(r.URL.Path, "/api/") {
		return true
	}
	if err != nil || c.Caller.User == "" {
		return take(w, r, a.count, "api:"+rate.Key(of(r.Context()).address), a.Limits.API, "requests from your address")
	}
	return take(w, r, a.tally.Take, "api:"+string(c.Caller.User), a.Limits.API, "requests of yours")
}

// counter counts one request.
type counter func(ctx context.Context, key string, limit rate.Limit) (rate.Verdict, error)

// count is the counter of strangers: each request is counted before it is answered.
func (a *API) count(ctx context.Context, key string, limit rate.Limit) (rate.Verdict, error) {
	return a.Limiter.Take(ctx, key, limit, 1)
}

func take(w http.ResponseWriter, r *http.Request, count counter, key string, limit rate.Limit, what string) bool {
	if limit.Off() {
		return true
	}
	v, err := count(r.Context(), key, limit)
	if err != nil {
		// Who counts is gone: refusing everything is clear, letting everything through would open the doors.
		writeProblem(w, r, err)
		return false
	}
	seconds := int((v.Reset + time.Second - 1) / time.Second)
	h := w.Header()
	h.Set("RateLimit-Limit", strconv.Itoa(limit.Events))
	h.Set("RateLimit-Remaining", strconv.Itoa(v.Remaining))
	h.Set("RateLimit-Reset", strconv.Itoa(seconds))
	h.Set("RateLimit-Policy", fmt.Sprintf("%d;w=%d", limit.Events, int(limit.Window.Seconds())))
	if v.Allowed {
		return true
	}
	writeProblem(w, r, fault.New(fault.RateLimited, "rate_limited", "at most %d %s are taken in %s; try again in %d seconds", limit.Events, what, span(limit.Window), seconds).After(max(v.Reset, time.Second)))
	return false
}

func span(d time.Duration) string {
	switch {
	case d == time.Minute:
		return "a minute"
	case d == time.Hour:
		return "an hour"
	}
	return d.String()
}
