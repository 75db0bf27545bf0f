package store_test

import (
	"path/filepath"
	"strconv"
	"testing"
)

// A database remembers how many files were applied, so none may come between those that are there.
func TestSchema_filesAreNumberedFromOneWithoutAGap(t *testing.T) {
	files, err := filepath.Glob("schema/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for i, f := range files {
		if n, err := strconv.Atoi(filepath.Base(f)[:4]); err != nil || n != i+1 {
			t.Errorf("%s is file %d", f, i+1)
		}
	}
}
