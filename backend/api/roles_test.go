package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// role makes an own role and gives it to an account.
func (w *world) role(admin *client.Client, body, name string) {
	w.t.Helper()
	w.ask("POST", "/api/v1/roles", body, token(admin)...).wants(w.t, "make the role", http.StatusCreated, "")
	var r wire.Role
	w.must(json.Unmarshal([]byte(body), &r))
	w.ask("PATCH", "/api/v1/users/"+name, `{"role":"`+string(r.Name)+`"}`, token(admin)...).wants(w.t, "give it", http.StatusOK, "")
}

func TestRoles_ownOnesCountFromTheNextRequest(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.admin(), w.as("eve", auth.Viewer)
	w.role(grace, `{"name":"watch","description":"looks","actions":["vm.read","node.write"]}`, "eve")
	head := token(eve)
	w.ask("GET", "/api/v1/vms", "", head...).wants(t, "what the role has", http.StatusOK, "")
	w.ask("GET", "/api/v1/images", "", head...).wants(t, "what it has not", http.StatusForbidden, "forbidden")
	w.ask("POST", "/api/v1/nodes/join-tokens", "", head...).wants(t, "the platform", http.StatusOK, "")
	w.ask("PATCH", "/api/v1/roles/watch", `{"actions":["image.read"]}`, head...).wants(t, "changing it by oneself", http.StatusForbidden, "forbidden")
	w.ask("PATCH", "/api/v1/roles/watch", `{"actions":["image.read"]}`, append(token(grace), "If-Match", `"7"`)...).wants(t, "from another version", http.StatusPreconditionFailed, "version_changed")
	w.ask("PATCH", "/api/v1/roles/watch", `{"actions":["image.read"]}`, token(grace)...).wants(t, "change it", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", head...).wants(t, "what was taken", http.StatusForbidden, "forbidden")
	w.ask("GET", "/api/v1/images", "", head...).wants(t, "what was given", http.StatusOK, "")
	a := w.ask("DELETE", "/api/v1/roles/watch", "", token(grace)...)
	if a.wants(t, "a role in use", http.StatusConflict, "role_in_use"); !strings.Contains(a.problem.Detail, "eve") {
		t.Errorf("%q does not say who has it", a.problem.Detail)
	}
	w.ask("PATCH", "/api/v1/users/eve", `{"role":"viewer"}`, token(grace)...).wants(t, "another role", http.StatusOK, "")
	w.ask("DELETE", "/api/v1/roles/watch", "", token(grace)...).wants(t, "delete it", http.StatusNoContent, "")
	w.ask("GET", "/api/v1/roles/watch", "", token(grace)...).wants(t, "it", http.StatusNotFound, "role_not_found")
	w.ask("PATCH", "/api/v1/users/eve", `{"role":"watch"}`, token(grace)...).wants(t, "giving it", http.StatusUnprocessableEntity, "role_invalid")
	log := w.ask("GET", "/api/v1/audit?action=role.*", "", token(grace)...)
	for _, want := range []string{`"role.create"`, `"role.update"`, `"role.delete"`, `"before"`, `"image.read"`} {
		if !strings.Contains(log.text, want) {
			t.Errorf("the audit log has no %s: %s", want, log.text)
		}
	}
}

func TestRoles_reachTheTenantsTheySay(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace, eve := w.admin(), w.as("eve", auth.Viewer)
	v := w.vm(grace, "web")
	stranger := w.stranger()
	seen := func(what, role string, list int, one int) {
		t.Helper()
		w.ask("PATCH", "/api/v1/users/stranger", `{"role":"`+role+`"}`, token(grace)...).wants(t, "give the role", http.StatusOK, "")
		var l wire.List[wire.VM]
		a := w.ask("GET", "/api/v1/vms", "", "Authorization", "Bearer "+stranger)
		if a.StatusCode == http.StatusOK {
			w.must(json.Unmarshal([]byte(a.text), &l))
		}
		if l.Total != list {
			t.Errorf("%s: sees %d VMs, want %d", what, l.Total, list)
		}
		w.ask("GET", "/api/v1/vms/"+string(v.ID), "", "Authorization", "Bearer "+stranger).wants(t, what+", the VM of another tenant", one, "")
		w.ask("POST", "/api/v1/vms/"+string(v.ID)+"/stop", "", "Authorization", "Bearer "+stranger).wants(t, what+", stopping it", http.StatusForbidden, "forbidden")
	}
	w.role(grace, `{"name":"own","actions":["vm.read"]}`, "eve")
	w.role(grace, `{"name":"all","actions":["vm.read"],"tenants":"all"}`, "eve")
	seen("own", "own", 0, http.StatusNotFound)
	seen("all", "all", 1, http.StatusOK)
	a := w.ask("GET", "/api/v1/roles", "", token(eve)...)
	if !strings.Contains(a.text, `"all"`) || strings.Contains(a.text, `"name":"own"`) {
		t.Errorf("whoever may not read accounts sees the built-in roles and the own one, got %s", a.text)
	}
	w.role(grace, `{"name":"named","actions":["vm.read"],"tenants":"named","tenant_ids":["default"]}`, "eve")
	w.ask("GET", "/api/v1/vms/"+string(v.ID), "", token(eve)...).wants(t, "named, a VM of the tenant", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms", "", token(eve)...).wants(t, "named, the list", http.StatusOK, "")
	w.ask("GET", "/api/v1/audit", "", token(eve)...).wants(t, "named, something else", http.StatusForbidden, "forbidden")
}

func TestRoles_ofAnInvitationMustBeThere(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	grace := w.admin()
	w.ask("POST", "/api/v1/invites", `{"email":"ada@example.org","role":"watch"}`, token(grace)...).wants(t, "an unknown role", http.StatusUnprocessableEntity, "role_invalid")
	w.ask("POST", "/api/v1/users", `{"username":"ada","email":"ada@example.org","password":"`+password+`","role":"watch"}`, token(grace)...).wants(t, "an account of it", http.StatusUnprocessableEntity, "role_invalid")
	w.ask("POST", "/api/v1/roles", `{"name":"root","actions":["account.write"]}`, token(grace)...).wants(t, "a way to become an administrator", http.StatusUnprocessableEntity, "action_reserved")
	w.ask("PATCH", "/api/v1/roles/viewer", `{"actions":["vm.write"]}`, token(grace)...).wants(t, "a built-in role", http.StatusConflict, "role_built_in")
}
