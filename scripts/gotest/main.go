// Command gotest reads what `go test -json` writes and prints one line per package, the whole output of each test that failed,
// and every skipped test with its reason. It exits with 1 when something failed, also when a package did not build.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// event is one line of the stream; see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// maxOutput bounds what is kept per test, 1 MiB; the end of a longer output is what explains the failure.
const maxOutput = 1 << 20

// tally is what is known of one package while it runs.
type tally struct {
	passed, skipped, failed int
	skips                   []string
	outputs                 map[string]string // by test; "" is the package's own
	failures                []string
}

func report(in io.Reader, out io.Writer) (ok bool, err error) {
	ok = true
	packages := map[string]*tally{}
	builds := map[string]string{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			// The go command's own words, for example that a pattern matches nothing.
			fmt.Fprintln(out, lines.Text())
			continue
		}
		if e.Action == "build-output" {
			builds[e.ImportPath] += e.Output
			continue
		}
		if e.Action == "build-fail" {
			ok = false
			continue
		}
		t := packages[e.Package]
		if t == nil {
			t = &tally{outputs: map[string]string{}}
			packages[e.Package] = t
		}
		if !t.add(e) {
			ok = false
		}
		if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
			t.print(out, e, builds[e.FailedBuild])
			delete(packages, e.Package)
		}
	}
	for name := range packages {
		fmt.Fprintf(out, "FAIL  %s: the stream ended before the package did\n", name)
		ok = false
	}
	return ok, lines.Err()
}

// add counts one event and reports false for a failure.
func (t *tally) add(e event) bool {
	switch e.Action {
	case "output":
		text := t.outputs[e.Test] + e.Output
		if len(text) > maxOutput {
			text = text[len(text)-maxOutput:]
		}
		t.outputs[e.Test] = text
	case "pass":
		if e.Test != "" {
			t.passed++
			delete(t.outputs, e.Test)
		}
	case "skip":
		if e.Test != "" {
			t.skipped++
			t.skips = append(t.skips, fmt.Sprintf("%s: %s", e.Test, reason(t.outputs[e.Test])))
		}
	case "fail":
		if e.Test != "" {
			t.failed++
			t.failures = append(t.failures, e.Test)
		}
		return false
	}
	return true
}

func (t *tally) print(out io.Writer, e event, build string) {
	name := strings.TrimPrefix(e.Package, "novacron/")
	word := map[string]string{"pass": "ok   ", "fail": "FAIL ", "skip": "-    "}[e.Action]
	fmt.Fprintf(out, "%s %-44s %4d passed %3d skipped %3d failed %7.1f s\n", word, name, t.passed, t.skipped, t.failed, e.Elapsed)
	for _, s := range t.skips {
		fmt.Fprintf(out, "      skipped %s\n", s)
	}
	if e.Action != "fail" {
		return
	}
	fmt.Fprint(out, indent(build))
	for _, test := range t.failures {
		fmt.Fprintf(out, "%s", indent(t.outputs[test]))
	}
	// A panic, a timeout or a race ends the package, not a test.
	fmt.Fprint(out, indent(t.outputs[""]))
	if len(t.failures) == 0 {
		for test, text := range t.outputs {
			if test != "" {
				fmt.Fprint(out, indent(text))
			}
		}
	}
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "      " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n      ") + "\n"
}

var place = regexp.MustCompile(`^\s+\S+\.go:\d+: `)

// reason is what the test gave to Skip.
func reason(output string) string {
	for _, line := range strings.Split(output, "\n") {
		if place.MatchString(line) {
			return strings.TrimSpace(place.ReplaceAllString(line, ""))
		}
	}
	return "no reason given"
}
