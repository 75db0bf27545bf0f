package storage

import (
	"errors"
	"io"
	"os"

	"novacron/backend/core/image"
)

// Blob is the transferable bytes of an image. Read and Seek are for one goroutine, ReadAt for any.
type Blob interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
}

// Open gives the bytes of which digest is the SHA-256. The blob stays readable when the image is removed meanwhile.
func (c *Cache) Open(digest string) (Blob, error) {
	// With the lock held, so that no removal comes between the look-up and the opening of the files.
	c.mu.Lock()
	defer c.mu.Unlock()
	info, ok := c.images[digest]
	if !ok {
		return nil, NoImage(digest)
	}
	if info.Format == image.Bundle {
		return openBundle(c.folder(digest), info)
	}
	j := &joined{}
	f, err := os.Open(info.Disk.Path)
	if err != nil {
		return nil, err
	}
	j.files = append(j.files, f)
	j.add(f, info.Bytes)
	return j, nil
}

// joined reads several sources as one.
type joined struct {
	parts []extent
	size  int64
	at    int64
	files []*os.File
}

type extent struct {
	begin, end int64
	from       io.ReaderAt
}

func (j *joined) add(from io.ReaderAt, size int64) {
	j.parts = append(j.parts, extent{j.size, j.size + size, from})
	j.size += size
}

// Size is the number of bytes in all.
func (j *joined) Size() int64 { return j.size }

// ReadAt fills b unless the end comes first.
func (j *joined) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	done := 0
	for _, p := range j.parts {
		if off >= p.end || done == len(b) {
			continue
		}
		n := int(min(int64(len(b)-done), p.end-off))
		got, err := p.from.ReadAt(b[done:done+n], off-p.begin)
		done, off = done+got, off+int64(got)
		if got < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // the file is shorter than it was
			}
			return done, err
		}
	}
	if done < len(b) {
		return done, io.EOF
	}
	return done, nil
}

// Read reads on from where the last Read or Seek ended.
func (j *joined) Read(b []byte) (int, error) {
	if j.at >= j.size {
		return 0, io.EOF
	}
	n, err := j.ReadAt(b[:min(int64(len(b)), j.size-j.at)], j.at)
	j.at += int64(n)
	return n, err
}

// Seek moves where Read goes on.
func (j *joined) Seek(off int64, whence int) (int64, error) {
	at, err := Sought(j.at, j.size, off, whence)
	if err == nil {
		j.at = at
	}
	return at, err
}

// Sought is where an io.Seeker of so many bytes that stands at a byte goes on after Seek(off, whence). It may be behind the end.
func Sought(at, size, off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += at
	case io.SeekEnd:
		off += size
	}
	if off < 0 {
		return 0, errors.New("seek before the start")
	}
	return off, nil
}

// Close closes the files.
func (j *joined) Close() error {
	var errs []error
	for _, f := range j.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
