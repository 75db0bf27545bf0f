package storage

import (
	"context"
	"io"
	"os"
	"runtime"

	"novacron/backend/core/image"
	"novacron/backend/core/vm"
)

// Import takes the bytes of src into the cache: it stages them, names their format with core/image, converts or unpacks them,
// and shows the image when all of it is on disk. When the same bytes are there already that image is returned, but they are read to
// the end in any case: whoever knows a checksum only must not get what somebody else imported. A failed import leaves nothing behind.
func (c *Cache) Import(ctx context.Context, src io.Reader, o ImportOptions) (Info, error) {
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

// BySource finds the image that was made from the bytes with this checksum.
func (c *Cache) BySource(checksum string) (Info, bool) {
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
	if info, ok := c.BySource(s.source); ok {
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
