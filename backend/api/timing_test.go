package api_test

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/auth"
)

// Answers take about as long whether or not there is an account, since the same work is done. Wall time would tell that on an idle machine
// only; what a hash needs in memory is so much that counting it counts the hashes.
func TestPasswords_areHashedAsOftenWhetherOrNotThereIsAnAccount(t *testing.T) {
	const hashMiB = 48
	w := newWorld(t, unlimited, nil)
	w.accountDeps = func(d *app.AccountDeps) { d.Params = auth.Params{MemoryKiB: hashMiB << 10, Passes: 1, Lanes: 1} }
	w.restart()
	w.user("grace", auth.Developer)
	w.user("closed", auth.Developer)
	w.ask("PATCH", "/api/v1/users/closed", `{"disabled":true}`, token(w.as("root", auth.Administrator))...).wants(t, "close an account", http.StatusOK, "")
	hashes := func(path, body string) (n uint64, status int) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status = w.ask("POST", path, body).StatusCode
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 20 / hashMiB, status
	}
	email := func(address string) string { return fmt.Sprintf(`{"email":%q}`, address) }
	for _, row := range []struct {
		what, path string
		want       uint64
		bodies     []string
	}{
		{"signing in with a wrong password", "/api/auth/login", 1, []string{login("grace", "wrong horse battery"), login("nobody", "wrong horse battery"), login("closed", password), login("grace@example.org", "wrong horse battery"), login("nobody@example.org", "wrong horse battery")}},
		{"registering", "/api/auth/register", 1, []string{register("new", "new@example.org", password), register("other", "grace@example.org", password)}},
		{"asking for a new password", "/api/auth/forgot-password", 0, []string{email("grace@example.org"), email("nobody@example.org"), email("closed@example.org")}},
		{"asking for the mail again", "/api/auth/resend-verification", 0, []string{email("grace@example.org"), email("nobody@example.org")}},
	} {
		statuses := map[int]bool{}
		for _, body := range row.bodies {
			began := time.Now()
			n, status := hashes(row.path, body)
			// What cannot be the same work, since a mail differs from an account, takes the same time.
			if took := time.Since(began); row.path != "/api/auth/login" && took < 250*time.Millisecond {
				t.Errorf("%s with %s: answered after %s, before the step that hides the work", row.what, body, took)
			}
			if statuses[status] = true; n != row.want {
				t.Errorf("%s with %s: %d passwords were hashed, want %d", row.what, body, n, row.want)
			}
		}
		if len(statuses) != 1 {
			t.Errorf("%s: the statuses tell accounts apart: %v", row.what, statuses)
		}
	}
}
