package store

import "testing"

// FuzzParseCursor: whatever is sent either is refused or means exactly the text it came as.
func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"", "ABCDEFGH-0", "ABCDEFGH-zz", "ABCDEFGH--1", "ABCDEFGH-01", "abcdefgh-1", "ABCDEFGH-", "ABCDEFGH-1y2p0ij32e8e7", "ABCDEFGH-1y2p0ij32e8e8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err == nil && c.String() != s {
			t.Fatalf("%q was read as %q", s, c.String())
		}
		if err != nil && c != (Cursor{}) {
			t.Fatalf("%q was refused, and still gave %q", s, c.String())
		}
	})
}

func FuzzParseMark(f *testing.F) {
	f.Add(mark{"name", "web-1", "vm-1", 7}.text())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMark(s, "name")
		if err == nil && m.Sort != "name" {
			t.Fatalf("%q was read as a mark of the order %q", s, m.Sort)
		}
	})
}
