package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"novacron/backend/core/id"
)

// version orders the commands for one VM: by owner epoch, then by generation.
type version struct{ epoch, generation int64 }

func (v version) less(o version) bool {
	return v.epoch < o.epoch || v.epoch == o.epoch && v.generation < o.generation
}

// maxGraves is how many removed VMs a node remembers. A command that is older than 65,536 removals is not expected to be
// under way still; each costs about 60 bytes.
const maxGraves = 1 << 16

// graves remembers the last version obeyed of VMs that are gone, so that a late command of an older generation does not make
// them again. It is one file to which lines are appended, written anew when half of it is out of date. Each append begins a line
// of its own: what a full disk left of the one before it must not swallow it.
type graves struct {
	mu     sync.Mutex
	path   string
	noSync bool
	step   func(string) error
	at     map[id.VM]version
	order  []id.VM // oldest first
	lines  int     // in the file
}

// open reads the file. A torn last line is what a crash left of an append that was never acknowledged.
func (g *graves) open() error {
	g.at = map[id.VM]version{}
	f, err := os.Open(g.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removed VMs: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var name string
		var v version
		if lines.Text() == "" {
			continue
		}
		g.lines++
		if n, _ := fmt.Sscanf(lines.Text(), "%s %d %d", &name, &v.epoch, &v.generation); n == 3 && id.Is(name) {
			g.note(id.VM(name), v)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("removed VMs: %w", err)
	}
	return g.rewrite()
}

func (g *graves) version(vm id.VM) (version, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.at[vm]
	return v, ok
}

// bury remembers v for the VM before its journal entry goes away.
func (g *graves) bury(vm id.VM, v version) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if have, ok := g.at[vm]; ok && !have.less(v) {
		return nil
	}
	if err := g.step("bury"); err != nil {
		return err
	}
	if err := g.append(fmt.Sprintf("\n%s %d %d\n", vm, v.epoch, v.generation)); err != nil {
		return diskError(err, "remember a removed VM")
	}
	g.note(vm, v)
	if g.lines > 2*maxGraves {
		return g.rewrite()
	}
	return nil
}

func (g *graves) note(vm id.VM, v version) {
	have, ok := g.at[vm]
	if !ok {
		g.order = append(g.order, vm)
	}
	if !ok || have.less(v) {
		g.at[vm] = v
	}
	if len(g.order) > maxGraves {
		delete(g.at, g.order[0])
		g.order = g.order[1:]
	}
}

func (g *graves) append(line string) error {
	f, err := os.OpenFile(g.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if err == nil && !g.noSync {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil && g.lines == 0 {
		err = syncDir(filepath.Dir(g.path), g.noSync)
	}
	g.lines++
	return err
}

func (g *graves) rewrite() error {
	var b strings.Builder
	for _, vm := range g.order {
		fmt.Fprintf(&b, "%s %d %d\n", vm, g.at[vm].epoch, g.at[vm].generation)
	}
	g.lines = len(g.order)
	return diskError(replaceFile(g.path, []byte(b.String()), g.noSync), "remember removed VMs")
}
