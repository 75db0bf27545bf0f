package store

import (
	"encoding/json"
	"slices"
	"testing"
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

// fakeRow is a row of one column.
type fakeRow string

func (r fakeRow) Scan(dest ...any) error {
	*dest[0].(*string) = string(r)
	return nil
}

func TestUnpackRow_readsTheTextsOfBothEngines(t *testing.T) {
	for _, at := range []string{"2026-11-22 10:00:00.120000", "2026-11-22 10:00:00.12"} {
		u := unpackRow(fakeRow("x"+separator+"-7"+separator+at+separator+`["a","b"]`+separator), 5)
		text, number, when, texts, last := u.text(), u.number(), u.time(), u.texts(), u.text()
		if u.err != nil || text != "x" || number != -7 || when.Nanosecond() != 120_000_000 || !slices.Equal(texts, []string{"a", "b"}) || last != "" {
			t.Fatalf("got %q %d %v %q %q, %v", text, number, when, texts, last, u.err)
		}
	}
}

func TestUnpackRow_refusesWhatItCannotRead(t *testing.T) {
	if u := unpackRow(fakeRow("x"+separator+"y"+separator+"z"), 2); u.err == nil {
		t.Error("three columns were read as two")
	}
	u := unpackRow(fakeRow("x"+separator+"y"), 2)
	if n, rest := u.number(), u.text(); u.err == nil || n != 0 || rest != "" {
		t.Errorf("got number %d and text %q behind what is none, %v", n, rest, u.err)
	}
}
