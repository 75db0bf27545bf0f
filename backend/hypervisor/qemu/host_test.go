package qemu

import (
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

func TestProbe_saysWhatTheHostCanAndWhyNot(t *testing.T) {
	b := newBench(t)
	d, err := New(Options{RunDir: b.run})
	if err != nil {
		t.Fatal(err)
	}
	host, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if (host.Accel == "kvm") != (host.AccelReason == "") {
		t.Errorf("accelerator %q with the reason %q", host.Accel, host.AccelReason)
	}
	if !strings.HasPrefix(host.Version, "qemu ") || !strings.ContainsAny(host.MachineType, "0123456789") || host.CPUModel == "" {
		t.Errorf("got %+v", host)
	}
	t.Logf("%+v", host)
}

func TestProbe_saysThatQEMUIsMissing(t *testing.T) {
	d := &Driver{options: Options{BinDir: t.TempDir()}}
	if _, err := d.Probe(t.Context()); !fault.Is(err, fault.Unsupported) || !strings.Contains(fault.Sentence(err), "install") {
		t.Errorf("got %v", err)
	}
}

func TestParseAnswers_takesTheNewestBoardByItsFullName(t *testing.T) {
	out := `{"QMP": {}} {"return": {}} {"return": {"qemu": {"major": 9, "minor": 2, "micro": 1}, "package": ""}}
		{"return": [{"name": "pc-q35-9.1"}, {"name": "pc-q35-9.2", "alias": "q35"}, {"name": "none"}]} {"return": {}} {"event": "SHUTDOWN"}`
	if got, err := parseAnswers(out, vm.X86_64); err != nil || got.machine != "pc-q35-9.2" || got.version != "qemu 9.2.1" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parseAnswers(`{"return": {}}`, vm.X86_64); !fault.Is(err, fault.Unsupported) {
		t.Errorf("of a QEMU that says nothing: %v", err)
	}
}

func TestNew_refusesAFolderThatSocketsCannotLieIn(t *testing.T) {
	for _, dir := range []string{"", "relative", "/" + strings.Repeat("x", 80)} {
		if _, err := New(Options{RunDir: dir}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v, want invalid", dir, err)
		}
	}
}
