package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// AuditEntry is who did what. Entries are only ever added.
type AuditEntry struct {
	Seq     int64 // set by the store: 1, 2, 3 without a gap
	Time    time.Time
	Tenant  id.Tenant // whose thing it was; empty: the platform's
	User    id.User
	Actor   string // the user's name at that time
	Action  string // "vm.create"
	Subject string // "vm/<id>"
	Address string // of the client
	Result  string // "ok", or the code of the refusal
	Request string // id of the request
	Detail  json.RawMessage
	Hash    string // of this entry and the hash of the one before it; set by the store
}

const maxAuditText = 256 // bytes of a name, subject or address

// Audit writes the entry in the transaction. Like an event's, its number is given at the commit.
func (t *Tx) Audit(e AuditEntry) error {
	if len(e.Detail) == 0 {
		e.Detail = json.RawMessage("{}")
	}
	if e.Action == "" || len(e.Detail) > MaxEventData {
		return fault.New(fault.Internal, "audit_invalid", "an audit entry needs an action and at most %d bytes of detail", MaxEventData)
	}
	e.Time = orNow(e.Time)
	for _, s := range []*string{&e.Actor, &e.Action, &e.Subject, &e.Address, &e.Result, &e.Request} {
		*s = clean(*s, maxAuditText)
	}
	t.audit = append(t.audit, e)
	return nil
}

// writeAudit takes the numbers and writes the rows. The head stays locked from here to the commit, so the chain has one order.
func (t *Tx) writeAudit(ctx context.Context) error {
	if len(t.audit) == 0 {
		return nil
	}
	var last int64
	var hash string
	if err := t.tx.QueryRowContext(ctx, "update audit_head set last = last + $1 where one = 1 returning last, hash", len(t.audit)).Scan(&last, &hash); err != nil {
		return err
	}
	last -= int64(len(t.audit))
	for _, e := range t.audit {
		last++
		e.Seq = last
		hash = e.chained(hash)
		_, err := t.tx.ExecContext(ctx, "insert into audit ("+auditColumns+") values ("+places(1, 12)+")", e.Seq, stamp(e.Time), string(e.Tenant), string(e.User),
			e.Actor, e.Action, e.Subject, e.Address, e.Result, e.Request, string(e.Detail), hash)
		if err != nil {
			return err
		}
	}
	_, err := t.tx.ExecContext(ctx, "update audit_head set hash = $1 where one = 1", hash)
	return err
}

// chained is the hash of the entry behind the one with the hash before. The fields are encoded as a JSON list, so that no two
// entries have one encoding.
func (e AuditEntry) chained(before string) string {
	text := encode([]string{before, fmt.Sprint(e.Seq), e.Time.UTC().Format(timeFormat), string(e.Tenant), string(e.User), e.Actor, e.Action, e.Subject,
		e.Address, e.Result, e.Request, string(e.Detail)})
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

const auditColumns = "seq, time, tenant, user_id, actor, action, subject, address, result, request, detail, hash"

func scanAudit(r row) (e AuditEntry, err error) {
	var detail string
	err = r.Scan(&e.Seq, stamped{&e.Time}, &e.Tenant, &e.User, &e.Actor, &e.Action, &e.Subject, &e.Address, &e.Result, &e.Request, &detail, &e.Hash)
	e.Detail = json.RawMessage(detail)
	return e, err
}

// AuditFilter narrows the audit log. Zero fields do not.
type AuditFilter struct {
	Tenant  id.Tenant
	User    id.User
	Action  string // "vm.create", or a prefix with a star: "vm.*"
	Subject string
}

var auditListing = listing[AuditEntry]{
	columns: auditColumns, table: "audit", key: "seq", order: "-time",
	sorts: map[string]sorting[AuditEntry]{"time": {"seq", func(e AuditEntry) string { return fmt.Sprint(e.Seq) }}},
	scan:  scanAudit,
	keyOf: func(e AuditEntry) string { return fmt.Sprint(e.Seq) },
}

// ListAudit gives a page of the audit log, sorted by time.
func (r *Reader) ListAudit(ctx context.Context, f AuditFilter, p Page) (List[AuditEntry], error) {
	var where filter
	where.text("tenant", string(f.Tenant))
	where.text("user_id", string(f.User))
	where.text("subject", f.Subject)
	if prefix, wild := strings.CutSuffix(f.Action, "*"); wild {
		where.add(`action like $%d escape '\'`, contains(prefix)[1:])
	} else {
		where.text("action", f.Action)
	}
	return list(ctx, r, auditListing, where, p)
}

// AuditCheck is what VerifyAudit found.
type AuditCheck struct {
	Entries int64
	Head    string // hash of the newest entry: kept elsewhere, it shows later that nothing before it was changed or cut off
	Broken  int64  // number of the first entry that was changed, is missing or was added; 0: none
}

// VerifyAudit reads the whole chain. It runs in steps, so that a long log keeps nobody waiting; entries that are added
// meanwhile are not looked at.
func (r *Reader) VerifyAudit(ctx context.Context) (AuditCheck, error) {
	type head struct {
		last int64
		hash string
	}
	h, err := one(ctx, r, errNoLog, func(row row) (h head, err error) { return h, row.Scan(&h.last, &h.hash) }, "select last, hash from audit_head where one = 1")
	if err != nil {
		return AuditCheck{}, err
	}
	c, hash := AuditCheck{Entries: h.last, Head: h.hash}, ""
	for at := int64(0); at < h.last; {
		part, err := many(ctx, r, scanAudit, "select "+auditColumns+" from audit where seq > $1 and seq <= $2 order by seq limit 1000", at, h.last)
		if err != nil {
			return c, err
		}
		for _, e := range part {
			at++
			if hash = e.chained(hash); e.Seq != at || e.Hash != hash {
				c.Broken = at
				return c, nil
			}
		}
		if len(part) == 0 {
			c.Broken = at + 1
			return c, nil
		}
	}
	if hash != h.hash {
		c.Broken = max(h.last, 1)
		return c, nil
	}
	extra, err := one(ctx, r, nil, func(row row) (n int64, err error) { return n, row.Scan(&n) }, "select count(*) from audit where seq <= 0 or seq > (select last from audit_head)")
	if extra > 0 {
		c.Broken = h.last + 1
	}
	return c, err
}
