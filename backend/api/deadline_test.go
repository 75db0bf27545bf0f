package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlines is a connection that remembers until when it may be written to.
type deadlines struct {
	*httptest.ResponseRecorder
	write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }
func (d *deadlines) SetReadDeadline(time.Time) error    { return nil }

func TestAnswers_haveADeadlineOfTheirOwnOnAUsedConnection(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	for _, ask := range []string{"GET /nothing", "GET /api/v1/nothing", "GET /api/v1/vms", "OPTIONS /api/v1/vms", "PATCH /api/v1/images/x/data", "GET /api/health"} {
		method, path, _ := strings.Cut(ask, " ")
		d := &deadlines{ResponseRecorder: httptest.NewRecorder(), write: time.Now().Add(-time.Second)} // of an earlier request
		w.api.REST().ServeHTTP(d, httptest.NewRequest(method, path, nil))
		if !d.write.After(time.Now()) {
			t.Errorf("%s: the answer has the deadline of the request before it", ask)
		}
	}
}
