package sim

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the witness reads the file by itself

	"novacron/backend/core/id"
)

// witness looks at the world behind everybody's back: at the machines themselves and at the database file, never through the code
// that it judges. It is asked while nobody moves.
type witness struct {
	w    *world
	file string
	db   *sql.DB

	events  int64             // the last one seen
	status  map[string]string // of each VM, as events tell it; "" behind its deletion
	epochs  map[id.VM][2]int64
	fences  map[string]int64
	holders map[string]string // of each operation, with the fence
	ended   map[string]string
	reports map[string]int64
}

// row is a VM as it is stored.
type row struct {
	id                id.VM
	name              string
	node              id.Node
	wanted, status    string
	epoch, generation int64
	cpus, memoryMiB   int
	spec              struct {
		Disks []struct {
			ID    id.Volume `json:"id"`
			CDROM bool      `json:"cdrom"`
		} `json:"disks"`
		NICs []struct{} `json:"nics"`
	}
	seenState          string
	seenEpoch, seenGen int64
}

func newWitness(w *world, file string) *witness {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=query_only(1)")
	w.must(err)
	return &witness{w: w, file: file, db: db, status: map[string]string{}, epochs: map[id.VM][2]int64{}, fences: map[string]int64{}, holders: map[string]string{}, ended: map[string]string{}, reports: map[string]int64{}}
}

func (k *witness) close() { k.db.Close() }

// each reads rows.
func (k *witness) each(query string, scan func(*sql.Rows) error, args ...any) {
	rows, err := k.db.QueryContext(context.Background(), query, args...)
	k.w.must(err)
	defer rows.Close()
	for rows.Next() {
		k.w.must(scan(rows))
	}
	k.w.must(rows.Err())
}

// look judges the present moment.
func (k *witness) look() {
	rows := k.rows()
	k.noVMTwice(rows)
	k.epochsGrow(rows)
	k.operationsHaveOwners()
	k.eventsHaveNoGap()
	k.accountsAreRight(rows)
	k.reservationsHaveOwners(rows)
	k.leasesEndFirstAtTheNode()
}

func (k *witness) rows() map[id.VM]row {
	all := map[id.VM]row{}
	k.each(`select v.id, v.name, v.node, v.wanted_power, v.status, v.epoch, v.generation, v.cpus, v.memory_mib, v.spec,
		coalesce(s.state, ''), coalesce(s.epoch, 0), coalesce(s.generation, 0)
		from vms v left join vm_seen s on s.vm = v.id and s.node = v.node`, func(r *sql.Rows) error {
		var v row
		var spec string
		if err := r.Scan(&v.id, &v.name, &v.node, &v.wanted, &v.status, &v.epoch, &v.generation, &v.cpus, &v.memoryMiB, &spec, &v.seenState, &v.seenEpoch, &v.seenGen); err != nil {
			return err
		}
		all[v.id] = v
		if err := json.Unmarshal([]byte(spec), &v.spec); err != nil {
			return err
		}
		all[v.id] = v
		return nil
	})
	return all
}

// noVMTwice: a guest runs on one machine at most, and that is the one that its row names.
func (k *witness) noVMTwice(rows map[id.VM]row) {
	on := map[id.VM]string{}
	for _, m := range k.w.machines {
		for _, v := range m.guests() {
			if other, twice := on[v]; twice {
				k.w.broken("%s runs on %s and on %s", v, other, m.name)
			}
			on[v] = m.name
			if r, ok := rows[v]; !ok {
				k.w.broken("%s runs on %s and is not in the database", v, m.name)
			} else if r.node != m.Node {
				k.w.broken("%s runs on %s, the database has it on %s", v, m.name, k.w.nameOf(r.node))
			}
		}
	}
}

func (k *witness) epochsGrow(rows map[id.VM]row) {
	for v, r := range rows {
		old, now := k.epochs[v], [2]int64{r.epoch, r.generation}
		if slices.Compare(now[:], old[:]) < 0 {
			k.w.broken("%s went from epoch %d generation %d back to %d %d", r.name, old[0], old[1], now[0], now[1])
		}
		k.epochs[v] = now
	}
	k.each("select vm || ' on ' || node, seq from vm_seen", func(r *sql.Rows) error {
		var which string
		var seq int64
		err := r.Scan(&which, &seq)
		if seq < k.reports[which] {
			k.w.broken("the report of %s went from %d back to %d", which, k.reports[which], seq)
		}
		k.reports[which] = seq
		return err
	})
}

// The longest that an unfinished operation may be without anybody who has to see to it: its lease, or its back-off.
const (
	longestLease   = 15 * time.Second
	longestBackoff = 30 * time.Second
	clockError     = maxWrong + 5*time.Second // of the wall clocks, and until the schedule has it written
)

// operationsHaveOwners: an unfinished operation is leased for a bounded time, or free to be taken within one; it is never taken
// with an older fence, and what has ended stays as it is.
func (k *witness) operationsHaveOwners() {
	open := map[string]string{}
	k.each("select id, kind, subject, status, holder, fence, lease_ends, not_before, ended_at is not null from operations", func(r *sql.Rows) error {
		var o, kind, subject, status, holder string
		var fence int64
		var lease, notBefore stamp
		var ended bool
		if err := r.Scan(&o, &kind, &subject, &status, &holder, &fence, &lease, &notBefore, &ended); err != nil {
			return err
		}
		if fence < k.fences[o] {
			k.w.broken("the fence of %s went from %d back to %d", o, k.fences[o], fence)
		}
		if was := k.holders[o]; holder != "" && was != "" && was != holder && fence == k.fences[o] {
			k.w.broken("%s went from %s to %s with the same fence %d", o, was, holder, fence)
		}
		k.fences[o], k.holders[o] = fence, holder
		if was := k.ended[o]; was != "" && was != status {
			k.w.broken("%s %s had ended %s and is %s", kind, o, was, status)
		}
		if ended {
			k.ended[o] = status
			return nil
		}
		if other, twice := open[subject]; twice {
			k.w.broken("%s and %s are both open on %s", other, o, subject)
		}
		open[subject] = o
		if holder != "" && time.Until(lease.Time) > longestLease+clockError {
			k.w.broken("%s %s is leased to %s until %s", kind, o, holder, lease)
		}
		if holder == "" && time.Until(notBefore.Time) > longestBackoff+clockError {
			k.w.broken("%s %s waits until %s", kind, o, notBefore)
		}
		return nil
	})
}

// stamp reads a time of the database.
type stamp struct{ time.Time }

// Scan implements sql.Scanner.
func (s *stamp) Scan(v any) (err error) {
	switch v := v.(type) {
	case nil:
	case time.Time:
		s.Time = v
	case string:
		for _, form := range []string{"2006-01-02 15:04:05.999999", time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
			if s.Time, err = time.Parse(form, strings.TrimSuffix(v, "Z")); err == nil {
				return nil
			}
		}
	default:
		err = fmt.Errorf("%T is no time", v)
	}
	return err
}

// eventsHaveNoGap: numbers follow each other, and their last word on a VM is what is stored.
func (k *witness) eventsHaveNoGap() {
	k.each("select seq, type, subject, data from events where seq > $1 order by seq", func(r *sql.Rows) error {
		var seq int64
		var kind, subject, data string
		if err := r.Scan(&seq, &kind, &subject, &data); err != nil {
			return err
		}
		if seq != k.events+1 && k.events != 0 {
			k.w.broken("behind event %d comes %d", k.events, seq)
		}
		k.events = seq
		switch kind {
		case "vm.created":
			k.status[subject] = "creating"
		case "vm.deleted":
			k.status[subject] = ""
		case "vm.state":
			var d struct{ Status string }
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				return err
			}
			k.status[subject] = d.Status
		}
		return nil
	}, k.events)
	k.each("select last, last - trimmed, (select count(*) from events) from event_log", func(r *sql.Rows) error {
		var last, kept, there int64
		err := r.Scan(&last, &kept, &there)
		if last != k.events || kept != there {
			k.w.broken("the log of events says %d with %d kept, the last event is %d and %d are there", last, kept, k.events, there)
		}
		return err
	})
	left := map[string]bool{}
	k.each("select 'vm/' || id, name, status from vms", func(r *sql.Rows) error {
		var subject, name, status string
		err := r.Scan(&subject, &name, &status)
		left[subject] = true
		if told := k.status[subject]; told != status {
			k.w.broken("%s is %q, events say %q", name, status, told)
		}
		return err
	})
	for subject, status := range k.status {
		if status != "" && !left[subject] {
			k.w.broken("events say that %s is %s, and it is not there", subject, status)
		}
	}
}

// accountsAreRight: what is said to be placed on a node is the sum of what is.
func (k *witness) accountsAreRight(rows map[id.VM]row) {
	type sum struct{ vms, cpus, memoryMiB int }
	placed := map[string]sum{}
	for _, r := range rows {
		if r.node != "" {
			s := placed[string(r.node)]
			placed[string(r.node)] = sum{s.vms + 1, s.cpus + r.cpus, s.memoryMiB + r.memoryMiB}
		}
	}
	said := map[string]sum{}
	k.each("select substr(owner, 6), vms, cpus, memory_mib from totals where owner like 'node/%' and vms <> 0", func(r *sql.Rows) error {
		var owner string
		var s sum
		err := r.Scan(&owner, &s.vms, &s.cpus, &s.memoryMiB)
		said[owner] = s
		return err
	})
	if !maps.Equal(placed, said) {
		k.w.broken("placed on nodes is %v, the account says %v", placed, said)
	}
}

// reservationsHaveOwners: no address and no user belongs to a VM that is not there.
func (k *witness) reservationsHaveOwners(rows map[id.VM]row) {
	for _, table := range []string{"addresses", "uids", "snapshots", "vm_seen"} {
		k.each("select distinct vm from "+table, func(r *sql.Rows) error {
			var v id.VM
			err := r.Scan(&v)
			if _, ok := rows[v]; !ok {
				k.w.broken("%s has rows of %s, which is not there", table, v)
			}
			return err
		})
	}
}

// leasesEndFirstAtTheNode: while the database calls a node lost, its agent knows that it has no lease.
func (k *witness) leasesEndFirstAtTheNode() {
	k.each("select id, state from nodes", func(r *sql.Rows) error {
		var n id.Node
		var state string
		if err := r.Scan(&n, &state); err != nil {
			return err
		}
		for _, m := range k.w.machines {
			m.mu.Lock()
			life := m.life
			m.mu.Unlock()
			if m.Node == n && life != nil && state == "lost" && life.agent.LeaseLeft() > 0 {
				k.w.broken("%s is lost, and its agent holds a lease for %s", m.name, life.agent.LeaseLeft())
			}
		}
		return nil
	})
}

func (w *world) nameOf(n id.Node) string {
	for _, m := range w.machines {
		if m.Node == n {
			return m.name
		}
	}
	return cmp.Or(string(n), "no node")
}
