package jail

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRun_showsTheProgramItsFilesAndNothingElse(t *testing.T) {
	f := open(t, "in", "hello")
	out, err := sh(t, []File{{Name: "in", File: f}}, Limits{}, `cat /files/in; ls /; ls /etc; ls /files; id -u; cat /proc/1/status; ls /root; ls `+filepath.Dir(f.Name()))
	if os.Geteuid() != 0 {
		t.Skip("needs root: an ordinary user's walls depend on the system")
	}
	got := strings.Fields(string(out))
	want := []string{"hellobin", "dev", "etc", "files", "lib", "lib64", "usr", "ld.so.cache", "in", "64099"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("the jailed program saw %q (%v), want %q", got, err, want)
	}
}

func TestRun_hasNoNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if os.Geteuid() != 0 {
		t.Skip("needs root: an ordinary user's walls depend on the system")
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	out, err := sh(t, nil, Limits{}, `(: < /dev/tcp/127.0.0.1/`+port+`) && echo connected; true`)
	if err != nil || string(out) != "" {
		t.Fatalf("a connection to a listener of the machine gave %q, %v", out, err)
	}
}

func TestRun_refusesToWriteAFileThatWasGivenForReading(t *testing.T) {
	f := open(t, "in", "hello")
	_, err := sh(t, []File{{Name: "in", File: f}}, Limits{}, `echo gone > /files/in`)
	if err == nil {
		t.Fatal("writing worked")
	}
	if b, _ := os.ReadFile(f.Name()); string(b) != "hello" {
		t.Fatalf("the file now holds %q", b)
	}
}

func TestRun_givesTheFileBackToItsOwner(t *testing.T) {
	f := open(t, "out", "")
	if _, err := sh(t, []File{{Name: "out", File: f, Write: true}}, Limits{}, `echo done > /files/out`); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(f.Name())
	info, _ := f.Stat()
	if string(b) != "done\n" || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
		t.Fatalf("the file holds %q and belongs to %d", b, info.Sys().(*syscall.Stat_t).Uid)
	}
}

func TestRun_endsAProgramThatWritesTooMuch(t *testing.T) {
	f := open(t, "out", "")
	_, err := sh(t, []File{{Name: "out", File: f, Write: true}}, Limits{FileBytes: 4096}, `exec head -c 100000 /usr/bin/bash > /files/out`)
	var failed *Failed
	if !errors.As(err, &failed) || !failed.FileTooLarge() {
		t.Fatalf("got %v, want a file that is too large", err)
	}
	if info, _ := f.Stat(); info.Size() > 4096 {
		t.Fatalf("%d bytes were written", info.Size())
	}
}

func TestRun_killsTheProgramWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := Run(ctx, "sleep", nil, Limits{}, func(Path) []string { return []string{"60"} })
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 30*time.Second {
		t.Fatalf("got %v after %v", err, time.Since(begun))
	}
}

func TestRun_endsAProgramThatTakesTooMuchMemory(t *testing.T) {
	_, err := sh(t, nil, Limits{MemoryBytes: 64 << 20}, `x=$(printf '%0100000000d' 1); echo ${#x}`)
	if err == nil {
		t.Fatal("100 MB fitted in a limit of 64 MiB")
	}
}

func TestRun_saysWhichPackageIsMissing(t *testing.T) {
	_, err := Run(t.Context(), "no-such-program", nil, Limits{}, func(Path) []string { return nil })
	if err == nil || !strings.Contains(err.Error(), "is not installed") {
		t.Fatalf("got %v", err)
	}
}

func sh(t *testing.T, files []File, l Limits, script string) ([]byte, error) {
	t.Helper()
	return Run(t.Context(), "bash", files, l, func(Path) []string { return []string{"-c", script} })
}

func open(t *testing.T, name, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
