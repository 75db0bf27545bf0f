package backend_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"novacron/backend/server"
)

// The documents name tests as proof: each must be there.
func TestDocuments_nameTestsThatExist(t *testing.T) {
	const root = ".."
	defined := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
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
	named := 0
	word := regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w*\*?`)
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
	for name, text := range documents(t) {
		for _, test := range word.FindAllString(text, -1) {
			if named++; !known(test) {
				t.Errorf("%s names %s, which is nowhere", name, test)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named: the search is broken", named)
	}
}

// documents gives the text of every page that people read, by its path from the root of the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "images/*.md", "images/*/*.md", "deploy/*.md", "frontend/*.md"} {
		names, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[strings.TrimPrefix(name, "../")] = string(text)
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %d documents were found: the search is broken", len(out))
	}
	return out
}

func TestDocuments_nameFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	file := regexp.MustCompile("`((?:backend|deploy|docs|frontend|images|scripts|test)/[\\w./-]+|\\.ci/run)`")
	named := 0
	for name, text := range documents(t) {
		var paths []string
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			paths = append(paths, filepath.Join(filepath.Dir(name), m[1]))
		}
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			paths = append(paths, m[1])
		}
		for _, p := range paths {
			if named++; !there(p) {
				t.Errorf("%s names %s, which is not there", name, p)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d files are named: the search is broken", named)
	}
}

func there(path string) bool {
	_, err := os.Stat(filepath.Join("..", path))
	return err == nil
}

func TestDocuments_nameTargetsOfTheMakefile(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("`make ([a-z-]+)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which the Makefile does not have", name, m[1])
			}
		}
	}
}

// What people are told to set must be read by something: by the program, by the tests, or by a script.
func TestSettings_thatAreNamedAreRead(t *testing.T) {
	read := map[string]bool{}
	for _, r := range server.Rows() {
		read[r.Env], read[r.Env+"_FILE"] = true, true
	}
	variable := regexp.MustCompile(`\bNOVACRON_[A-Z]+(?:_[A-Z]+)*\b`)
	for _, dir := range []string{"backend", "test", "scripts", "images", "frontend/e2e"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".sh", ".ts"}, filepath.Ext(name)) {
				return err
			}
			source, err := os.ReadFile(name)
			for _, m := range regexp.MustCompile(`(?:env\(|Getenv\("|LookupEnv\("|env\.|\$\{|\$)(NOVACRON_[A-Z_]+)`).FindAllStringSubmatch(string(source), -1) {
				read[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	texts := documents(t)
	for _, pattern := range []string{"../deploy/*", "../deploy/systemd/*", "../.env.production.example"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if raw, err := os.ReadFile(name); err == nil {
				texts[name] = string(raw)
			}
		}
	}
	named := 0
	for name, text := range texts {
		for _, v := range variable.FindAllString(text, -1) {
			// The unit of the agent puts these two into its own command line.
			if named++; !read[v] && !(strings.HasSuffix(name, "novacron-agent.service") && strings.Contains(text, "${"+v+"}")) {
				t.Errorf("%s names %s, which nothing reads", name, v)
			}
		}
	}
	if named < 30 {
		t.Errorf("only %d settings are named: the search is broken", named)
	}
}

// The template lists what `novacron secrets init` writes, so that a person sees what an installation needs.
func TestSecretsTemplate_listsWhatIsGenerated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := server.WriteSecrets(file, false); err != nil {
		t.Fatal(err)
	}
	names := func(file string) (out []string) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=`).FindAllStringSubmatch(string(raw), -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	if template, made := names("../.env.production.example"), names(file); !slices.Equal(template, made) {
		t.Errorf("the template lists %v, and %v are made", template, made)
	}
}

// The inventory of the audit log is whole: each action that the code records stands in it.
func TestRecords_listEveryActionOfTheAuditLog(t *testing.T) {
	text := documents(t)["docs/records.md"]
	recorded := regexp.MustCompile(`(?:\b(?:audit|Audit|record|entry|tellInvite|setPassword|changeNode|begin|Define)\(|Action: )[^"\n]*"([a-z0-9]+\.[a-z_-]+)"`)
	found := map[string]bool{}
	for _, pattern := range []string{"app/*.go", "server/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, m := range recorded.FindAllStringSubmatch(string(source), -1) {
				found[m[1]] = true
			}
		}
	}
	for action := range found {
		if !strings.Contains(text, "`"+action+"`") {
			t.Errorf("docs/records.md does not list %s", action)
		}
	}
	if len(found) < 50 {
		t.Errorf("only %d actions were found: the search is broken", len(found))
	}
}
