// Package sim plays the whole platform in memory under a schedule of wishes and misfortunes that a seed gives: servers, agents and simulated
// machines are real but for their cables, clocks and guests, and live in a synctest bubble, where hours pass in seconds and nobody moves
// while the witness looks. After every event the witness reads machines and database by itself and judges what must never be; at the end
// everything is mended, and the world must be what the API says.
//
// One seed is one schedule: what happens when and to whom. How goroutines take turns between two events is Go's choice, as are ids and
// jitter, so a seed makes a failure likely again and not certain.
//
//	NOVACRON_SIM_SEED=7 go test ./test/sim    repeats the schedule of a failure
//	NOVACRON_SIM_LOG=1                        lets the trace hold what the parts log
//	NOVACRON_TEST_LONG=1                      more and longer schedules, as make test-sim
package sim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Steps of a run.
const (
	look     = 500 * time.Millisecond // between two looks while nothing is scheduled
	patience = 15 * time.Minute       // for everything to come to rest once all is mended
)

// run plays a schedule. Everything lives in a synctest bubble: hours pass in seconds, and nobody moves while the witness looks.
func run(t *testing.T, seed uint64, s size) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, s.servers, s.nodes)
		defer w.report(seed)
		w.settle("the nodes join", w.joining)
		start := time.Now()
		for _, e := range plan(seed, s) {
			for time.Since(start) < e.at && w.sound() {
				time.Sleep(min(look, e.at-time.Since(start)))
				w.pause()
			}
			if !w.sound() {
				return
			}
			w.note("plan", "%s", e.text)
			e.do(w)
			w.pause()
		}
		w.heal()
	})
}

// pause lets everybody go on until all wait, starts what has died, and looks.
func (w *world) pause() {
	synctest.Wait()
	w.witness.look()
	for _, h := range w.hosts {
		if h.due() {
			w.note(h.name, "starts again")
			h.start()
		}
	}
	for _, m := range w.machines {
		if m.due() {
			w.note(m.name, "starts again")
			m.start()
		}
	}
}

func (w *world) sound() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.faults) == 0
}

// settle waits until nothing is left of what the caller lists.
func (w *world) settle(what string, left func() []string) {
	until := time.Now().Add(patience)
	for w.sound() {
		rest := left()
		if len(rest) == 0 {
			return
		}
		if time.Now().After(until) {
			w.broken("in vain: %s; left: %s", what, strings.Join(rest, "; "))
			return
		}
		time.Sleep(look)
		w.pause()
	}
}

// tail is how many lines of the trace a failure shows.
const tail = 120

func (w *world) report(seed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) == 0 {
		return
	}
	lines := w.trace
	if !w.full() {
		lines = lines[max(0, len(lines)-tail):]
	}
	w.t.Errorf("%s\nNOVACRON_SIM_SEED=%d repeats the schedule, NOVACRON_SIM_LOG=1 shows all of what the parts log\n%s", strings.Join(w.faults, "\n"), seed, strings.Join(lines, "\n"))
}

func (w *world) full() bool { return os.Getenv("NOVACRON_SIM_LOG") != "" }

// seeds gives the fixed seeds of every run and, in the long one, a fresh one, or the one that is set: a commit is judged by the same
// schedules as the one before it.
func seeds(t *testing.T, fixed int) []uint64 {
	t.Helper()
	if set := os.Getenv("NOVACRON_SIM_SEED"); set != "" {
		n, err := strconv.ParseUint(set, 10, 64)
		if err != nil {
			t.Fatalf("NOVACRON_SIM_SEED is %q; write a number", set)
		}
		return []uint64{n}
	}
	list := make([]uint64, fixed)
	for i := range list {
		list[i] = uint64(i + 1)
	}
	if os.Getenv("NOVACRON_TEST_LONG") != "" {
		list = append(list, uint64(time.Now().UnixNano())%1_000_000_000)
	}
	return list
}

// The short run is for every `make test`, the long one for `make test-sim`.
var (
	short = size{servers: 2, nodes: 3, names: 10, events: 120, every: 2 * time.Second}
	long  = size{servers: 2, nodes: 5, names: 25, events: 600, every: 1500 * time.Millisecond}
)

func TestPlatform_survivesWhateverTheScheduleBrings(t *testing.T) {
	fixed, s := 3, short
	if os.Getenv("NOVACRON_TEST_LONG") != "" {
		fixed, s = 40, long
	}
	for _, seed := range seeds(t, fixed) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { run(t, seed, s) })
	}
}
