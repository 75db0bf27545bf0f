// Package api is the HTTP and WebSocket surface: it reads a request, finds out who asks, hands it to a verb of app, and writes
// the answer. Handlers are typed and the description, openapi.json, is made from them. Every route stands in one table with
// the rule of who may use it. The package deliberately decides nothing else: what is allowed and possible is app's and core's.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"novacron/backend/app"
	"novacron/backend/core/rate"
)

// Limiter counts requests; session.Limiter is one.
type Limiter interface {
	Take(ctx context.Context, key string, limit rate.Limit, n int) (rate.Verdict, error)
}

// Limits are the rate limits of CONTRACT.md. The zero Limit is off.
type Limits struct {
	Login    rate.Limit // per address
	Register rate.Limit // per address
	API      rate.Limit // per user, or per address for those who are not signed in
	WS       int        // connections of one user at once; 0: off
}

// DefaultLimits are those that hold when nothing is set.
var DefaultLimits = Limits{
	Login:    rate.Limit{Events: 5, Window: time.Minute},
	Register: rate.Limit{Events: 3, Window: time.Minute},
	API:      rate.Limit{Events: 100, Window: time.Minute},
	WS:       10,
}

// Deps is what the API stands on. App, Accounts and Limiter must be given.
type Deps struct {
	App      *app.App
	Accounts *app.Accounts
	Limiter  Limiter
	Limits   Limits

	PublicURL      string         // for links and origin checks
	HSTSSubdomains bool           // Strict-Transport-Security is about the hosts below this one too
	AllowedOrigins []string       // browsers' origins beside the public URL's
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Version        string

	Metrics     http.Handler                                 // GET /metrics; nil: not served
	Ready       func(context.Context) (gone, notes []string) // why the server cannot do its work, and what to know though it can, as sentences; nil: all is well
	ScrapeToken string                                       // lets a scraper read /metrics from elsewhere; empty: nobody
	// JoinWith makes of the app's secret the token that a joining machine takes, and the command to type there. nil: the secret is it.
	JoinWith func(secret string) (token, command string)
	Log      *slog.Logger     // nil: slog.Default
	Now      func() time.Time // nil: time.Now
}

// API is the surface. It is made once and serves any number of listeners.
type API struct {
	Deps
	mux     *http.ServeMux
	huma    huma.API
	routes  map[string]route // by method and pattern
	origins map[string]bool
	tally   *tally
	sockets *sockets
	lives   *lives
	desks   *desks
	spec    []byte
	docs    []byte

	docsPolicy string // Content-Security-Policy of docs
}

// New makes the surface. It fails when a route has no rule or a setting makes no sense.
func New(d Deps) (*API, error) {
	if d.Limiter == nil || d.App == nil || d.Accounts == nil {
		return nil, errors.New("api: app, accounts and limiter must be given")
	}
	return build(d)
}

func build(d Deps) (*API, error) {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	a := &API{Deps: d, mux: http.NewServeMux(), routes: map[string]route{}, origins: map[string]bool{}, tally: newTally(d.Limiter), sockets: newSockets(d.Limits.WS), lives: newLives(d.Accounts.Live), desks: newDesks()}
	for _, o := range append([]string{d.PublicURL}, d.AllowedOrigins...) {
		if o == "" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("api: %q is not an origin like https://console.example.org", o)
		}
		a.origins[strings.ToLower(u.Scheme+"://"+u.Host)] = true
	}
	a.huma = humago.New(a.mux, describe(d.Version))
	a.addRoutes()
	return a, a.finish()
}

// describe is the head of the description.
func describe(version string) huma.Config {
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "NovaCron", Version: "1", Description: "Turn Linux machines into one VM cloud.",
				License: &huma.License{Name: "See the repository"}},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
	return c
}

// schemaName names a type in the description. A VM's parts as they are read (core/vm) get a name of their own beside those
// that are asked for (core/wire).
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if strings.HasSuffix(t.PkgPath(), "/core/vm") {
		return "VM" + name
	}
	return name
}

// Close ends every WebSocket and hands on what was counted, so that a server can stop.
func (a *API) Close() {
	a.sockets.closeAll()
	a.tally.close()
}

// REST is the handler of the API's port. It serves the WebSockets too, so that a client needs one address only.
func (a *API) REST() http.Handler {
	return a.handler("/api/", "/auth/", "/ws/", "/metrics", "/.well-known/")
}

// WS is the handler of the WebSocket port.
func (a *API) WS() http.Handler { return a.handler("/ws/") }

// Owns reports whether a path belongs to the API, for a server that shows the console beside it on one port.
func (a *API) Owns(path string) bool {
	if path == "/auth/login" || path == "/auth/register" {
		return false // pages of the console; its forms post to /api/auth
	}
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ws/") || strings.HasPrefix(path, "/.well-known/jwks")
}
