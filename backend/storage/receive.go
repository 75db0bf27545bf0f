package storage

import (
	"context"
	"io"
	"os"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
)

// Receive takes an image from another node: size bytes of r, whose SHA-256 must be digest. Nothing is converted, since the
// first import did that; what is not clean by now is refused all the same. Receiving what is there returns it without
// reading r. Two calls for one digest take turns, and the second finds the image there.
//
// Disks carry no name, operating system or architecture, so those of the result are empty unless it is a bundle.
func (c *Cache) Receive(ctx context.Context, digest string, size int64, r io.Reader, progress func(done int64)) (Info, error) {
	if !IsDigest(digest) {
		return Info{}, fault.New(fault.Invalid, "image_digest", "%q is not an image digest: sha256: and 64 hexadecimal digits are", clip(digest))
	}
	unlock, err := c.keys.Lock(ctx, digest)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if info, err := c.Get(digest); err == nil {
		return info, nil
	}
	s, err := c.stage()
	if err != nil {
		return Info{}, err
	}
	defer s.drop()
	s.clean = true
	o := ImportOptions{Size: size, MaxBytes: size, Progress: func(p Progress) {
		if progress != nil {
			progress(p.Done)
		}
	}}
	if err := s.fill(ctx, r, &o); err != nil {
		return Info{}, err
	}
	if s.source != digest {
		return Info{}, fault.New(fault.Unavailable, "image_digest", "what arrived is not image %s but %s: the transfer was damaged; try again", digest, s.source)
	}
	info, err := s.received(ctx)
	if err != nil {
		return Info{}, err
	}
	if info.Digest != digest {
		return Info{}, fault.New(fault.Invalid, "image_digest", "image %s is a bundle that was not made by an import; import it instead", digest)
	}
	info.Source, info.ImportedAt = digest, c.now().UTC()
	return c.publish(s, info)
}

// received makes the image's files of the staged bytes.
func (s *staging) received(ctx context.Context) (Info, error) {
	h, err := s.inspect(sourceName)
	if err != nil {
		return Info{}, err
	}
	switch h.Format {
	case image.Bundle:
		return s.buildBundle(ctx, ImportOptions{})
	case image.Raw, image.ISO, image.QCOW2:
	default:
		return Info{}, fault.New(fault.Invalid, "image_format", "a %s image must be imported before it is passed on", h.Format)
	}
	if err := os.Rename(s.path(sourceName), s.path(diskName)); err != nil {
		return Info{}, err
	}
	info := Info{Format: h.Format, SourceFormat: h.Format, DiskFormat: h.Format, VirtualBytes: h.VirtualBytes, Boots: h.Boots}
	return s.describe(ctx, info, ImportOptions{})
}
