package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The framework gives every body five seconds, also one that was read before or is not there.
func TestBounded_keepsTheFrameworksDeadlineFromAHeldAnswer(t *testing.T) {
	const late = 50 * time.Millisecond
	for _, body := range []string{"", "x"} {
		cut := make(chan bool, 1)
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(late))
			select {
			case <-r.Context().Done():
				cut <- true
			case <-time.After(6 * late):
				cut <- false
			}
		})
		a := &API{mux: mux}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			read, err := io.ReadAll(r.Body) // as once does
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(strings.NewReader(string(read)))
			a.bounded(&recorder{ResponseWriter: w}, r, false)
		}))
		res, err := http.Post(server.URL, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatalf("body %q: the held answer did not come: %v", body, err)
		}
		res.Body.Close()
		if <-cut {
			t.Errorf("body %q: the request ended with the framework's time for a body", body)
		}
		server.Close()
	}
}
