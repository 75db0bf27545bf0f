package security

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The documents name tests as proof: each must be there.
func TestDocuments_nameTestsThatExist(t *testing.T) {
	root := filepath.Join("..", "..")
	defined := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w+)\(`)
	for _, dir := range []string{"backend", "test", "scripts", "images"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, "_test.go") {
				return err
			}
			source, err := os.ReadFile(name)
			for _, m := range function.FindAllStringSubmatch(string(source), -1) {
				defined[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	word := regexp.MustCompile(`\b(?:Test|Benchmark)[A-Z]\w*\*?`)
	known := func(test string) bool {
		prefix, many := strings.CutSuffix(test, "*") // all that begin so
		if !many {
			return defined[test]
		}
		for name := range defined {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}
	for _, name := range documents {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range word.FindAllString(string(text), -1) {
			if named++; !known(test) {
				t.Errorf("%s names %s, which is nowhere", filepath.Base(name), test)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named: the search is broken", named)
	}
}
