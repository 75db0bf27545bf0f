package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"novacron/backend/core/fault"
)

// Limits of a list.
const (
	DefaultLimit  = 100
	MaxLimit      = 1000
	maxPageCursor = 1024 // characters
)

// Page asks for a part of a list.
type Page struct {
	Limit  int    // 0: DefaultLimit; more than MaxLimit is capped
	Cursor string // of the page before; empty: the first page
	Sort   string // "name" or "-created_at"; empty: the list's own order
}

// List is one page.
type List[T any] struct {
	Items []T
	Next  string // cursor of the next page; empty: this was the last
	Total int    // rows that match the filter, on all pages, as counted for the first
}

// listing is how a noun is listed.
type listing[T any] struct {
	columns string
	packed  func(arg int) string // columns that are read as one text, in their place; see packed
	table   string               // with its alias; what the filter and the order speak of
	joins   string               // what else the columns need; one row each
	key     string               // unique column that breaks ties
	order   string               // default sort
	sorts   map[string]sorting[T]
	scan    func(row) (T, error)
	keyOf   func(T) string
}

// sorting is one order: its column, and the value that a row has there.
type sorting[T any] struct {
	column string
	value  func(T) string
}

// filter collects conditions and their arguments.
type filter struct {
	where []string
	args  []any
}

// add appends a condition with %d for its argument's number.
func (f *filter) add(format string, v any) {
	f.args = append(f.args, v)
	f.where = append(f.where, fmt.Sprintf(format, len(f.args)))
}

// text adds an equality unless v is empty.
func (f *filter) text(column, v string) {
	if v != "" {
		f.add(column+" = $%d", v)
	}
}

// part adds a search for a piece of a folded name unless it is empty.
func (f *filter) part(column, v string) {
	if v != "" {
		f.add(column+` like $%d escape '\'`, contains(v))
	}
}

func (f *filter) clause() string {
	if len(f.where) == 0 {
		return ""
	}
	return " where " + strings.Join(f.where, " and ")
}

// mark is what a page cursor holds: the order it belongs to, the last row's place in it, and the total that was counted for
// the first page, since counting again for each page costs as much as the page.
type mark struct {
	Sort  string `json:"s"`
	Value string `json:"v"`
	Key   string `json:"k"`
	Total int    `json:"t"`
}

func (m mark) text() string { return base64.RawURLEncoding.EncodeToString([]byte(encode(m))) }

func parseMark(s, sort string) (m mark, err error) {
	bad := fault.New(fault.Invalid, "cursor_invalid", "the cursor does not belong to this list and order; begin again without it").On("cursor")
	if len(s) > maxPageCursor {
		return m, bad
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(raw, &m) != nil || m.Sort != sort || m.Total < 0 || strings.ContainsRune(m.Value+m.Key, 0) {
		return m, bad
	}
	return m, nil
}

// list reads one page. The first counts all rows that match.
func list[T any](ctx context.Context, r *Reader, l listing[T], f filter, p Page) (List[T], error) {
	sort := p.Sort
	if sort == "" {
		sort = l.order
	}
	name, down := strings.CutPrefix(sort, "-")
	by, ok := l.sorts[name]
	if !ok {
		return List[T]{}, fault.New(fault.Invalid, "sort_unknown", "cannot sort by %q; use one of %s, with - in front for descending",
			name, strings.Join(sortNames(l.sorts), ", ")).On("sort")
	}
	total, err := l.begin(ctx, r, &f, p, by, down, sort)
	if err != nil {
		return List[T]{}, err
	}
	direction := "asc"
	if down {
		direction = "desc"
	}
	limit, columns := p.limit(), l.columns
	if l.packed != nil {
		f.args = append(f.args, separator)
		columns = l.packed(len(f.args))
	}
	items, err := many(ctx, r, l.scan, fmt.Sprintf("select %s from %s %s%s order by %s %s, %s %s limit %d",
		columns, l.table, l.joins, f.clause(), by.column, direction, l.key, direction, limit+1), f.args...)
	if err != nil {
		return List[T]{}, err
	}
	out := List[T]{Items: items, Total: total}
	if len(items) > limit {
		out.Items = items[:limit]
		last := items[limit-1]
		out.Next = mark{sort, by.value(last), l.keyOf(last), total}.text()
	}
	return out, nil
}

// begin counts for a first page, and moves a further one behind its cursor.
func (l listing[T]) begin(ctx context.Context, r *Reader, f *filter, p Page, by sorting[T], down bool, sort string) (total int, err error) {
	if p.Cursor == "" {
		return one(ctx, r, nil, func(row row) (n int, err error) { return n, row.Scan(&n) },
			"select count(*) from "+l.table+f.clause(), f.args...)
	}
	m, err := parseMark(p.Cursor, sort)
	if err != nil {
		return 0, err
	}
	beyond := ">"
	if down {
		beyond = "<"
	}
	f.args = append(f.args, m.Value, m.Key)
	f.where = append(f.where, fmt.Sprintf("(%s, %s) %s ($%d, $%d)", by.column, l.key, beyond, len(f.args)-1, len(f.args)))
	return m.Total, nil
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return min(p.Limit, MaxLimit)
}

func sortNames[T any](sorts map[string]sorting[T]) []string {
	var names []string
	for n := range sorts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
