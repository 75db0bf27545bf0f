package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// What the library that checks requests would say in its own words, each with what a user reads in their place.
func TestRefusals_areSentencesOfOurOwn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	for _, r := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"a body that is too large", "POST", "/api/v1/vms", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, http.StatusRequestEntityTooLarge, "has more than the 1048576 bytes that this path takes; send less"},
		{"no body", "POST", "/api/v1/vms", "", http.StatusBadRequest, "the request has no body; send one JSON object"},
		{"half a body", "POST", "/api/v1/vms", `{"name":`, http.StatusBadRequest, "cannot be read as JSON"},
		{"a field that is too small", "POST", "/api/v1/vms", `{"name":"a","image":"tiny","memory_mib":1,"disk_gib":1}`, http.StatusUnprocessableEntity, "memory_mib: must be 16 or more"},
		{"a field of another type", "POST", "/api/v1/vms", `{"name":7}`, http.StatusUnprocessableEntity, "name: must be a text"},
		{"a field that is missing", "POST", "/api/v1/vms", `{}`, http.StatusUnprocessableEntity, "name is missing; give it"},
		{"a field that nobody knows", "POST", "/api/v1/vms", `{"name":"a","colour":"red"}`, http.StatusUnprocessableEntity, "colour: is not known here"},
		{"a number that is none", "GET", "/api/v1/vms?limit=many", "", http.StatusUnprocessableEntity, "limit: must be a whole number"},
	} {
		got := w.ask(r.method, r.path, r.body, token(c)...)
		if got.StatusCode != r.status || !strings.Contains(got.text, r.says) || strings.Contains(got.text, ": expected ") {
			t.Errorf("%s: %d %.300s, want %d with %q", r.name, got.StatusCode, got.text, r.status, r.says)
		}
	}
}
