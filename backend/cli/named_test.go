package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// named finds commands in prose, messages and examples: behind a backtick or with the path of the binary.
var named = regexp.MustCompile("(?:`(?:bin/)?|(?:^|[ /$])bin/)novacron ((?:[a-z][a-z-]*|--[a-z][a-z-]*)(?: [^`|<>;&\"'\\\\\n]*)?)")

// Whoever is told to type a command must be able to: in an error, in the documents, in the console.
func TestCommands_thatAreNamedAnywhereAreThere(t *testing.T) {
	root := newRoot(&session{out: new(bytes.Buffer), err: new(bytes.Buffer), format: asTable})
	found := 0
	for _, top := range []string{"README.md", "CONTRIBUTING.md", "backend", "deploy", "docs", "frontend/src", "scripts"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") || !slices.Contains([]string{".go", ".md", ".ts", ".tsx", ".sh", ".service", ".yaml", ""}, filepath.Ext(name)) {
				return err
			}
			raw, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, m := range named.FindAllStringSubmatch(string(raw), -1) {
				found++
				if why := unknownTo(root, strings.Fields(m[1])); why != "" {
					t.Errorf("%s names `novacron %s`: %s", name, m[1], why)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 50 {
		t.Errorf("%d commands were found, and there are many more: is the pattern right?", found)
	}
}

// unknownTo says what the command line does not know of the words. Empty: nothing.
func unknownTo(root *cobra.Command, words []string) string {
	if i := slices.Index(words, "--"); i >= 0 {
		words = words[:i] // what follows is for the guest
	}
	c, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] == strings.ToLower(rest[0]) {
		return rest[0] + " is no command of " + c.CommandPath()
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	for _, w := range rest {
		name, ok := strings.CutPrefix(w, "--")
		name, _, _ = strings.Cut(name, "=")
		if name = strings.TrimRight(name, ".,:)"); ok && lookup(c, name) == nil {
			return "--" + name + " is no flag of " + c.CommandPath()
		}
	}
	return ""
}

func lookup(c *cobra.Command, flag string) *pflag.Flag {
	if f := c.Flags().Lookup(flag); f != nil {
		return f
	}
	return c.InheritedFlags().Lookup(flag)
}
