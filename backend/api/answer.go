package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// maxWait is the longest that an answer is held for an operation; longer waits are capped.
const maxWait = 300 * time.Second

// Ref names a thing in a path: its id, or its name within the tenant.
type Ref struct {
	ID string `path:"id" maxLength:"100" doc:"Id or name"`
}

// Waiter is what every call takes that may take time.
type Waiter struct {
	Wait string `query:"wait" maxLength:"20" example:"30s" doc:"Hold the answer until the operation has ended, at most this long (up to 300s): 200 when it succeeded, 202 when it still runs, 409 when it failed"`
}

// IfMatched is what every edit takes.
type IfMatched struct {
	IfMatch string `header:"If-Match" maxLength:"100" doc:"The ETag that was read; 412 when somebody changed it since"`
}

// Lister is what every list takes.
type Lister struct {
	Limit  int    `query:"limit" minimum:"0" doc:"Items of a page; absent: 100; more than 1000 is capped"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Sort   string `query:"sort" maxLength:"64" doc:"A field, with - in front for descending"`
}

// maxLimit caps a page.
const maxLimit = 1000

func (l Lister) request() app.ListRequest {
	return app.ListRequest{Limit: min(l.Limit, maxLimit), Cursor: l.Cursor, Sort: l.Sort}
}

// waitOf reads ?wait: "30s", "2m", or seconds.
func waitOf(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if seconds, numeric := strconv.Atoi(s); numeric == nil {
		d, err = time.Duration(min(seconds, int(maxWait.Seconds())))*time.Second, nil
	}
	if err != nil || d < 0 {
		return 0, fault.New(fault.Invalid, "wait_invalid", "wait is a time like 30s, at most %ds; got %.20q", int(maxWait.Seconds()), s).On("wait")
	}
	return min(d, maxWait), nil
}

// versionOf reads If-Match; 0: any version will do.
func versionOf(s string) (int64, error) {
	if s == "" || s == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(s, "W/"), `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Precondition, "version_unknown", "If-Match is the ETag of an earlier answer, like \"3\"; got %.40q", s).On("If-Match")
	}
	return n, nil
}

func etag(version int64) string { return fmt.Sprintf("%q", strconv.FormatInt(version, 10)) }

// Answers by shape. Location points to the operation.
type (
	vmAnswer struct {
		Status   int
		Location string `header:"Location"`
		ETag     string `header:"ETag"`
		Body     wire.VMAnswer
	}
	snapshotAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     wire.SnapshotAnswer
	}
	imageAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     wire.ImageAnswer
	}
	operationAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     wire.OperationAnswer
	}
	body[T any] struct {
		ETag string `header:"ETag"`
		Body T
	}
)

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}

// settle waits for an operation as ?wait asks. It gives the operation as it is then, the status to answer, and where to look.
// An operation that failed is a 409 that holds it.
func (a *API) settle(ctx context.Context, o *wire.Operation, wait string) (now *wire.Operation, code int, location string, err error) {
	if o == nil {
		return nil, http.StatusOK, "", nil // there was nothing left to do
	}
	location = "/api/v1/operations/" + string(o.ID)
	hold, err := waitOf(wait)
	if err != nil {
		return nil, 0, "", err
	}
	if hold == 0 {
		return o, http.StatusAccepted, location, nil
	}
	ended, err := a.App.WaitOperation(ctx, caller(ctx), o.ID, hold)
	if err != nil {
		// The verb was taken: an answer without its operation would lose it.
		note(ctx, fmt.Errorf("wait for %s: %w", o.ID, err))
		return o, http.StatusAccepted, location, nil
	}
	switch {
	case !ended.Ended():
		return &ended, http.StatusAccepted, location, nil
	case ended.Succeeded():
		return &ended, http.StatusOK, location, nil
	}
	return nil, 0, "", failed(ctx, ended)
}

// failed is the problem of an operation that did not do what was asked.
func failed(ctx context.Context, o wire.Operation) *Problem {
	p := &Problem{}
	p.Type, p.Status, p.Title, p.RequestID = "about:blank", http.StatusConflict, http.StatusText(http.StatusConflict), requestID(ctx)
	p.Code, p.Detail, p.Operation = "operation_"+o.Status, "the operation was "+o.Status+" and what it did was undone", &o
	if o.Error != nil {
		p.Detail = o.Error.Message
		if o.Error.Code != "" {
			p.Code = o.Error.Code
		}
	}
	return p
}

func (a *API) answerVM(ctx context.Context, res app.VMResult, err error, wait string) (*vmAnswer, error) {
	if err != nil {
		return nil, err
	}
	o, code, location, err := a.settle(ctx, res.Operation, wait)
	if err != nil {
		return nil, err
	}
	if o != nil && o.Ended() {
		if res.VM, err = a.App.VM(ctx, caller(ctx), string(res.VM.ID)); err != nil {
			return nil, err
		}
	}
	return &vmAnswer{Status: code, Location: location, ETag: etag(res.VM.Version), Body: wire.VMAnswer{VM: res.VM, Operation: o}}, nil
}

func (a *API) answerSnapshot(ctx context.Context, vm id.VM, res app.SnapshotResult, err error, wait string) (*snapshotAnswer, error) {
	if err != nil {
		return nil, err
	}
	o, code, location, err := a.settle(ctx, res.Operation, wait)
	if err != nil {
		return nil, err
	}
	if o != nil && o.Ended() {
		if res.Snapshot, err = a.App.Snapshot(ctx, caller(ctx), string(vm), string(res.Snapshot.ID)); err != nil {
			return nil, err
		}
	}
	return &snapshotAnswer{Status: code, Location: location, Body: wire.SnapshotAnswer{Snapshot: res.Snapshot, Operation: o}}, nil
}

func (a *API) answerImage(ctx context.Context, res app.ImageResult, err error, wait string) (*imageAnswer, error) {
	if err != nil {
		return nil, err
	}
	o, code, location, err := a.settle(ctx, res.Operation, wait)
	if err != nil {
		return nil, err
	}
	if o == nil {
		code = http.StatusCreated // an upload follows
	}
	if o != nil && o.Ended() {
		if res.Image, err = a.App.Image(ctx, caller(ctx), string(res.Image.ID)); err != nil {
			return nil, err
		}
	}
	return &imageAnswer{Status: code, Location: location, Body: wire.ImageAnswer{Image: res.Image, Operation: o}}, nil
}

// answerGone answers for what is not there any more when the operation has ended.
func (a *API) answerGone(ctx context.Context, o *wire.Operation, err error, wait string) (*operationAnswer, error) {
	if err != nil {
		return nil, err
	}
	now, code, location, err := a.settle(ctx, o, wait)
	if err != nil {
		return nil, err
	}
	return &operationAnswer{Status: code, Location: location, Body: wire.OperationAnswer{Operation: now}}, nil
}
