package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// asks reports whether somebody is there to answer.
func (s *session) asks() bool {
	f, ok := s.in.(*os.File)
	return ok && isTerminal(f)
}

// password reads a password from a pipe or from the terminal without showing it.
func (s *session) password(prompt string, fromStdin bool) (string, error) {
	if f, ok := s.in.(*os.File); !fromStdin && ok && isTerminal(f) {
		fd := int(f.Fd())
		return s.prompt(f, prompt, func() (string, error) {
			raw, err := term.ReadPassword(fd)
			fmt.Fprintln(s.err)
			return string(raw), err
		})
	}
	if !fromStdin {
		return "", usageError{errors.New("there is no terminal to ask for the password; use --password-stdin")}
	}
	line, err := bufio.NewReader(io.LimitReader(s.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usageError{errors.New("the password on standard input is empty")}
	}
	return line, nil
}

// confirm asks on a terminal. Scripts are not asked: who pipes commands has decided.
func (s *session) confirm(sure bool, question string) error {
	f, ok := s.in.(*os.File)
	if sure || !ok || !isTerminal(f) {
		return nil
	}
	answer, err := s.prompt(f, question+" [y/N] ", func() (answer string, _ error) {
		fmt.Fscanln(f, &answer) //nolint:errcheck // no answer is no
		return answer, nil
	})
	if err != nil {
		return err
	}
	if strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes") {
		return nil
	}
	return fmt.Errorf("nothing was changed")
}

// prompt asks on the terminal f. Ctrl-C leaves at once, with the terminal as it was: the read itself would wait for the end of the line.
func (s *session) prompt(f *os.File, text string, read func() (string, error)) (string, error) {
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(s.err, text)
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := read()
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return a.text, a.err
	case <-s.interrupted:
		fmt.Fprintln(s.err)
		return "", errors.Join(context.Canceled, term.Restore(int(f.Fd()), before))
	}
}
