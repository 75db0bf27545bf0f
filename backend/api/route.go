package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
)

// rule says who may use a route. The verb behind it checks again what the caller may do to the very thing.
type rule struct {
	anyone   bool        // no sign-in
	action   auth.Action // on the caller's own tenant; empty: whoever is signed in
	platform bool        // action is on the platform itself
	secret   bool        // see unkept
	person   bool        // a sign-in and no API token: what governs the account itself
	enrol    bool        // see enrolling
}

// unkept marks a route whose request or answer holds a secret, which an Idempotency-Key would keep in the database: the key
// is taken and has no effect there.
func (r rule) unkept() rule { r.secret = true; return r }

// enrolling marks a route that is open to who must turn a second factor on before anything else.
func (r rule) enrolling() rule { r.enrol = true; return r }

var (
	anyone   = rule{anyone: true}
	signedIn = rule{}
	inPerson = rule{person: true}
)

func may(action auth.Action) rule    { return rule{action: action} }
func govern(action auth.Action) rule { return rule{action: action, platform: true} }

// check refuses a caller.
func (r rule) check(c auth.Caller) error {
	switch {
	case c.Enrolling && !r.enrol:
		return auth.NeedsFactor()
	case r.person && c.Session == "":
		return fault.New(fault.Forbidden, "sign_in_needed", "an API token cannot do this; sign in for it")
	case r.anyone || r.action == "":
		return nil
	case r.platform:
		return auth.May(c, r.action, "")
	}
	return auth.May(c, r.action, c.Tenant)
}

// route is a row of the table.
type route struct {
	method string
	path   string
	rule   rule
	slow   bool // streams: no time limit on the body
}

// op describes a route for the description: id, summary and group.
func op(id, summary, tag string) huma.Operation {
	return huma.Operation{OperationID: id, Summary: summary, Tags: []string{tag}}
}

// add puts a typed route into the table.
func add[I, O any](a *API, r rule, methodPath string, o huma.Operation, f func(context.Context, *I) (*O, error)) {
	method, path, ok := strings.Cut(methodPath, " ")
	if !ok {
		panic("api: a route is a method and a path: " + methodPath)
	}
	a.table(route{method: method, path: path, rule: r})
	o.Method, o.Path = method, path
	if !r.anyone {
		o.Security = []map[string][]string{{"token": {}}}
		o.Parameters = append(o.Parameters, tenantParameter)
	}
	o.Responses = map[string]*huma.Response{"default": problemResponse(a)}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err == nil {
			return out, nil
		}
		note(ctx, a.App.Refused(ctx, caller(ctx), method+" "+of(ctx).request.URL.Path, err))
		p := problemOf(ctx, err)
		note(ctx, p.cause)
		return nil, p
	})
	if _, waits := reflect.TypeFor[I]().FieldByName("Wait"); waits && method != http.MethodGet {
		begun := *o.Responses["200"]
		begun.Description = "It has begun; Location points to the operation"
		o.Responses["202"] = &begun
	}
}

// raw puts a plain handler into the table. It stands in the description only if describe does so.
func (a *API) raw(r rule, methodPath string, slow bool, h http.HandlerFunc) {
	method, path, _ := strings.Cut(methodPath, " ")
	a.table(route{method: method, path: path, rule: r, slow: slow})
	a.mux.HandleFunc(methodPath, h)
}

func (a *API) table(r route) {
	key := r.method + " " + r.path
	if _, ok := a.routes[key]; ok {
		panic("api: two routes for " + key)
	}
	a.routes[key] = r
}

func problemResponse(a *API) *huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")
	return &huma.Response{Description: "Why not", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
}

// finish checks that the table is whole: a route that stands in the description without a rule keeps the server from starting.
func (a *API) finish() error {
	var missing []error
	for path, item := range a.huma.OpenAPI().Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "HEAD": item.Head, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if _, ok := a.routes[method+" "+path]; o != nil && !ok {
				missing = append(missing, fmt.Errorf("api: route %s %s has no rule", method, path))
			}
		}
	}
	for key, r := range a.routes {
		if !r.rule.anyone && r.rule.platform && r.rule.action == "" {
			missing = append(missing, fmt.Errorf("api: the rule of %s is incomplete", key))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return err
	}
	return a.render()
}

type callerKey struct{}

// caller is who asks. Routes for anyone have none.
func caller(ctx context.Context) auth.Caller { return access(ctx).Caller }

func access(ctx context.Context) app.Access {
	c, _ := ctx.Value(callerKey{}).(app.Access)
	return c
}
