package store

import "context"

// Counts is how many rows of each kind stand in which state, for monitoring.
type Counts struct {
	VMs        map[string]int // by materialised status
	Nodes      map[string]int // by state
	Operations map[string]int // by status; ended ones are kept for a while only
}

// Counts counts in three short queries.
func (r *Reader) Counts(ctx context.Context) (c Counts, err error) {
	for _, q := range []struct {
		query string
		to    *map[string]int
	}{
		{"select status, count(*) from vms group by status", &c.VMs},
		{"select state, count(*) from nodes group by state", &c.Nodes},
		{"select status, count(*) from operations group by status", &c.Operations},
	} {
		rows, err := many(ctx, r, scanCount, q.query)
		if err != nil {
			return c, err
		}
		*q.to = map[string]int{}
		for _, n := range rows {
			(*q.to)[n.name] = n.rows
		}
	}
	return c, nil
}

type count struct {
	name string
	rows int
}

func scanCount(r row) (c count, err error) { return c, r.Scan(&c.name, &c.rows) }
