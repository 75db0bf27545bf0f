package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/app/apptest"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/op"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// inbox is a mail server in memory that keeps what it takes.
type inbox struct{ mails []notify.Mail }

func (b *inbox) Send(_ context.Context, m notify.Mail, begin func() error) error {
	if err := begin(); err != nil {
		return err
	}
	b.mails = append(b.mails, m)
	return nil
}

// watched is a world whose administrators get mail, with a clock of its own.
type watched struct {
	*world
	accounts *app.Accounts
	now      time.Time
	box      inbox
	node     *apptest.Node
}

func newWatched(t *testing.T, db *store.DB) *watched {
	t.Helper()
	w := &watched{now: time.Now()}
	w.world, _ = governed(t, db)
	w.node = w.addNode("thor")
	w.accounts = app.NewAccounts(app.AccountDeps{App: w.app, Store: db, Sessions: sessions(t), Params: auth.Params{MemoryKiB: 64, Passes: 1, Lanes: 1},
		Seal: wax{}, PublicURL: "https://cloud.example.org", Mails: true, Now: func() time.Time { return w.now }})
	for _, u := range []wire.CreateUser{{Username: "ada", Role: auth.Administrator}, {Username: "bob", Role: auth.Administrator}, {Username: "eve", Role: auth.Operator}} {
		u.Email, u.Password = u.Username+"@example.org", "purple monkey dishwasher"
		if _, err := w.accounts.Create(w.ctx, auth.Platform("test"), u); err != nil {
			t.Fatal(err)
		}
	}
	w.told(0)
	return w
}

// told looks for alerts as two servers do, a pause after the last mail, and fails unless each administrator got as many lines more.
func (w *watched) told(lines int, words ...string) {
	w.t.Helper()
	w.now = w.now.Add(10 * time.Minute)
	for range 2 {
		w.must(w.accounts.MailAlerts(w.ctx))
	}
	w.deliver()
	to := map[string]int{}
	for _, m := range w.box.mails {
		to[m.To] += len(m.Data.Lines)
		text, err := notify.Render(m.Kind, m.Data)
		w.must(err)
		for _, word := range words {
			if !strings.Contains(text.Text, word) {
				w.t.Errorf("the mail does not say %q:\n%s", word, text.Text)
			}
		}
	}
	if to["ada@example.org"] != lines || to["bob@example.org"] != lines || to["eve@example.org"] != 0 {
		w.t.Errorf("lines told: %v, want %d to ada and bob and none to eve", to, lines)
	}
	if lines > 0 && len(w.box.mails) != 2 {
		w.t.Errorf("%d mails, want one for each administrator", len(w.box.mails))
	}
}

// deliver puts the mails that are queued into the box, in place of what was there.
func (w *watched) deliver() {
	w.t.Helper()
	w.box.mails = nil
	ctx, stop := context.WithCancel(w.ctx)
	(&notify.Worker{Queue: ending{w.accounts.MailQueue(), stop}, Sender: &w.box, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }}).Run(ctx)
}

// disk has the node report its disk.
func (w *watched) disk(free int64) {
	w.t.Helper()
	w.node.What.DiskTotal, w.node.What.DiskFree = 100<<30, free<<30
	w.must(w.app.NodeFacts(w.ctx, w.node.ID, w.node.What))
}

// stuck records an operation that could not be taken back.
func (w *watched) stuck(why string) {
	w.t.Helper()
	w.must(w.db.Tx(w.ctx, func(t *store.Tx) error {
		data, err := json.Marshal(store.OperationEvent{ID: id.NewOperation(), Kind: "vm.create", Status: op.Stuck, Error: &op.Problem{Message: why}})
		return errors.Join(err, t.EmitEvent(store.Event{Type: "operation.ended", Subject: "operation/1", Data: data}))
	}))
}

func TestAlerts_tellEachAdministratorEachThingOnce(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *store.DB{"SQLite": storetest.SQLite, "PostgreSQL": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t, open(t))
			n, err := w.db.Node(w.ctx, w.node.ID)
			w.must(err)
			if lost, err := w.app.NodeExpired(w.ctx, n.ID, n.LeaseSeq, "it has not renewed its lease"); err != nil || !lost {
				t.Fatalf("lost %v, %v", lost, err)
			}
			w.stuck("the image <b>cannot</b> be removed")
			w.told(2, "Node thor with 0 VMs was lost", "it has not renewed its lease", "could not be taken back: the image bcannot/b be removed")
			w.told(0)
			w.disk(9)
			w.told(1, "Node thor has 9.0 GiB (9 %) of its disk left.")
			w.disk(12) // a little more is not fine yet
			w.told(0)
			w.disk(9)
			w.told(0)
			w.disk(50)
			w.told(0)
			w.disk(1)
			w.told(1, "1.0 GiB")
			for range 30 {
				w.stuck("no")
			}
			w.told(21, "And 10 more.")
		})
	}
}

func TestAlerts_tellOfAnAuditLogThatWasChanged(t *testing.T) {
	path := t.TempDir() + "/novacron.db"
	w := newWatched(t, storetest.Open(t, store.Options{Path: path}))
	raw, err := sql.Open("sqlite", path)
	w.must(err)
	defer raw.Close()
	_, err = raw.ExecContext(w.ctx, "update audit set actor = 'nobody' where seq = 2")
	w.must(err)
	w.told(0) // it is read once a day
	w.now = w.now.Add(24 * time.Hour)
	w.told(1, "changed behind the platform's back from entry 2 on")
	w.now = w.now.Add(24 * time.Hour)
	w.told(0)
}

func TestAlerts_areNotMailedMoreThanOnceInFiveMinutes(t *testing.T) {
	w := newWatched(t, storetest.SQLite(t))
	w.stuck("first")
	w.told(1, "first")
	w.stuck("second")
	w.now = w.now.Add(-9 * time.Minute) // a minute after the mail
	w.must(w.accounts.MailAlerts(w.ctx))
	w.stuck("third")
	w.now = w.now.Add(9 * time.Minute)
	w.told(2, "second", "third")
}
