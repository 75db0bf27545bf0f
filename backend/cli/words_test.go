package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"novacron/backend/core/wire"
)

func TestParseForward(t *testing.T) {
	for text, want := range map[string]wire.Forward{
		"8080:80":                {Protocol: "tcp", HostPort: 8080, GuestPort: 80},
		"udp:5353:53":            {Protocol: "udp", HostPort: 5353, GuestPort: 53},
		"192.0.2.1:8080:80":      {Protocol: "tcp", Listen: "192.0.2.1", HostPort: 8080, GuestPort: 80},
		"tcp:[2001:db8::1]:90:8": {Protocol: "tcp", Listen: "2001:db8::1", HostPort: 90, GuestPort: 8},
	} {
		got, err := parseForward(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "80", "a:80", "80:b", "tcp:80"} {
		if f, err := parseForward(text); err == nil {
			t.Errorf("%q was taken as %+v", text, f)
		}
	}
}

func TestSize_readsUnitsAndRefusesNonsense(t *testing.T) {
	for text, want := range map[string]size{"512": 512, "512M": 512, "512MiB": 512, "2G": 2048, "2GiB": 2048, "1TiB": 1 << 20} {
		var got size
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "0", "2K", "x", "99999999999999999999", "1.5G"} {
		var got size
		if err := got.Set(text); err == nil {
			t.Errorf("%q was taken as %d MiB", text, got)
		}
	}
}

func TestWriteTable_alignsAndDefusesControlCharacters(t *testing.T) {
	var out bytes.Buffer
	err := writeTable(&out, []string{"NAME", "STATE"}, [][]string{{"a\x1b[2J", "running"}, {"größer", "stopped"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "NAME    STATE\na?[2J   running\ngrößer  stopped\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{0: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m", 47 * time.Hour: "47h", 49 * time.Hour: "2d", -time.Minute: "0s"} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%s ago: got %s, want %s", d, got, want)
		}
	}
}

// Ctrl-] leaves, and what was typed before it still reaches the guest.
func TestConsole_leavesAtTheLeaveKey(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	typed := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(far)
		typed <- string(b)
	}()
	var out bytes.Buffer
	if err := pipeConsole(context.Background(), strings.NewReader("ls\n\x1dnever"), &out, near); err != nil {
		t.Fatal(err)
	}
	if got := <-typed; got != "ls\n" {
		t.Errorf("the guest got %q, want what stood before the leave key", got)
	}
}

// Piped commands may end before the guest has answered: the console goes on until the line ends.
func TestConsole_showsTheAnswerToPipedInput(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		b := make([]byte, 3)
		io.ReadFull(far, b)
		io.WriteString(far, "answer to "+string(b))
		far.Close()
	}()
	var out bytes.Buffer
	if err := pipeConsole(context.Background(), strings.NewReader("ls\n"), &out, near); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if got := out.String(); got != "answer to ls\n" {
		t.Errorf("got %q", got)
	}
}

func TestPublicKeys_makesAKeyOnceForPeopleWhoHaveNone(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	first, err := publicKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := publicKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 1 || cmp.Diff(first, second) != "" {
		t.Errorf("got %q, then %q; want one key, the same twice", first, second)
	}
	if _, err := publicKeys([]string{"not a key"}); err == nil {
		t.Error("a file that is not there was taken as a key")
	}
}
