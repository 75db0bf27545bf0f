package ledger_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/network/internal/ledger"
)

type note struct{ Text string }

func open(t *testing.T, dir string) ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLedger_keepsRecordsAcrossLives(t *testing.T) {
	dir, vm := filepath.Join(t.TempDir(), "a", "b"), id.NewVM()
	if err := open(t, dir).Put(vm, note{"first"}); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	if err := l.Put(vm, note{"second"}); err != nil {
		t.Fatal(err)
	}
	var got note
	if found, err := l.Get(vm, &got); !found || err != nil || got.Text != "second" {
		t.Errorf("got %+v, %v, %v", got, found, err)
	}
	if vms, err := l.List(); err != nil || !slices.Equal(vms, []id.VM{vm}) {
		t.Errorf("listed %v, %v", vms, err)
	}
	for range 2 {
		if err := l.Remove(vm); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := l.Get(vm, &got); found || err != nil {
		t.Errorf("after Remove: %v, %v", found, err)
	}
}

func TestOpen_clearsWhatACrashLeftHalfWritten(t *testing.T) {
	dir, vm := t.TempDir(), id.NewVM()
	half := filepath.Join(dir, string(vm)+".json.tmp")
	if err := os.WriteFile(half, []byte(`{"Te`), 0o600); err != nil {
		t.Fatal(err)
	}
	if vms, err := open(t, dir).List(); err != nil || len(vms) != 0 {
		t.Errorf("listed %v, %v", vms, err)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("the half-written file is still there (%v)", err)
	}
}

func TestList_hasRecordsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for what, content := range map[string]string{"empty": "", "cut": `{"Text":"a`, "huge": `{"Text":"` + strings.Repeat("a", 1<<20) + `"}`} {
		vm := id.NewVM()
		if err := os.WriteFile(filepath.Join(dir, string(vm)+".json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := l.Get(vm, &note{}); !found || err == nil {
			t.Errorf("%s: found %v, error %v; want found and an error", what, found, err)
		}
		if vms, err := l.List(); err != nil || !slices.Contains(vms, vm) {
			t.Errorf("%s: listed %v, %v", what, vms, err)
		}
	}
}

func TestPut_onAFullDiskKeepsTheOldRecord(t *testing.T) {
	dir, vm := t.TempDir(), id.NewVM()
	l := open(t, dir)
	if err := l.Put(vm, note{"old"}); err != nil {
		t.Fatal(err)
	}
	// A folder in the way of the temporary file stands for a disk that takes nothing more.
	if err := os.MkdirAll(filepath.Join(dir, string(vm)+".json.tmp", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Put(vm, note{"new"}); err == nil {
		t.Fatal("the write went through")
	}
	var got note
	if found, err := l.Get(vm, &got); !found || err != nil || got.Text != "old" {
		t.Errorf("got %+v, %v, %v; want the old record", got, found, err)
	}
}
