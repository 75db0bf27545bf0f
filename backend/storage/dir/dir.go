// Package dir keeps volumes as qcow2 files in a folder, each in a folder of its own:
//
//	volumes/<volume>/meta.json    what it is: size, owner epoch, what it stands on, the name of its disk file
//	volumes/<volume>/<disk>.qcow2 its content, or what differs from what it stands on
//	bases/<base>/                 the same for the frozen content that linked clones share
//
// Its one idea: meta.json decides. It is written last and replaced by rename, so a volume exists, is switched to another disk
// file, or is owned by a newer epoch from one instant to the next, and every file that no meta.json names is rubbish of
// a crash. How many clones need a base is never counted in a file: it is read from the volumes that stand on it.
package dir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"novacron/backend/core/id"
	"novacron/backend/hypervisor"
	"novacron/backend/storage"
	"novacron/backend/storage/durable"
)

// Config is where a Pool lives.
type Config struct {
	Root   string         // folder of the pool, made with mode 0700 when absent; volumes/ and bases/ stand in it
	Images *storage.Cache // where Volume.Image is looked up; the pool guards the images that its volumes stand on
}

// Pool keeps volumes in a folder. Methods may be called from several goroutines; only one process may have the pool open.
type Pool struct {
	root   string
	images *storage.Cache
	turns  storage.Turns // one at a time per volume

	mu      sync.Mutex
	volumes map[id.Volume]meta
	bases   map[string]meta
	pending map[string]int // images and bases that volumes under construction are about to stand on

	collecting sync.Mutex // one collection of bases at a time
}

var _ storage.Pool = (*Pool)(nil)

// meta is what meta.json holds, of a volume or a base.
type meta struct {
	SizeBytes int64  `json:"size_bytes"`
	Epoch     int64  `json:"epoch,omitempty"` // newest owner that asked for the volume
	Image     string `json:"image,omitempty"` // it stands on this image
	Base      string `json:"base,omitempty"`  // or on this base
	Disk      string `json:"disk"`            // file name
}

const (
	metaName   = "meta.json"
	firstDisk  = "disk.qcow2"
	tempPrefix = ".tmp-" // folders and files under construction or about to be deleted
	// maxChain bounds the files that one volume is built from: each is opened by QEMU and looked through on reads.
	maxChain = 16
)

// Open opens the pool and removes what an earlier crash left half done.
func Open(cfg Config) (*Pool, error) {
	p := &Pool{root: cfg.Root, images: cfg.Images, volumes: map[id.Volume]meta{}, bases: map[string]meta{}, pending: map[string]int{}}
	for _, dir := range []string{p.root, p.dir("volumes"), p.dir("bases")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the pool: %w", err)
		}
	}
	if err := scan(p.dir("bases"), func(name string, m meta) { p.bases[name] = m }); err != nil {
		return nil, fmt.Errorf("open the pool: %w", err)
	}
	if err := scan(p.dir("volumes"), func(name string, m meta) { p.volumes[id.Volume(name)] = m }); err != nil {
		return nil, fmt.Errorf("open the pool: %w", err)
	}
	if err := p.collect(); err != nil {
		return nil, fmt.Errorf("open the pool: %w", err)
	}
	cfg.Images.Guard(p.stands)
	return p, nil
}

// scan reads the metas below dir and removes rubbish. A folder without a meta is left: List shows it as half-made.
func scan(dir string, found func(name string, m meta)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		m, err := readMeta(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", e.Name(), err)
		}
		if err := tidy(path, m); err != nil {
			return err
		}
		found(e.Name(), m)
	}
	return nil
}

// tidy removes files that the meta does not name.
func tidy(dir string, m meta) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != metaName && e.Name() != m.Disk {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func readMeta(dir string) (meta, error) {
	text, err := os.ReadFile(filepath.Join(dir, metaName))
	if err != nil {
		return meta{}, err
	}
	var m meta
	if err := json.Unmarshal(text, &m); err != nil {
		return meta{}, err
	}
	if m.Disk == "" || m.Disk != filepath.Base(m.Disk) {
		return meta{}, fmt.Errorf("%s names the disk file %q", metaName, m.Disk)
	}
	return m, nil
}

func writeMeta(dir string, m meta) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, metaName), text, 0o600)
}

func (p *Pool) dir(name ...string) string {
	return filepath.Join(append([]string{p.root}, name...)...)
}

func (p *Pool) volumeDir(v id.Volume) string { return p.dir("volumes", string(v)) }

// get looks a whole volume up.
func (p *Pool) get(v id.Volume) (meta, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.volumes[v]
	if !ok {
		return meta{}, storage.NoVolume(v)
	}
	return m, nil
}

// put makes a volume's new meta durable and known.
func (p *Pool) put(v id.Volume, m meta) error {
	if err := writeMeta(p.volumeDir(v), m); err != nil {
		return p.full(err, 0)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.volumes[v] = m
	return nil
}

// file spells out the chain of a disk file, so that no header of a file decides what is opened.
func (p *Pool) file(path string, m meta) (hypervisor.File, error) {
	top := hypervisor.File{Path: path, Format: "qcow2"}
	below := &top.Backing
	for range maxChain + 1 {
		switch {
		case m.Image != "":
			info, err := p.images.Get(m.Image)
			if err != nil {
				return hypervisor.File{}, err
			}
			f := info.Disk
			*below = &f
			return top, nil
		case m.Base == "":
			return top, nil
		}
		p.mu.Lock()
		next, ok := p.bases[m.Base]
		p.mu.Unlock()
		if !ok {
			return hypervisor.File{}, fmt.Errorf("base %s is gone", m.Base)
		}
		f := &hypervisor.File{Path: p.dir("bases", m.Base, next.Disk), Format: "qcow2", ReadOnly: true}
		*below, below, m = f, &f.Backing, next
	}
	return hypervisor.File{}, errors.New("the bases form a circle")
}

// stands reports whether a volume or base stands on the image, or is about to.
func (p *Pool) stands(digest string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending[digest] > 0 {
		return true
	}
	for _, m := range p.volumes {
		if m.Image == digest {
			return true
		}
	}
	for _, m := range p.bases {
		if m.Image == digest {
			return true
		}
	}
	return false
}

// List implements storage.Pool.
func (p *Pool) List(ctx context.Context) ([]storage.Found, error) {
	entries, err := os.ReadDir(p.dir("volumes"))
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var found []storage.Found
	for _, e := range entries {
		v := id.Volume(e.Name())
		if !storage.IsVolume(v) {
			continue
		}
		f := storage.Found{ID: v}
		m, err := p.get(v)
		if err == nil {
			f.Whole, f.SizeBytes = true, m.SizeBytes
			if info, err := os.Stat(filepath.Join(p.volumeDir(v), m.Disk)); err == nil {
				f.UsedBytes = durable.Allocated(info)
			}
		}
		found = append(found, f)
	}
	return found, ctx.Err()
}

// Capacity implements storage.Pool.
func (p *Pool) Capacity(context.Context) (storage.Capacity, error) {
	total, free, err := durable.Room(p.root)
	if err != nil {
		return storage.Capacity{}, err
	}
	c := storage.Capacity{Total: total, Free: free}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.volumes {
		c.Provisioned += m.SizeBytes
	}
	return c, nil
}

// full says with numbers that the disk is full when err says so without.
func (p *Pool) full(err error, needed int64) error { return storage.FullError(p.root, err, needed) }
