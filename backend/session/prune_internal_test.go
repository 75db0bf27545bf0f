package session

import (
	"path/filepath"
	"testing"
	"time"
)

func TestPrune_removesMoreThanOneStatementTakes(t *testing.T) {
	s, err := OpenFile(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.db.ExecContext(t.Context(), `with recursive n(i) as (select 0 union all select i + 1 from n where i < $1)
		insert into session_revoked select 'token-' || i, 1 from n`, 2*prunedAtOnce); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.db.QueryRowContext(t.Context(), `select count(*) from session_revoked`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d of %d rows are left, %v", left, 2*prunedAtOnce+1, err)
	}
}
