package store

import (
	"context"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
)

// maxStatements is how many compiled statements a SQLite connection keeps; beyond it all are dropped and it begins anew. The
// platform has some 150, and lists of different lengths make more.
const maxStatements = 512

// statements opens SQLite connections that keep their compiled statements: compiling one costs the embedded engine more than
// running it. PostgreSQL's driver does the same by itself.
type statements struct{ dsn string }

func (s statements) Driver() driver.Driver { return &sqlite.Driver{} }

func (s statements) Connect(context.Context) (driver.Conn, error) {
	c, err := s.Driver().Open(s.dsn)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver lacks what this version of NovaCron needs"), c.Close())
	}
	return &keepingConn{sqliteConn: conn, kept: map[string]driver.Stmt{}}, nil
}

// sqliteConn is what the driver's connection can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keepingConn is a connection with its compiled statements by their text. A statement's rows must be read to their end before
// the same text runs again, as many does.
type keepingConn struct {
	sqliteConn
	kept map[string]driver.Stmt
}

func (c *keepingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.compiled(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (c *keepingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.compiled(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (c *keepingConn) compiled(ctx context.Context, query string) (driver.Stmt, error) {
	if s := c.kept[query]; s != nil {
		return s, nil
	}
	if len(c.kept) >= maxStatements {
		if err := c.drop(); err != nil {
			return nil, err
		}
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.kept[query] = s
	return s, nil
}

func (c *keepingConn) drop() error {
	var failed []error
	for query, s := range c.kept {
		failed = append(failed, s.Close())
		delete(c.kept, query)
	}
	return errors.Join(failed...)
}

func (c *keepingConn) Close() error { return errors.Join(c.drop(), c.sqliteConn.Close()) }
