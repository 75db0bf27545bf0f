package security

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// audited gives the entries of an action, the newest first, as text.
func (w *world) audited(action string) string {
	w.t.Helper()
	var page wire.List[wire.AuditEntry]
	w.as(w.admin, "GET", "/api/v1/audit?limit=100&action="+action, nil).decode(w.t, &page)
	var out strings.Builder
	for _, e := range page.Items {
		fmt.Fprintf(&out, "%s %s %s from %s: %s %s\n", e.Actor, e.Action, e.Subject, e.Address, e.Result, e.Detail)
	}
	return out.String()
}

func TestAudit_tellsWhatChangedAndWhatWasRefusedAndNoSecret(t *testing.T) {
	w := start(t, nil)
	w.tenant("small", wire.Quota{VMs: 1})
	dev, viewer := w.user("dev", auth.Developer, "small"), w.user("view", auth.Viewer, "small")
	const secret = "#cloud-config\npassword: hunter2-hunter2\n"
	var made wire.VMAnswer
	w.as(dev, "POST", "/api/v1/vms?wait=120s", wire.CreateVM{Name: "one", CPUs: 1, MemoryMiB: 64, DiskGiB: 1, UserData: secret}).decode(t, &made)
	v := "/api/v1/vms/" + string(made.ID)
	w.as(dev, "POST", v+"/stop?wait=60s", `{"force":true}`).wants(t, "stop", http.StatusOK, "")
	w.as(dev, "PATCH", v+"?wait=60s", `{"cpus":2,"memory_mib":128}`).wants(t, "change", http.StatusOK, "")
	w.as(dev, "POST", "/api/v1/vms", wire.CreateVM{Name: "two", CPUs: 1, MemoryMiB: 64, DiskGiB: 1}).wants(t, "one VM too many", http.StatusConflict, "quota_exceeded")
	w.as(viewer, "DELETE", v, nil).wants(t, "a viewer deletes", http.StatusForbidden, "")
	w.as(dev, "DELETE", v+"?wait=60s", nil).wants(t, "delete", http.StatusOK, "")
	w.ask("POST", "/api/auth/login", wire.Login{Username: "dev", Password: "not this one, surely"}).wants(t, "a wrong password", http.StatusUnauthorized, "")
	w.ask("POST", "/api/auth/login", wire.Login{Username: "nobody-here", Password: "not this one, surely"}).wants(t, "a name without account", http.StatusUnauthorized, "")

	for _, c := range []struct{ action, wants string }{
		{"vm.create", `dev vm.create vm/` + string(made.ID) + ` from 127.0.0.1: ok {"after":{"autostart":{"enabled":false,"order":0,"delay_s":0},"cpus":1,`},
		{"vm.stop", `"after":{"wanted":"stopped"},"before":{"wanted":"running"}`},
		{"vm.update", `"after":{"autostart":{"enabled":false,"order":0,"delay_s":0},"cpus":2,`},
		{"vm.update", `"before":{"autostart":{"enabled":false,"order":0,"delay_s":0},"cpus":1,`},
		{"vm.delete", `dev vm.delete vm/` + string(made.ID) + ` from 127.0.0.1: ok {"before":{"autostart":{"enabled":false,"order":0,"delay_s":0},"cpus":2`},
		{"refused", `dev refused  from 127.0.0.1: quota_exceeded {"what":"POST /api/v1/vms"}`},
		{"refused", `view refused  from 127.0.0.1: forbidden {"what":"DELETE ` + v + `"}`},
		{"auth.login", `from 127.0.0.1: login_failed {"known":true}`},
		{"auth.login", `somebody auth.login  from 127.0.0.1: login_failed {"known":false}`}, // the name may be a mistyped password
	} {
		if got := w.audited(c.action); !strings.Contains(got, c.wants) {
			t.Errorf("the audit log does not say %q of %s:\n%s", c.wants, c.action, got)
		}
	}
	for _, word := range []string{"hunter2", password, "not this one"} {
		if strings.Contains(w.audited(""), word) {
			t.Errorf("the audit log holds %q", word)
		}
	}
}
