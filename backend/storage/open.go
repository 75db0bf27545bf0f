package storage

import (
	"context"
	"errors"
	"io"
)

var errSoon = errors.New("being built")

// Cache holds images by digest in one folder of the node. Methods may be called from several goroutines.
type Cache struct{ root string }

// Config is where and how a Cache works.
type Config struct {
	Root string // folder of the cache, made with mode 0700 when absent: <data>/images
}

// OpenCache opens the cache and removes what an earlier crash left half done.
func OpenCache(cfg Config) (*Cache, error) { return &Cache{cfg.Root}, nil }

// Import takes the bytes of src into the cache.
func (c *Cache) Import(ctx context.Context, src io.Reader, o ImportOptions) (Info, error) {
	return Info{}, errSoon
}

// ImportFile is Import of a file that the platform staged (an upload, a download). The file is taken over: it is moved where
// that is possible, and is gone after success.
func (c *Cache) ImportFile(ctx context.Context, path string, o ImportOptions) (Info, error) {
	return Info{}, errSoon
}

// Receive takes an image from another node: size bytes of r whose SHA-256 must be digest.
func (c *Cache) Receive(ctx context.Context, digest string, size int64, r io.Reader, progress func(done int64)) (Info, error) {
	return Info{}, errSoon
}

// Blob is the transferable bytes of an image.
type Blob interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
}

// Open gives the bytes of which digest is the SHA-256.
func (c *Cache) Open(digest string) (Blob, error) { return nil, errSoon }

// Get describes an image. fault.NotFound: it is not in the cache.
func (c *Cache) Get(digest string) (Info, error) { return Info{}, errSoon }

// Has reports whether the image is in the cache.
func (c *Cache) Has(digest string) bool { return false }

// List gives all images, ordered by name and digest.
func (c *Cache) List() ([]Info, error) { return nil, errSoon }

// Remove deletes an image; absent is success. fault.Conflict: a guard says that it is in use.
func (c *Cache) Remove(digest string) error { return errSoon }

// Guard registers a question that Remove asks: is this image in use?
func (c *Cache) Guard(inUse func(digest string) bool) {}
