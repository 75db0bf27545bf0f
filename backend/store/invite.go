package store

import (
	"context"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// maxInvites bounds the pending invitations of an installation.
const maxInvites = 1000

// inviteLock makes the bound hold for callers at once.
const inviteLock = "invites"

// Invite lets whoever has its secret make one account in a tenant. Only the secret's hash is stored.
type Invite struct {
	ID         id.Invite
	Hash       string
	Email      string // where it was mailed to
	Role       auth.Role
	Tenant     id.Tenant
	TenantName string // as it is now; not written
	By         string // name of the account that invited
	Created    time.Time
	Expires    time.Time
}

const inviteColumns = "id, hash, email, role, tenant, invited_by, created_at, expires_at"

func (i *Invite) fields() []any {
	return []any{&i.ID, &i.Hash, &i.Email, &i.Role, &i.Tenant, &i.By, stamped{&i.Created}, stamped{&i.Expires}}
}

func scanInvite(r row) (i Invite, err error) { return i, r.Scan(i.fields()...) }

var inviteListing = listing[Invite]{
	columns: inviteColumns + ", (select name from tenants t where t.id = invites.tenant)", table: "invites", key: "id", order: "-created_at",
	sorts: map[string]sorting[Invite]{
		"created_at": {"created_at", func(i Invite) string { return i.Created.Format(timeFormat) }},
	},
	scan:  func(r row) (i Invite, err error) { return i, r.Scan(append(i.fields(), &i.TenantName)...) },
	keyOf: func(i Invite) string { return string(i.ID) },
}

// ListInvites gives a page of the invitations that are good at the time, newest first.
func (r *Reader) ListInvites(ctx context.Context, at time.Time, p Page) (List[Invite], error) {
	var f filter
	f.add("expires_at > $%d", stamp(at))
	return list(ctx, r, inviteListing, f, p)
}

// InsertInvite adds an invitation. fault.Invalid: there is no such role. fault.Exhausted: there are too many.
func (t *Tx) InsertInvite(ctx context.Context, i *Invite) error {
	if err := t.HoldRole(ctx, i.Role); err != nil {
		return err
	}
	if err := t.Lock(ctx, inviteLock); err != nil {
		return err
	}
	i.Created = orNow(i.Created)
	pending, err := one(ctx, &t.Reader, nil, func(r row) (n int, err error) { return n, r.Scan(&n) }, "select count(*) from invites where expires_at > $1", stamp(i.Created))
	if err != nil {
		return err
	}
	if pending >= maxInvites {
		return fault.New(fault.Exhausted, "too_many_invites", "there are %d pending invitations, which is the most; withdraw some", pending)
	}
	_, err = t.exec(ctx, "insert into invites ("+inviteColumns+") values ("+places(1, 8)+")",
		i.ID, i.Hash, i.Email, i.Role, i.Tenant, i.By, stamp(i.Created), stamp(i.Expires))
	return err
}

// TakeInvite spends an invitation: of any number of callers one gets it, if its transaction commits. fault.Unauthenticated: it is unknown,
// spent, withdrawn or out of date.
func (t *Tx) TakeInvite(ctx context.Context, hash string, at time.Time) (Invite, error) {
	return one(ctx, &t.Reader, errOneUse(), scanInvite, "delete from invites where hash = $1 and expires_at > $2 returning "+inviteColumns, hash, stamp(at))
}

// WithdrawInvite removes a pending invitation. fault.NotFound: it is unknown, spent, withdrawn or out of date.
func (t *Tx) WithdrawInvite(ctx context.Context, i id.Invite, at time.Time) (Invite, error) {
	gone := fault.New(fault.NotFound, "invite_not_found", "there is no pending invitation %.80q; it was used, withdrawn or has ended: list them to see their ids", string(i))
	return one(ctx, &t.Reader, gone, scanInvite, "delete from invites where id = $1 and expires_at > $2 returning "+inviteColumns, i, stamp(at))
}
