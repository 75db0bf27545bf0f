package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pseudoTerminal gives the end of a terminal that programs read from, and that of the person. Nothing comes there and nothing ends by itself.
func pseudoTerminal(t *testing.T) (tty, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty, person
}

// lineEnds tells of each end of a line that is written.
type lineEnds chan struct{}

func (l lineEnds) Write(p []byte) (int, error) {
	if bytes.HasSuffix(p, []byte("\n")) {
		l <- struct{}{}
	}
	return len(p), nil
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestPassword_isGivenUpWithCtrlCAndTheTerminalShowsWhatIsTypedAgain(t *testing.T) {
	tty, person := pseudoTerminal(t)
	interrupted, ends := make(chan struct{}), make(lineEnds, 2)
	s := &session{in: tty, err: ends, interrupted: interrupted}
	left := make(chan error, 1)
	go func() {
		_, err := s.password("Password: ", false)
		left <- err
	}()
	for deadline := time.Now().Add(time.Minute); echoes(t, tty); {
		if time.Now().After(deadline) {
			t.Fatal("the password would be seen")
		}
		select {
		case err := <-left:
			t.Fatalf("it did not wait for a password: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	close(interrupted)
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) || !echoes(t, tty) {
			t.Errorf("got %v, and what is typed is seen: %t", err, echoes(t, tty))
		}
	case <-time.After(time.Minute):
		t.Fatal("it still waits for a password")
	}
	// The read that was given up ends before its terminal is closed: it would meet another file there.
	if _, err := person.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		<-ends
	}
}

func TestConfirm_isGivenUpWithCtrlC(t *testing.T) {
	interrupted := make(chan struct{})
	close(interrupted)
	tty, _ := pseudoTerminal(t)
	s := &session{in: tty, err: io.Discard, interrupted: interrupted}
	if err := s.confirm(false, "Delete it?"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
