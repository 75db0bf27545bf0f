package qemuimg

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/hypervisor"
	"novacron/backend/storage/jail"
)

func TestOptions_leaveNothingToHeaders(t *testing.T) {
	for _, c := range []struct {
		name    string
		formats []string
		want    string
	}{
		{"a lonely qcow2", []string{"qcow2"}, `json:{"backing":null,"driver":"qcow2","file":{"driver":"file","filename":"/files/disk0"}}`},
		{"an overlay over raw", []string{"qcow2", "raw"}, `json:{"backing":{"driver":"raw","file":{"driver":"file","filename":"/files/disk1"}},"driver":"qcow2","file":{"driver":"file","filename":"/files/disk0"}}`},
		{"a vmdk", []string{"vmdk"}, `json:{"backing":null,"driver":"vmdk","file":{"driver":"file","filename":"/files/disk0"}}`},
	} {
		top := files(t, c.formats)
		ch, err := open(top, true)
		if err != nil {
			t.Fatal(err)
		}
		defer ch.close()
		if got := ch.options(func(name string) string { return "/files/" + name }); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		for i, f := range ch.files {
			if f.Write != (i == 0) {
				t.Errorf("%s: file %d may be written: %v", c.name, i, f.Write)
			}
		}
	}
}

func TestSnapshot_refusesADiskThatQEMUHasOpen(t *testing.T) {
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("needs qemu-img, from the package qemu-utils")
	}
	b, err := image.NewQCOW2(1<<20, "", "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Byte 201: "others may not write", the right that a running guest denies.
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: 201, Len: 1}); err != nil {
		t.Fatal(err)
	}
	err = Snapshot(t.Context(), hypervisor.File{Path: path, Format: "qcow2"}, "-c", "s")
	if !fault.Is(err, fault.Conflict) {
		t.Fatalf("got %v", err)
	}
}

func TestConvert_waitsForItsTurnNoLongerThanItsCaller(t *testing.T) {
	for range parallel {
		slots <- struct{}{}
		defer func() { <-slots }()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, nil, jail.Limits{}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func files(t *testing.T, formats []string) hypervisor.File {
	t.Helper()
	var below *hypervisor.File
	for i := len(formats) - 1; i >= 0; i-- {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		below = &hypervisor.File{Path: path, Format: formats[i], Backing: below}
	}
	return *below
}
