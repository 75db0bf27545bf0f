package main

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// module is one kernel module, unpacked.
type module struct {
	name    string // with underscores, as the kernel says it
	data    []byte
	needs   []string
	aliases []string
}

func (m *module) file() string { return m.name + ".ko" }

// moduleSet is the modules of one kernel package. A module is read when it is asked for.
type moduleSet struct {
	release string
	paths   map[string]string
	loaded  map[string]*module
	builtin map[string]bool
}

func canonical(name string) string {
	name, _, _ = strings.Cut(filepath.Base(name), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

func findModules(packages string) (*moduleSet, error) {
	set := &moduleSet{paths: map[string]string{}, loaded: map[string]*module{}, builtin: map[string]bool{}}
	for _, base := range []string{"lib/modules", "usr/lib/modules"} {
		root := filepath.Join(packages, base)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if strings.Contains(d.Name(), ".ko") {
				set.paths[canonical(path)] = path
				set.release = strings.Split(strings.TrimPrefix(path, root+"/"), "/")[0]
			}
			if d.Name() == "modules.builtin" {
				return set.readBuiltin(path)
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	if set.release == "" {
		return nil, fmt.Errorf("no kernel modules in %s", packages)
	}
	return set, nil
}

func (s *moduleSet) readBuiltin(path string) error {
	text, err := os.ReadFile(path)
	for _, line := range strings.Fields(string(text)) {
		s.builtin[canonical(line)] = true
	}
	return err
}

// closure gives the named modules with all that they need, each behind its needs. Names that this kernel has built in or lacks
// are passed over: kernels of different releases and architectures differ in both.
func (s *moduleSet) closure(names []string) ([]*module, error) {
	var order []*module
	placed := map[string]bool{}
	var place func(name string) error
	place = func(name string) error {
		name = canonical(name)
		if placed[name] || s.builtin[name] || s.paths[name] == "" {
			return nil
		}
		placed[name] = true
		m, err := s.load(name)
		if err != nil {
			return err
		}
		for _, need := range m.needs {
			if err := place(need); err != nil {
				return err
			}
		}
		order = append(order, m)
		return nil
	}
	for _, name := range names {
		if err := place(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func (s *moduleSet) load(name string) (*module, error) {
	if m := s.loaded[name]; m != nil {
		return m, nil
	}
	data, err := readModule(s.paths[name])
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("module %s has no .modinfo", name)
	}
	info, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	m := &module{name: name, data: data}
	for _, entry := range strings.Split(string(info), "\x00") {
		key, value, _ := strings.Cut(entry, "=")
		switch key {
		case "depends":
			m.needs = append(m.needs, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
		case "softdep":
			m.needs = append(m.needs, before(value)...)
		case "alias":
			m.aliases = append(m.aliases, value)
		}
	}
	s.loaded[name] = m
	return m, nil
}

// before gives the modules that a soft dependency ("pre: a b post: c") wants first.
func before(softdep string) []string {
	_, names, ok := strings.Cut(softdep, "pre:")
	if !ok {
		return nil
	}
	names, _, _ = strings.Cut(names, "post:")
	return strings.Fields(names)
}

// maxModule bounds an unpacked module, 64 MiB; the largest of a distribution's are about 20.
const maxModule = 64 << 20

func readModule(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var unpacked io.Reader = file
	switch filepath.Ext(path) {
	case ".zst":
		decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer decoder.Close()
		unpacked = decoder
	case ".xz":
		if unpacked, err = xz.NewReader(file); err != nil {
			return nil, err
		}
	case ".gz":
		if unpacked, err = gzip.NewReader(file); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(unpacked, maxModule+1))
	if err == nil && len(data) > maxModule {
		err = fmt.Errorf("larger than %d bytes", maxModule)
	}
	return data, err
}

// write puts the modules and the two index files that busybox's modprobe reads under /lib/modules of the tree.
func (s *moduleSet) write(tree string, names []string) error {
	modules, err := s.closure(names)
	if err != nil {
		return err
	}
	dir := filepath.Join(tree, "lib", "modules", s.release)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sort.Slice(modules, func(i, j int) bool { return modules[i].name < modules[j].name })
	var deps, aliases strings.Builder
	for _, m := range modules {
		if err := os.WriteFile(filepath.Join(dir, m.file()), m.data, 0o644); err != nil {
			return err
		}
		needs, err := s.closure(m.needs)
		if err != nil {
			return err
		}
		fmt.Fprintf(&deps, "%s:", m.file())
		for i := len(needs) - 1; i >= 0; i-- {
			fmt.Fprintf(&deps, " %s", needs[i].file())
		}
		deps.WriteByte('\n')
		for _, alias := range m.aliases {
			fmt.Fprintf(&aliases, "alias %s %s\n", alias, m.name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "modules.dep"), []byte(deps.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "modules.alias"), []byte(aliases.String()), 0o644)
}
