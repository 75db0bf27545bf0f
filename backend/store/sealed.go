package store

import (
	"context"
	"fmt"
)

// SealedTable names where secrets stand that are encrypted with the installation's key.
type SealedTable string

// Every place of sealed secrets.
const (
	SealedSigningKeys SealedTable = "signing_keys"
	SealedSettings    SealedTable = "settings"
	SealedFactors     SealedTable = "second_factors"
	SealedMails       SealedTable = "mails"
)

// SealedTables are all of them.
var SealedTables = []SealedTable{SealedSigningKeys, SealedSettings, SealedFactors, SealedMails}

// NodeCA is the setting that holds the certificate authority of the nodes, the only one that is sealed.
const NodeCA = "node_ca"

// columns of a table: its key, what is sealed, and which rows are meant.
func (s SealedTable) columns() (key, sealed, where string) {
	switch s {
	case SealedSigningKeys:
		return "kid", "sealed", "true"
	case SealedSettings:
		return "key", "value", "key = '" + NodeCA + "'"
	case SealedFactors:
		return "user_id", "sealed", "true"
	case SealedMails:
		return "id", "sealed", "true"
	}
	panic("no secrets stand in " + string(s))
}

// SealedRow is one sealed secret.
type SealedRow struct {
	ID     string
	Sealed []byte
}

// SealedRows reads up to limit sealed secrets of a table in the order of their keys, beginning behind after. Rows that hold no secret
// any more are passed over.
func (r *Reader) SealedRows(ctx context.Context, table SealedTable, after string, limit int) ([]SealedRow, error) {
	key, sealed, where := table.columns()
	return many(ctx, r, func(row row) (s SealedRow, err error) { return s, row.Scan(&s.ID, &s.Sealed) },
		fmt.Sprintf("select %s, %s from %s where %s and %s > $1 and length(%s) > 0 order by %s limit $2", key, sealed, table, where, key, sealed, key), after, limit)
}

// Reseal puts the same secret, sealed anew, in the place of what was read. False: the row was changed since, by somebody who sealed
// it anew.
func (t *Tx) Reseal(ctx context.Context, table SealedTable, was SealedRow, sealed []byte) (bool, error) {
	key, column, _ := table.columns()
	n, err := t.exec(ctx, fmt.Sprintf("update %s set %s = $3 where %s = $1 and %s = $2", table, column, key, column), was.ID, was.Sealed, sealed)
	return n == 1, err
}
