package store

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// FuzzParseTexts: the fast way gives what JSON says.
func FuzzParseTexts(f *testing.F) {
	for _, s := range []string{"", "10.0.0.1", `a","b`, `\`, "é\x1f", `"`, `]`} {
		f.Add(s, "fe80::1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, in := range [][]string{nil, {}, {a}, {a, b}} {
			text := encode(in)
			var want []string
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			got, err := parseTexts(text)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s was read as %q (%v), want %q", text, got, err, want)
			}
		}
	})
}

// fakeRow is a row with one packed column and others.
type fakeRow []string

func (r fakeRow) Scan(dest ...any) error {
	for i, d := range dest {
		*d.(*string) = r[i]
	}
	return nil
}

func TestPackedRow_readsEveryKindOfBothEngines(t *testing.T) {
	for _, yes := range []string{"1", "true"} {
		var s, plain string
		var n int
		var f float64
		var b bool
		var at time.Time
		text := "x" + separator + "-7" + separator + "0.5" + separator + yes + separator + "2026-11-22 10:00:00.12"
		err := packedRow{fakeRow{text, "rest"}, 5}.Scan(&s, &n, &f, &b, stamped{&at}, &plain)
		if err != nil || s != "x" || n != -7 || f != 0.5 || !b || at.Nanosecond() != 120_000_000 || plain != "rest" {
			t.Fatalf("got %q %d %v %v %v %q %v", s, n, f, b, at, plain, err)
		}
	}
}

func TestPackedRow_refusesAColumnTooMany(t *testing.T) {
	var a, b string
	if err := (packedRow{fakeRow{"x" + separator + "y" + separator + "z"}, 2}).Scan(&a, &b); err == nil {
		t.Fatalf("three columns were read as two: %q %q", a, b)
	}
}
