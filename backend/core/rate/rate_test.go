package rate_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"novacron/backend/core/rate"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]rate.Limit{
		"5/1m": {Events: 5, Window: time.Minute}, "100/1m": {Events: 100, Window: time.Minute}, "3/10s": {Events: 3, Window: 10 * time.Second},
		"5/m": {Events: 5, Window: time.Minute}, "10": {Events: 10, Window: time.Minute}, "off": {},
	} {
		if got, err := rate.Parse(text); got != want || err != nil {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0/1m", "-1/1m", "5/", "5/0s", "5/1ms", "5/25h", "5/x", "x/1m", "10001/1m", "5/1m/2", "Off", "5 / 1m"} {
		if got, err := rate.Parse(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestTake_neverAllowsMoreThanTheLimitInAnySpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rate.Limit{Events: rapid.IntRange(1, 6).Draw(t, "events"), Window: time.Minute}
		now := time.Unix(1_800_000_000, 0)
		var w rate.Window
		var allowed []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "pause in ms")) * time.Millisecond)
			var v rate.Verdict
			w, v = rate.DecodeWindow(w.Encode()).Take(now, limit, 1)
			if v.Allowed {
				allowed = append(allowed, now)
			} else if later, again := w.Take(now.Add(v.Reset), limit, 1); !again.Allowed {
				t.Fatalf("refused until %s, and then again with window %v", v.Reset, later)
			}
		}
		for i := limit.Events; i < len(allowed); i++ {
			if span := allowed[i].Sub(allowed[i-limit.Events]); span < limit.Window {
				t.Fatalf("%d events were allowed within %s", limit.Events+1, span)
			}
		}
	})
}

func TestTake_countsAsManyOfSeveralAsThereIsRoomFor(t *testing.T) {
	limit := rate.Limit{Events: 5, Window: time.Minute}
	now := time.Unix(1_800_000_000, 0)
	w, v := rate.Window(nil).Take(now, limit, 3)
	if !v.Allowed || v.Remaining != 2 {
		t.Errorf("three of five: got %+v, want allowed with 2 remaining", v)
	}
	w, v = w.Take(now.Add(time.Second), limit, 3)
	if v.Allowed || v.Remaining != 0 || len(w) != 5 || v.Reset != 59*time.Second {
		t.Errorf("three more: got %+v and %d events, want refused, all five taken, and 59 s to wait", v, len(w))
	}
}

func TestTake_forgetsTimesAheadOfAClockThatWasSetBack(t *testing.T) {
	limit := rate.Limit{Events: 1, Window: time.Minute}
	now := time.Unix(1_800_000_000, 0)
	w, _ := rate.Window(nil).Take(now.Add(time.Hour), limit, 1)
	if _, v := w.Take(now, limit, 1); !v.Allowed {
		t.Errorf("got %+v, want allowed", v)
	}
}

func TestDecodeWindow_takesDamageAsEmpty(t *testing.T) {
	for _, text := range []string{"!", "AAAA", "AAAAAAAAAAAAAAA"} {
		if w := rate.DecodeWindow(text); len(w) != 0 {
			t.Errorf("%q: got %v", text, w)
		}
	}
}
