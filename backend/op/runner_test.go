package op_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/op"
	"novacron/backend/op/optest"
)

// trace is what steps did, in order, and how they shall behave.
type trace struct {
	mu  sync.Mutex
	did []string
	do  map[string]func(ctx context.Context, r op.Run) error // by what is about to be done
}

type state struct{ Steps []string }

func (tr *trace) act(name string) func(context.Context, op.Run, *state) error {
	return func(ctx context.Context, r op.Run, s *state) error {
		tr.mu.Lock()
		tr.did = append(tr.did, name)
		f := tr.do[name]
		tr.mu.Unlock()
		s.Steps = append(s.Steps, name)
		if f != nil {
			return f(ctx, r)
		}
		return nil
	}
}

func (tr *trace) list() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.did, " ")
}

func (tr *trace) definition() *op.Definition {
	return op.Define("test",
		op.Do("A", tr.act("a")).Undo(tr.act("-a")),
		op.Do("B", tr.act("b")).NoUndo("changes nothing"),
		op.Do("C", tr.act("c")).Undo(tr.act("-c")),
	)
}

// scene is a runner on a store in memory inside a synctest bubble.
type scene struct {
	t     *testing.T
	trace *trace
	store *optest.Memory
	r     *op.Runner
	id    id.Operation
}

func (s *scene) runner() *op.Runner {
	return op.New(s.store, op.Options{Log: slog.New(slog.DiscardHandler)}, s.trace.definition())
}

// inScene begins an operation with a started runner and runs f; the runner is stopped afterwards.
func inScene(t *testing.T, do map[string]func(context.Context, op.Run) error, f func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, trace: &trace{do: do}, store: &optest.Memory{}}
		s.r = s.runner()
		rec := s.r.Prepare("test", "vm/1", state{})
		s.id = rec.ID
		s.store.Insert(rec)
		s.r.Start()
		f(s)
		if err := s.r.Stop(context.Background()); err != nil {
			t.Fatalf("stop: %v", err)
		}
	})
}

// wait waits for the end, at most an hour of the bubble's time.
func (s *scene) wait(r *op.Runner) op.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	rec, err := r.Wait(ctx, s.id)
	if err != nil {
		s.t.Fatalf("wait: %v; it is %s: %s; did %s", err, rec.Status, rec.Sentence, s.trace.list())
	}
	return rec
}

func (s *scene) want(rec op.Record, status op.Status, did string) {
	s.t.Helper()
	if rec.Status != status || s.trace.list() != did {
		s.t.Fatalf("ended %s (%+v) after %q, want %s after %q", rec.Status, rec.Error, s.trace.list(), status, did)
	}
}

type steps = map[string]func(context.Context, op.Run) error

func failing(err error) func(context.Context, op.Run) error {
	return func(context.Context, op.Run) error { return err }
}

func TestRunner_runsTheStepsInOrder(t *testing.T) {
	inScene(t, nil, func(s *scene) {
		rec := s.wait(s.r)
		s.want(rec, op.Succeeded, "a b c")
		if string(rec.State) != `{"Steps":["a","b","c"]}` || rec.Progress != 1 {
			s.t.Fatalf("state %s progress %v, want each step's change and 1", rec.State, rec.Progress)
		}
	})
}

func TestRunner_undoesInReverseFromTheStepThatFailed(t *testing.T) {
	full := fault.New(fault.Exhausted, "no_room", "no node has room")
	inScene(t, steps{"c": failing(full)}, func(s *scene) {
		rec := s.wait(s.r)
		s.want(rec, op.Failed, "a b c -c -a")
		if rec.Error == nil || rec.Error.Kind != fault.Exhausted || rec.Error.Code != "no_room" || rec.Error.Message != "no node has room" {
			s.t.Fatalf("error %+v, want the step's own", rec.Error)
		}
	})
}

func TestRunner_aPanicIsAFailureThatTellsUsersNothing(t *testing.T) {
	inScene(t, steps{"b": func(context.Context, op.Run) error { panic("secret") }}, func(s *scene) {
		rec := s.wait(s.r)
		s.want(rec, op.Failed, "a b -a")
		if rec.Error.Kind != fault.Internal || strings.Contains(rec.Error.Message, "secret") || !strings.Contains(rec.Error.Cause, "secret") {
			s.t.Fatalf("error %+v, want an internal one with the panic as cause only", rec.Error)
		}
	})
}

func TestRunner_triesAgainWhatIsUnavailable(t *testing.T) {
	left := 3
	inScene(t, steps{"b": func(context.Context, op.Run) error {
		if left--; left >= 0 {
			return fault.New(fault.Unavailable, "node_gone", "the node does not answer")
		}
		return nil
	}}, func(s *scene) {
		start := time.Now()
		s.want(s.wait(s.r), op.Succeeded, "a b b b b c")
		if took := time.Since(start); took < 3500*time.Millisecond || took > 10*time.Second {
			s.t.Fatalf("three retries took %v, want 0.5 + 1 + 2 seconds and little more", took)
		}
	})
}

func TestRunner_givesUpOnWhatStaysUnavailable(t *testing.T) {
	inScene(t, steps{"b": failing(fault.New(fault.Unavailable, "node_gone", "the node does not answer"))}, func(s *scene) {
		rec := s.wait(s.r)
		s.want(rec, op.Failed, "a b b b b b b b b -a")
		if rec.Error.Code != "node_gone" {
			s.t.Fatalf("error %+v, want the last try's", rec.Error)
		}
	})
}

func TestRunner_isStuckWhenUndoingFailsForGood(t *testing.T) {
	inScene(t, steps{"b": failing(errors.New("x")), "-a": failing(fault.New(fault.Conflict, "disk_busy", "the disk is in use"))}, func(s *scene) {
		rec := s.wait(s.r)
		s.want(rec, op.Stuck, "a b"+strings.Repeat(" -a", 12))
		if want := `cannot undo "A": the disk is in use`; rec.Error.Message != want || rec.Sentence != want {
			s.t.Fatalf("error %+v, sentence %q, want %q", rec.Error, rec.Sentence, want)
		}
	})
}

func TestRetry_takesBackWhatAStuckOperationLeft(t *testing.T) {
	inScene(t, steps{"c": failing(errors.New("x")), "-a": failing(fault.New(fault.Conflict, "disk_busy", "the disk is in use"))}, func(s *scene) {
		stuck := s.wait(s.r)
		s.trace.mu.Lock()
		s.trace.did, s.trace.do = nil, nil // what was in the way is gone
		s.trace.mu.Unlock()
		again, err := stuck.Retry()
		if err != nil {
			s.t.Fatal(err)
		}
		s.store.Insert(again)
		s.id = again.ID
		rec := s.wait(s.r)
		s.want(rec, op.Canceled, "-a")
		if want := "this took back what operation " + string(stuck.ID) + " had left"; rec.Error.Message != want || again.ID == stuck.ID {
			s.t.Errorf("%s says %q, want %q", rec.ID, rec.Error.Message, want)
		}
		if _, err := rec.Retry(); !fault.Is(err, fault.Conflict) {
			s.t.Errorf("another try of what is not stuck: %v", err)
		}
	})
}

func TestRunner_cancelEndsTheStepAndUndoesIt(t *testing.T) {
	inScene(t, steps{"c": func(ctx context.Context, _ op.Run) error { <-ctx.Done(); return ctx.Err() }}, func(s *scene) {
		synctest.Wait()
		s.store.Cancel(s.id)
		start := time.Now()
		s.r.Check()
		s.want(s.wait(s.r), op.Canceled, "a b c -c -a")
		if took := time.Since(start); took > time.Second {
			s.t.Fatalf("it took %v, want at once", took)
		}
	})
}

func TestRunner_hearsOfACancelWithoutAHint(t *testing.T) {
	inScene(t, steps{"a": func(ctx context.Context, _ op.Run) error { <-ctx.Done(); return ctx.Err() }}, func(s *scene) {
		synctest.Wait()
		s.store.Cancel(s.id)
		s.want(s.wait(s.r), op.Canceled, "a -a")
	})
}

func TestRunner_cancelDuringBackOffUndoesTheHalfDoneStep(t *testing.T) {
	inScene(t, steps{"c": failing(fault.New(fault.Unavailable, "", "gone"))}, func(s *scene) {
		synctest.Wait() // c failed once and waits
		s.store.Cancel(s.id)
		s.r.Wake()
		s.want(s.wait(s.r), op.Canceled, "a b c -c -a")
	})
}

func TestRunner_keepsItsLeaseThroughALongStep(t *testing.T) {
	inScene(t, steps{"b": func(ctx context.Context, _ op.Run) error {
		select {
		case <-time.After(10 * time.Minute):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, func(s *scene) {
		other := s.runner() // would take it, if the lease ended
		other.Start()
		s.want(s.wait(s.r), op.Succeeded, "a b c")
		if err := other.Stop(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	})
}

func TestRunner_stopGivesTheLeaseUpAtOnce(t *testing.T) {
	first := true
	inScene(t, steps{"b": func(ctx context.Context, _ op.Run) error {
		if first {
			first = false
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}, func(s *scene) {
		synctest.Wait()
		start := time.Now()
		if err := s.r.Stop(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		other := s.runner()
		other.Start()
		s.want(s.wait(other), op.Succeeded, "a b b c")
		if took := time.Since(start); took > time.Second {
			s.t.Fatalf("the next runner went on after %v, want at once", took)
		}
		if err := other.Stop(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	})
}

func TestRunner_leavesAnOperationBeforeItsLeaseEndsUnrenewed(t *testing.T) {
	var left chan time.Time
	first := true
	inScene(t, steps{"b": func(ctx context.Context, _ op.Run) error {
		if first {
			first = false
			<-ctx.Done()
			left <- time.Now()
			return ctx.Err()
		}
		return nil
	}}, func(s *scene) {
		synctest.Wait()
		left = make(chan time.Time, 1)
		start := time.Now()
		s.store.Fail(fault.New(fault.Unavailable, "", "the database is gone"))
		time.Sleep(time.Minute)
		if took := (<-left).Sub(start); took >= 15*time.Second {
			s.t.Fatalf("the step was ended after %v, want less than the lease of 15 s", took)
		}
		s.store.Fail(nil)
		s.want(s.wait(s.r), op.Succeeded, "a b b c")
	})
}

func TestRunner_aRunnerThatLostItsLeaseWritesNothing(t *testing.T) {
	const deaf = time.Hour
	fences := make([]int64, 0, 2)
	inScene(t, steps{"b": func(_ context.Context, r op.Run) error {
		fences = append(fences, r.Fence())
		if r.Fence() == 1 {
			time.Sleep(deaf) // does not heed its context, as after a suspend of its machine
		}
		return nil
	}}, func(s *scene) {
		synctest.Wait()
		// As after the lease ended: taken by one that gives it free at once.
		if _, err := s.store.Claim(context.Background(), "thief", []string{"test"}, time.Now().Add(time.Minute), -time.Minute, 1); err != nil {
			s.t.Fatal(err)
		}
		other := s.runner()
		other.Start()
		rec := s.wait(other)
		time.Sleep(2 * deaf)
		after, err := s.store.Operation(context.Background(), s.id)
		if err != nil || after.Status != op.Succeeded || !slices.Equal(fences, []int64{1, 3}) || string(after.State) != string(rec.State) {
			s.t.Fatalf("got %s %v, fences %v, state %s, want the second runner's work and nothing else", after.Status, err, fences, after.State)
		}
		if err := other.Stop(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	})
}

func TestRunner_progressIsOfTheWholeOperationAndThrottled(t *testing.T) {
	var seen []float64
	synctest.Test(t, func(t *testing.T) {
		tr := &trace{do: steps{"b": func(_ context.Context, r op.Run) error {
			for i := range 30 {
				r.Progress(float64(i)/30, "copying")
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}}}
		m := &progressStore{Memory: &optest.Memory{}, seen: &seen}
		r := op.New(m, op.Options{}, tr.definition())
		m.Insert(r.Prepare("test", "vm/1", state{}))
		if !r.RunOne() {
			t.Fatal("nothing to run")
		}
	})
	if len(seen) != 3 || seen[0] != 1.0/3 || seen[2] <= seen[1] || seen[2] >= 2.0/3 {
		t.Fatalf("progress %v, want three rising numbers from 1/3 to below 2/3", seen)
	}
}

type progressStore struct {
	*optest.Memory
	seen *[]float64
}

func (p *progressStore) Progress(ctx context.Context, r *op.Record) error {
	*p.seen = append(*p.seen, r.Progress)
	return p.Memory.Progress(ctx, r)
}

func TestRunner_runsNoMoreThanItsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		d := op.Define("test", op.Do("A", func(context.Context, op.Run, *state) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		}).NoUndo("changes nothing"))
		m := &optest.Memory{}
		r := op.New(m, op.Options{Workers: 4}, d)
		var last id.Operation
		for range 20 {
			rec := r.Prepare("test", "vm/1", state{})
			m.Insert(rec)
			last = rec.ID
		}
		r.Start()
		start := time.Now()
		if rec, err := r.Wait(context.Background(), last); err != nil || rec.Status != op.Succeeded {
			t.Fatalf("got %s %v", rec.Status, err)
		}
		if err := r.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); most != 4 || took > 6*time.Second {
			t.Fatalf("at most %d ran at once and it took %v, want 4 and 5 s", most, took)
		}
	})
}

// slowStore answers each claim after a second, as a database does whose one writer is busy.
type slowStore struct {
	*optest.Memory
}

func (s slowStore) Claim(ctx context.Context, holder string, kinds []string, now time.Time, lease time.Duration, most int) ([]*op.Record, error) {
	time.Sleep(time.Second)
	return s.Memory.Claim(ctx, holder, kinds, now, lease, most)
}

func TestRunner_claimsForAllItsFreeWorkersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &optest.Memory{}
		d := op.Define("test", op.Do("A", func(context.Context, op.Run, *state) error { return nil }).NoUndo("changes nothing"))
		r := op.New(slowStore{m}, op.Options{Workers: 50}, d)
		for range 200 {
			m.Insert(r.Prepare("test", "vm/1", state{}))
		}
		start := time.Now()
		r.Start()
		for done := 0; done < 200; time.Sleep(100 * time.Millisecond) {
			done = m.Ended()
			if took := time.Since(start); took > 10*time.Second {
				t.Fatalf("%d of 200 operations are done after %v, want all within a few claims of a second each", done, took)
			}
		}
		if err := r.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRunner_startsANewOperationAtTheHint(t *testing.T) {
	inScene(t, nil, func(s *scene) {
		s.wait(s.r)
		time.Sleep(100 * time.Millisecond)
		rec := s.r.Prepare("test", "vm/2", state{})
		s.store.Insert(rec)
		start := time.Now()
		s.r.Wake()
		if _, err := s.r.Wait(context.Background(), rec.ID); err != nil || time.Since(start) > 0 {
			s.t.Fatalf("ended after %v (%v), want at once", time.Since(start), err)
		}
	})
}

func TestDefine_refusesWhatIsABug(t *testing.T) {
	ok := op.Do("A", func(context.Context, op.Run, *state) error { return nil }).NoUndo("why")
	for name, f := range map[string]func(){
		"no kind":             func() { op.Define[state]("", ok) },
		"no steps":            func() { op.Define[state]("x") },
		"a step without name": func() { op.Define("x", op.Do("", (&trace{}).act("a")).NoUndo("why")) },
		"no reason":           func() { op.Define("x", op.Do("A", (&trace{}).act("a")).NoUndo("")) },
		"one kind twice":      func() { op.New(&optest.Memory{}, op.Options{}, op.Define("x", ok), op.Define("x", ok)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("it was accepted")
				}
			}()
			f()
		})
	}
}
