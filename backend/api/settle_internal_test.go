package api

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
)

// An answer is made while it is being asked whether its token is good; this is what keeps it back.
func TestRecorder_sendsAnAnswerOnlyOnceItIsConfirmed(t *testing.T) {
	withdrawn := errors.New("withdrawn")
	for name, handler := range map[string]func(w http.ResponseWriter){
		"a body":   func(w http.ResponseWriter) { io.WriteString(w, "all of it") },
		"a status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotModified) },
		"a flush": func(w http.ResponseWriter) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
		"nothing": func(http.ResponseWriter) {},
	} {
		for _, word := range []error{nil, withdrawn} {
			got := httptest.NewRecorder()
			got.Header().Set("X-Request-Id", "r1")
			got.Header().Set("Cache-Control", "no-store")
			got.Header().Add("Vary", "Origin")
			w, asked := &recorder{ResponseWriter: got}, 0
			w.held = &held{before: maps.Clone(w.Header()),
				confirm: func() error { asked++; return word },
				refuse:  func(err error) { http.Error(w, err.Error(), http.StatusUnauthorized) }}
			w.Header().Set("ETag", `"7"`)
			w.Header().Del("Cache-Control")
			w.Header().Add("Vary", "Accept")
			handler(w)
			w.settle()
			io.WriteString(w, "")
			res := got.Result()
			body, _ := io.ReadAll(res.Body)
			if asked != 1 || res.Header.Get("X-Request-Id") != "r1" {
				t.Errorf("%s, %v: it was asked %d times, the request's id is %q; want once and r1", name, word, asked, res.Header.Get("X-Request-Id"))
			}
			tag, kept := res.Header.Get("ETag"), res.Header.Get("Cache-Control")
			switch {
			case word == nil && (tag != `"7"` || kept != "" || res.StatusCode == http.StatusUnauthorized):
				t.Errorf("%s: got %d with ETag %s and Cache-Control %q, want the handler's answer", name, res.StatusCode, tag, kept)
			case word != nil && (tag != "" || len(res.Header["Vary"]) != 1 || kept != "no-store" || res.StatusCode != http.StatusUnauthorized || string(body) != "withdrawn\n"):
				t.Errorf("%s: got %d %q with ETag %q and Cache-Control %q, want nothing of the handler's answer", name, res.StatusCode, body, tag, kept)
			}
		}
	}
}
