package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// MaxEventData is the greatest size of an event's data in bytes.
const MaxEventData = 64 << 10

// Event is something that happened, as subscribers read it.
type Event struct {
	Cursor  Cursor    // where to resume behind it; set by the store
	Type    string    // "vm.state"
	Time    time.Time // set by the store when zero
	Tenant  id.Tenant // who may see it; empty: administrators
	Subject string    // "vm/<id>"
	Data    json.RawMessage
}

// EventFilter narrows EventsSince. Zero fields do not.
type EventFilter struct {
	Tenant  id.Tenant // of this tenant only, and what Hears adds
	Topics  []string  // "vm.*" or "vm.state"; at most 64
	Subject string
	Hears   *Hearing
	Newest  bool // of what there is the last events, not the first; still oldest first
}

// Hearing is what a reader may be told of. Kinds are those of auth.TopicOf.
type Hearing struct {
	Kinds    []string // of the filter's tenant, or of every tenant when that is empty
	Platform []string // of what belongs to no tenant
}

// hears reports whether the filter lets an event pass for whoever reads, whatever topics they asked for.
func (f EventFilter) hears(tenant id.Tenant, kind string) bool {
	switch {
	case f.Hears == nil:
		return f.Tenant == "" || tenant == f.Tenant
	case tenant == "":
		return slices.Contains(f.Hears.Platform, kind)
	}
	return (f.Tenant == "" || tenant == f.Tenant) && slices.Contains(f.Hears.Kinds, kind)
}

// Passes reports whether an event of the tenant and type passes the filter.
func (f EventFilter) Passes(tenant id.Tenant, event string) bool {
	return f.hears(tenant, auth.TopicOf(event)) && (len(f.Topics) == 0 || slices.ContainsFunc(f.Topics, func(t string) bool {
		prefix, wild := strings.CutSuffix(t, "*")
		return t == event || wild && strings.HasPrefix(event, prefix)
	}))
}

const maxTopics = 64

// Emit writes e in the transaction. data is encoded as JSON.
func (t *Tx) Emit(kind string, tenant id.Tenant, subject string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("event %s: %w", kind, err)
	}
	return t.EmitEvent(Event{Type: kind, Tenant: tenant, Subject: subject, Data: raw})
}

// EmitEvent writes e in the transaction. Its number is given at the commit, so that numbers become visible in order.
func (t *Tx) EmitEvent(e Event) error {
	if e.Type == "" || len(e.Data) > MaxEventData {
		return fault.New(fault.Internal, "event_invalid", "an event needs a type and at most %d bytes of data", MaxEventData)
	}
	if e.Time.IsZero() {
		e.Time = now()
	}
	if len(e.Data) == 0 {
		e.Data = json.RawMessage("{}")
	}
	t.events = append(t.events, e)
	t.hint("events")
	return nil
}

// writeEvents takes the numbers and writes the rows. The row of event_log stays locked from here to the commit: a
// transaction that got a later number cannot have committed before this one, so a reader never steps over it.
func (t *Tx) writeEvents(ctx context.Context) error {
	if len(t.events) == 0 {
		return nil
	}
	var last int64
	err := t.tx.QueryRowContext(ctx, "update event_log set last = last + $1 where one = 1 returning last", len(t.events)).Scan(&last)
	if err != nil {
		return err
	}
	const columns, batch = 6, 500
	for from := 0; from < len(t.events); from += batch {
		part := t.events[from:min(from+batch, len(t.events))]
		var values []string
		var args []any
		for i, e := range part {
			seq := last - int64(len(t.events)) + int64(from+i) + 1
			values = append(values, "("+places(columns*i+1, columns)+")")
			args = append(args, seq, e.Type, stamp(e.Time), string(e.Tenant), e.Subject, string(e.Data))
		}
		_, err := t.tx.ExecContext(ctx, "insert into events (seq, type, time, tenant, subject, data) values "+strings.Join(values, ","), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Head is the cursor behind the newest event: where "from now" begins.
func (r *Reader) Head(ctx context.Context) (Cursor, error) {
	return one(ctx, r, errNoLog, func(row row) (c Cursor, err error) {
		return c, row.Scan(&c.log, &c.seq)
	}, "select log, last from event_log where one = 1")
}

var errNoLog = fault.New(fault.Internal, "event_log_missing", "the event log of the database is damaged; restore a backup")

// EventsSince gives the events behind since, oldest first, at most limit (1..MaxLimit), and the cursor to go on from: it
// also steps over events that the filter left out. The zero cursor is the oldest event that is kept. fault.NotFound with code
// cursor_too_old: events behind since are no longer kept, or since is of another database; read the present state and go on
// from Head. With Newest the cursor to go on from is always the head.
func (r *Reader) EventsSince(ctx context.Context, since Cursor, f EventFilter, limit int) ([]Event, Cursor, error) {
	if len(f.Topics) > maxTopics {
		return nil, since, fault.New(fault.Invalid, "too_many_topics", "at most %d topics can be asked for at once", maxTopics).On("topics")
	}
	limit = min(max(limit, 1), MaxLimit)
	where, args := f.where([]any{since.seq, limit})
	order := " order by e.seq"
	if f.Newest {
		order += " desc"
	}
	// One statement sees the head, what was trimmed and the events at the same instant.
	rows, err := many(ctx, r, scanLogged, `select l.log, l.last, l.trimmed, e.seq, e.type, e.time, e.tenant, e.subject, e.data
		from event_log l left join events e on e.seq > $1 and e.seq <= l.last`+where+" where l.one = 1"+order+" limit $2", args...)
	if err != nil {
		return nil, since, err
	}
	if len(rows) == 0 {
		return nil, since, errNoLog
	}
	head := rows[0]
	if since != (Cursor{}) && (since.log != head.log || since.seq < head.trimmed || since.seq > head.last) {
		return nil, since, fault.New(fault.NotFound, "cursor_too_old",
			"the events behind this cursor are no longer kept; read the present state and go on from now")
	}
	if rows[0].seq == 0 { // the left join's row of nulls
		return nil, Cursor{head.log, head.last}, nil
	}
	events := make([]Event, len(rows))
	for i, l := range rows {
		events[i] = l.Event
		events[i].Cursor = Cursor{l.log, l.seq}
	}
	next := Cursor{head.log, head.last}
	if f.Newest {
		slices.Reverse(events)
		return events, next, nil
	}
	if len(events) == limit {
		next = events[limit-1].Cursor
	}
	return events, next, nil
}

func (f EventFilter) where(args []any) (string, []any) {
	var b strings.Builder
	add := func(format string, v any) string {
		args = append(args, v)
		return fmt.Sprintf(format, len(args))
	}
	kinds := func(all []string) string {
		out := "1 = 0"
		for _, k := range all {
			out += add(` or e.type like $%d escape '\'`, contains(k + ".")[1:])
		}
		return "(" + out + ")"
	}
	own := "e.tenant <> ''"
	if f.Tenant != "" {
		own = add("e.tenant = $%d", string(f.Tenant))
	}
	switch {
	case f.Hears != nil:
		b.WriteString(" and (" + own + " and " + kinds(f.Hears.Kinds) + " or e.tenant = '' and " + kinds(f.Hears.Platform) + ")")
	case f.Tenant != "":
		b.WriteString(" and " + own)
	}
	if f.Subject != "" {
		b.WriteString(add(" and e.subject = $%d", f.Subject))
	}
	var topics []string
	for _, topic := range f.Topics {
		if prefix, wild := strings.CutSuffix(topic, "*"); wild {
			topics = append(topics, add(`e.type like $%d escape '\'`, contains(prefix)[1:]))
		} else {
			topics = append(topics, add("e.type = $%d", topic))
		}
	}
	if len(topics) > 0 {
		b.WriteString(" and (" + strings.Join(topics, " or ") + ")")
	}
	return b.String(), args
}

// logged is a row of the join: an event, or nulls, with the log's state.
type logged struct {
	Event
	log                string
	last, trimmed, seq int64
}

func scanLogged(row row) (l logged, err error) {
	var seq *int64
	var kind, tenant, subject, data *string
	if err := row.Scan(&l.log, &l.last, &l.trimmed, &seq, &kind, stamped{&l.Time}, &tenant, &subject, &data); err != nil {
		return l, err
	}
	if seq != nil {
		l.seq, l.Type, l.Tenant, l.Subject, l.Data = *seq, *kind, id.Tenant(*tenant), *subject, json.RawMessage(*data)
	}
	return l, nil
}

// TrimEvents drops at most so many events older than before, and says how many are gone. It keeps the order: nothing newer goes before
// something older.
func (t *Tx) TrimEvents(ctx context.Context, before time.Time, most int) (int, error) {
	const oldest = "(select coalesce(min(seq), 0) from events)"
	var upTo int64
	err := t.tx.QueryRowContext(ctx, `select coalesce(max(seq), 0) from events where time < $1 and seq < `+oldest+` + $2
		and seq < coalesce((select min(seq) from events where time >= $1), 9223372036854775807)`, stamp(before), most).Scan(&upTo)
	if err != nil || upTo == 0 {
		return 0, t.db.fail(ctx, err)
	}
	// The counter's row first, as writers do, so that both cannot wait for each other.
	if _, err := t.exec(ctx, "update event_log set trimmed = $1 where one = 1 and trimmed < $1", upTo); err != nil {
		return 0, err
	}
	n, err := t.exec(ctx, "delete from events where seq <= $1", upTo)
	return int(n), err
}

// trim drops at most so many rows that the condition finds, by the columns of the primary key, and says how many.
func (t *Tx) trim(ctx context.Context, table, key, condition string, most int, args ...any) (int, error) {
	n, err := t.exec(ctx, fmt.Sprintf("delete from %[1]s where (%[2]s) in (select %[2]s from %[1]s where %[3]s limit %[4]d)", table, key, condition, most), args...)
	return int(n), err
}
