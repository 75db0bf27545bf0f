package app_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/session"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// wax seals nothing for good: it only keeps a test from reading what it should not.
type wax struct{}

func (wax) Seal(_ string, secret []byte) []byte {
	return []byte(base64.StdEncoding.EncodeToString(secret))
}

func (wax) Open(_ string, sealed []byte) ([]byte, error) {
	return base64.StdEncoding.DecodeString(string(sealed))
}

// carrier is a mail server in memory. dies, when set, is where the sending process ends.
type carrier struct {
	mu    sync.Mutex
	taken []string
	dies  string
}

var errDied = errors.New("the process ended here")

func (c *carrier) Send(ctx context.Context, m notify.Mail, begin func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dies == "before" {
		panic(errDied)
	}
	if err := begin(); err != nil {
		return err
	}
	if c.dies == "during" {
		panic(errDied)
	}
	c.taken = append(c.taken, m.To)
	if c.dies == "after" {
		panic(errDied)
	}
	return nil
}

func TestMail_isSentOnceWhereverTheServerDies(t *testing.T) {
	for _, c := range []struct {
		dies  string
		sent  int
		state store.MailState
	}{
		{"", 1, store.MailSent}, {"before", 1, store.MailSent}, {"during", 0, store.MailDead}, {"after", 1, store.MailDead},
	} {
		t.Run("dies "+c.dies, func(t *testing.T) {
			w, _ := governed(t, storetest.SQLite(t))
			now := time.Now()
			accounts := app.NewAccounts(app.AccountDeps{App: w.app, Store: w.db, Sessions: sessions(t), Params: auth.Params{MemoryKiB: 64, Passes: 1, Lanes: 1},
				Seal: wax{}, PublicURL: "https://cloud.example.org/", Mails: true, Now: func() time.Time { return now }})
			_, err := accounts.Register(w.ctx, wire.Register{Username: "ada", Email: "ada@example.org", Password: "purple monkey dishwasher"}, app.Peer{})
			w.must(err)
			post := &carrier{dies: c.dies}
			drain := func() {
				defer func() {
					if r := recover(); r != nil && r != errDied {
						panic(r)
					}
				}()
				ctx, stop := context.WithCancel(w.ctx)
				worker := &notify.Worker{Queue: ending{accounts.MailQueue(), stop}, Sender: post, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
				worker.Run(ctx)
			}
			drain()
			post.dies, now = "", now.Add(time.Hour) // the next process, after the dead one's claims have ended
			drain()
			drain()
			rows, err := w.db.Mails(w.ctx, "", 10)
			w.must(err)
			if len(rows) != 1 || rows[0].State != c.state || len(post.taken) != c.sent {
				t.Errorf("the mail is %+v and was taken %d times, want %s and %d", rows, len(post.taken), c.state, c.sent)
			}
		})
	}
}

// ending ends its worker when there is nothing left to do.
type ending struct {
	notify.Queue
	stop context.CancelFunc
}

func (e ending) Next(ctx context.Context) (notify.Mail, error) {
	m, err := e.Queue.Next(ctx)
	if err != nil {
		e.stop()
	}
	return m, err
}

func sessions(t *testing.T) session.Store {
	t.Helper()
	s, err := session.OpenFile(context.Background(), t.TempDir()+"/sessions.db", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
