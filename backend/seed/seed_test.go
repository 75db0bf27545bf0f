package seed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs"
	"github.com/google/go-cmp/cmp"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu1T4DOAKoGH6jDYFBvLtcTvXjXjH9CBx8vlwNiMRhH ada@example"

func data() Data {
	return Data{
		InstanceID: "vm-0123456789abcdefghjk", Hostname: "web-1", SSHKeys: []string{key},
		NICs: []NIC{{MAC: "52:54:00:12:34:56", MTU: 1450}, {MAC: "52:54:00:12:34:57"}},
	}
}

func TestBuild_holdsTheThreeFilesOfNoCloud(t *testing.T) {
	want := map[string]string{
		"meta-data": "instance-id: vm-0123456789abcdefghjk\nlocal-hostname: web-1\npublic-keys:\n  - \"" + key + "\"\n",
		"user-data": Default,
		"network-config": `version: 2
ethernets:
  nic0:
    match:
      macaddress: "52:54:00:12:34:56"
    dhcp4: true
    dhcp-identifier: mac
    mtu: 1450
  nic1:
    match:
      macaddress: "52:54:00:12:34:57"
    dhcp4: true
    dhcp-identifier: mac
    dhcp4-overrides:
      route-metric: 200
`,
	}
	path := write(t, data())
	d, err := diskfs.Open(path, diskfs.WithOpenMode(diskfs.ReadOnly))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fs, err := d.GetFilesystem(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(fs.Label()); got != "cidata" {
		t.Errorf("the label is %q", got)
	}
	got := map[string]string{}
	entries, err := fs.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := fs.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBuild_isReadByOthersThroughRockRidgeAndJoliet(t *testing.T) {
	tool, err := exec.LookPath("isoinfo")
	if err != nil {
		t.Skip("needs isoinfo, from the package genisoimage")
	}
	path := write(t, data())
	for _, names := range []string{"-R", "-J"} {
		out, err := exec.Command(tool, "-i", path, names, "-f").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "/meta-data\n/network-config\n/user-data\n") {
			t.Errorf("isoinfo %s: %v\n%s", names, err, out)
		}
		text, err := exec.Command(tool, "-i", path, names, "-x", "/user-data").Output()
		if err != nil || string(text) != Default {
			t.Errorf("isoinfo %s reads user-data as %q, %v", names, text, err)
		}
	}
}

func TestBuild_givesTheSameBytesForTheSameData(t *testing.T) {
	a, _ := Build(data())
	b, err := Build(data())
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("two builds differ (%v)", err)
	}
}

func TestBuild_refusesWhatWouldBreakItsYAML(t *testing.T) {
	for name, spoil := range map[string]func(*Data){
		"a host name with a line break": func(d *Data) { d.Hostname = "a\nb: c" },
		"an empty host name":            func(d *Data) { d.Hostname = "" },
		"an instance with a colon":      func(d *Data) { d.InstanceID = "a: b" },
		"a key with a quote":            func(d *Data) { d.SSHKeys = []string{key + `"`} },
		"a MAC that is none":            func(d *Data) { d.NICs[0].MAC = "x" },
		"an MTU out of range":           func(d *Data) { d.NICs[0].MTU = 9 },
		"too many keys":                 func(d *Data) { d.SSHKeys = make([]string, vm.MaxSSHKeys+1) },
		"too many NICs":                 func(d *Data) { d.NICs = make([]NIC, vm.MaxNICs+1) },
		"unknown user-data":             func(d *Data) { d.UserData = "hello" },
	} {
		d := data()
		spoil(&d)
		if _, err := Build(d); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWrite_makesAFileForItsOwnerOnlyAndReplacesAnOlderOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.iso")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, data()); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	entries, _ := os.ReadDir(filepath.Dir(path))
	if info.Mode().Perm() != 0o600 || info.Size() < sector || len(entries) != 1 {
		t.Fatalf("mode %v, %d bytes, %d files in the folder", info.Mode(), info.Size(), len(entries))
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		if _, err := Build(data()); err != nil {
			b.Fatal(err)
		}
	}
}

func write(t *testing.T, d Data) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seed.iso")
	if err := Write(path, d); err != nil {
		t.Fatal(err)
	}
	return path
}
