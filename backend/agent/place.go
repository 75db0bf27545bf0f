package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Place tells a folder on a machine from every copy of it. It stays the same over restarts, renewals of certificates and a new name of
// the folder; it changes when the folder's files are brought to another machine, disk or folder. Two agents with one identity differ
// in it. It proves nothing: it finds accidents, and no attacker.
func Place(dir string) (string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("the file system does not number its folders")
	}
	sum := sha256.New()
	fmt.Fprintln(sum, stat.Ino)
	// What is absent or not ours to read counts as empty. A disk that was cloned with its system carries the first along, and not the others.
	for _, path := range []string{"/etc/machine-id", "/sys/class/dmi/id/product_uuid", "/sys/firmware/devicetree/base/serial-number"} {
		raw, _ := os.ReadFile(path)
		fmt.Fprintln(sum, strings.TrimSpace(string(raw)))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// home is where the agent's folder was used last, kept in the folder itself.
type home struct {
	path   string
	noSync bool
	now    string
	moved  bool // the folder was used elsewhere: this may be a copy of one that is in use there

	once   sync.Once
	leased chan struct{} // closed by the first lease
}

func (h *home) open(dir string) (err error) {
	if h.now, err = Place(dir); err != nil {
		return fmt.Errorf("place of the data folder: %w", err)
	}
	last, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return h.keep()
	}
	h.moved = err == nil && strings.TrimSpace(string(last)) != h.now
	return err
}

func (h *home) keep() error { return replaceFile(h.path, []byte(h.now+"\n"), h.noSync) }

// confirmed notes that a server grants this agent the node's lease: it is the node, and no copy.
func (h *home) confirmed() { h.once.Do(func() { close(h.leased) }) }

// awaitHome returns when guests may be started without a server's word: at once where the folder was used last, else when a server has
// granted the lease, since the guests may run where the folder came from. false: ctx ended before.
func (a *Agent) awaitHome(ctx context.Context) bool {
	if !a.home.moved {
		return true
	}
	a.log.Warn("this data folder was used on another machine or in another folder: no guest is started before a server has confirmed that this is the node", "folder", filepath.Dir(a.home.path))
	select {
	case <-a.home.leased:
	case <-ctx.Done():
		return false
	}
	if err := a.home.keep(); err != nil {
		a.log.Warn("keep where the data folder is used", "err", err) // the next start waits once more
	}
	return true
}
