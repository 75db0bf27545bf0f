package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/notify"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

func TestTokenEnds_areToldToTheOwnerOnceAWeekBefore(t *testing.T) {
	w := newWatched(t, storetest.SQLite(t))
	eve, err := w.db.UserByLogin(w.ctx, "eve")
	w.must(err)
	begun := w.now
	day := 24 * time.Hour
	for name, life := range map[string]time.Duration{"ci": 30 * day, "backup": 30*day + time.Hour, "short": 10 * day, "endless": 0} {
		k := store.APIToken{ID: id.NewToken(), User: eve.ID, Name: name, Hash: name, Created: begun}
		if life > 0 {
			k.Expires = begun.Add(life)
		}
		w.must(w.db.Tx(w.ctx, func(x *store.Tx) error { return x.InsertAPIToken(w.ctx, &k) }))
	}
	told := func(what string, after time.Duration, want ...string) {
		t.Helper()
		w.now = begun.Add(after)
		for range 2 { // as two servers do
			w.must(w.accounts.MailTokenEnds(w.ctx))
		}
		w.deliver()
		var got []string
		for _, m := range w.box.mails {
			text, err := notify.Render(m.Kind, m.Data)
			w.must(err)
			if m.To != "eve@example.org" || !strings.Contains(text.Text, `"`+m.Data.Lines[0]+`" ends on `+m.Data.Ends) || !strings.Contains(text.Text, "https://cloud.example.org/settings/tokens") {
				t.Errorf("%s: to %s:\n%s", what, m.To, text.Text)
			}
			got = append(got, m.Data.Lines[0])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: told of %q, want %q", what, got, want)
		}
	}
	told("at the beginning", 0)
	told("before the week", 23*day-time.Minute)
	told("a week before the first", 23*day, "ci")
	told("an hour later", 23*day+time.Hour, "backup")
	told("a day before", 29*day)
}
