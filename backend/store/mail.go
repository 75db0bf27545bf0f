package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
)

// MailState is how far a mail is.
//
//	queued ──► claimed ──► sending ──► sent
//	   ▲          │           │
//	   └──────────┴─ refused  └─► dead: given up, or nobody can tell whether it was taken
type MailState string

// The states of a mail. Until sending nothing of the content has left, so a claim that was lost in a crash is repeated; from
// there on it never is, because it may have arrived.
const (
	MailQueued  MailState = "queued"
	MailClaimed MailState = "claimed"
	MailSending MailState = "sending"
	MailSent    MailState = "sent"
	MailDead    MailState = "dead"
)

// Mail is a mail in the queue.
type Mail struct {
	ID        string
	Event     string // what it tells; a second mail for the same event is not taken
	Kind      string // the template
	To        string
	Sealed    []byte // the template's data, encrypted; empty once it is sent
	State     MailState
	Attempts  int64
	Reason    string // why it waits or is dead
	NotBefore time.Time
	Created   time.Time
	Ended     time.Time // zero: not yet
}

const mailColumns = "id, event, kind, recipient, sealed, state, attempts, reason, not_before, created_at, ended_at"

func scanMail(r row) (m Mail, err error) {
	return m, r.Scan(&m.ID, &m.Event, &m.Kind, &m.To, &m.Sealed, &m.State, &m.Attempts, &m.Reason, stamped{&m.NotBefore}, stamped{&m.Created}, stamped{&m.Ended})
}

// InsertMail queues a mail with the transaction, unless there is one for its event.
func (t *Tx) InsertMail(ctx context.Context, m *Mail) error {
	m.Created = orNow(m.Created)
	if m.State == "" {
		m.State = MailQueued
	}
	if m.NotBefore.IsZero() {
		m.NotBefore = m.Created
	}
	t.hint("mail")
	_, err := t.exec(ctx, "insert into mails ("+mailColumns+") values ("+places(1, 11)+") on conflict do nothing", m.ID, m.Event, m.Kind, m.To, filled(m.Sealed),
		m.State, m.Attempts, m.Reason, stamp(m.NotBefore), stamp(m.Created), stamp(m.Ended))
	return err
}

// ClaimMail gives the next mail that is due to one caller, which has until the time given to begin sending.
// fault.NotFound: none is due.
func (t *Tx) ClaimMail(ctx context.Context, at, until time.Time) (Mail, error) {
	return one(ctx, &t.Reader, fault.New(fault.NotFound, "mail_none", "no mail is due"), scanMail,
		`update mails set state = $3, attempts = attempts + 1, not_before = $2 where id = (select id from mails where ended_at is null and state <> $4
		and not_before <= $1 order by not_before, id limit 1`+t.db.dialect.skipLocked+`) returning `+mailColumns, stamp(at), stamp(until), MailClaimed, MailSending)
}

// BeginMail says that the content is about to leave. False: the claim was lost to somebody else.
func (t *Tx) BeginMail(ctx context.Context, m Mail, until time.Time) (bool, error) {
	n, err := t.exec(ctx, "update mails set state = $3, not_before = $4 where id = $1 and attempts = $2 and state = $5", m.ID, m.Attempts, MailSending, stamp(until), MailClaimed)
	return n == 1, err
}

// EndMail ends a mail as sent or dead. A sent one loses its content.
func (t *Tx) EndMail(ctx context.Context, mail string, state MailState, reason string, at time.Time) error {
	_, err := t.exec(ctx, "update mails set state = $2, reason = $3, ended_at = $4, sealed = case when $2 = 'sent' then $5 else sealed end where id = $1 and ended_at is null",
		mail, state, clean(reason, 500), stamp(at), []byte{})
	return err
}

// RequeueMail puts a mail back into the queue because somebody asks for it, also a dead one. fault.NotFound: there is none, or it was sent.
// fault.Conflict: it leaves at this moment, and would come twice.
func (t *Tx) RequeueMail(ctx context.Context, mail string, at time.Time) error {
	state, err := one(ctx, &t.Reader, notFound("mail", "mail", mail), func(r row) (s MailState, err error) { return s, r.Scan(&s) },
		"select state from mails where id = $1"+t.lock, mail)
	if err == nil && state == MailSending {
		err = fault.New(fault.Conflict, "mail_leaving", "this mail leaves at this moment; look at `novacron mail list` in a few minutes")
	}
	if err != nil {
		return err
	}
	return t.RetryMail(ctx, mail, "", at)
}

// RetryMail puts a mail back into the queue.
func (t *Tx) RetryMail(ctx context.Context, mail, reason string, at time.Time) error {
	t.hint("mail")
	return t.execOne(ctx, notFound("mail", "mail", mail), "update mails set state = $2, reason = $3, not_before = $4, ended_at = null where id = $1 and state <> $5",
		mail, MailQueued, clean(reason, 500), stamp(at), MailSent)
}

// BuryLostMail ends the mails whose sender died while they left: they may have arrived, so they are not sent again.
func (t *Tx) BuryLostMail(ctx context.Context, reason string, at time.Time) (int, error) {
	n, err := t.exec(ctx, "update mails set state = $1, reason = $2, ended_at = $3 where state = $4 and ended_at is null and not_before <= $3",
		MailDead, reason, stamp(at), MailSending)
	return int(n), err
}

// Mails lists mails, newest first, at most limit. Empty state: in every state.
func (r *Reader) Mails(ctx context.Context, state MailState, limit int) ([]Mail, error) {
	return many(ctx, r, scanMail, "select "+mailColumns+" from mails where (state = $1 or cast($1 as text) = '') order by created_at desc, id limit $2", state, min(max(limit, 1), MaxLimit))
}
