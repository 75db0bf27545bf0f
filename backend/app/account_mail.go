package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/notify"
	"novacron/backend/store"
)

// Sealer encrypts what is kept. What a secret is for is bound to it.
type Sealer interface {
	Seal(purpose string, secret []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// MailPurpose is what the contents of mails are sealed for.
const MailPurpose = "mail"

// FactorPurpose is what the TOTP secret of an account is sealed for.
func FactorPurpose(user string) string { return "totp/" + user }

// post queues a mail in the transaction of what it tells. event names it: there is one mail per event.
func (a *Accounts) post(ctx context.Context, t *store.Tx, kind, to, event string, d notify.Data) error {
	return a.postAs(ctx, t, string(id.NewToken()), kind, to, event, d)
}

func (a *Accounts) postAs(ctx context.Context, t *store.Tx, mail, kind, to, event string, d notify.Data) error {
	if a.seal == nil {
		return fault.New(fault.Internal, "seal_missing", "mail cannot be kept without the key that encrypts it")
	}
	d.Console = a.publicURL
	d.Time = a.now().UTC().Format("2 January 2006, 15:04 UTC")
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("mail %s: %w", kind, err)
	}
	return t.InsertMail(ctx, &store.Mail{ID: mail, Event: event, Kind: kind, To: to, Sealed: a.seal.Seal(MailPurpose, raw), Created: a.now()})
}

// link is where a person uses a one-use secret. It stands behind the #, which browsers send to nobody; the host is the
// configured public URL, never what a request says.
func (a *Accounts) link(page, secret string) string { return a.publicURL + page + "#" + secret }

// issue makes a one-use secret in place of the user's older ones of this purpose.
func (a *Accounts) issue(ctx context.Context, t *store.Tx, purpose string, u id.User, content string, life time.Duration) (string, error) {
	if u != "" {
		if err := t.DropOneUse(ctx, u, purpose); err != nil {
			return "", err
		}
	}
	return a.issueBeside(ctx, t, purpose, u, content, life)
}

// issueBeside makes a one-use secret beside those that the user has.
func (a *Accounts) issueBeside(ctx context.Context, t *store.Tx, purpose string, u id.User, content string, life time.Duration) (string, error) {
	secret := randomSecret()
	return secret, t.InsertOneUse(ctx, store.OneUse{Hash: hashSecret(secret), Purpose: purpose, User: u, Content: content, Expires: a.now().Add(life)})
}

// randomSecret is 256 random bits.
func randomSecret() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// mailQueue is notify.Queue on the store.
type mailQueue struct{ a *Accounts }

// How long a worker may take to begin a mail that it claimed, and to end one that it began.
const (
	mailClaim = 2 * time.Minute
	mailSend  = 5 * time.Minute
)

// MailQueue is the queue for notify.Worker.
func (a *Accounts) MailQueue() notify.Queue { return mailQueue{a} }

func (q mailQueue) Next(ctx context.Context) (notify.Mail, error) {
	var m store.Mail
	err := q.a.db.Tx(ctx, func(t *store.Tx) (err error) {
		m, err = t.ClaimMail(ctx, q.a.now(), q.a.now().Add(mailClaim))
		return err
	})
	if err != nil {
		return notify.Mail{}, err
	}
	out := notify.Mail{ID: m.ID, Kind: m.Kind, To: m.To, Attempts: int(m.Attempts), Created: m.Created}
	if out.Data, err = q.a.mailData(m); err != nil {
		// Nothing mends a content that cannot be read, and it must not keep the others.
		return notify.Mail{}, q.Bury(ctx, out, err.Error())
	}
	return out, nil
}

func (a *Accounts) mailData(m store.Mail) (d notify.Data, err error) {
	raw, err := a.seal.Open(MailPurpose, m.Sealed)
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	return d, err
}

func (q mailQueue) Begin(ctx context.Context, m notify.Mail) (ok bool, err error) {
	return ok, q.a.db.Tx(ctx, func(t *store.Tx) error {
		ok, err = t.BeginMail(ctx, store.Mail{ID: m.ID, Attempts: int64(m.Attempts)}, q.a.now().Add(mailSend))
		return err
	})
}

func (q mailQueue) Sent(ctx context.Context, m notify.Mail) error {
	return q.a.db.Tx(ctx, func(t *store.Tx) error { return t.EndMail(ctx, m.ID, store.MailSent, "", q.a.now()) })
}

func (q mailQueue) Bury(ctx context.Context, m notify.Mail, why string) error {
	return q.a.db.Tx(ctx, func(t *store.Tx) error { return t.EndMail(ctx, m.ID, store.MailDead, why, q.a.now()) })
}

func (q mailQueue) Again(ctx context.Context, m notify.Mail, at time.Time, why string) error {
	return q.a.db.Tx(ctx, func(t *store.Tx) error { return t.RetryMail(ctx, m.ID, why, at) })
}

func (q mailQueue) Recover(ctx context.Context) error {
	return q.a.db.Tx(ctx, func(t *store.Tx) error {
		_, err := t.BuryLostMail(ctx, "the server ended while the mail left, so it may have arrived; `novacron mail retry` sends it again", q.a.now())
		return err
	})
}

func (q mailQueue) Changed() <-chan struct{} { return q.a.db.WatchMail() }

// maxMails are shown at once.
const maxMails = 200

// Mails lists the newest mails for the administrator of the machine. Links are shown only while no SMTP server is set: then this
// list is the only way to them.
func (a *Accounts) Mails(ctx context.Context, c auth.Caller) (wire.MailList, error) {
	if c.Role != auth.System {
		return wire.MailList{}, fault.New(fault.Forbidden, "", "mail is shown on the server's machine only")
	}
	rows, err := a.db.Mails(ctx, "", maxMails)
	if err != nil {
		return wire.MailList{}, err
	}
	out := wire.MailList{SMTP: a.mails, Items: make([]wire.Mail, len(rows))}
	for i, m := range rows {
		w := wire.Mail{ID: m.ID, Kind: m.Kind, To: m.To, State: string(m.State), Attempts: int(m.Attempts), Reason: m.Reason, CreatedAt: m.Created}
		if d, err := a.mailData(m); err == nil && !a.mails {
			w.Link = d.Link
		}
		out.Items[i] = w
	}
	return out, nil
}

// TestMail queues a mail that says nothing but that it arrived, and gives its id.
func (a *Accounts) TestMail(ctx context.Context, c auth.Caller, to string) (wire.Mail, error) {
	if c.Role != auth.System {
		return wire.Mail{}, fault.New(fault.Forbidden, "", "test mail is sent from the server's machine only")
	}
	if !a.mails {
		return wire.Mail{}, fault.New(fault.Conflict, "smtp_missing", "no SMTP server is set, so no mail leaves; set NOVACRON_SMTP_URL and NOVACRON_SMTP_FROM")
	}
	if err := auth.CheckEmail(to); err != nil {
		return wire.Mail{}, err
	}
	mail := string(id.NewToken())
	err := a.db.Tx(ctx, func(t *store.Tx) error {
		return a.postAs(ctx, t, mail, notify.Test, to, "test/"+mail, notify.Data{})
	})
	if err != nil {
		return wire.Mail{}, err
	}
	return wire.Mail{ID: mail, Kind: notify.Test, To: to, State: string(store.MailQueued), CreatedAt: a.now()}, nil
}

// RetryMail puts a mail back into the queue, also a dead one, but none that leaves at this moment.
func (a *Accounts) RetryMail(ctx context.Context, c auth.Caller, mail string) error {
	if c.Role != auth.System {
		return fault.New(fault.Forbidden, "", "mail is governed on the server's machine only")
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.RequeueMail(ctx, mail, a.now()); err != nil {
			return err
		}
		return audit(t, c, "mail.retry", "", "mail/"+mail, nil)
	})
}

func trimURL(u string) string { return strings.TrimRight(u, "/") }
