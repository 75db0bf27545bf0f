package api

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// addRoutes fills the table.
func (a *API) addRoutes() {
	a.addPublic()
	a.addAuth()
	a.addAccount()
	a.addFactor()
	a.addPasskeys()
	a.addOIDC()
	a.addVMs()
	a.addOperations()
	a.addImages()
	a.addNodes()
	a.addRest()
	a.addGovernment()
	a.addSockets()
}

func (a *API) addPublic() {
	const tag = "Server"
	add(a, anyone, "GET /api/health", op("health", "Does the server answer?", tag), func(context.Context, *struct{}) (*body[wire.Health], error) {
		return answer(wire.Health{Status: "ok", Version: a.Version}, nil)
	})
	add(a, anyone, "GET /api/ready", op("ready", "Can the server do its work?", tag), a.ready)
	a.raw(anyone, "GET /api/openapi.json", false, func(w http.ResponseWriter, r *http.Request) { send(w, "application/json", a.spec) })
	a.raw(anyone, "GET /api/docs", false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", a.docsPolicy)
		send(w, "text/html; charset=utf-8", a.docs)
	})
	a.raw(anyone, "GET /.well-known/jwks.json", false, func(w http.ResponseWriter, r *http.Request) {
		send(w, "application/json", a.Accounts.JWKS())
		// Verifiers elsewhere may keep the keys for a while; a new key signs nothing before they have it.
	})
	if a.Metrics != nil {
		a.raw(anyone, "GET /metrics", false, a.metrics)
	}
}

func send(w http.ResponseWriter, contentType string, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	w.Write(content)
}

type readyAnswer struct {
	Status int
	Body   wire.Ready
}

func (a *API) ready(ctx context.Context, _ *struct{}) (*readyAnswer, error) {
	out := &readyAnswer{Status: http.StatusOK, Body: wire.Ready{Ready: true, Reasons: []string{}}}
	if a.Ready != nil {
		gone, notes := a.Ready(ctx)
		out.Body.Reasons = append(append(out.Body.Reasons, gone...), notes...)
		if len(gone) > 0 {
			out.Status, out.Body.Ready = http.StatusServiceUnavailable, false
		}
	}
	return out, nil
}

// metrics serves a scraper with the token, or on this very machine: what a proxy forwards comes from elsewhere.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	if token, err := bearer(r); err == nil && a.ScrapeToken != "" && subtle.ConstantTimeCompare([]byte(token), []byte(a.ScrapeToken)) == 1 {
		a.Metrics.ServeHTTP(w, r)
		return
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	forwarded := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Real-Ip") != "" || r.Header.Get("Via") != ""
	if err != nil || !peer.Addr().Unmap().IsLoopback() || forwarded {
		writeProblem(w, r, fault.New(fault.Unauthenticated, "scrape_token", "metrics are given on this machine, or with the scrape token as `Authorization: Bearer …`"))
		return
	}
	a.Metrics.ServeHTTP(w, r)
}

func (a *API) addOperations() {
	const tag = "Operations"
	add(a, may(auth.ReadOperation), "GET /api/v1/operations", op("listOperations", "List operations, newest first", tag), func(ctx context.Context, in *struct {
		Lister
		Subject string `query:"subject" maxLength:"100" doc:"What they act on, for example vm/ID"`
		Kind    string `query:"kind" maxLength:"64"`
		Status  string `query:"status" enum:"open,queued,running,undoing,succeeded,failed,canceled,stuck" doc:"open: all that have not ended"`
	}) (*body[wire.List[wire.Operation]], error) {
		return answer(a.App.ListOperations(ctx, caller(ctx), app.ListOperations{ListRequest: in.request(), Subject: in.Subject, Kind: in.Kind, Status: in.Status}))
	})
	add(a, may(auth.ReadOperation), "GET /api/v1/operations/{id}", op("getOperation", "Show an operation; with wait, when it has ended", tag), func(ctx context.Context, in *Act) (*body[wire.Operation], error) {
		hold, err := waitOf(in.Wait)
		if err != nil {
			return nil, err
		}
		if hold > 0 {
			return answer(a.App.WaitOperation(ctx, caller(ctx), id.Operation(in.ID), hold))
		}
		return answer(a.App.Operation(ctx, caller(ctx), id.Operation(in.ID)))
	})
	add(a, may(auth.WriteOperation), "DELETE /api/v1/operations/{id}", op("cancelOperation", "Cancel an operation: it undoes what it did", tag), func(ctx context.Context, in *Ref) (*struct {
		Status int
		Body   wire.Operation
	}, error) {
		o, err := a.App.CancelOperation(ctx, caller(ctx), id.Operation(in.ID))
		if err != nil {
			return nil, err
		}
		return &struct {
			Status int
			Body   wire.Operation
		}{http.StatusAccepted, o}, nil
	})
	add(a, may(auth.WriteOperation), "POST /api/v1/operations/{id}/retry", op("retryOperation", "Take back what a stuck operation left: the answer is the operation that does it", tag), func(ctx context.Context, in *Ref) (*operationAnswer, error) {
		o, err := a.App.RetryOperation(ctx, caller(ctx), id.Operation(in.ID))
		if err != nil {
			return nil, err
		}
		return &operationAnswer{Status: http.StatusAccepted, Location: "/api/v1/operations/" + string(o.ID), Body: wire.OperationAnswer{Operation: &o}}, nil
	})
}

func (a *API) addNodes() {
	const tag = "Nodes"
	read, write := govern(auth.ReadPlatform), govern(auth.WriteNode)
	add(a, read, "GET /api/v1/nodes", op("listNodes", "List nodes", tag), func(ctx context.Context, in *Lister) (*body[wire.List[wire.Node]], error) {
		return answer(a.App.ListNodes(ctx, caller(ctx), in.request()))
	})
	add(a, read, "GET /api/v1/nodes/{id}", op("getNode", "Show a node", tag), func(ctx context.Context, in *Ref) (*body[wire.Node], error) {
		n, err := a.App.Node(ctx, caller(ctx), in.ID)
		if err != nil {
			return nil, err
		}
		return &body[wire.Node]{ETag: etag(n.Version), Body: n}, nil
	})
	add(a, read, "GET /api/v1/servers", op("listServers", "List the servers on the database", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.Server]], error) {
		return answer(a.App.ListServers(ctx, caller(ctx)))
	})
	add(a, write, "PATCH /api/v1/nodes/{id}", op("updateNode", "Cordon or label a node", tag), func(ctx context.Context, in *struct {
		Ref
		IfMatched
		Body wire.UpdateNode
	}) (*body[wire.Node], error) {
		version, err := versionOf(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return answer(a.App.UpdateNode(ctx, caller(ctx), in.ID, in.Body, version))
	})
	add(a, write, "POST /api/v1/nodes/{id}/confirm-dead", op("confirmNodeDead", "Say that a machine is off for good", tag), func(ctx context.Context, in *Ref) (*body[wire.Node], error) {
		return answer(a.App.ConfirmNodeDead(ctx, caller(ctx), in.ID))
	})
	add(a, write, "DELETE /api/v1/nodes/{id}", op("removeNode", "Forget a node that holds nothing", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.App.RemoveNode(ctx, caller(ctx), in.ID)
	})
	add(a, write.unkept(), "POST /api/v1/nodes/join-tokens", op("createJoinToken", "Make a one-use token for a machine that joins", tag), a.joinToken)
}

func (a *API) joinToken(ctx context.Context, in *struct {
	Lifetime string `query:"lifetime" maxLength:"20" doc:"How long it is good, up to 24h; absent: 1h"`
}) (*body[wire.JoinToken], error) {
	lifetime := app.DefaultJoinLifetime
	if in.Lifetime != "" {
		var err error
		if lifetime, err = time.ParseDuration(in.Lifetime); err != nil || lifetime <= 0 {
			return nil, fault.New(fault.Invalid, "lifetime_invalid", "lifetime is a time like 90m or 24h; got %.20q", in.Lifetime).On("lifetime")
		}
	}
	secret, ends, err := a.App.CreateJoinToken(ctx, caller(ctx), lifetime)
	if err != nil {
		return nil, err
	}
	out := wire.JoinToken{Token: secret, ExpiresAt: ends}
	if a.JoinWith != nil {
		out.Token, out.Command = a.JoinWith(secret)
	}
	return answer(out, nil)
}

func (a *API) addRest() {
	add(a, may(auth.ReadNetwork), "GET /api/v1/networks", op("listNetworks", "List networks", "Networks"), func(ctx context.Context, in *Lister) (*body[wire.List[wire.Network]], error) {
		return answer(a.App.ListNetworks(ctx, caller(ctx), in.request()))
	})
	add(a, may(auth.ReadNetwork), "GET /api/v1/networks/{id}", op("getNetwork", "Show a network", "Networks"), func(ctx context.Context, in *Ref) (*body[wire.Network], error) {
		return answer(a.App.Network(ctx, caller(ctx), in.ID))
	})
	add(a, may(auth.ReadEvent), "GET /api/v1/events", op("listEvents", "The history behind the event stream, oldest first", "Events"), a.history)
}

type created[T any] struct {
	Status   int
	Location string `header:"Location"`
	Body     T
}

func (a *API) history(ctx context.Context, in *struct {
	Since   string `query:"since" maxLength:"200" doc:"Cursor: the id of an event, or next_cursor; absent: from the oldest that is kept"`
	Newest  bool   `query:"newest" doc:"The last events instead of the first, oldest first all the same; next_cursor is where live events go on"`
	Topics  string `query:"topics" maxLength:"1000" doc:"Types or prefixes with a star, separated by commas: vm.*,operation.*"`
	Subject string `query:"subject" maxLength:"100" doc:"For example vm/ID"`
	Limit   int    `query:"limit" minimum:"0" doc:"More than 1000 is capped"`
}) (*body[wire.List[wire.Event]], error) {
	var topics []string
	if in.Topics != "" {
		topics = strings.Split(in.Topics, ",")
	}
	if err := checkTopics(topics); err != nil {
		return nil, err
	}
	page, err := a.App.Events(ctx, caller(ctx), app.ReadEvents{Since: in.Since, Newest: in.Newest, Topics: topics, Subject: in.Subject, Limit: min(in.Limit, maxLimit)})
	if err != nil {
		return nil, err
	}
	if page.Events == nil {
		page.Events = []wire.Event{}
	}
	return answer(wire.List[wire.Event]{Items: page.Events, NextCursor: page.Next, Total: len(page.Events)}, nil)
}
