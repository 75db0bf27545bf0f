// Package backend_test holds the rules of docs/architecture.md that no compiler checks: who may import whom, and what the pure
// core may not do.
package backend_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "novacron/backend/"

// everything lets the packages that put the others together import all of them.
const everything = "..."

// rule says what a package and those below it may import of this module, beside their own tree. An entry names one package; with
// "/..." behind it, those below it too.
type rule struct {
	of  string
	may []string
	why string
}

// rules are looked up by the longest matching name. A new package needs a row: think about where it stands first.
var rules = []rule{
	{"core", nil, "the core decides and knows nobody who acts"},
	{"op", []string{"core/id", "core/fault"}, "durable operations know steps, not what the steps do"},
	{"store", []string{"core/...", "op"}, "the store keeps what others decided"},
	{"session", []string{"core/..."}, "sessions run on either engine and know no verbs"},
	{"store/storetest", []string{"core/...", "op", "store", "services"}, "a suite finds its engine by itself"},
	{"session/sessiontest", []string{"core/...", "session", "services"}, "a suite finds its engine by itself"},
	{"services", nil, "engines for tests know nothing of what runs on them"},
	{"notify", []string{"core/..."}, "mail and webhooks are sent for those above"},
	{"metrics", []string{"core/..."}, "samples know no verbs"},
	{"seed", []string{"core/...", "storage/durable"}, "a seed is made of a machine alone"},
	{"fetch", []string{"core/..."}, "fetching knows addresses, not what comes from them"},
	{"hypervisor", []string{"core/..."}, "a driver holds opened files, tap names and numbers only"},
	{"storage", []string{"core/...", "hypervisor"}, "a pool hands files to a driver and knows the type only"},
	{"network", []string{"core/...", "hypervisor"}, "a fabric hands NICs to a driver and knows the type only"},
	{
		"agent",
		[]string{"core/...", "hypervisor/...", "storage/...", "network/...", "seed", "fetch", "metrics/..."},
		"a node lives without its server, so it knows neither store nor app nor api",
	},
	{
		"app",
		[]string{"core/...", "op", "store", "session", "notify", "metrics", "seed", "agent"},
		"a verb records and calls the node's API; it touches no machine",
	},
	{"reconcile", []string{"core/...", "app", "store", "op", "agent"}, "a reconciler calls the same verbs as a user, and follows what the agent's API reports"},
	{"api", []string{"core/...", "app"}, "a handler decodes, asks app and encodes; it never goes around app"},
	{"client", []string{"core/..."}, "the client talks over the wire only"},
	{"cli", []string{"core/...", "client/...", "server/...", "agent/...", "storage/durable"}, "the command line starts servers and agents, or is a client that remembers a sign-in"},
	{"server", []string{everything}, "it puts the parts together"},
	{"cmd", []string{"cli/...", "server/..."}, "main only"},
}

// sourceFile is one parsed file that is not a test.
type sourceFile struct {
	pkg  string // below backend, with slashes
	name string
	set  *token.FileSet
	ast  *ast.File
}

func (f sourceFile) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.set.Position(n.Pos()).Line)
}

func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, sourceFile{filepath.ToSlash(filepath.Dir(name)), name, set, parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("found no Go files below backend")
	}
	return files
}

// ruleFor gives the row with the longest name that holds pkg.
func ruleFor(pkg string) (rule, bool) {
	var best rule
	for _, r := range rules {
		if within(pkg, r.of) && len(r.of) > len(best.of) {
			best = r
		}
	}
	return best, best.of != ""
}

func within(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }

func (r rule) allows(imported string) bool {
	if within(imported, r.of) {
		return true
	}
	for _, entry := range r.may {
		tree, whole := strings.CutSuffix(entry, "/...")
		if entry == everything || imported == entry || whole && within(imported, tree) {
			return true
		}
	}
	return false
}

func importPath(t *testing.T, spec *ast.ImportSpec) string {
	t.Helper()
	unquoted, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	return unquoted
}

func TestPackages_importOnlyWhatTheirPlaceAllows(t *testing.T) {
	for _, f := range sourceFiles(t) {
		r, ok := ruleFor(f.pkg)
		if !ok {
			t.Errorf("%s: package %s has no row in the table of import rules", f.name, f.pkg)
			continue
		}
		for _, spec := range f.ast.Imports {
			imported, ours := strings.CutPrefix(importPath(t, spec), module)
			if ours && !r.allows(imported) {
				t.Errorf("%s: %s may not import %s: %s", f.at(spec), f.pkg, imported, r.why)
			}
		}
	}
}

func TestRules_refuseWhatTheyAreThereFor(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"core/vm", "core/id", true},
		{"core/vm", "store", false},
		{"op/optest", "core/vm", false},
		{"store/storetest", "store", true},
		{"agent", "store", false},
		{"agent/remote", "hypervisor/qemu", true},
		{"app", "agent", true},
		{"app", "agent/remote", false},
		{"api", "app", true},
		{"api", "store", false},
		{"storage/dir", "hypervisor/qemu", false},
		{"server", "api", true},
		{"client", "app", false},
	} {
		r, ok := ruleFor(c.from)
		if got := ok && r.allows(c.to); got != c.want {
			t.Errorf("%s imports %s: allowed %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// coreModules are the trees outside of the standard library that the core may use: they compute and do nothing else.
var coreModules = []string{"golang.org/x/crypto", "golang.org/x/text"}

// coreForbidden are the parts of the standard library with which a pure package would act.
var coreForbidden = map[string]string{
	"os":           "files and environment belong to those who act",
	"os/exec":      "programs are started by those who act",
	"os/signal":    "signals belong to the process",
	"os/user":      "users of the machine belong to those who act",
	"io/ioutil":    "files belong to those who act",
	"net/http":     "requests belong to api and client",
	"net/smtp":     "mail belongs to notify",
	"net/rpc":      "connections belong to those who act",
	"database/sql": "rows belong to store",
	"log":          "an error is returned; the edge that decides logs it",
	"log/slog":     "an error is returned; the edge that decides logs it",
	"syscall":      "system calls belong to those who act",
	"plugin":       "code is not loaded by those who decide",
	"unsafe":       "a decision needs no memory layout",
}

// coreNet is what the core may use of package net: the hardware addresses that net/netip lacks. The rest of net connects.
var coreNet = map[string]bool{"ParseMAC": true, "HardwareAddr": true}

// coreClock are the functions of package time that read or wait for the clock.
var coreClock = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true,
}

func TestCore_importsOnlyWhatComputes(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if !within(f.pkg, "core") {
			continue
		}
		for _, spec := range f.ast.Imports {
			imported := importPath(t, spec)
			if why := coreForbidden[imported]; why != "" {
				t.Errorf("%s: the core may not import %s: %s", f.at(spec), imported, why)
			}
			if !coreMayUse(imported) {
				t.Errorf("%s: the core may use the standard library and %v, not %s", f.at(spec), coreModules, imported)
			}
		}
	}
}

func coreMayUse(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library, or this module, which the other table judges
	}
	for _, m := range coreModules {
		if within(imported, m) {
			return true
		}
	}
	return false
}

func TestCore_readsNoClockConnectsNowhereAndStartsNoGoroutine(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if !within(f.pkg, "core") {
			continue
		}
		clock, network := nameOf(t, f, "time"), nameOf(t, f, "net")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: the core starts no goroutines; the caller has them", f.at(n))
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && clock != "" && x.Name == clock && coreClock[n.Sel.Name] {
					t.Errorf("%s: the core does not read the clock; pass the time in", f.at(n))
				}
				if ok && network != "" && x.Name == network && !coreNet[n.Sel.Name] {
					t.Errorf("%s: the core may not use net.%s: connections belong to those who act", f.at(n), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// nameOf gives the name under which a file uses an import, empty if it does not import it.
func nameOf(t *testing.T, f sourceFile, imported string) string {
	t.Helper()
	for _, spec := range f.ast.Imports {
		if importPath(t, spec) != imported {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}
