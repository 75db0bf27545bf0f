package agent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// Whatever lies in a journal file, reading it gives an entry of that VM or an error, never a panic.
func FuzzDecodeEntry(f *testing.F) {
	v := id.VM("vm-00000000000000000000")
	j := &journal{dir: f.TempDir(), noSync: true, step: func(string) error { return nil }}
	if err := j.write(&entry{Machine: vm.Machine{ID: v, Name: "web-1"}, Phase: phaseRunning}); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(j.path(v))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"crc32c":0,"entry":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := decodeEntry(v, raw)
		if err == nil && e.Machine.ID != v {
			t.Errorf("an entry of %q was taken for that of %s", e.Machine.ID, v)
		}
	})
}

func TestJournal_givesBackWhatWasWritten(t *testing.T) {
	j := &journal{dir: t.TempDir(), step: func(string) error { return nil }}
	e := &entry{Machine: vm.Machine{ID: id.NewVM(), Name: "web-1", Seed: vm.Seed{UserData: "<&> \u2028 \x01"}}, Phase: phaseSuspended, Ran: true, Sizes: volumeSizes{id.NewVolume(): 1 << 40}}
	if err := j.write(e); err != nil {
		t.Fatal(err)
	}
	got, err := j.read(e.Machine.ID)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(e)
	if have, _ := json.Marshal(got); string(have) != string(want) {
		t.Errorf("got %s, want %s", have, want)
	}
}

func TestJournal_forgetsAnUnfinishedWrite(t *testing.T) {
	j := &journal{dir: t.TempDir(), step: func(string) error { return nil }}
	v := id.NewVM()
	part := j.path(v) + partSuffix
	if err := os.WriteFile(part, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	vms, err := j.list()
	if err != nil || len(vms) != 0 {
		t.Errorf("got %v, %v; want nothing", vms, err)
	}
	if left, _ := filepath.Glob(part); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestGraves_surviveARestartAndATornLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone")
	open := func() *graves {
		g := &graves{path: path, step: func(string) error { return nil }}
		if err := g.open(); err != nil {
			t.Fatal(err)
		}
		return g
	}
	v := id.NewVM()
	g := open()
	for _, at := range []version{{1, 5}, {2, 1}, {1, 9}} { // the last is older than the second
		if err := g.bury(v, at); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, []byte(string(id.NewVM())+" 7")...), 0o600); err != nil {
		t.Fatal(err)
	}
	g = open()
	if at, ok := g.version(v); !ok || at != (version{2, 1}) || len(g.at) != 1 {
		t.Errorf("got %v %v and %d graves, want 2.1 and 1", at, ok, len(g.at))
	}
}

// A full disk can take the beginning of a line and refuse the rest. What is buried once there is room again must not be swallowed by it.
func TestGraves_surviveALineThatAFullDiskCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone")
	g := &graves{path: path, step: func(string) error { return nil }}
	if err := g.open(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("\n" + string(id.NewVM())[:9])
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	v := id.NewVM()
	if err := g.bury(v, version{3, 4}); err != nil {
		t.Fatal(err)
	}
	after := &graves{path: path, step: g.step}
	if err := after.open(); err != nil {
		t.Fatal(err)
	}
	if at, ok := after.version(v); !ok || at != (version{3, 4}) {
		t.Errorf("after a restart the node knows %v (%v), want 3.4: a late command would make the VM again", at, ok)
	}
}
