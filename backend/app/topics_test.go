package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/auth"
)

// An event whose kind has no rule would be told to nobody.
func TestEvents_ofEveryKindHaveARule(t *testing.T) {
	literal := regexp.MustCompile(`\.Emit\("([^"]+)"`)
	seen := 0
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(source), -1) {
			seen++
			if kind := auth.TopicOf(m[1]); !slices.Contains(auth.Topics(), kind) {
				t.Errorf("%s emits %s, and auth does not say who may hear of %s", name, m[1], kind)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d events were found in the source: the search is broken", seen)
	}
}
