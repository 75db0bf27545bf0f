package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/store"
)

func TestSQLite_saysWhatToDoAboutADamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "novacron.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err == nil {
		db.Close()
	}
	if f := fault.Sentence(err); !fault.Is(err, fault.Internal) || !strings.Contains(f, "backup") {
		t.Errorf("got %q (%v), want the way out", f, err)
	}
}
