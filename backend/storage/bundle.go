package storage

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/image"
	"novacron/backend/storage/durable"
)

// Bounds of a bundle.
const (
	maxMembers         = 8         // four are used
	maxBundleDiskBytes = 8<<30 - 1 // what a tar header can say
)

// buildBundle unpacks the staged bundle and describes it. The bytes that are transferred, and named by the digest, are a tar of
// fixed form that Open makes from the parts, so that they are not kept twice.
func (s *staging) buildBundle(ctx context.Context, o ImportOptions) (Info, error) {
	m, err := s.manifest()
	if err != nil {
		return Info{}, err
	}
	o.report(Progress{Phase: "unpacking the bundle"})
	if err := s.unpack(ctx, m); err != nil {
		return Info{}, FullError(s.dir, err, 0)
	}
	info := Info{
		Name: m.Name, OS: m.OS, Arch: m.Arch, Firmware: m.Firmware, Cmdline: m.Cmdline, MinMemoryMiB: m.MinMemoryMiB, MinDiskGiB: m.MinDiskGiB,
		Format: image.Bundle, SourceFormat: image.Bundle, HasInitrd: m.Initrd != "",
	}
	if m.Disk != "" {
		if info.DiskFormat, info.VirtualBytes, err = s.bundleDisk(ctx, m.DiskFormat); err != nil {
			return Info{}, err
		}
	}
	b, err := openBundle(s.dir, info)
	if err != nil {
		return Info{}, err
	}
	defer b.Close()
	sum := newDigest()
	if _, err := io.Copy(sum, &ctxReader{ctx, b}); err != nil {
		return Info{}, err
	}
	info.Bytes, info.Digest = b.Size(), digestOf(sum)
	return info, nil
}

// bundleDisk converts a qcow2 member to a clean one. A raw one stays: its format is spelled out for ever, whatever its
// first bytes look like.
func (s *staging) bundleDisk(ctx context.Context, f image.Format) (image.Format, int64, error) {
	if f == image.Raw {
		st, err := os.Stat(s.path(diskName))
		if err != nil {
			return "", 0, err
		}
		if st.Size() == 0 {
			return "", 0, fault.New(fault.Invalid, "bundle_disk", "the disk of the bundle is empty")
		}
		return f, (st.Size() + sectorSize - 1) / sectorSize * sectorSize, nil
	}
	h, err := s.inspect(diskName)
	if err != nil {
		return "", 0, err
	}
	if h.Format != f {
		return "", 0, fault.New(fault.Invalid, "bundle_disk", "the disk of the bundle is %s and its manifest says %s", h.Format, f)
	}
	if s.clean {
		return f, h.VirtualBytes, nil
	}
	const packed = "disk.packed"
	if err := os.Rename(s.path(diskName), s.path(packed)); err != nil {
		return "", 0, err
	}
	return f, h.VirtualBytes, s.convert(ctx, packed, diskName, h)
}

// manifest finds and checks the manifest, wherever it stands in the bundle.
func (s *staging) manifest() (m image.Manifest, err error) {
	found := false
	err = s.eachMember(func(name string, h *tar.Header, r io.Reader) error {
		if name != image.ManifestName {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(r, image.MaxManifestBytes+1))
		if err != nil {
			return damaged(err)
		}
		found = true
		m, err = image.DecodeManifest(text)
		return err
	})
	if err == nil && !found {
		err = fault.New(fault.Invalid, "bundle_manifest", "the tar file has no %s, so it is no bundle; import the disk image inside by itself", image.ManifestName)
	}
	return m, err
}

// unpack writes the members that the manifest names, under the cache's own names.
func (s *staging) unpack(ctx context.Context, m image.Manifest) error {
	type part struct {
		name string
		most int64
	}
	wanted := map[string]part{m.Kernel: {kernelName, image.MaxKernelBytes}}
	if m.Initrd != "" {
		wanted[m.Initrd] = part{initrdName, image.MaxInitrdBytes}
	}
	if m.Disk != "" {
		wanted[m.Disk] = part{diskName, maxBundleDiskBytes}
	}
	err := s.eachMember(func(name string, h *tar.Header, r io.Reader) error {
		p, ok := wanted[name]
		if name == image.ManifestName {
			return nil
		}
		if !ok {
			return fault.New(fault.Invalid, "bundle_member", "the bundle has the member %q, which its manifest does not name", clip(name))
		}
		if h.Size > p.most {
			return fault.New(fault.TooLarge, "bundle_member", "%s of the bundle has %s and the limit is %s", name, Bytes(h.Size), Bytes(p.most))
		}
		delete(wanted, name)
		return s.unpackOne(p.name, &ctxReader{ctx, io.LimitReader(r, p.most)})
	})
	if err != nil {
		return err
	}
	for name := range wanted {
		return fault.New(fault.Invalid, "bundle_member", "the manifest of the bundle names %q, which is not in the bundle", name)
	}
	return s.checkKernel()
}

func (s *staging) unpackOne(name string, r io.Reader) error {
	f, err := s.create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := durable.NewSparseWriter(f)
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, r, make([]byte, copyBytes)); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return damaged(err)
		}
		return err
	}
	return w.Close()
}

func (s *staging) checkKernel() error {
	f, err := os.Open(s.path(kernelName))
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	return image.CheckKernel(head[:n])
}

// eachMember calls do for each plain file of the bundle. Anything else, and any name twice, is refused.
func (s *staging) eachMember(do func(name string, h *tar.Header, r io.Reader) error) error {
	f, err := os.Open(s.path(sourceName))
	if err != nil {
		return err
	}
	defer f.Close()
	seen := map[string]bool{}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if h.Typeflag == tar.TypeDir && (name == "" || name == ".") {
			continue // "tar c ." begins with the folder itself
		}
		switch {
		case h.Typeflag != tar.TypeReg:
			return fault.New(fault.Invalid, "bundle_member", "the bundle has the member %q, which is not a plain file", clip(name))
		case seen[name]:
			return fault.New(fault.Invalid, "bundle_member", "the bundle has the member %q twice", clip(name))
		case len(seen) == maxMembers:
			return fault.New(fault.Invalid, "bundle_member", "the bundle has more than %d members", maxMembers)
		}
		seen[name] = true
		if err := do(name, h, r); err != nil {
			return err
		}
	}
}

func damaged(err error) error {
	return fault.Wrap(err, fault.Invalid, "bundle_damaged", "the bundle is a damaged tar file: was the upload cut short?")
}

func clip(s string) string { return s[:min(len(s), 64)] }

// openBundle gives the canonical tar of the parts in dir.
func openBundle(dir string, info Info) (Blob, error) {
	m := image.Manifest{
		Name: info.Name, OS: info.OS, Arch: info.Arch, Firmware: info.Firmware, Cmdline: info.Cmdline,
		Kernel: kernelName, DiskFormat: info.DiskFormat, MinMemoryMiB: info.MinMemoryMiB, MinDiskGiB: info.MinDiskGiB,
	}
	names := []string{kernelName}
	if info.HasInitrd {
		m.Initrd, names = initrdName, append(names, initrdName)
	}
	if info.DiskFormat != "" {
		m.Disk, names = diskName, append(names, diskName)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the manifest: %w", err)
	}
	j := &joined{}
	if err := j.member(image.ManifestName, bytes.NewReader(text), int64(len(text))); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := j.file(dir, name); err != nil {
			j.Close()
			return nil, err
		}
	}
	j.add(bytes.NewReader(make([]byte, 2*sectorSize)), 2*sectorSize) // the end of a tar
	return j, nil
}

func (j *joined) file(dir, name string) error {
	f, err := os.Open(dir + "/" + name)
	if err != nil {
		return err
	}
	j.files = append(j.files, f)
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return j.member(name, f, st.Size())
}

// member adds a tar header of fixed form, the content, and the padding.
func (j *joined) member(name string, content io.ReaderAt, size int64) error {
	var head bytes.Buffer
	h := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o444, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := tar.NewWriter(&head).WriteHeader(&h); err != nil {
		return fmt.Errorf("write the tar header of %s: %w", name, err)
	}
	j.add(bytes.NewReader(head.Bytes()), int64(head.Len()))
	j.add(content, size)
	if pad := (sectorSize - size%sectorSize) % sectorSize; pad > 0 {
		j.add(bytes.NewReader(make([]byte, pad)), pad)
	}
	return nil
}
