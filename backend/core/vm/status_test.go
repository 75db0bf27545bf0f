package vm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; read the difference before committing it")

// every calls f with each combination of what decides a status.
func every(f func(wanted Power, seen RunState, doing Doing, alive bool)) {
	for _, doing := range Doings {
		for _, alive := range []bool{true, false} {
			for _, wanted := range Powers {
				for _, seen := range RunStates {
					f(wanted, seen, doing, alive)
				}
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the difference\n%s", path, got)
	}
}

// The golden file is one table per operation: what is wanted downwards, what the node sees across.
func TestStatus_ofEveryCombinationIsAsReviewed(t *testing.T) {
	var b strings.Builder
	for _, alive := range []bool{true, false} {
		for _, doing := range Doings {
			fmt.Fprintf(&b, "doing %q, node alive %v\n%-10s", doing, alive, "wanted")
			for _, seen := range RunStates {
				fmt.Fprintf(&b, " %-10s", seenWord(seen))
			}
			for _, wanted := range Powers {
				fmt.Fprintf(&b, "\n%-10s", wanted)
				for _, seen := range RunStates {
					s, _ := Status(wanted, Seen{State: seen}, doing, alive)
					fmt.Fprintf(&b, " %-10s", s)
				}
			}
			b.WriteString("\n\n")
		}
	}
	golden(t, "status.txt", strings.ReplaceAll(b.String(), " \n", "\n"))
}

func seenWord(s RunState) string {
	if s == "" {
		return "(none)"
	}
	return string(s)
}

func TestStatus_isAlwaysOneOfTheContract(t *testing.T) {
	reached := map[State]bool{}
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		s, _ := Status(wanted, Seen{State: seen}, doing, alive)
		if !slices.Contains(States, s) {
			t.Errorf("Status(%s, %s, %s, %v) = %q, which is no status", wanted, seen, doing, alive, s)
		}
		reached[s] = true
	})
	for _, s := range States {
		if !reached[s] {
			t.Errorf("no combination leads to %s", s)
		}
	}
}

func TestStatus_explainsErrorAndUnknown(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		s, reason := Status(wanted, Seen{State: seen}, doing, alive)
		if (s == StateError || s == StateUnknown) && reason == "" {
			t.Errorf("Status(%s, %s, %s, %v) = %s without a reason", wanted, seen, doing, alive, s)
		}
	})
}

func TestStatus_neverTellsASilentNodesWordAsThePresent(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		if alive || doing == Creating || doing == Cloning {
			return
		}
		if s, _ := Status(wanted, Seen{State: seen}, doing, alive); s != StateUnknown {
			t.Errorf("Status(%s, %s, %s, node lost) = %s, want unknown", wanted, seen, doing, s)
		}
	})
}

func TestStatus_isRunningOnlyWhenTheNodeSaysSo(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		if s, _ := Status(wanted, Seen{State: seen}, doing, alive); s == StateRunning && seen != SeenRunning {
			t.Errorf("Status(%s, %s, %s, %v) = running", wanted, seen, doing, alive)
		}
	})
}

func TestStatus_passesTheNodesReasonOn(t *testing.T) {
	s, reason := Status(On, Seen{State: SeenFailed, Reason: "QEMU was killed by the kernel: out of memory"}, Idle, true)
	if s != StateError || reason != "QEMU was killed by the kernel: out of memory" {
		t.Errorf("got %s, %q", s, reason)
	}
	s, reason = Status(On, Seen{State: SeenPaused, Reason: "its disk is full"}, Idle, true)
	if s != StatePaused || reason != "its disk is full" {
		t.Errorf("got %s, %q", s, reason)
	}
}

// The golden file has one line per combination that can last: which verbs are allowed, and below it every refusal.
func TestActions_areAsReviewed(t *testing.T) {
	var b strings.Builder
	for _, doing := range Doings {
		for _, wanted := range []Power{Off, On, Paused, Suspended} {
			for _, seen := range RunStates {
				var yes []string
				c := Condition{Wanted: wanted, Seen: Seen{State: seen}, Doing: doing, NodeAlive: true}
				for _, v := range Verbs {
					if Decide(v, c).Allowed {
						yes = append(yes, string(v))
					}
				}
				fmt.Fprintf(&b, "%-15s wanted %-9s seen %-10s: %s\n", "doing "+string(doing), wanted, seenWord(seen), strings.Join(yes, " "))
			}
		}
	}
	golden(t, "actions.txt", b.String())
}

func TestActions_refuseWithExactlyOneSentence(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		for _, dead := range []bool{false, true} {
			c := Condition{Wanted: wanted, Seen: Seen{State: seen}, Doing: doing, NodeAlive: alive, NodeDead: dead && !alive}
			all := Actions(c)
			if len(all) != len(Verbs) {
				t.Fatalf("%d decisions for %d verbs", len(all), len(Verbs))
			}
			for v, d := range all {
				if d.Allowed != (d.Why == "") {
					t.Errorf("%s in %+v: allowed %v with %q", v, c, d.Allowed, d.Why)
				}
				if strings.HasSuffix(d.Why, ".") || strings.Contains(d.Why, "%!") || strings.Contains(d.Why, "  ") {
					t.Errorf("%s in %+v: %q is not a plain sentence", v, c, d.Why)
				}
			}
		}
	})
}

func TestActions_allowNothingButTheConsoleAndAForcedStopBesideAnOperation(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		if doing == Idle {
			return
		}
		for v, d := range Actions(Condition{Wanted: wanted, Seen: Seen{State: seen}, Doing: doing, NodeAlive: alive}) {
			if d.Allowed && v != VerbConsole && v != VerbForceStop {
				t.Errorf("%s is allowed while the VM is %s", v, doing.Phrase())
			}
		}
	})
}

func TestActions_ofAVMOnALostNodeAreOnlyTheUpdate(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		if alive || doing != Idle {
			return
		}
		for v, d := range Actions(Condition{Wanted: wanted, Seen: Seen{State: seen}}) {
			if d.Allowed && v != VerbUpdate {
				t.Errorf("%s is allowed while the node is lost (wanted %s, seen %s)", v, wanted, seen)
			}
		}
	})
}

func TestActions_leaveAlwaysAWayOut(t *testing.T) {
	every(func(wanted Power, seen RunState, doing Doing, alive bool) {
		if !alive || doing != Idle {
			return
		}
		if d := Decide(VerbDelete, Condition{Wanted: wanted, Seen: Seen{State: seen}, NodeAlive: true}); !d.Allowed {
			t.Errorf("an idle VM (wanted %s, seen %s) cannot be deleted: %s", wanted, seen, d.Why)
		}
	})
}

func TestDecide(t *testing.T) {
	running := Condition{Wanted: On, Seen: Seen{State: SeenRunning}, NodeAlive: true}
	stopped := Condition{Wanted: Off, Seen: Seen{State: SeenStopped}, NodeAlive: true}
	with := func(c Condition, f func(*Condition)) Condition { f(&c); return c }
	for _, c := range []struct {
		name string
		verb Verb
		in   Condition
		why  string
	}{
		{"a stopped VM can be started", VerbStart, stopped, ""},
		{"a running VM cannot be started", VerbStart, running, "it is running; only a stopped VM can be started"},
		{"a paused VM is resumed, not started", VerbStart, Condition{Wanted: Paused, Seen: Seen{State: SeenPaused}, NodeAlive: true}, "it is paused; resume it first"},
		{"a suspended VM is resumed before it is stopped", VerbStop, Condition{Wanted: Suspended, Seen: Seen{State: SeenSuspended}, NodeAlive: true}, "it is suspended; resume it first"},
		{"a running VM cannot be cloned", VerbClone, running, "it is running; stop it first, a clone needs disks at rest"},
		{"a protected VM cannot be deleted", VerbDelete, with(stopped, func(c *Condition) { c.Protected = true }),
			"it is protected against deletion; take the protection away first"},
		{"linked clones are named", VerbDelete, with(stopped, func(c *Condition) { c.Linked = []string{"a", "b"} }),
			"its disks are shared with the linked clones a, b; delete them first"},
		{"many linked clones are counted", VerbDelete, with(stopped, func(c *Condition) { c.Linked = []string{"a", "b", "c", "d", "e"} }),
			"its disks are shared with the linked clones a, b, c and 2 more; delete them first"},
		{"the source of a running copy cannot be started", VerbStart, with(stopped, func(c *Condition) { c.Copying = []string{"twin"} }),
			"twin is being cloned from it and needs its disks at rest; wait until the clone is done"},
		{"the source of a running copy cannot be deleted", VerbDelete, with(stopped, func(c *Condition) { c.Copying = []string{"twin"} }),
			"twin is being cloned from it; wait until the clone is done"},
		{"the operation that goes on is named", VerbStart, with(stopped, func(c *Condition) { c.Doing = Snapshotting }),
			"it is being snapshotted; wait until that has ended or cancel the operation"},
		{"a force stop supersedes a stop that waits for the guest", VerbForceStop, with(running, func(c *Condition) { c.Doing = Stopping }), ""},
		{"a force stop does not break into a snapshot", VerbForceStop, with(running, func(c *Condition) { c.Doing = Snapshotting }),
			"it is being snapshotted; wait until that has ended or cancel the operation"},
		{"a VM whose node was confirmed dead can only be deleted", VerbStart, with(running, func(c *Condition) { c.NodeAlive, c.NodeDead = false, true }),
			"its node was confirmed dead and its disks were there; delete the VM"},
		{"a VM whose node was confirmed dead can be deleted", VerbDelete, with(running, func(c *Condition) { c.NodeAlive, c.NodeDead = false, true }), ""},
		{"a VM that its node has yet to start can be stopped", VerbStop,
			Condition{Wanted: On, Seen: Seen{State: SeenStopped}, NodeAlive: true}, ""},
		{"the reason of an error is told", VerbPause, Condition{Wanted: On, Seen: Seen{State: SeenFailed, Reason: "its disk image is damaged"}, NodeAlive: true},
			"it is in error; only a running VM can be paused (its disk image is damaged)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.verb, c.in); got.Why != c.why || got.Allowed != (c.why == "") {
				t.Errorf("got %+v\nwant %q", got, c.why)
			}
		})
	}
}
