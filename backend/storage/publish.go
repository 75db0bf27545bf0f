package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/hypervisor"
	"novacron/backend/storage/durable"
	"novacron/backend/storage/jail"
	"novacron/backend/storage/qemuimg"
)

// publish makes the staged image durable and visible under its digest.
func (c *Cache) publish(s *staging, info Info) (Info, error) {
	if err := s.settle(info); err != nil {
		return Info{}, c.full(err, 0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.images[info.Digest]; ok {
		return have, nil // another source gave the same image
	}
	// What stands there and is not in the index is damaged.
	if err := os.RemoveAll(c.folder(info.Digest)); err != nil {
		return Info{}, fmt.Errorf("replace image %s: %w", info.Digest, err)
	}
	if err := os.Rename(s.dir, c.folder(info.Digest)); err != nil {
		return Info{}, fmt.Errorf("publish image %s: %w", info.Digest, err)
	}
	if err := durable.SyncDir(c.root); err != nil {
		return Info{}, fmt.Errorf("publish image %s: %w", info.Digest, err)
	}
	info = c.place(info)
	c.images[info.Digest] = info
	return info, nil
}

// settle flushes the files of the image, makes them read-only, and writes the description last.
func (s *staging) settle(info Info) error {
	if err := os.Remove(s.path(sourceName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := seal(s.path(e.Name())); err != nil {
			return fmt.Errorf("flush %s: %w", e.Name(), err)
		}
	}
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the image's description: %w", err)
	}
	return durable.WriteFile(s.path(metaName), text, 0o444)
}

func seal(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(f.Chmod(0o444), f.Sync())
}

// convert makes a clean qcow2 of a staged file whose header core/image accepted, and looks at the result with the same eyes.
func (s *staging) convert(ctx context.Context, from, to string, h image.Header) error {
	_, free, err := durable.Room(s.dir)
	if err != nil {
		return err
	}
	out, err := s.create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	src := hypervisor.File{Path: s.path(from), Format: string(h.Format), ReadOnly: true}
	if err := qemuimg.Convert(ctx, src, out, LargestQCOW2(h.VirtualBytes)); err != nil {
		return convertError(ctx, err, h, free)
	}
	got, err := s.inspect(to)
	if err != nil {
		return fmt.Errorf("inspect the converted image: %w", err)
	}
	if got.Format != image.QCOW2 || got.VirtualBytes < h.VirtualBytes || got.VirtualBytes >= h.VirtualBytes+sectorSize {
		return fmt.Errorf("the conversion made a %s of %d bytes from %d", got.Format, got.VirtualBytes, h.VirtualBytes)
	}
	return os.Remove(s.path(from))
}

// LargestQCOW2 bounds the file that holds a disk of virtual bytes: its content and metadata, which take one part in 8192 for
// the tables and about as much for refcounts.
func LargestQCOW2(virtual int64) int64 { return virtual + virtual/1024 + 64<<20 }

func convertError(ctx context.Context, err error, h image.Header, free int64) error {
	var failed *jail.Failed
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(err, fault.Invalid, "image_conversion_time", "the conversion of the %s image took longer than is allowed; convert it to raw or qcow2 yourself and import that", h.Format)
	case errors.As(err, &failed) && failed.DiskFull():
		return fault.Wrap(err, fault.Exhausted, "disk_full", "the storage of this node had %s free and the converted image of up to %s did not fit; delete something or use another node", Bytes(free), Bytes(h.VirtualBytes))
	case errors.As(err, &failed):
		return fault.Wrap(err, fault.Invalid, "image_conversion", "the %s image could not be converted: it is damaged behind its header", h.Format)
	}
	return err
}
