package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	simpool "novacron/backend/storage/sim"
)

// event is something that the schedule lets happen. What, when and to whom comes from the seed alone, never from how the run goes,
// so that one seed is one schedule.
type event struct {
	at   time.Duration
	text string
	do   func(w *world)
}

// size is how large a run is.
type size struct {
	servers, nodes, names int
	events                int
	every                 time.Duration // mean time between two events
}

// planner makes a schedule.
type planner struct {
	size
	r    *rand.Rand
	at   time.Duration
	keys int
	list []event
}

// plan makes the schedule of a seed.
func plan(seed uint64, s size) []event {
	p := &planner{size: s, r: rand.New(rand.NewPCG(seed, 1))}
	for range s.events {
		p.at += time.Duration(p.r.ExpFloat64() * float64(s.every))
		if p.r.IntN(100) < 70 {
			p.wish()
		} else {
			p.misfortune()
		}
	}
	slices.SortStableFunc(p.list, func(a, b event) int { return int(a.at - b.at) })
	return p.list
}

func (p *planner) add(after time.Duration, do func(w *world), format string, a ...any) {
	p.list = append(p.list, event{p.at + after, fmt.Sprintf(format, a...), do})
}

func (p *planner) one(of ...string) string { return of[p.r.IntN(len(of))] }
func (p *planner) server() int             { return p.r.IntN(p.servers) }
func (p *planner) node() int               { return p.r.IntN(p.nodes) }
func (p *planner) vm() string              { return fmt.Sprintf("vm-%d", p.r.IntN(p.names)) }

func (p *planner) image() string { return fmt.Sprintf("image-%d", p.r.IntN(4)) }

// seconds gives a time between the bounds, with a bias to the short.
func (p *planner) seconds(least, most float64) time.Duration {
	x := p.r.Float64()
	return time.Duration((least + (most-least)*x*x) * float64(time.Second))
}

// wish is what somebody asks for.
func (p *planner) wish() {
	p.keys++
	name := p.vm()
	q := request{key: fmt.Sprintf("key-%d", p.keys), server: p.server(), method: "POST"}
	vm := "/api/v1/vms/" + name
	switch n := p.r.IntN(100); {
	case n < 28:
		q.verb, q.path = "create", "/api/v1/vms"
		body := map[string]any{"name": name, "cpus": 1 + p.r.IntN(2), "memory_mib": 128 << p.r.IntN(4), "disk_gib": 1 + p.r.IntN(3), "start": p.r.IntN(4) > 0}
		if p.r.IntN(3) == 0 {
			body["image"] = p.image()
		}
		q.body = body
	case n < 40:
		q.verb, q.path = "start", vm+"/start"
	case n < 50:
		q.verb, q.path, q.body = "stop", vm+"/stop", map[string]any{"force": p.r.IntN(2) == 0, "grace_s": 5}
	case n < 55:
		q.verb, q.path, q.body = "restart", vm+"/restart", map[string]any{"grace_s": 5}
	case n < 59:
		q.verb, q.path = "pause", vm+"/pause"
	case n < 65:
		q.verb, q.path = "resume", vm+"/resume"
	case n < 69:
		q.verb, q.path = "suspend", vm+"/suspend"
	case n < 75:
		q.verb, q.path, q.body = "snapshot", vm+"/snapshots", map[string]any{"name": p.one("a", "b", "c"), "memory": p.r.IntN(3) == 0}
	case n < 78:
		q.verb, q.path = "revert", vm+"/snapshots/"+p.one("a", "b", "c")+"/revert"
	case n < 80:
		q.verb, q.method, q.path = "prune", "DELETE", vm+"/snapshots/"+p.one("a", "b", "c")
	case n < 82:
		q.verb, q.method, q.path, q.body = "plug", "PATCH", vm, map[string]any{"add_disks": []any{map[string]any{"size_gib": 1}}}
	case n < 86:
		q.verb, q.method, q.path, q.body = "resize", "PATCH", vm, map[string]any{"cpus": 1 + p.r.IntN(3), "memory_mib": 128 << p.r.IntN(4)}
	case n < 89:
		q.verb, q.path, q.body = "clone", vm+"/clone", map[string]any{"name": p.vm(), "linked": p.r.IntN(2) == 0, "start": p.r.IntN(2) == 0}
	case n < 93:
		name := p.image()
		if p.r.IntN(4) > 0 {
			p.add(0, func(w *world) { w.upload(q, name) }, "s%d: %s upload %s", q.server+1, q.key, name)
			return
		}
		q.verb, q.method, q.path = "forget", "DELETE", "/api/v1/images/"+name
	case n < 94:
		p.add(0, func(w *world) { w.cancelOne(q.server) }, "s%d: cancel the newest operation", q.server+1)
		return
	default:
		q.verb, q.method, q.path = "delete", "DELETE", vm
	}
	if p.r.IntN(3) == 0 {
		q.wait = p.seconds(1, 60).Truncate(time.Second)
	}
	p.add(0, func(w *world) { w.send(q) }, "%s", q)
	if p.r.IntN(4) == 0 { // the same once more, perhaps to another server, perhaps at the same time
		q.server = p.server()
		p.add(time.Duration(p.r.IntN(3))*p.seconds(0, 5), func(w *world) { w.send(q) }, "%s, again", q)
	}
}

// misfortune is what goes wrong.
func (p *planner) misfortune() {
	n, s := p.node(), p.server()
	m, h := fmt.Sprintf("n%d", n+1), fmt.Sprintf("s%d", s+1)
	back := p.seconds(0.5, 40)
	switch k := p.r.IntN(100); {
	case k < 10:
		p.add(0, func(w *world) { w.machines[n].killFor(back) }, "%s: the agent is killed, for %s", m, back)
	case k < 20:
		nth := 1 + p.r.IntN(12)
		p.add(0, func(w *world) { w.machines[n].dieSoon(nth, back) }, "%s: the agent dies at effect %d, for %s", m, nth, back)
	case k < 28:
		p.add(0, func(w *world) { w.hosts[s].killFor(back) }, "%s: the server is killed, for %s", h, back)
	case k < 40:
		nth := 1 + p.r.IntN(20)
		p.add(0, func(w *world) { w.hosts[s].dieSoon(nth, back) }, "%s: the server dies at effect %d, for %s", h, nth, back)
	case k < 48:
		p.add(0, func(w *world) { w.cables.cut(m, h) }, "%s: cut off from %s, for %s", m, h, back)
		p.add(back, func(w *world) { w.cables.mend(m, h) }, "%s: sees %s again", m, h)
	case k < 54:
		p.add(0, func(w *world) { w.cables.freeze(m, h) }, "%s: silence towards %s, for %s", m, h, back)
		p.add(back, func(w *world) { w.cables.mend(m, h) }, "%s: sees %s again", m, h)
	case k < 59:
		delay := p.seconds(0.02, 3)
		p.add(0, func(w *world) { w.cables.slow(m, h, delay) }, "%s: %s to %s", m, delay, h)
		p.add(back, func(w *world) { w.cables.mend(m, h) }, "%s: sees %s again", m, h)
	case k < 63:
		p.add(0, func(w *world) { w.cables.cut("people", h) }, "people: cut off from %s", h)
		p.add(back/4, func(w *world) { w.cables.mend("people", h) }, "people: see %s again", h)
	case k < 68:
		d := time.Duration(p.r.IntN(60)-30) * time.Second
		p.add(0, func(w *world) { w.hosts[s].clock.jump(d) }, "%s: the wall clock jumps by %s", h, d)
	case k < 72:
		many := 1 + p.r.IntN(8)
		p.add(0, func(w *world) { w.hosts[s].refuse(many) }, "%s: the database refuses %d commits", h, many)
	case k < 74:
		p.add(0, func(w *world) { w.hosts[s].loseAnswers(1) }, "%s: the answer of a commit gets lost", h)
	case k < 88:
		p.ofGuests(n, m)
	case k < 93:
		p.betweenServers(s, back)
	default:
		p.powerCut(n, m)
	}
}

// betweenServers parts a server from another one, in one direction: what it wants of that one's nodes it cannot have.
func (p *planner) betweenServers(from int, back time.Duration) {
	to := (from + 1 + p.r.IntN(p.servers-1)) % p.servers
	a, b := fmt.Sprintf("s%d", from+1), fmt.Sprintf("s%d", to+1)
	if p.r.IntN(2) == 0 {
		p.add(0, func(w *world) { w.cables.cut(a, b) }, "%s: cut off from %s, for %s", a, b, back)
	} else {
		p.add(0, func(w *world) { w.cables.freeze(a, b) }, "%s: silence towards %s, for %s", a, b, back)
	}
	p.add(back, func(w *world) { w.cables.mend(a, b) }, "%s: sees %s again", a, b)
}

// ofGuests is what goes wrong inside of a machine.
func (p *planner) ofGuests(n int, m string) {
	nth := 1 + p.r.IntN(3)
	broken := fault.New(fault.Internal, "broken", "the schedule made this fail")
	switch p.r.IntN(7) {
	case 0:
		p.add(0, func(w *world) { w.machines[n].hit(nth, (*guestHost).Crash) }, "%s: guest %d crashes", m, nth)
	case 1:
		p.add(0, func(w *world) { w.machines[n].hit(nth, (*guestHost).PowerOff) }, "%s: guest %d powers off", m, nth)
	case 2:
		p.add(0, func(w *world) {
			w.machines[n].hit(nth, func(h *guestHost, v id.VM) error { return h.IgnoreACPI(v, true) })
		}, "%s: guest %d ignores ACPI", m, nth)
	case 3:
		call := p.one("Start", "Power", "Kill", "Apply", "Snapshot", "Save", "Adopt", "Clean")
		p.add(0, func(w *world) { w.machines[n].Host.Fail("*", call, nth, broken) }, "%s: %s fails once", m, call)
	case 4:
		call := p.one("Start", "Power", "Apply", "Snapshot", "Save", "Status", "Adopt")
		p.add(0, func(w *world) { w.machines[n].Host.Hang("*", call, nth) }, "%s: %s hangs once", m, call)
	case 5:
		call := []simpool.Call{simpool.Ensure, simpool.Grow, simpool.Remove, simpool.Snapshot}[p.r.IntN(4)]
		p.add(0, func(w *world) { w.machines[n].Pool.Fail(call, 1, broken) }, "%s: the pool's %s fails once", m, call)
	case 6:
		back := p.seconds(1, 30)
		p.add(0, func(w *world) { w.machines[n].Pool.FillUp(0) }, "%s: the pool is full, for %s", m, back)
		p.add(back, func(w *world) { w.machines[n].Pool.FillUp(machineDiskBytes) }, "%s: the pool has room", m)
	}
}

// powerCut takes a machine's power. Sometimes an operator looks and says that it is off.
func (p *planner) powerCut(n int, m string) {
	back := p.seconds(2, 90)
	p.add(0, func(w *world) { w.machines[n].powerCut(back) }, "%s: the power fails, for %s", m, back)
	if after := p.seconds(12, 60); after < back-5*time.Second {
		p.add(after, func(w *world) { w.confirmDead(n, p.servers) }, "%s: an operator confirms that it is dead", m)
	}
}
