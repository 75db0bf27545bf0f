package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"novacron/backend/core/fault"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// migrate applies the schema files that the database does not have yet, all in one transaction under a lock, so that several
// servers may start at once and a crash leaves the old schema.
func (db *DB) migrate(ctx context.Context) error {
	names, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		return fmt.Errorf("list schema: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, migrateTimeout, errTimeout)
	defer cancel()
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return db.fail(ctx, err)
	}
	defer tx.Rollback() //nolint:errcheck // the error of the step that failed is the one that says something
	if db.dialect.patience != "" {
		if _, err := tx.ExecContext(ctx, db.dialect.patience); err != nil {
			return db.fail(ctx, err)
		}
	}
	if err := db.dialect.lock(ctx, tx, "schema"); err != nil {
		return db.fail(ctx, err)
	}
	if err := applyAll(ctx, tx, names); err != nil {
		return db.fail(ctx, err)
	}
	return db.fail(ctx, tx.Commit())
}

func applyAll(ctx context.Context, tx *sql.Tx, names []string) error {
	if _, err := tx.ExecContext(ctx, "create table if not exists schema_version (version bigint primary key, name text not null, applied_at timestamp not null)"); err != nil {
		return err
	}
	var have int
	if err := tx.QueryRowContext(ctx, "select coalesce(max(version), 0) from schema_version").Scan(&have); err != nil {
		return err
	}
	if have > len(names) {
		return fault.New(fault.Unsupported, "database_newer",
			"the database was written by a newer NovaCron (schema %d, this one knows %d); start the newer version", have, len(names))
	}
	for i := have; i < len(names); i++ {
		text, err := schemaFiles.ReadFile(names[i])
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		if _, err := tx.ExecContext(ctx, "insert into schema_version (version, name, applied_at) values ($1, $2, $3)",
			i+1, names[i], stamp(now())); err != nil {
			return err
		}
	}
	// The log's name is random, so that a cursor of another database is told apart from one of this.
	_, err := tx.ExecContext(ctx, "insert into event_log (one, log, last, trimmed) values (1, $1, 0, 0) on conflict do nothing",
		rand.Text()[:logLength])
	return err
}
