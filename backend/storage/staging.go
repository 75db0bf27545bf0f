package storage

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/storage/durable"
)

// staging is the folder in which one image is made.
type staging struct {
	dir    string
	source string // digest of the source, when it is there
	clean  bool   // the source was imported elsewhere: nothing is converted
}

func (c *Cache) stage() (*staging, error) {
	dir, err := os.MkdirTemp(c.root, stagingPrefix+"*")
	if err != nil {
		return nil, c.full(fmt.Errorf("make a staging folder: %w", err), 0)
	}
	return &staging{dir: dir}, nil
}

func (s *staging) path(name string) string { return filepath.Join(s.dir, name) }

// drop removes the folder, unless publish renamed it. What cannot be removed is swept at the next start.
func (s *staging) drop() { _ = os.RemoveAll(s.dir) }

func (s *staging) create(name string) (*os.File, error) {
	return os.OpenFile(s.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// inspect names the format of a staged file.
func (s *staging) inspect(name string) (image.Header, error) {
	f, err := os.Open(s.path(name))
	if err != nil {
		return image.Header{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return image.Header{}, err
	}
	return image.Inspect(f, st.Size())
}

// fill writes src to the staged source.
func (s *staging) fill(ctx context.Context, src io.Reader, o *ImportOptions) error {
	if err := s.fits(o); err != nil {
		return err
	}
	f, err := s.create(sourceName)
	if err != nil {
		return err
	}
	defer f.Close()
	w := durable.NewSparseWriter(f)
	if err := s.read(ctx, src, w, o); err != nil {
		// Removed first, so that the sentence tells the room that there is without it.
		_ = os.Remove(f.Name())
		f.Close()
		return FullError(s.dir, err, o.Size)
	}
	return w.Close()
}

// fits refuses what is too large, or larger than the free space, before a byte is read.
func (s *staging) fits(o *ImportOptions) error {
	if o.MaxBytes <= 0 {
		o.MaxBytes = MaxImageBytes
	}
	if o.Size > o.MaxBytes {
		return tooLarge(o.MaxBytes)
	}
	_, free, err := durable.Room(s.dir)
	if err != nil {
		return err
	}
	if o.Size > free {
		return Full(free, o.Size)
	}
	return nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "image_too_large", "the image has more than the %s that are accepted", Bytes(limit))
}

// read copies src to dst, learns its digest, and holds it to its bound and checksum.
func (s *staging) read(ctx context.Context, src io.Reader, dst io.Writer, o *ImportOptions) error {
	digest, check := newDigest(), hash.Hash(nil)
	sinks := []io.Writer{dst, digest}
	switch {
	case strings.HasPrefix(o.Checksum, "sha512:"):
		check = sha512.New()
		sinks = append(sinks, check)
	case o.Checksum != "" && !IsDigest(o.Checksum):
		return fault.New(fault.Invalid, "image_checksum", "a checksum is sha256: or sha512: and hexadecimal digits, not %q", o.Checksum)
	}
	in := &counter{Reader: io.LimitReader(&ctxReader{ctx, src}, o.MaxBytes+1), total: o.Size, report: o.report}
	n, err := io.CopyBuffer(io.MultiWriter(sinks...), in, make([]byte, copyBytes))
	if err != nil {
		return err
	}
	if n > o.MaxBytes {
		return tooLarge(o.MaxBytes)
	}
	s.source = digestOf(digest)
	got := s.source
	if check != nil {
		got = "sha512:" + hex.EncodeToString(check.Sum(nil))
	}
	if o.Checksum != "" && got != o.Checksum {
		return fault.New(fault.Invalid, "image_checksum", "the image has checksum %s and %s was expected: it was damaged or replaced; get it again", got, o.Checksum)
	}
	return nil
}

// copyBytes is how much is read at once: large enough that hashing, not system calls, is what takes the time.
const copyBytes = 1 << 20

// ctxReader ends reading when ctx ends.
type ctxReader struct {
	ctx context.Context
	io.Reader
}

// Read fails when ctx has ended.
func (r *ctxReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// counter reports how much was read.
type counter struct {
	io.Reader
	done, total int64
	report      func(Progress)
}

// Read reads and reports.
func (r *counter) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.done += int64(n)
	if n > 0 {
		r.report(Progress{Phase: "reading the image", Done: r.done, Total: r.total})
	}
	return n, err
}

func (c *Cache) full(err error, needed int64) error { return FullError(c.root, err, needed) }

// FullError says with numbers that a disk is full when err says so without.
func FullError(dir string, err error, needed int64) error {
	if !durable.IsFull(err) {
		return err
	}
	_, free, _ := durable.Room(dir)
	if needed <= free { // not known, or the disk was full for a moment
		return fault.Wrap(err, fault.Exhausted, "disk_full", "the storage of this node is full: %s are free; delete something or use another node", Bytes(free))
	}
	f := Full(free, needed).(*fault.Error)
	f.Cause = err
	return f
}
