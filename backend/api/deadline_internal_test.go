package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
)

func TestLimitBody_endsWithTheBodyAndLeavesTheAnswerItsTime(t *testing.T) {
	const limit = 50 * time.Millisecond
	for _, body := range []string{"", "x"} {
		cut := make(chan bool, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := limitBody(http.NewResponseController(w), r, limit); err != nil {
				t.Error(err)
			}
			io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
				cut <- true
			case <-time.After(6 * limit):
				cut <- false
			}
		}))
		res, err := http.Post(server.URL, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatalf("body %q: the held answer did not come: %v", body, err)
		}
		res.Body.Close()
		if <-cut {
			t.Errorf("body %q: the request ended with the time for its body", body)
		}
		server.Close()
	}
}

func TestStream_takesRenewalsWhileItWaitsForAPong(t *testing.T) {
	s := &stream{renew: make(chan app.Access, 1)}
	first, second := app.Access{Expires: time.Unix(1, 0)}, app.Access{Expires: time.Unix(2, 0)}
	s.renewed(first)
	s.renewed(second) // nobody has taken the first
	if got := <-s.renew; got.Expires != second.Expires {
		t.Errorf("the stream holds the renewal of %v, not the newest", got.Expires)
	}
}
