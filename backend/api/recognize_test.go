package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/session"
)

// far keeps sessions as if over a network.
type far struct{ session.Store }

func (far) Far() bool { return true }

// An answer may be made while it is being asked whether the token was withdrawn, but only for a token that was good the last time.
func TestRecognize_trustsATokenUntilItIsWithdrawn(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	w.accountDeps = func(d *app.AccountDeps) { d.Sessions = far{d.Sessions} }
	w.restart()
	header := token(w.admin())
	presented := strings.TrimPrefix(header[1], "Bearer ")
	who, confirm, err := w.accounts.Recognize(ctx, presented, app.Wish{Request: "r"})
	for end := time.Now().Add(wait); err == nil && confirm == nil; { // what the account may do is remembered for a moment only
		if time.Now().After(end) {
			t.Fatal("a token that is good again and again is never trusted")
		}
		who, confirm, err = w.accounts.Recognize(ctx, presented, app.Wish{Request: "r"})
	}
	w.must(err)
	w.must(confirm())
	w.ask("GET", "/api/v1/vms", "", header...).wants(t, "a good token", http.StatusOK, "")
	w.must(w.sessions.Revoke(ctx, who.Token, who.Expires))
	a := w.ask("GET", "/api/v1/vms", "", header...)
	a.wants(t, "a withdrawn token", http.StatusUnauthorized, "signed_out")
	if a.Header.Get("ETag") != "" || strings.Contains(a.text, "items") {
		t.Errorf("a withdrawn token got %s with ETag %q, want nothing of the list", a.text, a.Header.Get("ETag"))
	}
	if _, confirm, err := w.accounts.Recognize(ctx, presented, app.Wish{Request: "r"}); confirm != nil || !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token that was refused before: got %v, want a refusal at once", err)
	}
}
