package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// figure is one line of the table.
type figure struct {
	name   string
	values []float64
	unit   string  // empty: a ratio
	least  float64 // the least that the median may be
	target float64 // the most that the median may be; 0: told for orientation only
	note   string  // what was compared with what, or why there are no values
}

func (f figure) median() float64 { return quantile(f.values, 0.5) }

// met reports whether the figure is as good as it must be. One that could not be taken is not met where it has a target, unless its
// note says that this machine lacks what it needs.
func (f figure) met() bool {
	return f.target == 0 || len(f.values) > 0 && f.median() >= f.least && f.median() <= f.target
}

func (f figure) verdict() string {
	switch {
	case len(f.values) == 0:
		return "untried"
	case f.target == 0:
		return ""
	case f.met():
		return "met"
	}
	return "MISSED"
}

// quantile interpolates between the two nearest values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	at := q * float64(len(v)-1)
	low := int(at)
	high := min(low+1, len(v)-1)
	return v[low] + (at-float64(low))*(v[high]-v[low])
}

// print writes the table and reports whether every figure that was taken meets its target.
func print(w io.Writer, table []figure) bool {
	ok := true
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tMEDIAN\tMIDDLE HALF\tMIN..MAX\tN\tTARGET\tVERDICT")
	for _, f := range table {
		target := "-"
		if f.target > 0 {
			target = fmt.Sprintf("<= %.2f%s", f.target, f.unit)
		}
		if f.least > 0 {
			target = fmt.Sprintf("%.0f..%.0f%s", f.least, f.target, f.unit)
		}
		if len(f.values) == 0 {
			fmt.Fprintf(t, "%s\t-\t-\t-\t0\t%s\t%s\n", f.name, target, f.verdict())
			continue
		}
		show := func(q float64) string { return fmt.Sprintf("%.3f", quantile(f.values, q)) }
		fmt.Fprintf(t, "%s\t%s%s\t%s..%s\t%s..%s\t%d\t%s\t%s\n", f.name, show(0.5), f.unit, show(0.25), show(0.75), show(0), show(1), len(f.values), target, f.verdict())
		ok = ok && f.met()
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, f := range table {
		if f.note != "" {
			fmt.Fprintf(w, "%s: %s\n", f.name, f.note)
		}
	}
	return ok
}

// ratios divides pair by pair.
func ratios(of, by []time.Duration) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i].Seconds() / by[i].Seconds()
	}
	return out
}

func seconds(d []time.Duration) []float64 {
	out := make([]float64, len(d))
	for i := range d {
		out[i] = d[i].Seconds()
	}
	return out
}
