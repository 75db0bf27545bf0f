package api

import (
	"net/http"
	"strings"
	"testing"

	"novacron/backend/core/auth"
)

// TestRoutes_haveTheirRules is the table of who may use what: a new route is not done until it stands here.
func TestRoutes_haveTheirRules(t *testing.T) {
	const (
		open   = "anyone"
		signed = "signed in"
		person = "signed in, no API token"
		view   = "viewer"
		dev    = "developer"
		oper   = "operator"
		admin  = "administrator"
	)
	want := map[string]string{
		"GET /api/health": open, "GET /api/ready": open, "GET /api/openapi.json": open, "GET /api/docs": open, "GET /.well-known/jwks.json": open, "GET /metrics": open,
		"POST /api/auth/login": open, "POST /auth/login": open, "POST /api/auth/setup": open, "POST /api/auth/refresh": open,
		"POST /api/auth/register": open, "POST /auth/register": open, "POST /api/auth/verify-email": open, "POST /api/auth/resend-verification": open,
		"POST /api/auth/forgot-password": open, "POST /api/auth/reset-password": open, "POST /api/auth/2fa/verify-login": open,
		"POST /api/auth/confirm-email": open, "POST /api/auth/change-email": person,
		"POST /api/auth/change-password": person, "GET /api/auth/sessions": person, "DELETE /api/auth/sessions": person, "DELETE /api/auth/sessions/{id}": person,
		"GET /api/v1/tokens": person, "POST /api/v1/tokens": person, "DELETE /api/v1/tokens/{id}": person,
		"POST /api/auth/2fa/setup": person, "POST /api/auth/2fa/enable": person, "POST /api/auth/2fa/disable": person, "POST /api/auth/2fa/backup-codes": person,
		"GET /api/auth/2fa/status": person, "POST /api/v1/invites": admin,
		"POST /api/auth/logout": person, "GET /api/auth/me": signed,
		"GET /api/v1/vms": view, "POST /api/v1/vms": dev, "GET /api/v1/vms/{id}": view, "PATCH /api/v1/vms/{id}": dev, "DELETE /api/v1/vms/{id}": dev,
		"POST /api/v1/vms/{id}/start": dev, "POST /api/v1/vms/{id}/stop": dev, "POST /api/v1/vms/{id}/restart": dev, "POST /api/v1/vms/{id}/pause": dev,
		"POST /api/v1/vms/{id}/resume": dev, "POST /api/v1/vms/{id}/suspend": dev, "POST /api/v1/vms/{id}/clone": dev, "POST /api/v1/vms/{id}/console": view,
		"GET /api/v1/vms/{id}/snapshots": view, "POST /api/v1/vms/{id}/snapshots": dev, "GET /api/v1/vms/{id}/snapshots/{snapshot}": view,
		"POST /api/v1/vms/{id}/snapshots/{snapshot}/revert": dev, "DELETE /api/v1/vms/{id}/snapshots/{snapshot}": dev,
		"GET /api/v1/operations": view, "GET /api/v1/operations/{id}": view, "DELETE /api/v1/operations/{id}": dev,
		"GET /api/v1/images": view, "POST /api/v1/images": dev, "GET /api/v1/images/{id}": view, "DELETE /api/v1/images/{id}": dev,
		"HEAD /api/v1/images/{id}/data": view, "PATCH /api/v1/images/{id}/data": dev, "GET /api/v1/catalogue": view,
		"GET /api/v1/networks": view, "GET /api/v1/networks/{id}": view, "GET /api/v1/events": view,
		"GET /api/v1/nodes": oper, "GET /api/v1/nodes/{id}": oper, "PATCH /api/v1/nodes/{id}": oper, "DELETE /api/v1/nodes/{id}": oper,
		"POST /api/v1/nodes/{id}/confirm-dead": oper, "POST /api/v1/nodes/join-tokens": oper,
		"GET /api/v1/users": admin, "GET /api/v1/users/{id}": admin, "POST /api/v1/users": admin, "PATCH /api/v1/users/{id}": admin, "DELETE /api/v1/users/{id}": admin,
		"GET /api/v1/roles": signed, "GET /api/v1/audit": admin, "GET /api/v1/audit/check": admin,
		"GET /api/v1/tenants": view, "GET /api/v1/tenants/{id}": view, "POST /api/v1/tenants": admin, "PATCH /api/v1/tenants/{id}": admin, "DELETE /api/v1/tenants/{id}": admin,
		"GET /ws/events/v1": open, "GET /ws/console/{vm}": open, // by their first message and their ticket
	}
	enrolment := map[string]bool{"POST /api/auth/logout": true, "GET /api/auth/me": true,
		"POST /api/auth/2fa/setup": true, "POST /api/auth/2fa/enable": true, "GET /api/auth/2fa/status": true}
	a, err := build(Deps{Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	as := func(r auth.Role) auth.Caller {
		return auth.Caller{User: "usr-00000000000000000001", Name: "x", Tenant: "ten-00000000000000000001", Role: r}
	}
	for key, rt := range a.routes {
		got := open
		switch {
		case rt.rule.anyone:
		case rt.rule.person:
			got = person
		case rt.rule.action == "":
			got = signed
		case rt.rule.check(as(auth.Viewer)) == nil:
			got = view
		case rt.rule.check(as(auth.Developer)) == nil:
			got = dev
		case rt.rule.check(as(auth.Operator)) == nil:
			got = oper
		case rt.rule.check(as(auth.Administrator)) == nil:
			got = admin
		}
		if got != want[key] {
			t.Errorf("%s is for %q, the table says %q", key, got, want[key])
		}
		if enrolling := rt.rule.anyone || rt.rule.check(auth.Caller{User: "usr-1", Session: "ses-1", Role: auth.Administrator, Enrolling: true}) == nil; enrolling != (got == open || enrolment[key]) {
			t.Errorf("%s is open to who must turn a second factor on first: %v", key, enrolling)
		}
		if !rt.rule.anyone && rt.rule.check(auth.Caller{}) == nil && (rt.rule.action != "" || rt.rule.person) {
			t.Errorf("%s lets nobody in", key)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s stands in the table and is not served", key)
	}
}

func TestFinish_refusesARouteWithoutARule(t *testing.T) {
	a, err := build(Deps{})
	if err != nil {
		t.Fatal(err)
	}
	delete(a.routes, "GET /api/v1/vms")
	if err := a.finish(); err == nil || !strings.Contains(err.Error(), "GET /api/v1/vms has no rule") {
		t.Errorf("got %v, want a refusal that names the route", err)
	}
}

func TestScreenWatcher_dropsInputAndPassesTheRest(t *testing.T) {
	var guest strings.Builder
	w := &screenWatcher{guest: &guest}
	hello := "RFB 003.008\n" + "\x01" + "\x01"
	update := "\x03\x01\x00\x00\x00\x00\x00\x10\x00\x10"
	encodings := "\x02\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07"
	key := "\x04\x01\x00\x00\x00\x00\x00A"
	pointer := "\x05\x01\x00\x10\x00\x10"
	cut := "\x06\x00\x00\x00\x00\x00\x00\x03abc"
	extended := "\xff\x00\x00\x01\x00\x00\x00A\x00\x00\x00\x1e"
	all := hello + encodings + key + update + pointer + cut + extended + update
	for _, b := range []byte(all) { // as slowly as can be
		if _, err := w.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := guest.String(), hello+encodings+update+update; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := w.Write([]byte{0x99}); err == nil {
		t.Error("an unknown message passed")
	}
}

func TestCheckTopics(t *testing.T) {
	for _, good := range []string{"vm.*", "vm.state", "*", "operation.progress", "metric.cpu_1"} {
		if err := checkTopics([]string{good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "vm*", "VM.state", "vm.%", "vm.*.x", "a b", strings.Repeat("a", 65), "'"} {
		if checkTopics([]string{bad}) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if checkTopics(make([]string, maxTopics+1)) == nil {
		t.Error("too many topics were accepted")
	}
}
