// Package notify sends the platform's mail. A mail is queued in the transaction of what it tells, rendered from a template when its
// turn comes, and handed to an SMTP server. A mail is never sent twice for one event: once its content begins to leave, it is
// either known to be taken, known to be refused, or ends as dead with the sentence that nobody can tell. The package
// deliberately knows no accounts and no database; Queue is what keeps the mails.
package notify

import (
	"context"
	"log/slog"
	"time"

	"novacron/backend/core/fault"
)

// Mail is a mail whose turn has come.
type Mail struct {
	ID       string
	Kind     string // a template
	To       string
	Data     Data
	Attempts int // this one included
	Created  time.Time
}

// Queue keeps mails. Any number of workers may share one.
type Queue interface {
	// Next claims the mail that is due first. fault.NotFound: none is.
	Next(ctx context.Context) (Mail, error)
	// Begin says that the content is about to leave; false: somebody else has the mail now.
	Begin(ctx context.Context, m Mail) (bool, error)
	// Sent ends a mail that the server took.
	Sent(ctx context.Context, m Mail) error
	// Again puts a mail back until at.
	Again(ctx context.Context, m Mail, at time.Time, why string) error
	// Bury gives a mail up, visibly.
	Bury(ctx context.Context, m Mail, why string) error
	// Recover buries the mails whose sender died while their content left.
	Recover(ctx context.Context) error
	// Changed gives a channel that is closed when a mail was queued.
	Changed() <-chan struct{}
}

// Sender hands one mail to a server. begin is called when everything is ready and the content is about to leave; when it fails
// nothing is sent.
type Sender interface {
	Send(ctx context.Context, m Mail, begin func() error) error
}

// Bounds of the queue's patience.
const (
	giveUpAfter = 24 * time.Hour // the links in a mail have long ended
	firstPause  = 5 * time.Second
	longPause   = 30 * time.Minute
	lookEvery   = 5 * time.Second // for mails that became due and those of other servers
	sendTime    = time.Minute     // for one mail
)

// Backoff is how long a mail waits after so many attempts in vain.
func Backoff(attempts int) time.Duration {
	return min(firstPause<<min(max(attempts-1, 0), 10), longPause)
}

// Worker sends what the queue holds, one mail after the other.
type Worker struct {
	Queue  Queue
	Sender Sender
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Run works until ctx ends. Errors of the queue are logged and tried again.
func (w *Worker) Run(ctx context.Context) {
	if w.Now == nil {
		w.Now = time.Now
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		changed := w.Queue.Changed() // taken before the look, so that nothing is missed
		if err := w.drain(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("the mail queue does not answer", "err", err)
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (w *Worker) drain(ctx context.Context) error {
	if err := w.Queue.Recover(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		m, err := w.Queue.Next(ctx)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// send tries one mail and records what came of it. The record is written even when the worker is told to end.
func (w *Worker) send(ctx context.Context, m Mail) error {
	limit, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	err := w.Sender.Send(limit, m, func() error {
		ok, err := w.Queue.Begin(ctx, m)
		if err == nil && !ok {
			err = errLost
		}
		return err
	})
	record := context.WithoutCancel(ctx)
	switch {
	case err == nil:
		return w.Queue.Sent(record, m)
	case err == errLost:
		return nil
	case isUncertain(err):
		w.Log.Warn("a mail may have been sent", "mail", m.ID, "kind", m.Kind, "err", err)
		return w.Queue.Bury(record, m, "the connection broke while the mail left, so it may have arrived; `novacron mail retry` sends it again: "+err.Error())
	case isFinal(err):
		w.Log.Warn("a mail was refused", "mail", m.ID, "kind", m.Kind, "err", err)
		return w.Queue.Bury(record, m, err.Error())
	case w.Now().Sub(m.Created) > giveUpAfter:
		w.Log.Warn("a mail was given up", "mail", m.ID, "kind", m.Kind, "attempts", m.Attempts, "err", err)
		return w.Queue.Bury(record, m, "given up after a day: "+err.Error())
	}
	return w.Queue.Again(record, m, w.Now().Add(Backoff(m.Attempts)), err.Error())
}

var errLost = fault.New(fault.Conflict, "mail_lost", "another server sends this mail")
