package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/notify"
	"novacron/backend/op"
	"novacron/backend/store"
)

// Administrators get a mail about what needs a person: a node that is lost, an operation that could not be taken back, a node whose disk is
// nearly full, an audit log that somebody changed. What happens together, or within alertPause of the last mail, is told in one mail.
// What was told is kept beside the mails, in the same transaction, so that each event is told once by all servers together.
const (
	alertState = "alert_mail" // setting, and the lock of who looks
	alertPause = 5 * time.Minute
	alertLines = 20             // in one mail
	auditEvery = 24 * time.Hour // the whole chain is read

	// A disk is nearly full below the first share that is free, and no longer above the second.
	diskLow, diskFine = 0.10, 0.15
)

// alerted is what was told already.
type alerted struct {
	Cursor  string           `json:"cursor"` // of the events
	Sent    time.Time        `json:"sent"`
	Full    map[id.Node]bool `json:"full,omitempty"` // nodes whose disk is nearly full
	Checked time.Time        `json:"checked"`        // the audit log
	Broken  int64            `json:"broken,omitempty"`
}

// MailAlerts queues a mail to every administrator if something has happened that needs one. Call it every few seconds.
func (a *Accounts) MailAlerts(ctx context.Context) error {
	if !a.mails {
		return nil
	}
	check, err := a.checkAudit(ctx)
	if err != nil {
		return err
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Lock(ctx, alertState); err != nil {
			return err
		}
		was, known, err := readAlerted(ctx, &t.Reader)
		if err != nil || known && a.now().Sub(was.Sent) < alertPause {
			return err
		}
		next, lines, err := a.alertLines(ctx, &t.Reader, was, known, check)
		if err != nil {
			return err
		}
		if len(lines) > 0 {
			next.Sent = a.now()
			if err := a.postAlert(ctx, t, next.Sent, lines); err != nil {
				return err
			}
		}
		if known && reflect.DeepEqual(was, next) {
			return nil
		}
		raw, err := json.Marshal(next)
		if err != nil {
			return err
		}
		return t.SetSetting(ctx, alertState, raw)
	})
}

func readAlerted(ctx context.Context, r *store.Reader) (was alerted, known bool, err error) {
	raw, err := r.Setting(ctx, alertState)
	if fault.Is(err, fault.NotFound) {
		return was, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &was)
	}
	return was, err == nil, err
}

// checkAudit reads the audit log once a day, outside of any transaction since that may take a while; nil: not now.
func (a *Accounts) checkAudit(ctx context.Context) (*store.AuditCheck, error) {
	was, _, err := readAlerted(ctx, &a.db.Reader)
	if err != nil || a.now().Sub(was.Checked) < auditEvery || a.now().Sub(was.Sent) < alertPause {
		return nil, err
	}
	c, err := a.db.VerifyAudit(ctx)
	return &c, err
}

// alertLines gives a sentence per thing that was not told yet, and what is told with them.
func (a *Accounts) alertLines(ctx context.Context, r *store.Reader, was alerted, known bool, check *store.AuditCheck) (alerted, []string, error) {
	next := was
	lines, cursor, err := eventAlerts(ctx, r, was.Cursor, known)
	if err != nil {
		return was, nil, err
	}
	next.Cursor = cursor
	full, more, err := diskAlerts(ctx, r, was.Full)
	if err != nil {
		return was, nil, err
	}
	next.Full, lines = full, append(lines, more...)
	if check != nil {
		if next.Checked, next.Broken = a.now(), check.Broken; check.Broken != 0 && check.Broken != was.Broken {
			lines = append(lines, fmt.Sprintf("The audit log was changed behind the platform's back from entry %d on; compare it with a backup.", check.Broken))
		}
	}
	return next, lines, nil
}

// eventAlerts reads on from the cursor. At the first look, and when events were forgotten meanwhile, it begins at the present.
func eventAlerts(ctx context.Context, r *store.Reader, since string, known bool) (lines []string, cursor string, err error) {
	at, err := store.ParseCursor(since)
	var events []store.Event
	if err == nil && known {
		events, at, err = r.EventsSince(ctx, at, store.EventFilter{Topics: []string{"node.state", "operation.ended"}}, store.MaxLimit)
	}
	if !known || IsCursorTooOld(err) {
		at, err = r.Head(ctx)
	}
	for _, e := range events {
		if line := alertOf(e); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, at.String(), err
}

// alertOf is what an event means for an administrator. Empty: nothing.
func alertOf(e store.Event) string {
	var about struct {
		Name   string     `json:"name"`
		State  node.State `json:"state"`
		Reason string     `json:"reason"`
		VMs    int        `json:"vms"`
	}
	var o store.OperationEvent
	switch {
	case e.Type == "node.state" && json.Unmarshal(e.Data, &about) == nil && about.State == node.Lost:
		return fmt.Sprintf("Node %s with %d VMs was lost at %s: %s.", about.Name, about.VMs, e.Time.UTC().Format("15:04 UTC"), about.Reason)
	case e.Type == "operation.ended" && json.Unmarshal(e.Data, &o) == nil && o.Status == op.Stuck:
		why := "nobody knows why"
		if o.Error != nil {
			why = o.Error.Message
		}
		return fmt.Sprintf("Operation %s (%s) could not be taken back: %s", o.ID, o.Kind, why)
	}
	return ""
}

// diskAlerts compares each node's disk with what was told of it.
func diskAlerts(ctx context.Context, r *store.Reader, was map[id.Node]bool) (map[id.Node]bool, []string, error) {
	nodes, err := r.Nodes(ctx)
	full, lines := map[id.Node]bool{}, []string(nil)
	for _, n := range nodes {
		f := factsOf(n)
		if n.State == node.Removed || f.DiskTotal <= 0 {
			continue
		}
		free := float64(f.DiskFree) / float64(f.DiskTotal)
		if full[n.ID] = free < diskLow || was[n.ID] && free < diskFine; full[n.ID] && !was[n.ID] {
			lines = append(lines, fmt.Sprintf("Node %s has %.1f GiB (%.0f %%) of its disk left.", n.Name, float64(f.DiskFree)/float64(gib), 100*free))
		}
	}
	maps.DeleteFunc(full, func(_ id.Node, low bool) bool { return !low })
	if len(full) == 0 {
		full = nil // as it is read back
	}
	return full, lines, err
}

// postAlert queues one mail per administrator.
func (a *Accounts) postAlert(ctx context.Context, t *store.Tx, at time.Time, lines []string) error {
	if more := len(lines) - alertLines; more > 0 {
		lines = append(slices.Clip(lines[:alertLines]), fmt.Sprintf("And %d more.", more))
	}
	for p := (store.Page{Limit: store.MaxLimit}); ; {
		users, err := t.ListUsers(ctx, store.UserFilter{}, p)
		if err != nil {
			return err
		}
		for _, u := range users.Items {
			if u.Role != auth.Administrator || u.Disabled || u.Unverified {
				continue
			}
			err := a.post(ctx, t, notify.Alert, u.Email, fmt.Sprintf("alert/%d/%s", at.UnixMicro(), u.ID), notify.Data{Lines: lines, Link: a.publicURL + "/"})
			if err != nil {
				return err
			}
		}
		if p.Cursor = users.Next; p.Cursor == "" {
			return nil
		}
	}
}
