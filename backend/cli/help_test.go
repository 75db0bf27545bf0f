package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files again; read the difference in review")

// The help of every command is a document that people rely on. It stands in one file, to be read as one.
func TestHelp_isAsReviewed(t *testing.T) {
	t.Setenv("HOME", "/home/ana")
	var out bytes.Buffer
	root := newRoot(&session{out: &out, err: &out, format: asTable})
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		fmt.Fprintf(&out, "### %s\n\n", c.CommandPath())
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	got := regexp.MustCompile(`[ \t]+\n`).ReplaceAllString(out.String(), "\n")
	golden := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("help differs from %s; run with -update and read the difference:\n%s", golden, d)
	}
}

func TestCommands_eachSaysWhatItIsForAndNothingTwice(t *testing.T) {
	root := newRoot(&session{out: os.Stdout, err: os.Stderr})
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no short description", c.CommandPath())
		}
		seen := map[string]bool{}
		for _, sub := range c.Commands() {
			if seen[sub.Name()] {
				t.Errorf("%s has two commands %q", c.CommandPath(), sub.Name())
			}
			seen[sub.Name()] = true
			walk(sub)
		}
	}
	walk(root)
}
