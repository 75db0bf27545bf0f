package storage

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/hypervisor"
	"novacron/backend/storage/durable"
)

// Cache holds images by digest, each in a folder of its own, <root>/<64 hexadecimal digits>/:
//
//	image.json      what it is, written last
//	disk            raw, ISO or clean qcow2
//	kernel, initrd  of a bundle
//
// A folder of that name is always whole: it is made under another name and renamed. The files are readable by everybody
// (0444) in folders that only the platform may enter (0700), so that a jailed program can be given one without a change of
// owner under another's feet. Methods may be called from several goroutines.
type Cache struct {
	root string
	now  func() time.Time
	keys Turns // one at a time per digest

	mu     sync.Mutex
	images map[string]Info
	guards []func(digest string) bool
}

// Config is where and how a Cache works.
type Config struct {
	Root string           // folder of the cache, made with mode 0700 when absent: <data>/images
	Now  func() time.Time // nil: time.Now
}

const (
	metaName   = "image.json"
	diskName   = "disk"
	kernelName = "kernel"
	initrdName = "initrd"
	sourceName = "source" // the bytes as they arrive, in a staging folder only

	stagingPrefix = ".staging-"
	trashPrefix   = ".trash-"
)

// OpenCache opens the cache and removes what an earlier crash left half done. Only one process may have it open.
func OpenCache(cfg Config) (*Cache, error) {
	if err := os.MkdirAll(cfg.Root, 0o700); err != nil {
		return nil, fmt.Errorf("make the image cache: %w", err)
	}
	c := &Cache{root: cfg.Root, now: cfg.Now, images: map[string]Info{}}
	if c.now == nil {
		c.now = time.Now
	}
	if err := c.Sweep(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return nil, fmt.Errorf("read the image cache: %w", err)
	}
	for _, e := range entries {
		digest := "sha256:" + e.Name()
		if !e.IsDir() || !IsDigest(digest) {
			continue
		}
		info, err := c.load(digest)
		if err != nil {
			continue // a damaged image is as good as absent: it can be fetched again, and publish replaces it
		}
		c.images[digest] = info
	}
	return c, nil
}

// Sweep removes what was left half done. OpenCache calls it; later calls would break imports that are under way.
func (c *Cache) Sweep() error {
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return fmt.Errorf("read the image cache: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagingPrefix) || strings.HasPrefix(e.Name(), trashPrefix) {
			if err := os.RemoveAll(filepath.Join(c.root, e.Name())); err != nil {
				return fmt.Errorf("sweep the image cache: %w", err)
			}
		}
	}
	return nil
}

// load reads an image's description and checks that its files are there.
func (c *Cache) load(digest string) (Info, error) {
	text, err := os.ReadFile(filepath.Join(c.folder(digest), metaName))
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, err
	}
	info = c.place(info)
	for _, path := range []string{info.Disk.Path, info.Kernel, info.Initrd} {
		if path != "" {
			if _, err := os.Stat(path); err != nil {
				return Info{}, err
			}
		}
	}
	return info, nil
}

// place fills in where the files of an image are.
func (c *Cache) place(info Info) Info {
	dir := c.folder(info.Digest)
	if info.DiskFormat != "" {
		info.Disk = hypervisor.File{Path: filepath.Join(dir, diskName), Format: fileFormat(info.DiskFormat), ReadOnly: true}
	}
	if info.Format == image.Bundle {
		info.Kernel = filepath.Join(dir, kernelName)
		if info.HasInitrd {
			info.Initrd = filepath.Join(dir, initrdName)
		}
	}
	return info
}

// fileFormat is what a driver calls the format: an ISO is read as raw.
func fileFormat(f image.Format) string {
	if f == image.ISO {
		return string(image.Raw)
	}
	return string(f)
}

func (c *Cache) folder(digest string) string {
	return filepath.Join(c.root, strings.TrimPrefix(digest, "sha256:"))
}

// Get describes an image. fault.NotFound: it is not in the cache.
func (c *Cache) Get(digest string) (Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, ok := c.images[digest]
	if !ok {
		return Info{}, NoImage(digest)
	}
	return info, nil
}

// Has reports whether the image is in the cache.
func (c *Cache) Has(digest string) bool {
	_, err := c.Get(digest)
	return err == nil
}

// List gives all images, ordered by name and digest.
func (c *Cache) List() ([]Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Info, 0, len(c.images))
	for _, info := range c.images {
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	return all, nil
}

// Guard registers a question that Remove asks: is this image in use? It is asked with the cache locked, so it must not
// call the cache.
func (c *Cache) Guard(inUse func(digest string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guards = append(c.guards, inUse)
}

// Remove deletes an image; absent is success. fault.Conflict: a guard says that it is in use.
func (c *Cache) Remove(digest string) error {
	trash, err := c.discard(digest)
	if err != nil || trash == "" {
		return err
	}
	if err := os.RemoveAll(trash); err != nil {
		return fmt.Errorf("remove image %s: %w", digest, err)
	}
	return nil
}

// discard takes an image out of sight and gives the folder that is left to delete.
func (c *Cache) discard(digest string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.images[digest]; !ok {
		return "", nil
	}
	for _, inUse := range c.guards {
		if inUse(digest) {
			return "", fault.New(fault.Conflict, "image_in_use", "image %s is in use by a VM on this node; delete the VM first", digest)
		}
	}
	trash := filepath.Join(c.root, trashPrefix+strings.TrimPrefix(digest, "sha256:"))
	if err := os.Rename(c.folder(digest), trash); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("remove image %s: %w", digest, err)
	}
	delete(c.images, digest)
	return trash, durable.SyncDir(c.root)
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

func newDigest() hash.Hash { return sha256.New() }
