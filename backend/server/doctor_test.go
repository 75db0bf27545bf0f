package server

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestDoctor_saysOfAPortWhatAStartWouldSay(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := Settings{DataDir: t.TempDir(), APIAddr: taken.Addr().String(), WSAddr: "192.0.2.1:8091", ConsoleAddr: "127.0.0.1:0", NodeAddr: "127.0.0.1:0"}
	c := checkPorts(s)
	if c[0].Verdict != Bad || !strings.Contains(c[0].Found, fmt.Sprintf("is taken by process %d", os.Getpid())) || !strings.Contains(c[0].Remedy, "NOVACRON_API_ADDR") {
		t.Errorf("of a port that another process has: %+v", c[0])
	}
	if c[1].Verdict != Bad || strings.Contains(c[1].Found, "taken") || !strings.Contains(c[1].Remedy, "NOVACRON_WS_ADDR to an address of this machine") {
		t.Errorf("of an address of another machine: %+v", c[1])
	}
	release, err := PathsFor(s.DataDir).Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if c := checkPorts(s)[0]; c.Verdict != Good || !strings.Contains(c.Found, "is served by NovaCron") {
		t.Errorf("of the port of the platform in this data folder: %+v", c)
	}
}

func TestDoctor_saysWhyADataFolderCannotBeUsed(t *testing.T) {
	anothers := "/"
	if os.Geteuid() == 0 {
		anothers = t.TempDir()
		if err := os.Chown(anothers, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{anothers: "belongs to user", file: "is no folder", filepath.Join(file, "below"): "cannot be reached"} {
		if c := checkDataDir(Settings{DataDir: dir}); c.Verdict != Bad || !strings.Contains(c.Found, want) || c.Remedy == "" {
			t.Errorf("%s: %+v, want that it %s and a way out", dir, c, want)
		}
	}
	dir := t.TempDir()
	if c := checkDataDir(Settings{DataDir: filepath.Join(dir, "new", "folder")}); c.Verdict == Bad {
		t.Errorf("of a folder that can be made: %+v", c)
	}
}

func TestDoctor_saysInOneLineThatAnEngineDoesNotAnswer(t *testing.T) {
	c := checkEngine(t.Context(), "PostgreSQL", "postgres://nova:secret@127.0.0.1:1/cloud", "NOVACRON_DATABASE_URL", "", pingPostgres)
	if c.Verdict != Bad || strings.ContainsAny(c.Found, "\n\t") || strings.Contains(c.Found, "secret") || !strings.Contains(c.Found, "connection refused") {
		t.Errorf("got %+v", c)
	}
}

func TestDoctor_looksAtTheToolsThatTheBuildUses(t *testing.T) {
	dir := t.TempDir()
	self := filepath.Join(dir, "bin", "novacron")
	if program, _ := builders(self, "node"); program != "node" {
		t.Errorf("with nothing in .tools: %s", program)
	}
	bin := filepath.Join(dir, ".tools", "node", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "node"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if program, from := builders(self, "node"); program != filepath.Join(bin, "node") || from == "" {
		t.Errorf("with one in .tools: %s%s", program, from)
	}
}

func TestDown_waitsForNobodyInAFolderThatIsNotItsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WaitGone(t.Context(), Settings{DataDir: file}, time.Hour); err == nil || !strings.Contains(err.Error(), "is no folder") {
		t.Errorf("got %v", err)
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
