package store

import (
	"strconv"
	"strings"

	"novacron/backend/core/fault"
)

// logLength is the number of characters that name an event log.
const logLength = 8

// MaxCursor is the longest text that ParseCursor reads.
const MaxCursor = logLength + 1 + 13

// Cursor is a place between two events. The zero value is before the oldest event that is kept. Users see its text and
// nothing of what it means.
type Cursor struct {
	log string
	seq int64
}

// String is the text of c; the zero cursor's is empty.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return c.log + "-" + strconv.FormatInt(c.seq, 36)
}

// ParseCursor reads the text of a cursor; the empty text is the zero cursor. Every other text has exactly one cursor and
// every cursor one text.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	bad := fault.New(fault.Invalid, "cursor_invalid", "the cursor is not one that NovaCron gave out; leave it out to begin from now").On("since")
	if len(s) > MaxCursor || len(s) < logLength+2 || s[logLength] != '-' {
		return Cursor{}, bad
	}
	log := s[:logLength]
	for _, b := range []byte(log) {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", rune(b)) {
			return Cursor{}, bad
		}
	}
	seq, err := strconv.ParseInt(s[logLength+1:], 36, 64)
	c := Cursor{log, seq}
	if err != nil || seq < 0 || c.String() != s {
		return Cursor{}, bad
	}
	return c, nil
}

// MarshalText writes the text of c.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text of a cursor.
func (c *Cursor) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCursor(string(b))
	return err
}
