// Package optest holds the tests that every operation must pass, generated from its definition: it unwinds from a failure at
// every point, it survives a crash at every point, and every step may run twice. A point lies before and after each step and undo,
// before and after each save of the runner, and wherever the world's own parts call the point function that New gave them.
//
// An operation with a point of no return (a delete) takes nothing back behind it. It must leave a clean world when it fails
// before, and behind it a half that asking again brings to the end; see World.Again. A crash alone turns no operation back.
//
// A crash ends the runner's goroutine where it stands, with deferred calls as its only farewell, and another runner goes on
// with the same store and world once the lease is over. Points must be reached on the step's own goroutine.
package optest

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/op"
)

// Store is a store that can also be asked for an operation.
type Store interface {
	op.Store
	op.Finder
}

// World is one fresh setting in which the operation runs once.
type World struct {
	Store      Store
	Definition *op.Definition
	// Begin asks for the operation as its verb does, and gives its id.
	Begin func() id.Operation
	// Again asks for the operation once more. It is set where the operation has a point of no return. An error says that there is
	// nothing left to ask for.
	Again func() (id.Operation, error)
	// Look describes all that the operation may change, in an order of its own, without operations and events. Ids in it are
	// made comparable between worlds. What Look gives before Begin is the clean world.
	Look func() string
}

// New makes a world that is closed by t's cleanup. Its fakes call point at each effect on the outside and return its error.
type New func(t *testing.T, point func(where string) error) World

// All runs all tests, side by side.
func All(t *testing.T, world New) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, New)
	}{
		{"succeeds", func(t *testing.T, w New) { Succeeds(t, w) }},
		{"unwinds from every failure", Unwinds},
		{"goes on after a crash anywhere", Crashes},
		{"every step twice", Twice},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, world)
		})
	}
}

// Sample is All with fewer points, one after the other, for a further engine that the operation runs on.
func Sample(t *testing.T, world New) {
	Unwinds(t, world)
	crashes(t, world, true)
	Twice(t, world)
}

// Succeeds runs the operation undisturbed and gives what Look then says.
func Succeeds(t *testing.T, world New) string {
	t.Helper()
	r := begin(t, world, &injector{})
	r.finish()
	r.want(op.Succeeded)
	if r.look() == r.clean {
		t.Fatalf("the operation succeeded and changed nothing that Look sees:\n%s", r.clean)
	}
	return r.look()
}

// Unwinds fails the operation at every point of its way forward. The world must be clean afterwards, or with a point of no return
// behind, one that asking again completes.
func Unwinds(t *testing.T, world New) {
	success := Succeeds(t, world)
	past := "" // the first failure that left something
	for n := 1; ; n++ {
		in := &injector{fail: n}
		r := begin(t, world, in)
		r.finish()
		if !in.failed {
			r.want(op.Succeeded)
			return
		}
		r.want(op.Failed)
		clean := r.wantEnd("failed "+in.where, success)
		if clean && past != "" {
			t.Fatalf("failed %s the world is clean, though it was not when it failed earlier, %s: there is more than one point of no return", in.where, past)
		}
		if !clean && past == "" {
			past = in.where
		}
	}
}

// sampled is how many crashes of one way back a short run tries.
const sampled = 4

// Crashes ends the runner at every point of the way forward, and while unwinding from a failure at every point, and lets
// another one go on. The world must then be whole or clean, as the operation's status says. Ways back that begin one point apart
// are nearly one, so of their crashes each takes every second, in turn. A short run takes every second of the way forward and samples of the longest way back.
func Crashes(t *testing.T, world New) { crashes(t, world, Slow()) }

// Slow says that a sample must do: with -short, and with the race detector, which makes everything ten times as dear.
func Slow() bool { return testing.Short() || raceDetector }

func crashes(t *testing.T, world New, short bool) {
	success := Succeeds(t, world)
	forward := 1
	if short {
		forward = 2
	}
	points := crashAll(t, world, success, 0, 1, forward)
	failures := countFailures(t, world)
	t.Logf("%d points to crash at, %d to fail at", points*forward, failures)
	if short {
		crashAll(t, world, success, failures, 1, max(points*forward/sampled, 1))
		return
	}
	for fail := 1; fail <= failures; fail++ {
		crashAll(t, world, success, fail, 1+fail%2, 2)
	}
}

// crashAll crashes at each stride-th point, from the first, of a run that fails at the given point, or nowhere, and counts the
// points tried.
func crashAll(t *testing.T, world New, success string, fail, first, stride int) (points int) {
	for n := first; ; n += stride {
		in := &injector{fail: fail, crash: n}
		r := begin(t, world, in)
		r.finish()
		situation := fmt.Sprintf("crashed %s (failed %q)", in.crashedAt, in.where)
		switch status := r.record().Status; status {
		case op.Succeeded:
			r.wantLook(situation, "success", success)
		case op.Failed:
			r.wantEnd(situation, success)
		default:
			t.Fatalf("%s: ended %s: %+v", situation, status, r.record().Error)
		}
		if !in.crashed {
			return points
		}
		points++
	}
}

func countFailures(t *testing.T, world New) int {
	in := &injector{}
	begin(t, world, in).finish()
	return in.failures
}

// Twice calls every step twice on the way forward, then every step and every undo twice on the longest way back.
func Twice(t *testing.T, world New) {
	success := Succeeds(t, world)
	r := begin(t, world, &injector{twice: true})
	r.finish()
	r.want(op.Succeeded)
	r.wantLook("every step ran twice", "success", success)
	back := begin(t, world, &injector{twice: true, fail: countFailures(t, world)})
	back.finish()
	back.want(op.Failed)
	back.wantEnd("every step and every undo ran twice", success)
}

// run is one world with its operation begun.
type run struct {
	t      *testing.T
	w      World
	in     *injector
	op     id.Operation
	clean  string
	leaped time.Duration // how far the runners' clock is ahead
}

func begin(t *testing.T, world New, in *injector) *run {
	t.Helper()
	r := &run{t: t, in: in}
	r.w = world(t, in.inside)
	r.clean = r.look()
	r.op = r.w.Begin()
	return r
}

func (r *run) look() string { return normal(r.w.Look()) }

// maxLives bounds the runners, and the leaps of their clock, that one operation may need.
const maxLives = 200

// finish lets one runner after the other go on until the operation has ended. Where nothing can be claimed, time leaps over the
// lease or the back-off.
func (r *run) finish() {
	r.t.Helper()
	for range maxLives {
		if r.record().Status.Ended() {
			return
		}
		if !r.life() {
			r.leaped += time.Minute
		}
	}
	r.t.Fatalf("the operation did not end: %+v", r.record())
}

// life is one runner that takes the operation once, and whether there was something to take.
func (r *run) life() (took bool) {
	o := op.Options{
		Now: func() time.Time { return time.Now().Add(r.leaped) },
		Log: slog.New(slog.DiscardHandler),
	}
	store := &tapped{Store: r.w.Store, in: r.in}
	runner := op.New(store, o, r.w.Definition.Intercept(r.in.around))
	done := make(chan struct{})
	took = true // a crash ends the goroutine before it can tell
	go func() {
		defer close(done)
		took = runner.RunOne()
	}()
	<-done
	return took
}

func (r *run) record() op.Record {
	r.t.Helper()
	rec, err := r.w.Store.Operation(context.Background(), r.op)
	if err != nil {
		r.t.Fatalf("read the operation: %v", err)
	}
	return rec
}

func (r *run) want(s op.Status) {
	r.t.Helper()
	if rec := r.record(); rec.Status != s {
		r.t.Fatalf("failed %q: the operation ended %s, want %s: %s %+v", r.in.where, rec.Status, s, rec.Sentence, rec.Error)
	}
}

// wantEnd judges the world that a failed operation left, and says whether it is clean. Where the operation has a point of no
// return it asks again for what is not: an undisturbed run must then reach the success world.
func (r *run) wantEnd(situation, success string) (clean bool) {
	r.t.Helper()
	if r.w.Again == nil {
		r.wantLook(situation, "clean", r.clean)
		return true
	}
	if r.look() == r.clean {
		return true
	}
	again, err := r.w.Again()
	if err != nil {
		r.wantLook(fmt.Sprintf("%s, and asked again, which was refused (%v)", situation, err), "success", success)
		return false
	}
	r.op, r.in.quiet = again, true
	r.finish()
	r.want(op.Succeeded)
	r.wantLook(situation+", and asked again", "success", success)
	return false
}

func (r *run) wantLook(situation, name, want string) {
	r.t.Helper()
	if got := r.look(); got != want {
		r.t.Fatalf("%s: the world is not the %s one\n--- got\n%s\n--- want\n%s", situation, name, got, want)
	}
}

var anID = regexp.MustCompile(`\b(vm|node|op|img|vol|nic|snap|net|ten|usr|ses|tok|upl)-[0-9a-z]{20}\b`)

// normal replaces each id by its kind and the order in which it appears.
func normal(s string) string {
	names := map[string]string{}
	return anID.ReplaceAllStringFunc(s, func(found string) string {
		if names[found] == "" {
			kind := anID.FindStringSubmatch(found)[1]
			names[found] = fmt.Sprintf("%s#%d", kind, len(names)+1)
		}
		return names[found]
	})
}
