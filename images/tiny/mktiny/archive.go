package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// cpio writes the "newc" format that the kernel unpacks into its initial RAM disk. Owner is root, the time is the epoch.
type cpio struct {
	out   bytes.Buffer
	inode int
}

const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
	modeChar = 0o020000
)

func (c *cpio) dir(name string)                            { c.entry(name, modeDir|0o755, nil, 0, 0) }
func (c *cpio) file(name string, mode uint32, data []byte) { c.entry(name, modeFile|mode, data, 0, 0) }
func (c *cpio) link(name, target string)                   { c.entry(name, modeLink|0o777, []byte(target), 0, 0) }
func (c *cpio) device(name string, major, minor int) {
	c.entry(name, modeChar|0o600, nil, major, minor)
}

func (c *cpio) entry(name string, mode uint32, data []byte, major, minor int) {
	c.inode++
	links := 1
	if mode&modeDir == modeDir {
		links = 2
	}
	fmt.Fprintf(&c.out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.inode, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	c.out.WriteString(name + "\x00")
	c.pad()
	c.out.Write(data)
	c.pad()
}

func (c *cpio) pad() {
	for c.out.Len()%4 != 0 {
		c.out.WriteByte(0)
	}
}

func (c *cpio) bytes() []byte {
	c.entry("TRAILER!!!", 0, nil, 0, 0)
	return c.out.Bytes()
}

// writeBundle packs the files of an image into one uncompressed tar, manifest first and the others in the order of their names,
// so that a reader knows what follows before it has to store it.
func writeBundle(dir, path string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	sort.SliceStable(entries, func(i, j int) bool {
		return entries[i].Name() == "manifest.json" && entries[j].Name() != "manifest.json"
	})
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	archive := tar.NewWriter(out)
	for _, entry := range entries {
		if err := addFile(archive, dir, entry.Name()); err != nil {
			return fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}

func addFile(archive *tar.Writer, dir, name string) error {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: 0o644, Size: info.Size(), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// writeInodeCommands gives debugfs the commands that make every inode root's, with one time.
func writeInodeCommands(out io.Writer, tree string) error {
	return filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(tree, path)
		if err != nil {
			return err
		}
		name = filepath.Join("/", name)
		for _, field := range []string{"uid 0", "gid 0", "atime @1", "ctime @1", "mtime @1", "crtime @1"} {
			if _, err := fmt.Fprintf(out, "sif \"%s\" %s\n", name, field); err != nil {
				return err
			}
		}
		return nil
	})
}
