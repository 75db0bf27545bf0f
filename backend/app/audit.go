package app

import (
	"context"
	"encoding/json"
	"fmt"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// audit records in the transaction of a change who made it. detail holds no secrets; it may be nil.
func audit(t *store.Tx, c auth.Caller, action string, tenant id.Tenant, subject string, detail map[string]any) error {
	return t.Audit(entry(c, action, tenant, subject, "ok", detail))
}

func entry(c auth.Caller, action string, tenant id.Tenant, subject, result string, detail map[string]any) store.AuditEntry {
	e := store.AuditEntry{Tenant: tenant, User: c.User, Actor: c.String(), Action: action, Subject: subject, Address: c.Address, Result: result, Request: c.Request}
	if detail != nil {
		raw, err := json.Marshal(detail)
		if err != nil {
			raw = []byte("{}") // a record without its detail is better than none
		}
		e.Detail = raw
	}
	return e
}

// Refused records that somebody who is signed in asked for what they may not do or what is beyond their tenant's quota; other errors are
// none of the log's business. what is "METHOD /path".
func (a *App) Refused(ctx context.Context, c auth.Caller, what string, err error) error {
	result := string(fault.Forbidden)
	switch f := asFault(err); {
	case c.User == "" || f == nil:
		return nil
	case f.Code == quotaCode:
		result = quotaCode
	case f.Kind != fault.Forbidden:
		return nil
	}
	return a.db.Tx(ctx, func(t *store.Tx) error {
		return t.Audit(entry(c, "refused", c.Tenant, "", result, map[string]any{"what": what}))
	})
}

// ListAudit filters the audit log; empty fields do not filter.
type ListAudit struct {
	ListRequest
	User    id.User
	Action  string // "vm.create" or "vm.*"
	Subject string
}

// Audit gives a page of the audit log, newest first.
func (a *App) Audit(ctx context.Context, c auth.Caller, r ListAudit) (wire.List[wire.AuditEntry], error) {
	if err := auth.May(c, auth.ReadAudit, ""); err != nil {
		return wire.List[wire.AuditEntry]{}, err
	}
	page, err := a.db.ListAudit(ctx, store.AuditFilter{User: r.User, Action: r.Action, Subject: r.Subject}, r.page())
	if err != nil {
		return wire.List[wire.AuditEntry]{}, err
	}
	return mapped(page, func(e store.AuditEntry) wire.AuditEntry {
		return wire.AuditEntry{ID: e.Seq, Time: e.Time, Tenant: e.Tenant, User: e.User, Actor: e.Actor, Action: e.Action, Subject: e.Subject,
			Address: e.Address, Result: e.Result, RequestID: e.Request, Detail: e.Detail, Hash: e.Hash}
	}), nil
}

// VMAudit gives a page of what the audit log has about a VM, newest first. Whoever may see the VM may know who made it what it is; from
// which addresses, and what is recorded about anything else, is for those who may read the whole log.
func (a *App) VMAudit(ctx context.Context, c auth.Caller, ref string, l ListRequest) (out wire.List[wire.VMChange], err error) {
	err = a.db.Read(ctx, func(r *store.Reader) error {
		v, err := findVM(ctx, r, c, ref, auth.ReadVM)
		if err != nil {
			return err
		}
		page, err := r.ListAudit(ctx, store.AuditFilter{Subject: subjectOf(v.ID)}, l.page())
		out = mapped(page, func(e store.AuditEntry) wire.VMChange {
			return wire.VMChange{ID: e.Seq, Time: e.Time, Actor: e.Actor, Action: e.Action, Result: e.Result, RequestID: e.Request, Detail: e.Detail}
		})
		return err
	})
	return out, err
}

// VerifyAudit checks the whole chain.
func (a *App) VerifyAudit(ctx context.Context, c auth.Caller) (wire.AuditCheck, error) {
	if err := auth.May(c, auth.ReadAudit, ""); err != nil {
		return wire.AuditCheck{}, err
	}
	v, err := a.db.VerifyAudit(ctx)
	if err != nil {
		return wire.AuditCheck{}, err
	}
	w := wire.AuditCheck{Intact: v.Broken == 0, Entries: v.Entries, Head: v.Head, BrokenAt: v.Broken}
	w.Sentence = fmt.Sprintf("%d entries, none was changed or removed; keep the head %s elsewhere to show later that nothing was cut off", v.Entries, v.Head)
	if v.Entries == 0 {
		w.Sentence = "the audit log is empty"
	}
	if !w.Intact {
		w.Sentence = fmt.Sprintf("the chain is broken at entry %d: it, or what stood there, was changed, removed or added behind NovaCron's back", v.Broken)
	}
	return w, nil
}
