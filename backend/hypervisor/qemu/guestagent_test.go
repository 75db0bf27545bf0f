package qemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var syncID = regexp.MustCompile(`"id":(\d+)`)

// playGuest listens like QEMU's end of the agent's line and answers each command with what reply says.
func playGuest(t *testing.T, reply func(w io.Writer, command string)) *agentLine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for in := bufio.NewScanner(c); in.Scan(); {
				reply(c, in.Text())
			}
			c.Close()
		}
	}()
	a := &agentLine{path: path}
	t.Cleanup(func() { a.close(); l.Close(); <-done })
	return a
}

// obedient answers the synchronisation and one command.
func obedient(answer string) func(io.Writer, string) {
	return func(w io.Writer, command string) {
		if m := syncID.FindStringSubmatch(command); m != nil {
			fmt.Fprintf(w, "\xff{\"return\": %s}\n", m[1])
			return
		}
		fmt.Fprintln(w, answer)
	}
}

func limited(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestAgentLine_asksAndAnswers(t *testing.T) {
	a := playGuest(t, obedient(`{"return": {"host-name": "web-1"}}`))
	for range 2 {
		var got struct {
			Name string `json:"host-name"`
		}
		if err := a.ask(limited(t, time.Minute), "guest-get-host-name", &got); err != nil || got.Name != "web-1" {
			t.Errorf("got %q, %v", got.Name, err)
		}
	}
}

func TestAgentLine_skipsOldAnswers(t *testing.T) {
	a := playGuest(t, func(w io.Writer, command string) {
		if strings.Contains(command, "sync") {
			io.WriteString(w, "{\"return\": \"old\"}\n\xff{\"return\": 1}\n\xffrubbish\n")
		}
		obedient(`{"return": 7}`)(w, command)
	})
	var got int
	if err := a.ask(limited(t, time.Minute), "guest-ping", &got); err != nil || got != 7 {
		t.Errorf("got %d, %v; want 7", got, err)
	}
}

func TestAgentLine_givesUpOnAFlood(t *testing.T) {
	noise := bytes.Repeat([]byte("x"), 64<<10)
	a := playGuest(t, func(w io.Writer, _ string) {
		for {
			if _, err := w.Write(noise); err != nil {
				return
			}
		}
	})
	if err := a.ask(limited(t, time.Minute), "guest-ping", new(int)); err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "floods") {
		t.Errorf("got %v, want that the guest floods the line", err)
	}
}

func TestAgentLine_givesUpOnAnAnswerWithoutEnd(t *testing.T) {
	a := playGuest(t, func(w io.Writer, command string) {
		if strings.Contains(command, "sync") {
			obedient("")(w, command)
			return
		}
		io.Copy(w, io.LimitReader(neverEnding{}, 2*maxAnswer))
	})
	if err := a.ask(limited(t, time.Minute), "guest-ping", new(int)); !errors.Is(err, errLong) {
		t.Errorf("got %v, want that the answer is too long", err)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'y'
	}
	return len(p), nil
}

func TestAgentLine_thatIsSilentCostsADeadline(t *testing.T) {
	silent := playGuest(t, func(io.Writer, string) {})
	if err := silent.ask(limited(t, 20*time.Millisecond), "guest-ping", new(int)); err == nil {
		t.Error("an answer came from nobody")
	}
}

func TestAgentLine_tellsARefusal(t *testing.T) {
	a := playGuest(t, obedient(`{"error": {"class": "CommandNotFound", "desc": "no\u0007 such"}}`))
	err := a.ask(limited(t, time.Minute), "guest-fsfreeze-freeze", new(int))
	if refusal, ok := errors.AsType[*agentError](err); !ok || refusal.Desc != "no such" {
		t.Errorf("got %v", err)
	}
}

func TestAddresses_areThoseThatOthersCanReach(t *testing.T) {
	var cards []guestCard
	answer := `{"return": [{"name":"lo","ip-addresses":[{"ip-address":"127.0.0.1"},{"ip-address":"::1"}]},
		{"name":"eth0","ip-addresses":[{"ip-address":"10.0.0.5"},{"ip-address":"fe80::1%eth0"},{"ip-address":"2001:db8::5"},{"ip-address":"nonsense"}]}]}`
	if err := readAnswer(bufio.NewReader(strings.NewReader(strings.ReplaceAll(answer, "\n", "")+"\n")), &cards); err != nil {
		t.Fatal(err)
	}
	if got, want := addresses(cards), []string{"10.0.0.5", "2001:db8::5"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWord_isSafeToShow(t *testing.T) {
	for given, want := range map[string]string{"web-1": "web-1", "a\x1b[31mb": "a[31mb", "\xff\xfe": "", strings.Repeat("x", 999): strings.Repeat("x", maxWord)} {
		if got := word(given); got != want {
			t.Errorf("of %.20q: got %.20q, want %.20q", given, got, want)
		}
	}
}

func FuzzAgentAnswer(f *testing.F) {
	f.Add([]byte("\xff{\"return\": 5}\n{\"return\": {\"host-name\": \"x\"}}\n"))
	f.Add([]byte("\xff\xff{\"error\": {\"desc\": \"\\u0000\"}}\n"))
	f.Add([]byte("{\"return\": [{\"ip-addresses\": [{\"ip-address\": 1}]}]}\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		in := bufio.NewReader(bytes.NewReader(said))
		_ = synchronise(in, 5)
		var cards []guestCard
		if readAnswer(in, &cards) == nil && len(addresses(cards)) > maxAddresses {
			t.Error("more addresses than the bound")
		}
	})
}
