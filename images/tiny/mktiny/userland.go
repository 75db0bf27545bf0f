package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// guestApplets are the parts of busybox without which the guest would not start or not be reached. Distributions choose what they
// leave out, so the build looks rather than the guest fails.
var guestApplets = []string{
	"acpid", "awk", "dd", "hostname", "init", "insmod", "ip", "modprobe", "mount", "poweroff", "setsid", "sh", "switch_root", "udhcpc", "uevent", "usleep",
}

// index maps the base names of regular files and links in the unpacked packages to their paths.
func index(packages string) (map[string]string, error) {
	names := map[string]string{}
	err := filepath.WalkDir(packages, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		where := strings.TrimPrefix(path, packages)
		if d.IsDir() {
			if strings.Contains(where, "/share/") || strings.HasSuffix(where, "/lib/modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.Contains(where, "/bin/") || strings.Contains(where, "/sbin/") || strings.Contains(where, "/lib") {
			names[d.Name()] = path
		}
		return nil
	})
	return names, err
}

// writePrograms copies busybox, the other programs and exactly the libraries that they name, and adds busybox's applets to
// links.
func (s stage) writePrograms(p platform, links map[string]string) error {
	names, err := index(s.packages)
	if err != nil {
		return err
	}
	busybox, ok := names["busybox"]
	if !ok {
		return errors.New("no busybox in the packages")
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.tree, "bin", "busybox"), data, 0o755); err != nil {
		return err
	}
	found := applets(data)
	for _, needed := range guestApplets {
		if !slices.Contains(found, needed) {
			return fmt.Errorf("this busybox has no %s, which the guest's scripts need", needed)
		}
	}
	for _, applet := range found {
		if _, taken := links["bin/"+applet]; !taken && applet != "busybox" {
			links["bin/"+applet] = "busybox"
		}
	}
	queue := append([]string{}, programs...)
	done := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if done[name] {
			continue
		}
		done[name] = true
		needs, err := s.copyProgram(p, names, name)
		if err != nil {
			return err
		}
		delete(links, "bin/"+name)
		queue = append(queue, needs...)
	}
	return nil
}

// copyProgram copies one program or library and returns the libraries that it needs.
func (s stage) copyProgram(p platform, names map[string]string, name string) ([]string, error) {
	path, ok := names[name]
	if !ok {
		return nil, fmt.Errorf("no file %s in the packages", name)
	}
	path, err := resolve(s.packages, path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	target := filepath.Join("bin", name)
	if strings.Contains(name, ".so") {
		target = filepath.Join("lib", name)
	}
	if name == filepath.Base(p.loader) {
		target = p.loader
	}
	target = filepath.Join(s.tree, target)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(target, data, 0o755); err != nil {
		return nil, err
	}
	file, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	needs, err := file.ImportedLibraries()
	if err != nil || strings.Contains(name, ".so") {
		return needs, err
	}
	return append(needs, filepath.Base(p.loader)), nil
}

// resolve follows links inside the unpacked packages, where an absolute target means the packages' root and not this
// machine's.
func resolve(root, path string) (string, error) {
	for range 8 { // six links in a row have never been seen
		info, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			path = filepath.Join(root, target)
		} else {
			path = filepath.Join(filepath.Dir(path), target)
		}
	}
	return "", fmt.Errorf("%s: too many links", path)
}

var appletName = regexp.MustCompile(`^[a-z0-9_\[.-]{1,32}$`)

// applets reads the list of applet names out of busybox itself, because a busybox of another architecture cannot be asked: it
// is the run of zero-terminated names in alphabetical order that begins with "[" and "[[".
func applets(busybox []byte) []string {
	start := strings.Index(string(busybox), "[\x00[[\x00")
	if start < 0 {
		return nil
	}
	var found []string
	for _, name := range strings.Split(string(busybox[start:]), "\x00") {
		if !appletName.MatchString(name) || len(found) > 0 && name <= found[len(found)-1] {
			break
		}
		found = append(found, name)
	}
	return found
}
