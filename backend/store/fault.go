package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"novacron/backend/core/fault"
)

// errTimeout is the cause of a context that a call of this package ended by itself.
var errTimeout = errors.New("the database did not answer in time")

// fail gives an error of an engine the kind that callers act on. Faults and the caller's own cancellation pass unchanged.
func (db *DB) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout) {
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return fault.Wrap(err, fault.Unavailable, "database_unavailable",
			"the database does not answer; try again in a moment").After(retryAfter)
	}
	switch db.dialect.classify(err) {
	case lost, busy:
		return fault.Wrap(err, fault.Unavailable, "database_busy", "the database is busy; try again in a moment").After(retryAfter)
	case gone:
		return fault.Wrap(err, fault.Unavailable, "database_unavailable",
			"the database cannot be reached; try again in a moment").After(retryAfter)
	case full:
		return fault.Wrap(err, fault.Unavailable, "database_full",
			"the disk of the database is full; free some room and try again").After(retryAfter)
	case damaged:
		return fault.Wrap(err, fault.Internal, "database_damaged",
			"the database file novacron.db is damaged or is no database; stop NovaCron and put the file back from a backup")
	case unique:
		return fault.Wrap(err, fault.Conflict, "already_there", "something with this name or key is already there; pick another")
	case dangling:
		return fault.Wrap(err, fault.Conflict, "in_use", "what this refers to is missing, or something still refers to it; remove that first")
	case malformed:
		return fault.Wrap(err, fault.Invalid, "text_invalid", "a text holds bytes that are not allowed; remove zero bytes and whatever is not UTF-8")
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Wrap(err, fault.NotFound, "", "there is no such thing")
	}
	return fmt.Errorf("database: %w", err)
}

// IsDamaged reports whether an error of a SQLite file, of this package or of another, means that the file is damaged or no database.
func IsDamaged(err error) bool { return err != nil && classifySQLite(err) == damaged }

// notFound is the sentence for a row that is not there.
func notFound(noun, code string, key any) *fault.Error {
	return fault.New(fault.NotFound, code+"_not_found", "there is no %s %q; list them to see the names", noun, fmt.Sprint(key))
}

// edited is the refusal of a change that was made from an older version of the row.
func edited(noun string, key any) *fault.Error {
	return fault.New(fault.Precondition, "version_changed",
		"%s %q was changed in the meantime, or is gone; read it again and repeat the change", noun, fmt.Sprint(key))
}
