package security

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// topics says who is told of what, the least role that is. A kind of events that does not stand here fails the test.
var topics = map[string]string{
	"vm": viewer, "operation": viewer, "image": viewer, "metric": viewer, "alert": viewer, "node": oper, "audit": admin,
}

// Every topic × every role × both tenants, over the history and over the WebSocket.
func TestTopics_tellEveryRoleAndTenantExactlyWhatTheTableSays(t *testing.T) {
	w := start(t, nil)
	alpha, beta := w.tenant("alpha", wire.Quota{}), w.tenant("beta", wire.Quota{})
	all := visitors(w, alpha, beta)
	g := &things{w: w, tenant: alpha, shared: map[string]string{}}
	g.owner = w.user(marker+"-owner", auth.Developer, alpha.Name)
	g.make("users") // audit.user_created
	g.one("vms", false)
	w.as(g.owner, "DELETE", "/api/v1/images/"+g.make("images")+"?wait=30s", nil).wants(t, "an image", 200, "")
	w.as(w.admin, "PATCH", "/api/v1/nodes/"+g.one("nodes", false), `{"labels":{"room":"2"}}`).wants(t, "a node", 200, "")
	w.as(g.owner, "POST", "/api/v1/vms/"+g.one("vms", false)+"/console", `{}`).wants(t, "a console", 200, "")

	if got := auth.Topics(); len(got) != len(topics) {
		t.Errorf("there are rules for %v, the table has %d", got, len(topics))
	}
	told := map[string]bool{}
	for _, v := range all {
		if v.role == "" {
			continue
		}
		if v.barred {
			w.ask("GET", "/api/v1/events", nil, v.headers()...).wants(t, v.name, 403, "not_a_member")
			w.refused(v)
			continue
		}
		if v.scope != "" || v.enrols {
			w.as(v.token, "GET", "/api/v1/events", nil).wants(t, v.name, 403, "")
			w.refused(v)
			continue
		}
		history := w.history(v, "")
		for _, e := range history {
			kind := auth.TopicOf(e.Type)
			told[kind] = true
			if !mayHear(v, kind) {
				t.Errorf("%s is told of %s", v.name, e.Type)
			}
			if (v.role != auth.Administrator || v.acts != "") && e.Tenant != "" && (e.Tenant == alpha.ID) == v.foreign {
				t.Errorf("%s is told of tenant %s: %s %s", v.name, e.Tenant, e.Type, e.Data)
			}
			if v.foreign && strings.Contains(string(e.Data), marker) {
				t.Errorf("%s is told of what alpha has: %s %s", v.name, e.Type, e.Data)
			}
		}
		for _, kind := range []string{"vm", "operation", "image", "node", "audit"} {
			some := slices.ContainsFunc(history, func(e wire.Event) bool { return auth.TopicOf(e.Type) == kind })
			if !v.foreign && mayHear(v, kind) && !some {
				t.Errorf("%s is not told of %s", v.name, kind)
			}
			if asked := w.history(v, kind+".*"); !mayHear(v, kind) && len(asked) > 0 {
				t.Errorf("%s is told of %s on asking for it", v.name, kind)
			}
		}
		w.streams(v, history)
	}
	for kind := range told {
		if topics[kind] == "" {
			t.Errorf("events of the kind %s stand in no table", kind)
		}
	}
}

func mayHear(v *visitor, kind string) bool {
	rank := map[auth.Role]int{auth.Viewer: 1, auth.Developer: 2, auth.Operator: 3, auth.Administrator: 4}
	return rank[v.role] >= map[string]int{viewer: 1, dev: 2, oper: 3, admin: 4, "": 9}[topics[kind]]
}

func (w *world) history(v *visitor, topics string) (all []wire.Event) {
	w.t.Helper()
	var page wire.List[wire.Event]
	w.ask("GET", "/api/v1/events?limit=1000&topics="+topics, nil, v.headers()...).decode(w.t, &page)
	return page.Items
}

// socket opens a WebSocket on its own port.
func (w *world) socket(path string, o *websocket.DialOptions) (*websocket.Conn, error) {
	w.t.Helper()
	c, _, err := websocket.Dial(w.t.Context(), "ws://"+w.server.Addresses()["ws"]+path, o)
	if err == nil {
		c.SetReadLimit(1 << 20)
		w.t.Cleanup(func() { c.CloseNow() }) //nolint:errcheck // it may be closed
	}
	return c, err
}

// streams checks that the WebSocket tells the same as the history.
func (w *world) streams(v *visitor, history []wire.Event) {
	w.t.Helper()
	if len(history) < 2 {
		return
	}
	c, err := w.socket("/ws/events/v1", nil)
	w.must(err)
	defer c.CloseNow() //nolint:errcheck // the test is done with it
	limit, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	w.must(wsjson.Write(limit, c, wire.EventsAuth{Type: "auth", Token: v.token, Tenant: v.acts, Since: history[0].ID}))
	for i := 0; i < len(history); {
		var e struct {
			wire.Event
			Cursor string
		}
		_, raw, err := c.Read(limit)
		if err != nil {
			w.t.Errorf("%s: event %d of %d on the WebSocket: %v", v.name, i, len(history), err)
			return
		}
		w.must(json.Unmarshal(raw, &e))
		switch {
		case e.Type == "ready":
			i = 1 // behind the first
		case e.ID == "":
		case i == 0 || e.ID != history[i].ID:
			w.t.Errorf("%s: event %d on the WebSocket is %s %s, the history has %s", v.name, i, e.ID, e.Type, history[i].Type)
			return
		default:
			i++
		}
	}
}

// refused checks that the WebSocket does not let somebody listen.
func (w *world) refused(v *visitor) {
	w.t.Helper()
	c, err := w.socket("/ws/events/v1", nil)
	w.must(err)
	w.must(wsjson.Write(w.t.Context(), c, wire.EventsAuth{Type: "auth", Token: v.token, Tenant: v.acts}))
	if _, _, err := c.Read(w.t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		w.t.Errorf("%s on the WebSocket: got %v, want a refusal", v.name, err)
	}
}

// What a scraper is told are sums: nobody's names, ids or tenants.
func TestMetrics_tellOfNoTenant(t *testing.T) {
	w := start(t, nil)
	tenant := w.tenant("alphas-tenant", wire.Quota{})
	v := w.vm(w.user("alphas-owner", auth.Developer, "alphas-tenant"), "alphas-vm")
	a := w.ask("GET", "/metrics", nil)
	a.wants(t, "metrics on this machine", 200, "")
	if !strings.Contains(a.text, `novacron_vms{status="running"} 1`) {
		t.Errorf("the VM is not counted: %.300s", a.text)
	}
	for _, secret := range []string{"alphas", string(tenant.ID), string(v.ID)} {
		if strings.Contains(a.text, secret) {
			t.Errorf("the metrics tell of %s", secret)
		}
	}
	w.ask("GET", "/metrics", nil, "X-Forwarded-For", "203.0.113.1").wants(t, "metrics through a proxy", 401, "scrape_token")
}
