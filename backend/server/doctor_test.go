package server

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novacron/backend/hypervisor"
)

// host is a hypervisor that only answers Probe.
type host struct {
	hypervisor.Driver
	found hypervisor.Host
}

func (h host) Probe(context.Context) (hypervisor.Host, error) { return h.found, nil }

func TestDoctor_saysEachFactOnceWithAWayOut(t *testing.T) {
	const why = "KVM here lacks a feature of the CPU model Nehalem that guests get"
	checks := Doctor(t.Context(), Settings{DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", WSAddr: "127.0.0.1:0", ConsoleAddr: "127.0.0.1:0", NodeAddr: "127.0.0.1:0"},
		host{found: hypervisor.Host{Accel: "tcg", AccelReason: why, Version: "qemu 7.2.0",
			Missing: []string{"swtpm is not installed, so guests cannot have a vTPM; install the package swtpm."}}})
	told, names := 0, map[string]Check{}
	for _, c := range checks {
		names[c.Name] = c
		if strings.Contains(c.Found, why) {
			told++
		}
		if (c.Verdict == Warn || c.Verdict == Bad) && c.Remedy == "" {
			t.Errorf("%s: %q has no way out", c.Name, c.Found)
		}
	}
	if told != 1 {
		t.Errorf("why there is no KVM is told %d times", told)
	}
	for _, want := range []string{"network", "tiny image", "clock", "Go", "Node", "KVM", "QEMU"} {
		if _, ok := names[want]; !ok {
			t.Errorf("nothing is said of %s", want)
		}
	}
	if c := names["optional"]; !strings.HasPrefix(c.Found, "swtpm is not installed") || c.Remedy != "install the package swtpm" {
		t.Errorf("of what is missing: %+v", c)
	}
	for name, least := range map[string]string{"Go": MinGo, "Node": MinNode} {
		if !strings.Contains(names[name].Found, "at least "+least) {
			t.Errorf("%s: %q does not name the least version", name, names[name].Found)
		}
	}
}

func TestDoctor_sendsNobodyIntoTheFirmwareWhereTheProcessorLacksAFeature(t *testing.T) {
	for _, c := range []struct {
		opened error
		says   string
	}{
		{fmt.Errorf("open: %w", fs.ErrPermission), "group kvm"},
		{fmt.Errorf("open: %w", fs.ErrNotExist), "firmware"},
		{nil, "host-passthrough"},
	} {
		if got := kvmRemedy(c.opened); !strings.Contains(got, c.says) {
			t.Errorf("with %v: %q does not say %q", c.opened, got, c.says)
		}
	}
	if strings.Contains(kvmRemedy(nil), "firmware") {
		t.Error("a device that is there is to be turned on")
	}
}

func TestDoctor_tellsForwardingThatIsOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ip_forward")
	for content, want := range map[string]string{"1\n": "on", "0\n": "turns it on"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if c := checkForwarding(file); c.Verdict != Good || !strings.Contains(c.Found, want) {
			t.Errorf("%q: %+v", content, c)
		}
	}
	if c := checkForwarding(file + "-gone"); c.Verdict != Warn || c.Remedy == "" {
		t.Errorf("of a file that cannot be written: %+v", c)
	}
	if c := clockCheck(false); c.Verdict != Warn || c.Remedy == "" {
		t.Errorf("of a clock that nobody keeps: %+v", c)
	}
}
