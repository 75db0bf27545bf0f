package hypervisortest

import (
	"os"
	"path/filepath"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

func savesAndRestores(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	state := hypervisor.File{Path: filepath.Join(t.TempDir(), "state"), Format: "raw"}
	g := m.start(t, cfg)
	g.booted().say("abc")
	if err := g.Save(t.Context(), state); err != nil {
		t.Fatalf("save: %v", err)
	}
	g.event(hypervisor.Exited)
	m.wantRunning(t)
	if _, err := os.Stat(state.Path); err != nil {
		t.Fatalf("after save: %v", err)
	}
	cfg.Restore = &state
	g = m.start(t, cfg)
	if _, err := os.Stat(state.Path); err == nil {
		t.Error("the state is still there and could be restored a second time")
	}
	g.wantState(vm.SeenRunning)
	c := g.terminal()
	c.say("de")
	if got := c.count(); got != 5 {
		t.Errorf("the guest counted %d keys, want 5", got)
	}
	g.power(hypervisor.Shutdown)
	g.event(hypervisor.PoweredOff)
}

func failsToSave(t *testing.T, m *Machine) {
	g := m.start(t, m.Config(t))
	c := g.booted()
	err := g.Save(t.Context(), hypervisor.File{Path: filepath.Join(t.TempDir(), "no", "such", "folder"), Format: "raw"})
	wantKind(t, "save to nowhere", err, fault.Unavailable)
	g.wantState(vm.SeenRunning)
	c.say("on")
}

func refusesBrokenState(t *testing.T, m *Machine) {
	cfg := m.Config(t)
	state := hypervisor.File{Path: filepath.Join(t.TempDir(), "state"), Format: "raw"}
	if err := os.WriteFile(state.Path, []byte("not a state"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Restore = &state
	_, err := m.Driver.Start(t.Context(), cfg)
	wantKind(t, "a broken state", err, fault.Invalid)
	m.wantRunning(t)
	if _, err := os.Stat(state.Path); err != nil {
		t.Error("the state is gone though nothing was restored")
	}
}
