package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// request is what somebody asks for, with the key under which it may be repeated.
type request struct {
	key    string
	verb   string
	server int
	method string
	path   string
	body   any
	wait   time.Duration
}

func (q request) String() string {
	body := ""
	if q.body != nil {
		raw, _ := json.Marshal(q.body)
		body = " " + string(raw)
	}
	if q.wait > 0 {
		body += " wait " + q.wait.String()
	}
	return fmt.Sprintf("s%d: %s %s %s%s", q.server+1, q.key, q.method, q.path, body)
}

// answer is what came of a request in the end.
type answer struct {
	request
	status    int // 0: nobody knows
	code      string
	vm        id.VM
	operation id.Operation
}

// acknowledged reports whether somebody was told that it is done or will be.
func (a answer) acknowledged() bool {
	return a.status == http.StatusOK || a.status == http.StatusAccepted
}

// Patience of people: a call, and how often it is repeated.
const (
	callPatience = 40 * time.Second
	callTries    = 8
	callPause    = 3 * time.Second
)

// send makes a request in the background, and repeats it until it is answered.
func (w *world) send(q request) {
	w.people.Go(func() {
		a := answer{request: q}
		for try := 0; try < callTries && w.ctx.Err() == nil; try++ {
			if try > 0 {
				time.Sleep(callPause)
				q.server = (q.server + 1) % len(w.hosts)
			}
			if a = w.try(q); a.status != 0 && a.status < 500 && a.status != http.StatusTooManyRequests {
				break
			}
			if q.method != http.MethodPost { // it carries no key: what a second one would say is of another request
				break
			}
		}
		w.mu.Lock()
		w.answers = append(w.answers, a)
		w.mu.Unlock()
		w.note("people", "%s %s: %d %s %s", q.key, q.verb, a.status, a.code, a.operation)
	})
}

// try makes a request once. status is 0 when nobody knows what became of it.
func (w *world) try(q request) answer {
	a := answer{request: q}
	ctx, cancel := context.WithTimeout(w.ctx, callPatience+q.wait)
	defer cancel()
	path, key := q.path, ""
	if q.wait > 0 {
		path += "?wait=" + q.wait.String()
	}
	if q.method == http.MethodPost {
		key = q.key
	}
	status, raw, err := w.call(ctx, fmt.Sprintf("s%d", q.server+1), q.method, path, key, q.body)
	if err != nil {
		return a
	}
	a.status = status
	if !a.acknowledged() {
		var p struct {
			Code      string          `json:"code"`
			Operation *wire.Operation `json:"operation"`
		}
		_ = json.Unmarshal(raw, &p) // a refusal without a body is a refusal too
		if a.code = p.Code; p.Operation != nil {
			a.operation = p.Operation.ID
		}
		return a
	}
	var ok struct {
		ID        id.VM           `json:"id"`
		VM        id.VM           `json:"vm"`
		Operation *wire.Operation `json:"operation"`
	}
	if err := json.Unmarshal(raw, &ok); err != nil {
		w.broken("%s %s answers %d with %q: %v", q.method, q.path, status, raw, err)
		return a
	}
	if a.vm = ok.ID; ok.VM != "" {
		a.vm = ok.VM
	}
	if ok.Operation != nil {
		a.operation = ok.Operation.ID
	}
	return a
}

// cancelOne asks for the newest open operation to be undone, and to be taken back once more, which is for those that are stuck: whatever
// becomes of it, one that runs or has ended is not.
func (w *world) cancelOne(server int) {
	w.people.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, callPatience)
		defer cancel()
		at := fmt.Sprintf("s%d", server+1)
		_, raw, err := w.call(ctx, at, http.MethodGet, "/api/v1/operations?status=open&limit=1", "", nil)
		var list wire.List[wire.Operation]
		if err != nil || json.Unmarshal(raw, &list) != nil || len(list.Items) == 0 {
			return
		}
		status, _, err := w.call(ctx, at, http.MethodDelete, "/api/v1/operations/"+string(list.Items[0].ID), "", nil)
		w.note("people", "cancel %s: %d %v", list.Items[0].ID, status, err)
		status, raw, err = w.call(ctx, at, http.MethodPost, "/api/v1/operations/"+string(list.Items[0].ID)+"/retry", "", nil)
		w.note("people", "retry %s: %d %v", list.Items[0].ID, status, err)
		if err == nil && status == http.StatusAccepted {
			w.broken("%s was not stuck, and is taken back once more: %s", list.Items[0].ID, raw)
		}
	})
}

// confirmDead is an operator's word on a machine, which is not given while it has power.
func (w *world) confirmDead(n, servers int) {
	m := w.machines[n]
	w.people.Go(func() {
		for s := range servers {
			if m.powered() {
				return
			}
			ctx, cancel := context.WithTimeout(w.ctx, callPatience/8)
			status, _, err := w.call(ctx, fmt.Sprintf("s%d", s+1), http.MethodPost, "/api/v1/nodes/"+string(m.Node)+"/confirm-dead", "", nil)
			cancel()
			w.note("people", "confirm %s dead: %d %v", m.name, status, err)
			if err == nil && status < 500 {
				return
			}
		}
	})
}

var errRefused = fault.New(fault.Unavailable, "database_unavailable", "the schedule refuses this commit")
