package api

import (
	"strings"
	"testing"
)

func TestFinish_refusesARouteWithoutARule(t *testing.T) {
	a, err := build(Deps{})
	if err != nil {
		t.Fatal(err)
	}
	delete(a.routes, "GET /api/v1/vms")
	if err := a.finish(); err == nil || !strings.Contains(err.Error(), "GET /api/v1/vms has no rule") {
		t.Errorf("got %v, want a refusal that names the route", err)
	}
}

func TestScreenWatcher_dropsInputAndPassesTheRest(t *testing.T) {
	var guest strings.Builder
	w := &screenWatcher{guest: &guest}
	hello := "RFB 003.008\n" + "\x01" + "\x01"
	update := "\x03\x01\x00\x00\x00\x00\x00\x10\x00\x10"
	encodings := "\x02\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07"
	key := "\x04\x01\x00\x00\x00\x00\x00A"
	pointer := "\x05\x01\x00\x10\x00\x10"
	cut := "\x06\x00\x00\x00\x00\x00\x00\x03abc"
	extended := "\xff\x00\x00\x01\x00\x00\x00A\x00\x00\x00\x1e"
	all := hello + encodings + key + update + pointer + cut + extended + update
	for _, b := range []byte(all) { // as slowly as can be
		if _, err := w.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := guest.String(), hello+encodings+update+update; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := w.Write([]byte{0x99}); err == nil {
		t.Error("an unknown message passed")
	}
}

func TestCheckTopics(t *testing.T) {
	for _, good := range []string{"vm.*", "vm.state", "*", "operation.progress", "metric.cpu_1"} {
		if err := checkTopics([]string{good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "vm*", "VM.state", "vm.%", "vm.*.x", "a b", strings.Repeat("a", 65), "'"} {
		if checkTopics([]string{bad}) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if checkTopics(make([]string, maxTopics+1)) == nil {
		t.Error("too many topics were accepted")
	}
}
