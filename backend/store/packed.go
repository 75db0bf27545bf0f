package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// separator stands between the columns of a packed row.
const separator = "\x1f"

// packed is the expression that gives the columns as one text, with the separator in the numbered argument between them. Fetching a
// column costs the embedded engine more than joining it: packed, 25,000 VMs list in less than half of the time. words are columns of
// the platform's own making, which cannot hold a separator; in sentences it becomes a space. None may be null: concat_ws leaves it out.
func packed(words, sentences []string, arg int) string {
	sep := fmt.Sprintf("cast($%d as text)", arg)
	all := append([]string{sep}, words...)
	for _, s := range sentences {
		all = append(all, "replace("+s+", "+sep+", ' ')")
	}
	return "concat_ws(" + strings.Join(all, ", ") + ")"
}

// unpacker takes the columns out of a packed row, in their order. The first column that cannot be read ends it with err.
type unpacker struct {
	rest string
	left int // columns
	err  error
}

// unpackRow reads the packed row of n columns.
func unpackRow(r row, n int) *unpacker {
	u := &unpacker{left: n}
	if u.err = r.Scan(&u.rest); u.err == nil && strings.Count(u.rest, separator)+1 != n {
		u.err = fmt.Errorf("packed row has %d columns, want %d", strings.Count(u.rest, separator)+1, n)
	}
	return u
}

func (u *unpacker) text() (part string) {
	if u.err != nil {
		return ""
	}
	part, u.rest, _ = strings.Cut(u.rest, separator)
	return part
}

func (u *unpacker) number() (n int64) {
	text := u.text()
	if u.err == nil {
		n, u.err = strconv.ParseInt(text, 10, 64)
	}
	return n
}

func (u *unpacker) time() (t time.Time) {
	text := u.text()
	if u.err == nil {
		u.err = stamped{&t}.Scan(text)
	}
	return t
}

func (u *unpacker) texts() (t []string) {
	text := u.text()
	if u.err == nil {
		t, u.err = parseTexts(text)
	}
	return t
}
