package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Ticket opens one console once. Only its hash is stored.
type Ticket struct {
	Hash    string
	User    id.User
	Session id.Session // that it was made in; empty: an API token
	VM      id.VM
	Kind    string // serial or vnc
	Mode    string // ask, watch or take
	Expires time.Time
}

const ticketColumns = "hash, user_id, session, vm, kind, mode, expires_at"

func scanTicket(r row) (k Ticket, err error) {
	return k, r.Scan(&k.Hash, &k.User, &k.Session, &k.VM, &k.Kind, &k.Mode, stamped{&k.Expires})
}

// InsertTicket adds a ticket.
func (t *Tx) InsertTicket(ctx context.Context, k *Ticket) error {
	_, err := t.exec(ctx, "insert into tickets ("+ticketColumns+") values ("+places(1, 7)+")", k.Hash, k.User, k.Session, k.VM, k.Kind,
		k.Mode, stamp(k.Expires))
	return err
}

// UseTicket spends the ticket, exactly once however many try. fault.Unauthenticated: it is unknown, spent or out of date.
func (t *Tx) UseTicket(ctx context.Context, hash string) (Ticket, error) {
	refused := fault.New(fault.Unauthenticated, "ticket_refused", "the console ticket is unknown, used or out of date; open the console again")
	return one(ctx, &t.Reader, refused, scanTicket, "delete from tickets where hash = $1 and expires_at > $2 returning "+ticketColumns, hash, stamp(now()))
}
