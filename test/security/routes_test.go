package security

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// row says who may use a route and what they get. home is for whoever may; other, where it is not 0, for somebody of another tenant who
// might do the same at home. The path's names are filled in with things of the tenant "alpha"; $ in a body becomes a text that no
// other request has.
type row struct {
	who         string
	home, other int
	body        string
}

const (
	open_  = "anyone"
	signed = "signed in"
	person = "signed in, no API token"
	ends   = "signed in, no API token; the session ends"
	viewer = "viewer"
	dev    = "developer"
	oper   = "operator"
	admin  = "administrator"
)

// routes is the whole surface: a route that does not stand here fails the test, and so does a row without a route.
var routes = map[string]row{
	// Outside of the description.
	"GET /api/openapi.json": {open_, 200, 0, ""}, "GET /api/docs": {open_, 200, 0, ""}, "GET /.well-known/jwks.json": {open_, 200, 0, ""},
	"GET /metrics":      {open_, 200, 0, ""},                                              // on this machine
	"GET /ws/events/v1": {open_, 426, 0, ""}, "GET /ws/console/{vm}": {open_, 426, 0, ""}, // by their first message and their ticket

	"GET /api/health": {open_, 200, 0, ""}, "GET /api/ready": {open_, 200, 0, ""},
	"POST /api/auth/login": {open_, 401, 0, `{"username":"nobody-$","password":"x"}`}, "POST /auth/login": {open_, 401, 0, `{"username":"nobody-$","password":"x"}`},
	"POST /api/auth/setup":               {open_, 401, 0, `{"token":"x","username":"s$","email":"s$@example.org","password":"correct horse battery"}`},
	"POST /api/auth/refresh":             {open_, 204, 0, ""},
	"POST /api/auth/register":            {open_, 201, 0, `{"username":"r$","email":"r$@example.org","password":"correct horse battery"}`},
	"POST /auth/register":                {open_, 201, 0, `{"username":"t$","email":"t$@example.org","password":"correct horse battery"}`},
	"POST /api/auth/verify-email":        {open_, 401, 0, `{"token":"x"}`},
	"POST /api/auth/resend-verification": {open_, 202, 0, `{"email":"v$@example.org"}`},
	"POST /api/auth/forgot-password":     {open_, 202, 0, `{"email":"f$@example.org"}`},
	"POST /api/auth/reset-password":      {open_, 401, 0, `{"token":"x","password":"correct horse battery"}`},
	"POST /api/auth/2fa/verify-login":    {open_, 401, 0, `{"challenge_token":"x","code":"000000"}`},

	"POST /api/auth/confirm-email": {open_, 401, 0, `{"token":"x"}`}, "POST /api/auth/change-email": {person, 422, 0, `{"email":"none","password":"correct horse battery"}`},
	"GET /api/auth/methods": {open_, 200, 0, ""}, "GET /api/auth/oidc/login": {open_, 404, 0, ""}, "GET /api/auth/oidc/callback": {open_, 401, 0, ""},
	"GET /api/auth/oidc/link": {person, 404, 0, ""}, "POST /api/auth/oidc/link": {person, 404, 0, `{"password":"correct horse battery"}`}, "POST /api/auth/oidc/unlink": {person, 404, 0, `{"password":"correct horse battery"}`},
	"POST /api/auth/passkeys/login": {open_, 200, 0, ""}, "POST /api/auth/passkeys/login/finish": {open_, 401, 0, `{"challenge_token":"x","credential":{}}`},
	"GET /api/auth/passkeys": {person, 200, 0, ""}, "POST /api/auth/passkeys/register": {person, 200, 0, `{"password":"correct horse battery"}`},
	"POST /api/auth/passkeys/register/finish": {person, 401, 0, `{"challenge_token":"x","name":"k$","credential":{}}`},
	"POST /api/auth/passkeys/{id}/remove":     {person, 404, 0, `{"password":"correct horse battery"}`},
	"GET /api/auth/me":                        {signed, 200, 0, ""}, "GET /api/v1/roles": {signed, 200, 0, ""}, "GET /api/v1/roles/{id}": {signed, 200, 0, ""},
	"POST /api/v1/roles": {admin, 201, 0, `{"name":"role-$","actions":["vm.read"]}`}, "PATCH /api/v1/roles/{id}": {admin, 409, 0, `{"description":"$"}`}, "DELETE /api/v1/roles/{id}": {admin, 409, 0, ""},
	"POST /api/auth/prove":  {person, 200, 0, `{"password":"correct horse battery"}`},
	"POST /api/auth/logout": {ends, 204, 0, ""}, "DELETE /api/auth/sessions": {ends, 204, 0, ""},
	"GET /api/auth/sessions": {person, 200, 0, ""}, "GET /api/auth/sessions/{id}": {person, 404, 0, ""}, "DELETE /api/auth/sessions/{id}": {person, 404, 0, ""},
	"POST /api/auth/change-password": {person, 422, 0, `{"current_password":"correct horse battery","new_password":"short"}`},
	"GET /api/auth/2fa/status":       {person, 200, 0, ""}, "POST /api/auth/2fa/setup": {person, 200, 0, ""},
	"POST /api/auth/2fa/enable": {person, 404, 0, `{"code":"000000"}`}, "POST /api/auth/2fa/disable": {person, 404, 0, `{"password":"correct horse battery"}`},
	"POST /api/auth/2fa/backup-codes": {person, 409, 0, `{"password":"correct horse battery"}`},
	"GET /api/v1/tokens":              {person, 200, 0, ""}, "POST /api/v1/tokens": {person, 201, 0, `{"name":"k$"}`}, "DELETE /api/v1/tokens/{id}": {person, 404, 0, ""},

	"GET /api/v1/vms": {viewer, 200, 200, ""}, "POST /api/v1/vms": {dev, 202, 202, `{"name":"vm-$","memory_mib":64,"disk_gib":1}`},
	"GET /api/v1/vms/{id}": {viewer, 200, 404, ""}, "PATCH /api/v1/vms/{id}": {dev, 412, 404, `{"description":"$"}`}, "DELETE /api/v1/vms/{id}": {dev, 200, 404, ""},
	"POST /api/v1/vms/{id}/start": {dev, 409, 404, ""}, "POST /api/v1/vms/{id}/stop": {dev, 200, 404, `{"force":true}`}, "POST /api/v1/vms/{id}/restart": {dev, 200, 404, `{"force":true}`},
	"POST /api/v1/vms/{id}/pause": {dev, 200, 404, ""}, "POST /api/v1/vms/{id}/resume": {dev, 409, 404, ""}, "POST /api/v1/vms/{id}/suspend": {dev, 200, 404, ""},
	"POST /api/v1/vms/{id}/clone": {dev, 409, 404, `{"name":"clone-$"}`}, "POST /api/v1/vms/{id}/console": {viewer, 200, 404, `{"mode":"watch"}`},
	"GET /api/v1/vms/{id}/audit":     {viewer, 200, 404, ""},
	"GET /api/v1/vms/{id}/snapshots": {viewer, 200, 404, ""}, "POST /api/v1/vms/{id}/snapshots": {dev, 200, 404, `{"name":"s-$"}`},
	"GET /api/v1/vms/{id}/snapshots/{snapshot}": {viewer, 200, 404, ""}, "DELETE /api/v1/vms/{id}/snapshots/{snapshot}": {dev, 200, 404, ""},
	"POST /api/v1/vms/{id}/snapshots/{snapshot}/revert": {dev, 409, 404, ""},

	"POST /api/v1/placements": {oper, 200, 200, `{"name":"vm-$","memory_mib":64,"disk_gib":1}`},

	"GET /api/v1/operations": {viewer, 200, 200, ""}, "GET /api/v1/operations/{id}": {viewer, 200, 404, ""}, "DELETE /api/v1/operations/{id}": {dev, 409, 404, ""},
	"POST /api/v1/operations/{id}/retry": {dev, 409, 404, ""},
	"GET /api/v1/images":                 {viewer, 200, 200, ""}, "POST /api/v1/images": {dev, 201, 201, `{"name":"image-$","bytes":512}`}, "GET /api/v1/images/{id}": {viewer, 200, 404, ""},
	"DELETE /api/v1/images/{id}": {dev, 200, 404, ""}, "HEAD /api/v1/images/{id}/data": {viewer, 200, 404, ""}, "PATCH /api/v1/images/{id}/data": {dev, 422, 422, ""},
	"GET /api/v1/catalogue": {viewer, 200, 200, ""}, "GET /api/v1/networks": {viewer, 200, 200, ""}, "GET /api/v1/networks/{id}": {viewer, 200, 200, ""},
	"GET /api/v1/events": {viewer, 200, 200, ""},

	"GET /api/v1/servers": {oper, 200, 0, ""},
	"GET /api/v1/nodes":   {oper, 200, 0, ""}, "GET /api/v1/nodes/{id}": {oper, 200, 0, ""}, "PATCH /api/v1/nodes/{id}": {oper, 412, 0, `{"cordoned":false}`},
	"DELETE /api/v1/nodes/{id}": {oper, 409, 0, ""}, "POST /api/v1/nodes/{id}/confirm-dead": {oper, 409, 0, ""}, "POST /api/v1/nodes/join-tokens": {oper, 200, 0, ""},

	"GET /api/v1/tenants": {viewer, 200, 200, ""}, "GET /api/v1/tenants/{id}": {viewer, 200, 404, ""}, "POST /api/v1/tenants": {admin, 201, 0, `{"name":"tenant-$"}`},
	"PATCH /api/v1/tenants/{id}": {admin, 412, 0, `{"name":"gamma"}`}, "DELETE /api/v1/tenants/{id}": {admin, 409, 0, ""},
	"GET /api/v1/users": {admin, 200, 0, ""}, "GET /api/v1/users/{id}": {admin, 200, 0, ""}, "PATCH /api/v1/users/{id}": {admin, 412, 0, `{"disabled":true}`},
	"POST /api/v1/users":                 {admin, 201, 0, `{"username":"u$","email":"u$@example.org","password":"correct horse battery","role":"viewer"}`},
	"GET /api/auth/memberships":          {signed, 200, 0, ""},
	"GET /api/v1/users/{id}/memberships": {admin, 200, 0, ""}, "PUT /api/v1/users/{id}/memberships/{tenant}": {admin, 409, 0, `{"role":"viewer"}`}, "DELETE /api/v1/users/{id}/memberships/{tenant}": {admin, 409, 0, ""},
	"GET /api/v1/users/{id}/sessions": {admin, 200, 0, ""}, "DELETE /api/v1/users/{id}/sessions": {admin, 204, 0, ""}, "DELETE /api/v1/users/{id}/sessions/{session}": {admin, 404, 0, ""},
	"POST /api/v1/users/{id}/reset-second-factor": {admin, 409, 0, `{"password":"correct horse battery"}`},
	"DELETE /api/v1/users/{id}":                   {admin, 204, 0, ""}, "POST /api/v1/invites": {admin, 201, 0, `{"email":"i$@example.org"}`}, "GET /api/v1/invites": {admin, 200, 0, ""}, "DELETE /api/v1/invites/{id}": {admin, 204, 0, ""},
	"GET /api/v1/audit": {admin, 200, 0, ""}, "GET /api/v1/audit/check": {admin, 200, 0, ""},
}

// visitor is who walks through all routes.
type visitor struct {
	name    string
	account string // to sign in anew
	token   string
	role    auth.Role // empty: nobody
	foreign bool      // of another tenant than the things
	api     bool      // an API token
	scope   auth.Action
	enrols  bool   // must turn a second factor on first
	acts    string // the tenant that it chooses; empty: none
	barred  bool   // it may not act there
}

// headers say who asks, and where it acts.
func (v *visitor) headers() (h []string) {
	if v.token != "" {
		h = append(h, bearer(v.token)...)
	}
	if v.acts != "" {
		h = append(h, "Novacron-Tenant", v.acts)
	}
	return h
}

// enrolment is what somebody may do who must turn a second factor on first, beside what is for anyone.
var enrolment = []string{"POST /api/auth/logout", "POST /api/auth/prove", "GET /api/auth/me", "POST /api/auth/2fa/setup", "POST /api/auth/2fa/enable", "GET /api/auth/2fa/status",
	"GET /api/auth/passkeys", "POST /api/auth/passkeys/register", "POST /api/auth/passkeys/register/finish"}

// wants is what a visitor gets by the row: a status, and the code of a refusal where its reason matters.
func (r row) wants(v *visitor, key string) (status int, code string) {
	rank := map[auth.Role]int{auth.Viewer: 1, auth.Developer: 2, auth.Operator: 3, auth.Administrator: 4}
	need := map[string]int{viewer: 1, dev: 2, oper: 3, admin: 4}[r.who]
	switch {
	case r.who == open_:
		return r.home, ""
	case v.role == "":
		return 401, "token_missing"
	case v.barred:
		return 403, "not_a_member"
	case v.enrols && !slices.Contains(enrolment, key):
		return 403, "second_factor_needed"
	case (r.who == person || r.who == ends) && v.api:
		return 403, "sign_in_needed"
	case rank[v.role] < need:
		return 403, "forbidden"
	case need > 0 && v.scope != "" && !strings.Contains(key, "/networks"):
		return 403, "scope"
	case v.foreign && r.other != 0:
		return r.other, ""
	}
	return r.home, ""
}

// things are what stands behind the names in paths, all of the tenant alpha.
type things struct {
	w      *world
	owner  string // a token of alpha's
	tenant wire.Tenant
	shared map[string]string
	count  int
}

// marker stands in the name of everything that alpha has.
const marker = "alphas"

// path fills in names. fresh: with things that nobody else uses.
func (g *things) path(pattern string, fresh bool) string {
	g.w.t.Helper()
	for _, kind := range []string{"vms", "images", "operations", "nodes", "networks", "tenants", "users", "roles", "passkeys", "tokens", "sessions", "invites"} {
		if strings.Contains(pattern, "/"+kind+"/{id}") {
			pattern = strings.Replace(pattern, "{id}", g.one(kind, fresh), 1)
		}
	}
	if vm, _, ok := strings.Cut(strings.TrimPrefix(pattern, "/api/v1/vms/"), "/snapshots/{snapshot}"); ok {
		pattern = strings.Replace(pattern, "{snapshot}", g.snapshot(vm), 1)
	}
	pattern = strings.Replace(pattern, "{session}", g.one("sessions", false), 1) // of somebody else
	pattern = strings.Replace(pattern, "{tenant}", g.one("tenants", false), 1)   // the own one of the account
	pattern = strings.Replace(pattern, "{vm}", g.one("vms", false), 1)
	if strings.Contains(pattern, "{") {
		g.w.t.Fatalf("nobody knows what stands behind a name in %s: teach things.one", pattern)
	}
	return pattern
}

func (g *things) one(kind string, fresh bool) string {
	g.w.t.Helper()
	if made, ok := g.shared[kind]; ok && !fresh {
		return made
	}
	made := g.make(kind)
	if !fresh {
		g.shared[kind] = made
	}
	return made
}

func (g *things) name() string { g.count++; return fmt.Sprintf("%s-%d", marker, g.count) }

func (g *things) make(kind string) string {
	g.w.t.Helper()
	first := func(path string) string {
		var list wire.List[struct{ ID string }]
		g.w.as(g.w.admin, "GET", path, nil).decode(g.w.t, &list)
		return list.Items[0].ID
	}
	switch kind {
	case "vms":
		return string(g.w.vm(g.owner, g.name()).ID)
	case "images":
		var out wire.ImageAnswer
		g.w.as(g.owner, "POST", "/api/v1/images", fmt.Sprintf(`{"name":%q,"bytes":512}`, g.name())).decode(g.w.t, &out)
		return string(out.ID)
	case "operations":
		g.one("vms", false)
		return first("/api/v1/operations?subject=vm/" + g.one("vms", false))
	case "tenants":
		return string(g.tenant.ID)
	case "users":
		name := g.name()
		g.w.user(name, auth.Viewer, g.tenant.Name)
		var u wire.User
		g.w.as(g.w.admin, "GET", "/api/v1/users/"+name, nil).decode(g.w.t, &u)
		return string(u.ID)
	case "roles":
		return string(auth.Viewer) // built-in, so that everybody sees it and nobody changes it
	case "passkeys":
		return "none" // making one takes an authenticator
	case "tokens":
		var k wire.Token
		g.w.as(g.owner, "POST", "/api/v1/tokens", map[string]string{"name": g.name()}).decode(g.w.t, &k)
		return string(k.ID)
	case "invites":
		var i wire.Invite
		g.w.as(g.w.admin, "POST", "/api/v1/invites", wire.CreateInvite{Email: g.name() + "@example.org"}).decode(g.w.t, &i)
		return string(i.ID)
	case "sessions":
		var list wire.List[wire.Session]
		g.w.as(g.owner, "GET", "/api/auth/sessions", nil).decode(g.w.t, &list)
		return string(list.Items[0].ID)
	}
	return first("/api/v1/" + kind)
}

func (g *things) snapshot(vm string) string {
	g.w.t.Helper()
	if made, ok := g.shared["snapshot of "+vm]; ok {
		return made
	}
	var out wire.SnapshotAnswer
	g.w.as(g.owner, "POST", "/api/v1/vms/"+vm+"/snapshots?wait=30s", map[string]string{"name": g.name()}).decode(g.w.t, &out)
	g.shared["snapshot of "+vm] = string(out.Snapshot.ID)
	return string(out.Snapshot.ID)
}

// operations reads the served description and adds the routes that stand outside of it.
func operations(w *world) []string {
	w.t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	w.ask("GET", "/api/openapi.json", nil).decode(w.t, &doc)
	all := []string{"GET /api/openapi.json", "GET /api/docs", "GET /.well-known/jwks.json", "GET /metrics", "GET /ws/events/v1", "GET /ws/console/{vm}"}
	for path, methods := range doc.Paths {
		for method := range methods {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// visitors are nobody, every role of alpha, of another tenant, and API tokens with and without a scope.
func visitors(w *world, alpha, beta wire.Tenant) []*visitor {
	w.t.Helper()
	all := []*visitor{{name: "nobody"}}
	for _, tenant := range []wire.Tenant{alpha, beta} {
		for _, role := range auth.Roles {
			account := string(role) + "-" + tenant.Name
			v := visitor{name: account, account: account, role: role, foreign: tenant.ID == beta.ID && role != auth.Administrator, token: w.user(account, role, tenant.Name)}
			all = append(all, &v)
			if role == auth.Operator || role == auth.Administrator {
				k := v
				k.name, k.api, k.token = v.name+" by API token", true, w.apiToken(v.token, nil)
				all = append(all, &k)
			}
		}
	}
	scoped := *all[1]
	scoped.name, scoped.api, scoped.scope = scoped.name+" by API token for networks", true, auth.ReadNetwork
	scoped.token = w.apiToken(scoped.token, []auth.Action{auth.ReadNetwork})
	w.as(w.admin, "POST", "/api/v1/tenants", `{"name":"strict","require_second_factor":true}`).wants(w.t, "a tenant", 201, "")
	enrols := visitor{name: "administrator without the factor that is required", account: "late", role: auth.Administrator, enrols: true, token: w.user("late", auth.Administrator, "strict")}
	return append(append(all, &scoped, &enrols), members(w, alpha, beta)...)
}

// members act in a tenant that is not their own one, in the role that they have there; and once at home, and once where they may not.
func members(w *world, alpha, beta wire.Tenant) []*visitor {
	w.t.Helper()
	made := func(account string, own auth.Role, home, tenant wire.Tenant, role auth.Role) *visitor {
		v := &visitor{account: account, token: w.user(account, own, home.Name), role: own}
		if role != "" {
			w.as(w.admin, "PUT", "/api/v1/users/"+account+"/memberships/"+string(tenant.ID), wire.PutMembership{Role: role}).wants(w.t, account, 200, "")
			v.role, v.acts = role, tenant.Name
		}
		v.name = fmt.Sprintf("%s: %s of %s, %s of %s", account, own, home.Name, role, tenant.Name)
		return v
	}
	guest := made("guest", auth.Operator, beta, alpha, auth.Viewer)
	host := made("host", auth.Viewer, alpha, beta, auth.Developer)
	host.foreign = true
	program := made("program", auth.Viewer, alpha, beta, auth.Developer)
	var k wire.Token
	w.as(program.token, "POST", "/api/v1/tokens", `{"name":"in beta"}`, "Novacron-Tenant", beta.Name).decode(w.t, &k)
	program.token, program.api, program.acts, program.foreign = k.Secret, true, "", true
	home := made("home", auth.Viewer, alpha, beta, auth.Developer)
	home.role, home.acts = auth.Viewer, ""
	roamer := made("roamer", auth.Administrator, beta, alpha, "")
	roamer.acts = string(alpha.ID)
	loner := made("loner", auth.Developer, beta, alpha, "")
	loner.acts, loner.barred = alpha.Name, true
	lost := *loner
	lost.name, lost.acts = "loner in a tenant that is none", "nowhere"
	return []*visitor{guest, host, program, home, roamer, loner, &lost}
}

func (w *world) apiToken(token string, scopes []auth.Action) string {
	w.t.Helper()
	var k wire.Token
	body := map[string]any{"name": fmt.Sprintf("k-%d", len(scopes))}
	if scopes != nil {
		body["scopes"] = scopes
	}
	w.as(token, "POST", "/api/v1/tokens", body).decode(w.t, &k)
	return k.Secret
}

// Every operation of the description × nobody, every role, both tenants, API tokens: exactly the table, and what another tenant has shows
// nowhere.
func TestRoutes_answerEveryRoleAndTenantExactlyAsTheTableSays(t *testing.T) {
	w := start(t, nil)
	alpha, beta := w.tenant("alpha", wire.Quota{}), w.tenant("beta", wire.Quota{})
	g := &things{w: w, tenant: alpha, shared: map[string]string{}}
	g.owner = w.user(marker+"-owner", auth.Developer, alpha.Name)
	all := visitors(w, alpha, beta)
	w.vm(w.user("betas-own", auth.Developer, beta.Name), "betas-vm")
	served := map[string]bool{}
	asked := 0
	for _, key := range operations(w) {
		served[key] = true
		r, ok := routes[key]
		if !ok {
			t.Errorf("%s has no row in the table: say there who may use it", key)
			continue
		}
		for _, v := range all {
			g.visit(key, r, v, asked)
			asked++
		}
	}
	for key := range routes {
		if !served[key] {
			t.Errorf("%s stands in the table and is not served", key)
		}
	}
	t.Logf("%d operations, %d visitors, %d requests", len(served), len(all), asked)
	var intact wire.VM
	w.as(g.owner, "GET", "/api/v1/vms/"+g.shared["vms"], nil).decode(t, &intact)
	if intact.Status != "running" || intact.Version != 1 {
		t.Errorf("what only the refused had touched was changed: %+v", intact)
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a request ended in a panic")
	}
}

// visit asks one route as one visitor.
func (g *things) visit(key string, r row, v *visitor, n int) {
	t := g.w.t
	t.Helper()
	method, pattern, _ := strings.Cut(key, " ")
	status, code := r.wants(v, key)
	granted := status == r.home && r.other != status
	path := g.path(pattern, granted && method != "GET" && method != "HEAD" && r.home < 300)
	if method != "GET" && (strings.HasPrefix(pattern, "/api/v1/vms/{id}") || pattern == "/api/v1/images/{id}") {
		path += "?wait=30s"
	}
	var headers []string
	if method == "PATCH" {
		headers = []string{"If-Match", `"999"`}
	}
	if r.who == ends && v.role != "" && !v.api && !v.barred {
		defer func() { v.token = g.w.signIn(v.account) }()
	}
	headers = append(headers, v.headers()...)
	if method == "PATCH" && strings.HasSuffix(pattern, "/data") {
		headers = append(headers, "Content-Type", "application/offset+octet-stream")
	}
	a := g.w.ask(method, path, strings.ReplaceAll(r.body, "$", fmt.Sprint("q", n)), headers...)
	if a.StatusCode != status || code != "" && a.problem.Code != code && method != "HEAD" {
		t.Errorf("%s as %s: got %d %s %.300s, want %d %s", key, v.name, a.StatusCode, a.problem.Code, a.text, status, code)
	}
	if (v.foreign || v.role == "") && pattern != "/metrics" && strings.Contains(a.text, marker) {
		t.Errorf("%s tells %s of what alpha has: %.500s", key, v.name, a.text)
	}
	if v.foreign && r.other == 200 && strings.Contains(a.text, `"total"`) {
		g.counts(key, v, a)
	}
}

// counts fails when a list says that there is more than it shows.
func (g *things) counts(key string, v *visitor, a answer) {
	var list struct {
		Items []json.RawMessage
		Next  string `json:"next_cursor"`
		Total int
	}
	a.decode(g.w.t, &list)
	if list.Total != len(list.Items) && key != "GET /api/v1/events" {
		g.w.t.Errorf("%s counts %d for %s and shows %d", key, list.Total, v.name, len(list.Items))
	}
}
