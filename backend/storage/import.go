package storage

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/core/vm"
	"novacron/backend/storage/durable"
)

// Import takes the bytes of src into the cache: it stages them, names their format with core/image, converts or unpacks them,
// and shows the image when all of it is on disk. When the same bytes are there already that image is returned. A failed
// import leaves nothing behind.
func (c *Cache) Import(ctx context.Context, src io.Reader, o ImportOptions) (Info, error) {
	if info, ok := c.bySource(o.Checksum); ok {
		return info, nil
	}
	s, err := c.stage()
	if err != nil {
		return Info{}, err
	}
	defer s.drop()
	if err := s.fill(ctx, src, &o); err != nil {
		return Info{}, err
	}
	return c.finish(ctx, s, o)
}

// ImportFile is Import of a file that the platform staged (an upload, a download), which nobody writes any more. The file is
// taken over: it is moved where both lie on one file system, and is gone after success.
func (c *Cache) ImportFile(ctx context.Context, path string, o ImportOptions) (Info, error) {
	if info, ok := c.bySource(o.Checksum); ok {
		return info, os.Remove(path)
	}
	s, err := c.stage()
	if err != nil {
		return Info{}, err
	}
	defer s.drop()
	if err := s.take(ctx, path, &o); err != nil {
		return Info{}, err
	}
	info, err := c.finish(ctx, s, o)
	if err != nil {
		// Back to where it came from, so that the upload can be repaired or imported again.
		_ = os.Rename(s.path(sourceName), path)
		return Info{}, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Info{}, err
	}
	return info, nil
}

// bySource finds the image that was made from the bytes with this checksum.
func (c *Cache) bySource(checksum string) (Info, bool) {
	if !IsDigest(checksum) {
		return Info{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, info := range c.images {
		if info.Source == checksum {
			return info, true
		}
	}
	return Info{}, false
}

// finish makes an image of the staged source.
func (c *Cache) finish(ctx context.Context, s *staging, o ImportOptions) (Info, error) {
	// Two imports of one source take turns here, and the second finds the first one's image.
	unlock, err := c.keys.Lock(ctx, s.source)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if info, ok := c.bySource(s.source); ok {
		return info, nil
	}
	info, err := s.build(ctx, o)
	if err != nil {
		return Info{}, err
	}
	info.Source, info.ImportedAt = s.source, c.now().UTC()
	return c.publish(s, info)
}

// build makes the files of the image in the staging folder, by what the source is.
func (s *staging) build(ctx context.Context, o ImportOptions) (Info, error) {
	h, err := s.inspect(sourceName)
	if err != nil {
		return Info{}, err
	}
	o.report(Progress{Phase: "checking the image"})
	if h.Format == image.Bundle {
		return s.buildBundle(ctx, o)
	}
	info := Info{Name: o.Name, OS: o.OS, Arch: o.Arch, SourceFormat: h.Format, Format: h.Format, VirtualBytes: h.VirtualBytes, Boots: h.Boots}
	if info.Name == "" {
		info.Name = "image"
	}
	if info.Arch == "" {
		info.Arch = hostArch()
	}
	switch h.Format {
	case image.Raw, image.ISO:
		if err := os.Rename(s.path(sourceName), s.path(diskName)); err != nil {
			return Info{}, err
		}
	default:
		o.report(Progress{Phase: "converting the image"})
		if err := s.convert(ctx, sourceName, diskName, h); err != nil {
			return Info{}, err
		}
		info.Format = image.QCOW2
	}
	info.DiskFormat = info.Format
	return s.describe(ctx, info, o)
}

// describe fills in what the finished disk file says: its digest, length and firmware.
func (s *staging) describe(ctx context.Context, info Info, o ImportOptions) (Info, error) {
	f, err := os.Open(s.path(diskName))
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	info.Bytes, info.Digest = st.Size(), s.source
	if info.Format == image.QCOW2 {
		if info.Boots, err = image.Boots(f, st.Size()); err != nil {
			return Info{}, err
		}
		sum := newDigest()
		if _, err := io.Copy(sum, &ctxReader{ctx, f}); err != nil {
			return Info{}, err
		}
		info.Digest = digestOf(sum)
	}
	info.Firmware = o.Firmware
	if info.Firmware == "" && len(info.Boots) > 0 {
		info.Firmware = info.Boots[0]
	}
	return info, nil
}

func hostArch() vm.Arch {
	if runtime.GOARCH == "arm64" {
		return vm.AArch64
	}
	return vm.X86_64
}

func (o ImportOptions) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

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

// take moves a file that is already on this machine to the staged source, or copies it where it cannot be moved.
func (s *staging) take(ctx context.Context, path string, o *ImportOptions) error {
	if o.MaxBytes <= 0 {
		o.MaxBytes = MaxImageBytes
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the staged image: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fault.New(fault.Invalid, "image_file", "the image is not a plain file")
	}
	o.Size = st.Size()
	if os.Rename(path, s.path(sourceName)) != nil {
		return s.fill(ctx, f, o)
	}
	if err := s.read(ctx, f, io.Discard, o); err != nil {
		_ = os.Rename(s.path(sourceName), path)
		return err
	}
	return nil
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
