package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// leaveKey ends a console: Ctrl-], the key that telnet and virsh use too.
const leaveKey = 0x1d

// terminalConsole joins the terminal with a serial line until the user leaves or the line ends. Every key but Ctrl-] goes to
// the guest, since the terminal is in raw mode meanwhile.
func terminalConsole(ctx context.Context, in *os.File, out io.Writer, line io.ReadWriteCloser) error {
	if !term.IsTerminal(int(in.Fd())) {
		return pipeConsole(ctx, in, out, line)
	}
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer term.Restore(int(in.Fd()), state)
	return pipeConsole(ctx, in, out, line)
}

// pipeConsole copies both ways. The line's end, Ctrl-] or ctx ends it; the end of the input does not, so that the answer to
// piped commands is still seen.
func pipeConsole(ctx context.Context, in io.Reader, out io.Writer, line io.ReadWriteCloser) error {
	done := make(chan error, 2)
	go func() {
		_, err := io.Copy(out, line)
		done <- err
	}()
	go func() {
		if err := typeUntilLeave(in, line); !errors.Is(err, io.EOF) {
			done <- err
		}
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
	}
	line.Close()
	if errors.Is(err, errLeft) {
		return nil
	}
	return err
}

var errLeft = errors.New("left the console")

// typeUntilLeave sends what is typed. io.EOF: the input ended.
func typeUntilLeave(in io.Reader, line io.Writer) error {
	buf := make([]byte, 1024)
	for {
		n, err := in.Read(buf)
		typed := buf[:n]
		at := bytes.IndexByte(typed, leaveKey)
		if at >= 0 {
			typed = typed[:at]
		}
		if len(typed) > 0 {
			if _, werr := line.Write(typed); werr != nil {
				return werr
			}
		}
		if at >= 0 {
			return errLeft
		}
		if err != nil {
			return err
		}
	}
}
