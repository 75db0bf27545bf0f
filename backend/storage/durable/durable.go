// Package durable writes files that are whole or absent after a power cut: content first, then its flush, then the rename,
// then the flush of the folder. Leaving one of them out works until the machine loses power.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// WriteFile puts data at path with the mode. After a crash path holds its old content or the new one.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, func(f *os.File) error { return f.Chmod(mode) })
}

// WriteLike is WriteFile with the mode and owner of another file.
func WriteLike(path string, data []byte, like fs.FileInfo) error {
	return write(path, data, func(f *os.File) error {
		owner := like.Sys().(*syscall.Stat_t) //nolint:errcheck // it is on Linux
		return errors.Join(f.Chown(int(owner.Uid), int(owner.Gid)), f.Chmod(like.Mode().Perm()))
	})
}

func write(path string, data []byte, dress func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			_ = os.Remove(f.Name()) // what stays behind begins with .tmp- and is swept
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := dress(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a folder durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Room says how many bytes the file system of path has, and how many an unprivileged writer may still take. As root too,
// since filling the reserve up harms the machine.
func Room(path string) (total, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for free space: %w", err)
	}
	return int64(st.Blocks) * st.Bsize, int64(st.Bavail) * st.Bsize, nil
}

// Allocated is what a file takes on disk, which is less than its size where it has holes.
func Allocated(info fs.FileInfo) int64 {
	const statBlock = 512
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * statBlock
	}
	return info.Size()
}

// IsFull reports whether err says that a disk or a quota is full.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// Clone makes the empty file dst equal to src: by reference where the file system can, else by copying what is not a hole.
func Clone(dst, src *os.File) error {
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return nil
	}
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if err := dst.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		data, err := unix.Seek(int(src.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) {
			return nil // only holes follow
		}
		if err != nil {
			return fmt.Errorf("seek data: %w", err)
		}
		hole, err := unix.Seek(int(src.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("seek hole: %w", err)
		}
		if _, err := dst.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := src.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(dst, src, hole-data); err != nil { // copy_file_range where both ends can
			return err
		}
		at = hole
	}
	return nil
}
