package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"novacron/backend/core/auth"
)

// timeFormat is the one form of a time in SQLite and in cursors. Its texts sort as the times do. PostgreSQL reads it too.
const timeFormat = "2006-01-02 15:04:05.000000"

// timeParse also reads PostgreSQL's texts, which end before trailing zeros.
const timeParse = "2006-01-02 15:04:05.999999"

// stamp is a time as argument. The zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeFormat)
}

// stamped scans a time into t. Null is the zero time.
type stamped struct{ t *time.Time }

// Scan takes what either driver gives for a column declared timestamp.
func (s stamped) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*s.t = time.Time{}
	case time.Time:
		*s.t = v.UTC()
	case string:
		t, err := time.Parse(timeParse, v)
		if err != nil {
			return fmt.Errorf("time in the database: %w", err)
		}
		*s.t = t
	default:
		return fmt.Errorf("time in the database has type %T", v)
	}
	return nil
}

// encode is v as JSON text. It panics when v cannot be encoded, which is a bug of its type.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", v, err))
	}
	return string(b)
}

// decoded scans JSON text into v. An empty text leaves v alone.
type decoded struct{ v any }

// Scan decodes the text.
func (d decoded) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return d.decode([]byte(v))
	case []byte:
		return d.decode(v)
	}
	return fmt.Errorf("JSON in the database has type %T", v)
}

func (d decoded) decode(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, d.v)
}

// Fold is the form in which names are compared.
func Fold(name string) string { return auth.Fold(name) }

// contains is the pattern of a like with escape '\' that finds folded texts with part in them.
func contains(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(Fold(part)) + "%"
}

// places gives n placeholders from $from on, with commas.
func places(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}

// clean makes text of a guest or an engine fit for a column of either engine: valid, without control characters, at most limit
// bytes.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
