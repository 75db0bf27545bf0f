package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// Problem is how the API says no (RFC 9457).
type Problem struct {
	wire.Problem
	retry time.Duration
	cause error // for the log
}

// Error is the sentence.
func (p *Problem) Error() string { return p.Detail }

// GetStatus and its siblings are what huma asks of an error.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes it application/problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders gives Retry-After where trying again makes sense.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="novacron"`)
	}
	return h
}

// statusOf is the one place that turns a kind into a status.
func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid, fault.Unsupported:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict, fault.Exhausted, fault.Canceled:
		return http.StatusConflict
	case fault.Precondition:
		return http.StatusPreconditionFailed
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// problemOf turns any error into a problem. What is not a fault is shown as a plain sentence, and its text goes to the log.
func problemOf(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = fault.Wrap(err, fault.Unavailable, "timeout", "the answer took too long; try again").After(time.Second)
	}
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fault.New(fault.TooLarge, "body_too_large", "a request body may have %d bytes here", big.Limit)
	}
	kind := fault.KindOf(err)
	p := &Problem{cause: err}
	p.Type, p.Status, p.Detail, p.Code, p.RequestID = "about:blank", statusOf(kind), fault.Sentence(err), string(kind), requestID(ctx)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		p.Field, p.retry = f.Field, f.Retry
		if f.Code != "" {
			p.Code = f.Code
		}
		if p.retry == 0 && kind == fault.Unavailable {
			p.retry = time.Second
		}
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// writeProblem answers with err where no typed handler does.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	note(r.Context(), p.cause)
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		json.NewEncoder(w).Encode(p) // the status is sent: nobody is left to tell
	}
}

func status(r *http.Request, code int, name, format string, args ...any) *Problem {
	p := &Problem{}
	p.Type, p.Status, p.Title, p.Code, p.Detail, p.RequestID = "about:blank", code, http.StatusText(code), name, fmt.Sprintf(format, args...), requestID(r.Context())
	return p
}

// huma makes its own errors (a body that does not fit its schema) by these two variables of its package; they are set
// once, before any route is made, so that they look like all others.
func init() {
	huma.NewErrorWithContext = func(ctx huma.Context, code int, message string, errs ...error) huma.StatusError {
		c := context.Background()
		if ctx != nil {
			c = ctx.Context()
		}
		return humaProblem(c, code, message, errs)
	}
	huma.NewError = func(code int, message string, errs ...error) huma.StatusError {
		return humaProblem(context.Background(), code, message, errs)
	}
}

// maxFieldFaults bounds how many wrong fields are told at once: a long list of wrong items says nothing more.
const maxFieldFaults = 20

func humaProblem(ctx context.Context, code int, message string, errs []error) *Problem {
	p := &Problem{}
	p.Type, p.Status, p.Title, p.RequestID = "about:blank", code, http.StatusText(code), requestID(ctx)
	p.Code = codeOf(code)
	var words []string
	for _, err := range errs {
		if err == nil {
			continue
		}
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			f := wire.FieldFault{Field: field(d.Location), Message: cmp.Or(parameterWords[d.Message], d.Message)}
			p.Fields = append(p.Fields, f)
			words = append(words, strings.TrimPrefix(f.Field+": "+f.Message, ": "))
			continue
		}
		words = append(words, err.Error())
	}
	if code >= 500 {
		p.Detail, p.cause = fault.Sentence(nil), fmt.Errorf("%s: %w", message, errors.Join(errs...))
		return p
	}
	first := ""
	if len(words) > 0 {
		first = words[0]
	}
	switch whole := sentenceOf(code, message, first); {
	case whole != "":
		p.Detail, p.Fields = whole, nil
	case len(words) > 0:
		p.Detail = "the request does not fit: " + strings.Join(words[:min(len(words), maxFieldFaults)], "; ")
	default:
		p.Detail = message
	}
	if len(p.Fields) == 1 {
		p.Field = p.Fields[0].Field
	}
	p.Fields = p.Fields[:min(len(p.Fields), maxFieldFaults)]
	if len(p.Detail) > 2000 {
		p.Detail = strings.ToValidUTF8(p.Detail[:2000], "") + "…"
	}
	return p
}

func field(location string) string {
	for _, part := range []string{"body.", "query.", "path.", "header."} {
		location = strings.TrimPrefix(location, part)
	}
	if location == "body" {
		return ""
	}
	return location
}

func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "invalid"
	case http.StatusRequestEntityTooLarge:
		return "body_too_large"
	case http.StatusUnsupportedMediaType:
		return "media_type"
	case http.StatusRequestTimeout:
		return "body_timeout"
	case http.StatusNotAcceptable:
		return "not_acceptable"
	}
	return strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "_"))
}
