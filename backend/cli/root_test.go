package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestUnknownWord_isRefusedBehindAGroupOfCommands(t *testing.T) {
	for line, refused := range map[string]bool{
		"vm crate": true, "vm -o json crate": true, "vm snapshot nonsense x": true,
		"vm": false, "vm --help": false, "vm crate --help": false, "vm list": false, "help vm": false, "vm -o nonsense": false, "": false,
	} {
		err := unknownWord(newRoot(&session{out: io.Discard, err: io.Discard}), strings.Fields(line))
		if (err != nil) != refused {
			t.Errorf("novacron %s: %v", line, err)
		}
	}
}

func TestWrongWords_areAUsageErrorEverywhere(t *testing.T) {
	for _, line := range []string{
		"frob", "login a b", "vm show", "vm show a b", "vm snapshot create", "vm snapshot create a b c", "vm list --frob", "vm list -o xml", "up now", "vm create x --memory lots", "vm set web-1", "vm set web-1 --tenant other",
	} {
		root := newRoot(&session{out: io.Discard, err: io.Discard})
		root.SetArgs(strings.Fields(line))
		err := root.ExecuteContext(t.Context())
		if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), "--help`") {
			t.Errorf("novacron %s: %v", line, err)
		}
	}
}

func TestExitCode_tellsAScriptWhatHappened(t *testing.T) {
	goesOn := errors.New("stopped waiting; the operation goes on")
	for _, c := range []struct {
		err         error
		interrupted bool
		code        int
		said        string
	}{
		{nil, false, 0, ""},
		{errors.New("no room"), false, exitFailure, "novacron: no room\n"},
		{errSilent, false, exitFailure, ""},
		{exitStatus(7), false, 7, ""},
		{usageError{errors.New("say which VM")}, false, exitUsage, "novacron: say which VM\n"},
		{goesOn, true, exitInterrupt, "novacron: stopped waiting; the operation goes on\n"},
		{errSilent, true, exitInterrupt, ""},
		{fmt.Errorf("ask: %w", context.Canceled), true, exitInterrupt, ""},
		{context.Canceled, false, exitFailure, "novacron: context canceled\n"},
	} {
		var said bytes.Buffer
		if code := (&session{err: &said}).exitCode(c.err, c.interrupted); code != c.code || said.String() != c.said {
			t.Errorf("%v (interrupted: %t): exit code %d, said %q", c.err, c.interrupted, code, said.String())
		}
	}
}

func TestUserCreate_givesNobodyARoleThatNobodyNamed(t *testing.T) {
	root := newRoot(&session{in: strings.NewReader("password"), out: io.Discard, err: io.Discard})
	root.SetArgs([]string{"user", "create", "bob", "--email", "bob@example.org", "--password-stdin"})
	if err := root.ExecuteContext(t.Context()); !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), "--role") {
		t.Errorf("got %v", err)
	}
}
