package remote

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"novacron/backend/core/fault"
)

func TestOutage_isLoggedWhenItBeginsChangesAndEnds(t *testing.T) {
	var log bytes.Buffer
	o := outage{log: slog.New(slog.NewTextHandler(&log, nil)), what: "the renewal"}
	gone := errors.New("connection refused")
	o.over() // it worked all the time
	for range 100 {
		o.note("s:1", gone)
	}
	for range 100 {
		o.note("s:1", fault.New(fault.Forbidden, "node_removed", "this node was removed"))
	}
	o.over()
	o.over()
	o.note("s:1", gone)
	want := []string{"fails", "fails", "works again", "fails"}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(want), log.String())
	}
	for i, w := range want {
		if !strings.Contains(lines[i], w) {
			t.Errorf("line %d is %q, want that it %s", i+1, lines[i], w)
		}
	}
}
