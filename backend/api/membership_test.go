package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket/wsjson"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// in is the headers of an account that acts in a tenant.
func in(c *client.Client, tenant string) []string { return append(token(c), "Novacron-Tenant", tenant) }

// lab makes a tenant of that name with room for one VM, and eve, a viewer at home, a developer of it.
func (w *world) lab() (grace, eve *client.Client) {
	w.t.Helper()
	grace, eve = w.admin(), w.as("eve", auth.Viewer)
	w.ask("POST", "/api/v1/tenants", `{"name":"lab","quota":{"vms":1,"cpus":0,"memory_mib":0,"disk_gib":0,"snapshots":0,"addresses":0}}`, token(grace)...).wants(w.t, "make a tenant", http.StatusCreated, "")
	w.ask("PUT", "/api/v1/users/eve/memberships/lab", `{"role":"developer"}`, token(grace)...).wants(w.t, "a membership", http.StatusOK, "")
	return grace, eve
}

const small = `{"name":"web","image":"tiny","memory_mib":64,"disk_gib":1}`

func (w *world) total(path string, headers ...string) int {
	w.t.Helper()
	var l wire.List[struct{}]
	w.must(json.Unmarshal([]byte(w.ask("GET", path, "", headers...).text), &l))
	return l.Total
}

func TestMemberships_giveNamesListsAndQuotaOfTheChosenTenant(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.lab()
	home := w.vm(grace, "web") // of the same name as the one in lab
	w.ask("POST", "/api/v1/vms", small, token(eve)...).wants(t, "a viewer at home", http.StatusForbidden, "forbidden")
	w.ask("POST", "/api/v1/vms?wait=60s", small, in(eve, "lab")...).wants(t, "a developer of lab", http.StatusOK, "")
	w.ask("POST", "/api/v1/vms", strings.Replace(small, "web", "second", 1), in(eve, "LAB")...).wants(t, "beyond the quota of lab", http.StatusConflict, "quota_exceeded")
	var here, there wire.VM
	w.must(json.Unmarshal([]byte(w.ask("GET", "/api/v1/vms/web", "", token(eve)...).text), &here))
	w.must(json.Unmarshal([]byte(w.ask("GET", "/api/v1/vms/web", "", in(eve, "lab")...).text), &there))
	if here.ID != home.ID || there.ID == home.ID || there.ID == "" {
		t.Errorf("the name web means %s at home and %s in lab; at home it is %s", here.ID, there.ID, home.ID)
	}
	w.ask("GET", "/api/v1/vms/"+string(home.ID), "", in(eve, "lab")...).wants(t, "a VM of home while in lab", http.StatusNotFound, "vm_not_found")
	for what, headers := range map[string][]string{"eve at home": token(eve), "eve in lab": in(eve, "lab"), "an administrator who chose lab": in(grace, "lab")} {
		if got := w.total("/api/v1/vms", headers...); got != 1 {
			t.Errorf("%s sees %d VMs in the list, want 1", what, got)
		}
	}
	if got := w.total("/api/v1/vms", token(grace)...); got != 2 {
		t.Errorf("an administrator who chose nothing sees %d VMs, want both", got)
	}
	me := w.ask("GET", "/api/auth/me", "", in(eve, "lab")...)
	if !strings.Contains(me.text, `"role":"developer"`) || !strings.Contains(me.text, `"tenant":"`+string(there.Tenant)+`"`) {
		t.Errorf("me in lab: %s", me.text)
	}
	w.ask("DELETE", "/api/v1/vms/web?wait=60s", "", in(grace, "lab")...).wants(t, "an administrator deletes by the name in lab", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms/web", "", token(eve)...).wants(t, "the one at home", http.StatusOK, "")
}

func TestMemberships_refuseAForeignTenantAsOneThatIsNone(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, _ := w.lab()
	ada := w.as("ada", auth.Operator)
	foreign, none := w.ask("GET", "/api/v1/vms", "", in(ada, "lab")...), w.ask("GET", "/api/v1/vms", "", in(ada, "nowhere")...)
	foreign.wants(t, "a tenant of others", http.StatusForbidden, "not_a_member")
	if cut(foreign.text) != cut(none.text) {
		t.Errorf("the answers differ:\n%s\n%s", foreign.text, none.text)
	}
	w.ask("GET", "/api/v1/vms", "", in(ada, strings.Repeat("x", 101))...).wants(t, "a name that is too long", http.StatusUnprocessableEntity, "tenant_header_invalid")
	log := w.ask("GET", "/api/v1/audit?action=refused", "", token(grace)...)
	if !strings.Contains(log.text, `tenant \"lab\"`) || !strings.Contains(log.text, `tenant \"nowhere\"`) {
		t.Errorf("the audit log has not both refusals: %s", log.text)
	}
	for path, want := range map[string]string{"/api/v1/users/eve/memberships/default": "own_tenant", "/api/v1/users/ada/memberships/lab": "role_invalid"} {
		body := `{"role":"administrator"}`
		a := w.ask("PUT", path, body, token(grace)...)
		if a.StatusCode < 400 || a.problem.Code != want {
			t.Errorf("%s: got %d %s, want %s", path, a.StatusCode, a.text, want)
		}
	}
}

// cut is a problem without its request id.
func cut(text string) string { before, _, _ := strings.Cut(text, `,"request_id"`); return before }

func TestMemberships_boundAnAPITokenToTheTenantItWasMadeIn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.lab()
	made := func(headers ...string) (k wire.Token) {
		t.Helper()
		a := w.ask("POST", "/api/v1/tokens", `{"name":"k`+headers[len(headers)-1][:3]+`"}`, headers...)
		a.wants(t, "a token", http.StatusCreated, "")
		w.must(json.Unmarshal([]byte(a.text), &k))
		return k
	}
	home, lab := made(token(eve)...), made(in(eve, "lab")...)
	if home.Tenant != "" || lab.Tenant == "" {
		t.Errorf("the tokens say %q and %q", home.Tenant, lab.Tenant)
	}
	with := func(k wire.Token, tenant string) []string {
		h := []string{"Authorization", "Bearer " + k.Secret}
		if tenant != "" {
			h = append(h, "Novacron-Tenant", tenant)
		}
		return h
	}
	w.ask("POST", "/api/v1/vms", small, with(home, "")...).wants(t, "the one of home, at home", http.StatusForbidden, "forbidden")
	w.ask("GET", "/api/v1/vms", "", with(home, "lab")...).wants(t, "the one of home, in lab", http.StatusForbidden, "token_tenant")
	w.ask("GET", "/api/v1/vms", "", with(home, "default")...).wants(t, "the one of home, saying home", http.StatusOK, "")
	w.ask("POST", "/api/v1/vms?wait=60s", small, with(lab, "")...).wants(t, "the one of lab", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", with(lab, "Lab")...).wants(t, "the one of lab, saying lab", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", with(lab, "default")...).wants(t, "the one of lab, at home", http.StatusForbidden, "token_tenant")
	w.ask("DELETE", "/api/v1/users/eve/memberships/lab", "", token(grace)...).wants(t, "end the membership", http.StatusNoContent, "")
	w.ask("GET", "/api/v1/vms", "", with(lab, "")...).wants(t, "the one of lab after it", http.StatusUnauthorized, "token_invalid")
	w.ask("GET", "/api/v1/vms", "", with(home, "")...).wants(t, "the one of home after it", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", in(eve, "lab")...).wants(t, "the sign-in after it", http.StatusForbidden, "not_a_member")
}

func TestMemberships_askForTheSecondFactorThatTheChosenTenantRequires(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.lab()
	w.ask("PATCH", "/api/v1/tenants/lab", `{"require_second_factor":true}`, token(grace)...).wants(t, "require it", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "at home", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", in(eve, "lab")...).wants(t, "in lab", http.StatusForbidden, "second_factor_needed")
	w.ask("GET", "/api/v1/vms", "", in(grace, "lab")...).wants(t, "an administrator in lab", http.StatusForbidden, "second_factor_needed")
	w.factor(eve)
	w.ask("GET", "/api/v1/vms", "", in(eve, "lab")...).wants(t, "in lab, with one", http.StatusOK, "")
}

func TestMemberships_areListedForTheOwnerAndForAdministrators(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.lab()
	own, theirs := w.ask("GET", "/api/auth/memberships", "", token(eve)...), w.ask("GET", "/api/v1/users/eve/memberships", "", token(grace)...)
	var l wire.List[wire.Membership]
	w.must(json.Unmarshal([]byte(own.text), &l))
	if own.text != theirs.text || l.Total != 2 || !l.Items[0].Own || l.Items[0].Role != auth.Viewer || l.Items[1].TenantName != "lab" || l.Items[1].Role != auth.Developer || l.Items[1].Own {
		t.Errorf("got %s for eve and %s for the administrator", own.text, theirs.text)
	}
	w.ask("GET", "/api/v1/users/grace/memberships", "", token(eve)...).wants(t, "somebody else's", http.StatusForbidden, "forbidden")
	w.ask("DELETE", "/api/v1/tenants/lab", "", token(grace)...).wants(t, "a tenant with a member", http.StatusConflict, "tenant_not_empty")
	for range 2 {
		w.ask("DELETE", "/api/v1/users/eve/memberships/lab", "", token(grace)...).wants(t, "end it", http.StatusNoContent, "")
	}
	log := w.ask("GET", "/api/v1/audit?action=user.*", "", token(grace)...)
	if strings.Count(log.text, `"user.join"`) != 1 || strings.Count(log.text, `"user.leave"`) != 1 {
		t.Errorf("the audit log: %s", log.text)
	}
	w.ask("DELETE", "/api/v1/tenants/lab", "", token(grace)...).wants(t, "a tenant without", http.StatusNoContent, "")
}

func TestEvents_refuseARenewalThatMayDoOtherThings(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	_, eve := w.lab()
	var scoped wire.Token
	w.must(json.Unmarshal([]byte(w.ask("POST", "/api/v1/tokens", `{"name":"k","scopes":["event.read"]}`, in(eve, "lab")...).text), &scoped))
	c := w.dial("/ws/events/v1", nil)
	hello(t, c, wire.EventsAuth{Token: eve.Tokens().Access, Tenant: "lab"})
	for _, secret := range []string{eve.Tokens().Access, scoped.Secret} { // the first stays in lab without saying so
		w.must(wsjson.Write(ctx, c, wire.EventsAuth{Type: "auth", Token: secret}))
	}
	closes(t, "a token that allows less", c, wire.CloseSignedOut)
}
